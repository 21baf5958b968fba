"""A trial as a tracker shows it: a run with a name, parameters, numbers per epoch, and an end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

from sweeps.studies.multiplexer import Assignment
from sweeps.studies.retries import INTERRUPTED, requeued
from sweeps.studies.trials import HINDSIGHT, METRICS, draw_params


@dataclass(frozen=True, eq=False)
class Run:
    """A trial in progress, or as the storage has it once it has ended."""

    assignment: Assignment

    def __str__(self) -> str:
        return f"{self.assignment.open_study.plan.name}/{self.assignment.trial.number}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Stage, scenario, method and number."""
        return *self.assignment.open_study.plan.key, str(self.assignment.trial.number)

    @property
    def tags(self) -> dict[str, str]:
        """Which trial it is."""
        plan = self.assignment.open_study.plan
        facts = {"sweep": plan.sweep, "stage": plan.stage, "scenario": plan.scenario, "method": plan.method}
        attrs = self.assignment.trial.user_attrs
        return facts | {name: str(attrs[name]) for name in ("origin", "retry_of") if name in attrs}

    @property
    def params(self) -> dict[str, Any]:
        """Hyperparameters in true units, the forget set and the run's seed."""
        job = self.assignment.job
        params = {**job.hyperparameters, **draw_params(job.draw), "seed": job.seed}
        return {name: value if isinstance(value, int | float) else str(value) for name, value in params.items()}

    @property
    def end(self) -> tuple[str, str]:
        """Optuna's state of the trial, and why it failed."""
        ended = self.assignment.ended
        if ended is None:
            return TrialState.FAIL.name, INTERRUPTED
        again = "; run again as a later trial" if requeued(ended) else ""
        return ended.state.name, str(ended.user_attrs.get("fail_reason", "")) + again

    @property
    def result(self) -> tuple[int, dict[str, float]]:
        """The epoch that counts (0 for a reference), and every metric there, the costly ones too; likewise in hindsight."""
        ended = self.assignment.ended
        attrs, values = (ended.user_attrs, ended.values) if ended else ({}, None)
        metrics = {f"metric/{name}": value for name, value in attrs.get(METRICS, {}).items()}
        hindsight = {f"hindsight/{name}": value for name, value in attrs.get(HINDSIGHT, {}).items()}
        value = {"value": sum(values) / len(values)} if values else {}
        return int(attrs.get("epoch") or 0), numbers({**value, **metrics, **hindsight, "seconds": attrs.get("seconds")})


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Those values that a tracker can draw."""
    return {k: float(v) for k, v in values.items() if isinstance(v, int | float) and math.isfinite(v)}
