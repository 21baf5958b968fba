"""How a trial ended: its state, its values, and what is written with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import TrialState

from sweeps.jobs.job import DIED, NO_METRICS, Update
from sweeps.studies.trials import HINDSIGHT, METRICS

Verdict = tuple[TrialState, list[float] | None, dict[str, Any]]


def verdict(report: Update, epochs: Sequence[Mapping[str, float]], *, pruned: bool, max_retries: int) -> Verdict:
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
        least = min(epochs, key=lambda epoch: epoch["score"])
        metrics = {name: value for name, value in least.items() if name not in NO_METRICS}
        return TrialState.PRUNED, None, {"epoch": int(least["epoch"]), METRICS: metrics, **curve}
    if report.outcome == "complete" and all(math.isfinite(v) for v in report.values):
        return TrialState.COMPLETE, report.values, {**report.facts, **_at_its_epoch(report), **curve}
    outcome = "error" if report.outcome == "complete" else report.outcome
    reason = report.reason or f"the score must be a finite number, got {', '.join(map(str, report.values))}"
    return TrialState.FAIL, None, {**report.facts, "outcome": outcome, "fail_reason": reason, **curve}


def _at_its_epoch(report: Update) -> dict[str, Any]:
    """The epoch that counts and the metrics there, and likewise in hindsight where that is known."""
    hindsight = {"hindsight_epoch": report.hindsight_epoch, HINDSIGHT: report.hindsight}
    return {
        **({} if report.epoch is None else {"epoch": report.epoch}),
        METRICS: report.metrics,
        **({} if report.hindsight_epoch is None else hindsight),
    }
