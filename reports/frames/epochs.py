"""Which epoch the numbers are of: the stop epoch chosen beforehand, or the best one in hindsight, and what lies between."""

from __future__ import annotations

import pandas as pd

from reports.frames._base import BASELINES, evaluations, gap_metrics, stage_trials
from reports.names import measures, metric
from sweeps.record import SweepRecord, Winner

__all__ = [
    "cost_of_not_knowing",
    "epoch_convention",
    "epoch_of",
    "hindsight_gaps",
    "measured_gaps",
    "on_one_draw",
    "own_rule",
    "score_definition",
    "score_gaps",
    "winner_of",
]


def epoch_convention(record: SweepRecord) -> str:
    """At which epoch the numbers of evaluation and sensitivity stand, in a few words."""
    return "in hindsight" if record.in_hindsight else "at the stop epoch"


def epoch_of(record: SweepRecord, scenario: str, method: str) -> str:
    """The same of one method's numbers; a baseline has but one epoch, unless an older version tuned when it stops."""
    tuned = stage_trials(record, "confirmation", scenario)
    if method in BASELINES and not (len(tuned) and (tuned["method"] == method).any()):
        return "at its only epoch"
    own = method in own_rule(record, scenario)
    return "at the epoch that its own rule chose" if own else epoch_convention(record)


def winner_of(record: SweepRecord, scenario: str, method: str) -> Winner | None:
    """The configuration and stop epoch that a method's evaluation ran with; None where nothing is known."""
    return record.winners.get(scenario, {}).get(method)


def on_one_draw(record: SweepRecord, scenario: str) -> list[str]:
    """Methods whose stop epoch was chosen on the forget set of the search alone."""
    found = record.winners.get(scenario, {})
    return [m for m, w in found.items() if w.stop_epoch is not None and w.source == "search"]


def own_rule(record: SweepRecord, scenario: str) -> list[str]:
    """Methods that choose their epoch in each run by a rule of their own, which looks at the original (epoch 0) too."""
    winners, curves = {} if record.in_hindsight else record.winners.get(scenario, {}), record.curves
    found = [m for m, w in winners.items() if w.stop_epoch is None]
    looked = curves.loc[(curves["scenario"] == scenario) & (curves["epoch"] == 0), "method"]  # not searched for, too
    return list(dict.fromkeys([*found, *looked]))


def measured_gaps(record: SweepRecord, scenario: str) -> list[str]:
    """The gaps that a scenario's trials hold at every epoch."""
    curves = record.curves
    own = curves[curves["scenario"] == scenario] if len(curves) else curves
    return measures(record).gaps([str(m) for m in own.columns if own[m].notna().any()]) if len(own) else []


def score_gaps(record: SweepRecord, scenario: str) -> list[str]:
    """The gaps whose mean an average gap is, in this scenario."""
    known, asked = measured_gaps(record, scenario), (record.spec.get("objective") or {}).get("gaps")
    return [gap for gap in asked if gap in known or not known] if asked else []


def score_definition(record: SweepRecord, scenario: str) -> str:
    """What the objective's score is the mean of, as measured in this scenario."""
    objective = record.spec.get("objective") or {}
    name, facts = objective.get("name", "average_gap"), measures(record)
    curves = record.curves
    own = curves[curves["scenario"] == scenario] if len(curves) else curves
    known = [m for m in own.columns if own[m].notna().any()] if len(own) else []

    def shorts(gaps: list[str]) -> str:
        return ", ".join(metric(record, gap).short for gap in gaps if gap in known or not known)

    if name == "tow":
        return f"tug-of-war of {shorts(['forget_gap', 'retain_gap', 'utility_gap'])}"
    if name == "pareto":
        utility, forgetting = (shorts(list(facts.side(side))) for side in ("utility", "forgetting"))
        return f"mean of the utility gap ({utility}) and the forgetting gap ({forgetting})"
    return f"mean of {shorts(list(objective.get('gaps') or [])) or 'the gaps present'}"


def cost_of_not_knowing(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """Per method at the shown size: its score at the epoch that counts, in hindsight, and their difference.

    Columns: method, stop_epoch, `score`, `hindsight` and `cost` as `<name>_mean` and `<name>_std`, n. The cost of one forget set
    is what its run lost by stopping when it was told to, and not at the epoch that was best for that very set; NaN for a method
    that chooses its epoch itself. Empty where the numbers are in hindsight anyway, or runs ended at their stop epoch.
    """
    trials = evaluations(record, scenario)
    if record.in_hindsight or "hindsight_score" not in trials:
        return pd.DataFrame()
    trials = trials[(trials["forget_size"] == record.shown_size(scenario)) & trials["hindsight_score"].notna()]
    rows = []
    for method in dict.fromkeys(trials["method"]):
        own = trials[trials["method"] == method]
        score, hindsight = own["score"], own["hindsight_score"].astype(float)
        cost = (score - hindsight).where(own["stop_epoch"].notna())
        values = {"score": score, "hindsight": hindsight, "cost": cost}
        numbers = {f"{name}_{how}": float(getattr(v, how)()) for name, v in values.items() for how in ("mean", "std")}
        stops = own["stop_epoch"].dropna().unique()
        stop = int(stops[0]) if len(stops) == 1 else None
        rows.append({"method": method, "stop_epoch": stop, **numbers, "n": len(own)})
    return pd.DataFrame(rows)


def hindsight_gaps(record: SweepRecord, scenario: str) -> list[str]:
    """The gaps that the evaluation trials hold in hindsight."""
    trials = evaluations(record, scenario)
    return [
        g for g in gap_metrics(record, trials) if f"hindsight.{g}" in trials and trials[f"hindsight.{g}"].notna().any()
    ]
