"""What was planned, what was done, what failed and why, and who won."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from reports.frames._base import FLOOR, evaluations, methods, scenarios, stage_trials, tuned_size
from reports.frames.metrics import metric_summary
from sweeps.record import SweepRecord

__all__ = ["STAGES", "Winner", "failures", "optimism", "progress", "winner"]

STAGES = ("search", "confirmation", "evaluation", "sensitivity")


def progress(record: SweepRecord) -> pd.DataFrame:
    """One row per (scenario, method, stage): planned, complete, pruned, failed (for good), running, waiting, missing, seconds.

    A failed trial that was queued again is not counted: its retry is. The retrained oracle, which comes last, and
    the confirmation of leaders are listed where they were planned.
    """
    rows = []
    keys = [
        (s, m, stage)
        for s in scenarios(record)
        for m in [*methods(record, s), FLOOR]
        for stage in STAGES
        if (m != FLOOR and stage != "confirmation") or (stage, s, m) in record.planned
    ]
    for scenario, method, stage in keys:
        trials = stage_trials(record, stage, scenario)
        trials = trials[trials["method"] == method] if len(trials) else trials
        states = trials["state"].value_counts() if len(trials) else pd.Series(dtype=int)
        count = {s: int(states.get(s, 0)) for s in ("COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING")}
        planned = record.planned.get((stage, scenario, method), 0)
        missing = max(0, planned - count["COMPLETE"] - count["PRUNED"] - count["FAIL"])
        seconds = float(trials["seconds"].sum()) if len(trials) else 0.0
        rows.append((scenario, method, stage, planned, *count.values(), missing, seconds))
    columns = ["scenario", "method", "stage", "planned", "complete", "pruned", "failed", "running", "waiting"]
    return pd.DataFrame(rows, columns=[*columns, "missing", "seconds"])


def failures(record: SweepRecord) -> pd.DataFrame:
    """Trials that failed for good, one row per (stage, scenario, method, reason) with their count and numbers."""
    columns = ["stage", "scenario", "method", "reason", "trials", "numbers"]
    failed = record.counted
    failed = failed[failed["state"] == "FAIL"] if len(failed) else failed
    if not len(failed):
        return pd.DataFrame(columns=columns)
    failed = failed.assign(reason=failed["fail_reason"].fillna("no reason stored").astype(str))
    grouped = failed.groupby(columns[:4], sort=False)["number"]
    out = grouped.agg(trials="count", numbers=lambda n: ", ".join(str(int(i)) for i in sorted(n)))
    return out.reset_index()[columns]


@dataclass(frozen=True)
class Winner:
    """Who won a scenario.

    Attributes:
        method: None where nothing is known yet.
        source: the stage whose scores decide: `evaluation`, or `search` while nothing is evaluated.
        scores: per method: mean, std, n, best, tied, p, pairs; sorted, best first.
    """

    scenario: str
    method: str | None
    source: Literal["evaluation", "search"] | None
    forget_size: int | None
    scores: pd.DataFrame

    @property
    def equals(self) -> list[str]:
        """Methods that are as good, or not distinguishable."""
        rows = self.scores
        return [str(m) for m in rows.loc[rows["best"] | rows["tied"], "method"] if m != self.method]


def winner(record: SweepRecord, scenario: str) -> Winner:
    """The least mean score over the evaluation's forget sets at the tuned size; before evaluation, the least search score."""
    size = tuned_size(record, scenario)
    scores = metric_summary(record, scenario, ["score"])
    scores = scores[scores["forget_size"] == size]
    if len(scores):
        scores = scores.sort_values("mean", kind="stable", ignore_index=True)
        return Winner(scenario, str(scores["method"].iloc[0]), "evaluation", size, scores)
    searched = stage_trials(record, "search", scenario, "COMPLETE")
    searched = searched.dropna(subset=["value"]) if len(searched) else searched
    if not len(searched):
        return Winner(scenario, None, None, size, scores)
    least = searched.groupby("method")["value"].min().sort_values(kind="stable")
    table = pd.DataFrame({"method": least.index, "mean": least.to_numpy(), "std": float("nan"), "n": 1})
    table = table.assign(best=table["mean"] == table["mean"].min(), tied=False, p=float("nan"), pairs=0)
    return Winner(scenario, str(table["method"].iloc[0]), "search", size, table)


def optimism(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """Per method what the winner scored in the search, when confirmed, and when evaluated at the tuned size.

    `confirmed_optimism` and `optimism` are how much worse than in the search it did on the further tuning forget sets, and on
    fresh ones; the confirmed columns are NaN where nothing was confirmed.
    """
    evaluated = evaluations(record, scenario)
    evaluated = evaluated[evaluated["forget_size"] == tuned_size(record, scenario)]
    searches = stage_trials(record, "search", scenario, "COMPLETE")
    rows = []
    for method in methods(record, scenario):
        searched = searches[searches["method"] == method]
        fresh = evaluated.loc[evaluated["method"] == method, "score"]
        if not len(searched) or not len(fresh):
            continue
        score = float(record.at_best("search", scenario, method)["value"].min())
        confirmed = record.at_best("confirmation", scenario, method)["value"]
        rows.append(
            {
                "method": method,
                "search_score": score,
                "trials": len(searched),
                "confirmed_mean": confirmed.mean(),
                "confirmed_std": confirmed.std(),
                "confirmed_n": len(confirmed),
                "evaluation_mean": fresh.mean(),
                "evaluation_std": fresh.std(),
                "n": len(fresh),
                "confirmed_optimism": confirmed.mean() - score,
                "optimism": fresh.mean() - score,
            }
        )
    return pd.DataFrame(rows)
