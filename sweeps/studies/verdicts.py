"""How a trial ended: its state, its values, and what is written with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import TrialState

from sweeps.jobs.job import DIED, Report

Verdict = tuple[TrialState, list[float] | None, dict[str, Any]]


def verdict(report: Report, epochs: Sequence[Mapping[str, float]], *, pruned: bool, max_retries: int) -> Verdict:
    """A trial's state, its values where it is complete, and its attributes.

    Args:
        epochs: all that were reported, in order.
        pruned: whether its pruner stopped it.
        max_retries: how often parameters are run again whose worker died; it did so for the last time.
    """
    curve = {"curve": {name: [e.get(name) for e in epochs] for name in epochs[0]}} if epochs else {}
    if report.outcome == "died":
        tries = max_retries + 1
        reason = f"{report.reason or DIED} (attempt {tries} of {tries})"
        return TrialState.FAIL, None, {"outcome": "died", "fail_reason": reason, **curve}
    if pruned:
        best = min(epochs, key=lambda epoch: epoch["score"])
        return TrialState.PRUNED, None, {"best_epoch": int(best["epoch"]), **_metrics(best), **curve}
    if report.outcome == "complete" and all(math.isfinite(v) for v in report.values):
        facts = {"best_epoch": report.best_epoch} if report.best_epoch is not None else {}
        return TrialState.COMPLETE, report.values, {**report.about, **facts, **_metrics(report.best), **curve}
    outcome = "error" if report.outcome == "complete" else report.outcome
    reason = report.reason or f"the score must be a finite number, got {', '.join(map(str, report.values))}"
    return TrialState.FAIL, None, {**report.about, "outcome": outcome, "fail_reason": reason, **curve}


def _metrics(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name not in {"epoch", "score"}}
