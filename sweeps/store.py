"""A sweep's storage as tidy tables: the only thing that reports read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from sweeps.errors import SweepError
from sweeps.importance import parameter_importances
from sweeps.objective import top_epochs
from sweeps.plan import STAGES, make_plan
from sweeps.retries import set_aside
from sweeps.secrets import mask
from sweeps.spec import parse_spec, read_yaml
from sweeps.storage import open_storage
from sweeps.studies import DESIGN, point_key
from sweeps.winners import confirmed, winner

FACTS = (
    "best_epoch",
    "outcome",
    "fail_reason",
    "retry_of",
    "seconds",
    "forget_size",
    "forget_seed",
    "seed",
    "scored_on",
    "origin",
)
NOT_METRICS = {*FACTS, "hyperparameters", "curve", "requeued", "attempt", "host", "pid", "device", "samples"}
STORAGE_VARIABLE = "UNLEARN_SWEEPS_STORAGE"
STUDY = ("study", "stage", "scenario", "method", "number")
COLUMNS = (*STUDY, "state", "value", "started", "completed", *FACTS, "requeued", "superseded")


@dataclass(frozen=True)
class SweepRecord:
    """Everything a storage says about one sweep.

    Attributes:
        name: of the sweep.
        spec: the resolved sweep file as plain data.
        provenance: versions, commit, device and times.
        planned: trials planned, by (stage, scenario, method).
        trials: one row per trial: study, stage, scenario, method, number, state, value, best_epoch, outcome (of a failed one:
            error, diverged or died), fail_reason, retry_of, started, completed, seconds, forget_size, forget_seed, seed,
            scored_on, origin, requeued, superseded, `hp.<hyperparameter>`,
            `best.<metric>` (at the best epoch) and `top5.<metric>` (mean over the five best epochs).
        curves: one row per trial and epoch: study, stage, scenario, method, number, epoch, score and every metric.
        best: hyperparameters of each search's best (or confirmed) trial, {scenario: {method: {name: value}}}.
        importances: each hyperparameter's share in what decides a search, {scenario: {method: {name: share}}}, a method's shares
            adding up to 1; None where too few trials are complete.
    """

    name: str
    spec: dict[str, Any]
    provenance: dict[str, Any]
    planned: dict[tuple[str, str, str], int]
    trials: pd.DataFrame
    curves: pd.DataFrame
    best: dict[str, dict[str, dict[str, Any]]]
    importances: dict[str, dict[str, dict[str, float] | None]] = field(default_factory=dict)

    @property
    def counted(self) -> pd.DataFrame:
        """The trials that count towards the plan: those queued again, and those of a superseded winner, left out."""
        trials = self.trials[~self.trials["requeued"]]
        return trials[~trials["superseded"]]

    def at_best(self, stage: str, scenario: str, method: str) -> pd.DataFrame:
        """Completed trials of a stage that ran with `best`; in a search without any of them (nothing is best yet), the lowest."""
        trials = self.counted
        mine = (trials["stage"] == stage) & (trials["scenario"] == scenario) & (trials["method"] == method)
        found = trials[mine & (trials["state"] == "COMPLETE")]
        point = self.best.get(scenario, {}).get(method, {})
        known = {f"hp.{name}": value for name, value in point.items() if f"hp.{name}" in found}
        own = (
            found[(found[list(known)] == pd.Series(known, dtype=object)).all(axis="columns")]
            if known
            else found.iloc[:0]
        )
        return found.nsmallest(1, "value") if stage == "search" and not len(own) else own


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
    spec = parse_spec(frozen, name)
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
    return SweepRecord(
        name=name,
        spec=attrs["spec"],
        provenance=attrs.get("provenance", {}),
        planned=planned,
        trials=trials,
        curves=pd.DataFrame(curves, columns=None if curves else [*STUDY, "epoch", "score"]),
        best=best,
        importances=importances,
    )


def find_sweep(where: str | Path, *, sweep: str | None = None, storage: str | None = None) -> SweepRecord:
    """The sweep that `where` tells: its name (then it lies under `runs/`), its folder, or the URL of a storage.

    Args:
        sweep: its name, where a storage holds several.
        storage: URL, where the folder cannot tell it because it has a password; else $UNLEARN_SWEEPS_STORAGE.

    Raises:
        SweepError: there is no such sweep; the message says what there is.
    """
    if "://" in str(where) or str(where).startswith("journal:"):
        url, name = str(where), sweep
    else:
        folder = Path(where) if (Path(where) / "spec.yaml").is_file() else Path("runs") / where
        if not (folder / "spec.yaml").is_file():
            raise SweepError(
                f"sweep must be a name under runs/, a folder with a spec.yaml, or a storage URL, got {str(where)!r}"
            )
        frozen = read_yaml(folder / "spec.yaml")
        name = sweep or frozen["name"]
        local = folder / "study.db"
        url = storage or os.environ.get(STORAGE_VARIABLE) or frozen.get("storage") or f"sqlite:///{local.absolute()}"
        moved = url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()
        url = f"sqlite:///{local.absolute()}" if moved and local.exists() else url
    if "***" in url:
        raise SweepError(f"storage {url} has a password: pass storage=… or set ${STORAGE_VARIABLE}")
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        raise SweepError(f"storage must exist, got {mask(url)}")
    opened = open_storage(url)
    held = sweeps_in(opened)
    if name is None and len(held) != 1:
        raise SweepError(f"storage {mask(url)} holds the sweeps {', '.join(held) or 'none'}; pass sweep=…")
    return load_sweep(opened, name or held[0])


def sweeps_in(storage: BaseStorage) -> list[str]:
    """Names of the sweeps that a storage holds."""
    return sorted(s.study_name for s in storage.get_all_studies() if "spec" in s.user_attrs)


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


__all__ = ["STAGES", "SweepRecord", "find_sweep", "load_sweep", "sweeps_in"]
