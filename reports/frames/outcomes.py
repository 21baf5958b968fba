"""What was planned, what was done, what failed and why, and who won."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from reports.frames._base import BASELINES, evaluations, methods, scenarios, stage_trials
from reports.frames.epochs import winner_of
from reports.frames.metrics import metric_summary
from sweeps.record import STAGES, SweepRecord, once

__all__ = ["Standing", "failures", "optimism", "progress", "standing"]


@once
def progress(record: SweepRecord) -> pd.DataFrame:
    """One row per (scenario, method, stage): planned, complete, pruned, failed (for good), running, waiting, missing, seconds.

    A failed trial that was queued again is not counted: its retry is. The baselines, which come last, and the confirmation
    of leaders are listed where they were planned.
    """
    rows = []
    keys = [
        (s, m, stage)
        for s in scenarios(record)
        for m in [*methods(record, s), *BASELINES]
        for stage in STAGES
        if stage != "reference"
        and ((m not in BASELINES and stage != "confirmation") or (stage, s, m) in record.planned)
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
class Standing:
    """Which method has the least score in a scenario, and which ones are told apart from it.

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
        """Methods that are as good, or not told apart."""
        rows = self.scores
        return [str(m) for m in rows.loc[rows["best"] | rows["tied"], "method"] if m != self.method]

    @property
    def behind(self) -> list[str]:
        """Methods that are told apart from it, and worse."""
        rows = self.scores
        if self.source != "evaluation" or len(rows) < 2:
            return []
        known = rows.loc[~(rows["best"] | rows["tied"]), "method"]
        return [str(m) for m in known if m != self.method]


def standing(record: SweepRecord, scenario: str) -> Standing:
    """The least mean score over the evaluation's forget sets at the tuned size; before evaluation, the least search score."""
    size = record.shown_size(scenario)
    scores = metric_summary(record, scenario, ["score"])
    scores = scores[scores["forget_size"] == size]
    if len(scores):
        order = scores.assign(after=~scores["best"], level=scores["mean"].where(~scores["best"]))
        order = order.sort_values(["after", "level", "method"], kind="stable")
        scores = scores.loc[order.index].reset_index(drop=True)
        return Standing(scenario, str(scores["method"].iloc[0]), "evaluation", size, scores)
    searched = stage_trials(record, "search", scenario, "COMPLETE")
    searched = searched.dropna(subset=["value"]) if len(searched) else searched
    if not len(searched):
        return Standing(scenario, None, None, size, scores)
    least = searched.groupby("method")["value"].min().sort_values(kind="stable")
    table = pd.DataFrame({"method": least.index, "mean": least.to_numpy(), "std": float("nan"), "n": 1})
    table = table.assign(best=table["mean"] == table["mean"].min(), tied=False, p=float("nan"), pairs=0)
    return Standing(scenario, str(table["method"].iloc[0]), "search", size, table)


def optimism(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """Per method what the winner scored in the search, when confirmed, and when evaluated at the size tuned at.

    The search's score is that of its best epoch, which it chose; the others stand at the stop epoch, where there is one.
    `confirmed_optimism` and `optimism` are how much worse than in the search it did on the further tuning forget sets, and on
    fresh ones; NaN where nothing was confirmed, or evaluated at that size. Methods whose parameters were given have no row.
    """
    evaluated = evaluations(record, scenario)
    evaluated = evaluated[evaluated["forget_size"] == record.tuned_size(scenario)]
    rows = []
    for method in methods(record, scenario):
        found = winner_of(record, scenario, method)
        complete = stage_trials(record, "search", scenario, "COMPLETE")
        trials = int((complete["method"] == method).sum()) if len(complete) else 0
        searched = record.at_best("search", scenario, method)["value"] if trials else pd.Series(dtype=float)
        fresh = evaluated.loc[evaluated["method"] == method, "score"]
        confirmed = record.confirmed_scores(scenario, method)
        if not len(searched) or (found is not None and found.source == "given") or not (len(fresh) or len(confirmed)):
            continue
        score = float(searched.min())
        rows.append(
            {
                "method": method,
                "search_score": score,
                "trials": trials,
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
    return pd.DataFrame(rows).round({"confirmed_optimism": 9, "optimism": 9})  # equal scores, added up in another order
