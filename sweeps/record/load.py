"""Reads a sweep's storage into a record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from sweeps.errors import SweepError
from sweeps.objective import top_epochs
from sweeps.plan import make_plan
from sweeps.record.record import COLUMNS, STUDY, SweepRecord
from sweeps.spec import stored_spec
from sweeps.studies.importance import parameter_importances
from sweeps.studies.retries import set_aside
from sweeps.studies.trials import DESIGN, FACTS, NOT_METRICS, point_key
from sweeps.studies.winners import confirmed, winner


def load_sweep(storage: BaseStorage, name: str) -> SweepRecord:
    """All that `storage` holds of the sweep `name`.

    Raises:
        SweepError: there is no such sweep in it.
    """
    try:
        attrs = optuna.load_study(study_name=name, storage=storage).user_attrs
        frozen = attrs["spec"]  # missing where the driver was stopped before it wrote anything
    except KeyError:
        raise SweepError(f"the storage holds no sweep {name!r}; start it with: sweeps run {name}") from None
    spec = stored_spec(frozen)
    plan = make_plan(spec)
    names = {s.study_name for s in storage.get_all_studies()}
    rows: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    best: dict[str, dict[str, dict[str, Any]]] = {}
    importances: dict[str, dict[str, dict[str, float] | None]] = {}
    planned: dict[tuple[str, str, str], int] = dict(plan.trials)
    for study_plan in plan.studies:
        if study_plan.name not in names:
            continue
        study = optuna.load_study(study_name=study_plan.name, storage=storage)
        where = dict(zip(STUDY, (study_plan.name, *study_plan.key), strict=False))
        design = study.user_attrs.get(DESIGN)
        current = None if design is None else {point_key(params) for params in design}
        if current is not None:
            planned[study_plan.key] = len(current)
        trials_of_study = study.get_trials(deepcopy=False)
        aside = set_aside(trials_of_study)
        for trial in trials_of_study:
            superseded = current is not None and point_key(trial.params) not in current
            flags = {"requeued": trial.number in aside, "superseded": superseded}
            rows.append({**where, **_row(trial), **flags})
            curves += [{**where, "number": trial.number, **epoch} for epoch in _epochs(trial)]
        space = study_plan.space
        if space is None or study_plan.stage not in {"search", "confirmation"}:
            continue
        if study_plan.stage == "search":
            shares = parameter_importances(study, space)
            importances.setdefault(study_plan.scenario, {})[study_plan.method] = shares
        found = winner(study, space) if study_plan.stage == "search" else confirmed(study, space)
        if found is not None:
            best.setdefault(study_plan.scenario, {})[study_plan.method] = found
    trials = pd.DataFrame(rows, columns=None if rows else list(COLUMNS))
    trials = trials.reindex(columns=list(dict.fromkeys([*COLUMNS, *trials.columns])))
    told_apart = ["requeued", "superseded"]
    trials[told_apart] = trials[told_apart].eq(True)
    dataset = attrs.get("dataset", {})
    return SweepRecord(
        name=name,
        spec=attrs["spec"],
        provenance=attrs.get("provenance", {}),
        planned=planned,
        trials=trials,
        curves=pd.DataFrame(curves, columns=None if curves else [*STUDY, "epoch", "score"]),
        best=best,
        importances=importances,
        data=dataset.get("read", ""),
        classes={
            label: [(position, text) for position, text in of] for label, of in dataset.get("classes", {}).items()
        },
    )


def _row(trial: FrozenTrial) -> dict[str, Any]:
    attrs = trial.user_attrs
    hyperparameters = attrs.get("hyperparameters", {})
    metrics = {k: v for k, v in attrs.items() if k not in NOT_METRICS and k not in hyperparameters}
    metrics = {k: v for k, v in metrics.items() if isinstance(v, float | int)}
    curve = attrs.get("curve", {})
    row: dict[str, Any] = {
        "number": trial.number,
        "state": trial.state.name,
        "value": float(np.mean(trial.values)) if trial.values else np.nan,
        "started": trial.datetime_start,
        "completed": trial.datetime_complete,
        **{name: attrs.get(name) for name in FACTS},
        **{f"hp.{name}": value for name, value in hyperparameters.items()},
        **{f"best.{name}": value for name, value in metrics.items()},
    }
    if curve:
        top = [epoch - 1 for epoch in top_epochs(curve["score"])]
        for name, values in curve.items():
            if name not in {"epoch", "score"}:
                chosen = [values[i] for i in top if values[i] is not None]
                row[f"top5.{name}"] = float(np.mean(chosen)) if chosen else np.nan
    return row


def _epochs(trial: FrozenTrial) -> Iterator[dict[str, Any]]:
    curve = trial.user_attrs.get("curve", {})
    for values in zip(*curve.values(), strict=True):
        yield dict(zip(curve, values, strict=True))
