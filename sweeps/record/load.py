"""Reads a sweep's storage into a record."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweeps.errors import SweepError
from sweeps.jobs.job import IN_FIRST_OF, NO_METRICS, RETAIN_SAMPLES, SAMPLES
from sweeps.objective import top_epochs
from sweeps.plan import Plan, StudyPlan, draws_vary, make_plan
from sweeps.record.fingerprint import fingerprint
from sweeps.record.record import COLUMNS, STUDY, SweepRecord
from sweeps.record.strings import plain_strings
from sweeps.record.winners import Studies, StudyKey, find_winners
from sweeps.spec import Spec, leaves_published_out, stored_spec
from sweeps.storage.snapshot import snapshot
from sweeps.studies.design import Design
from sweeps.studies.importance import parameter_importances
from sweeps.studies.retries import pending_retries, superseded_numbers
from sweeps.studies.trials import FACTS, HINDSIGHT, METRICS, trial_key
from sweeps.text import clean_all

#: What trials of older versions kept beside their metrics, which were attributes like any other.
OLD_FACTS = {
    *FACTS,
    "best_epoch",
    "hyperparameters",
    "curve",
    "requeued",
    "attempt",
    "host",
    "pid",
    "device",
    "samples",
    "forward_samples",
    "key",
    "loaded",
    "training_seconds",
    "training_samples",
}
#: Stages whose trials are reported in hindsight too, unless they end at their stop epoch.
REPORTED = {"evaluation", "sensitivity"}
#: What older versions left unsaid of a run.
BEFORE = {"run": 0, "oracles": 1, "cost_of": "epoch"}
OLD_VERSION = (
    "its numbers are in hindsight: an older version evaluated it, each run at the epoch of the least score on the very forget "
    "set and test images reported; run it again for numbers at a stop epoch that was known beforehand"
)
PAPER = (
    "its numbers are in hindsight, as in the paper (protocol: paper): each run counts at the epoch of the least score on the "
    "very forget set and test images reported"
)


def load_sweep(storage: BaseStorage, name: str, *, importances: bool = True) -> SweepRecord:
    """All that `storage` holds of the sweep `name`.

    Args:
        importances: whether they are computed; it takes longer than all the rest.

    Raises:
        SweepError: there is no such sweep in it.
    """
    storage = snapshot(storage, name)
    try:
        attrs = optuna.load_study(study_name=name, storage=storage).user_attrs
        frozen = attrs["spec"]  # missing where the driver was stopped before it wrote anything
    except KeyError:
        raise SweepError(f"the storage holds no sweep {name!r}; start it with: sweeps run {name}") from None
    plan = stored_plan(attrs)
    spec = plan.spec
    there = {s.study_name for s in storage.get_all_studies()}
    studies: dict[StudyKey, tuple[StudyPlan, Study]] = {
        study.key: (study, optuna.load_study(study_name=study.name, storage=storage))
        for study in plan.studies
        if study.name in there
    }
    # before all else is read: what a driver writes meanwhile belongs to another state, of which no outputs are made yet
    seen = fingerprint(storage, name, (study for _, study in studies.values()))
    designs: dict[StudyKey, Design] = {
        key: found for key, (_, study) in studies.items() if (found := Design.of(study)) is not None
    }
    winners = find_winners(spec, studies, designs)
    old = any(design.winner is None and key[0] == "evaluation" for key, design in designs.items())
    paper = frozen["protocol"] == "paper"
    with plain_strings():
        trials, curves = _tables(studies, designs)
    dataset = clean_all(attrs.get("dataset", {}))
    return SweepRecord(
        name=name,
        spec=frozen,
        provenance=clean_all(attrs.get("provenance", {})),
        planned={**plan.trials, **_ended_early(spec, studies), **{k: design.planned for k, design in designs.items()}},
        trials=trials,
        curves=curves,
        best={s: {m: w.hyperparameters for m, w in methods.items()} for s, methods in winners.items()},
        importances=_importances(studies) if importances else {},
        data=dataset.get("read", ""),
        data_digest=str(attrs.get("data", "")).partition("-")[0],
        data_identity=str(attrs.get("data", "")),
        classes={
            label: [(position, text) for position, text in of] for label, of in dataset.get("classes", {}).items()
        },
        images={part: n for part, n in dataset.get("sizes", {}).items() if part in ("train", "dev", "test")},
        class_images=dataset.get("class_images", {}),
        measures=attrs.get("measures", []),
        winners=winners,
        in_hindsight=old or paper,
        left_out=_left_out(plan, storage, there),
        published_left_out=leaves_published_out(spec),
        draws_vary={label: draws_vary(spec, label) for label in spec.scenarios},
        protocol_note=PAPER if paper else OLD_VERSION if old else "",
        fingerprint=seen,
    )


def _ended_early(spec: Spec, studies: Studies) -> dict[StudyKey, int]:
    """How many trials a search has whose budget of samples is used up: the search plans no more of them."""
    found: dict[StudyKey, int] = {}
    for key, (plan, study) in studies.items():
        trials = study.get_trials(deepcopy=False)
        used = sum(int(trial.user_attrs.get(SAMPLES, 0)) for trial in trials)
        if key[0] == "search" and spec.search.samples is not None and used >= spec.search.samples:
            again = len(list(pending_retries(trials, lambda trial: False)))
            found[key] = min(plan.trials, len(trials) - len(superseded_numbers(trials)) + again)
    return found


def _left_out(plan: Plan, storage: BaseStorage, there: set[str]) -> dict[str, list[str]]:
    """Methods with completed trials in a scenario of the plan but no study in the plan, by scenario."""
    found: dict[str, list[str]] = {}
    for name in sorted(there):
        match name.split("/"):
            case [plan.spec.name, "search" | "evaluation", scenario, method]:
                known = scenario not in plan.spec.scenarios or method in (*plan.spec.methods, *found.get(scenario, []))
                if not known and any(t.state == TrialState.COMPLETE for t in _trials_of(storage, name)):
                    found.setdefault(scenario, []).append(method)
    return found


def _trials_of(storage: BaseStorage, name: str) -> list[FrozenTrial]:
    return optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)


def stored_plan(attrs: Mapping[str, Any]) -> Plan:
    """The studies of a sweep, from the attributes of its own study."""
    spec = stored_spec(attrs["spec"])
    spec.keep_facts(attrs.get("components", {}))  # those of older versions have none, and their components are imported
    return make_plan(spec)


def _tables(studies: Studies, designs: Mapping[StudyKey, Design]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per trial, and one per trial and epoch."""
    rows: list[dict[str, Any]] = []
    curves: list[tuple[dict[str, Any], dict[str, list[Any]]]] = []
    for key, (plan, study) in studies.items():
        where = dict(zip(STUDY, (plan.name, *key), strict=False))
        current = designs[key].keys if key in designs else None
        found = study.get_trials(deepcopy=False)
        aside = superseded_numbers(found)
        for trial in found:
            superseded = current is not None and trial_key(trial) not in current
            flags = {"requeued": trial.number in aside, "superseded": superseded}
            rows.append({**where, **_row(trial, plan.stage), **flags})
            if curve := trial.user_attrs.get("curve"):
                curves.append(({**where, "number": trial.number}, curve))
    trials = pd.DataFrame(rows, columns=None if rows else list(COLUMNS))
    trials = trials.reindex(columns=list(dict.fromkeys([*COLUMNS, *trials.columns])))
    told_apart = ["requeued", "superseded"]
    trials[told_apart] = trials[told_apart].eq(True)
    return trials, _epochs(curves)


def _importances(studies: Studies) -> dict[str, dict[str, dict[str, float] | None]]:
    found: dict[str, dict[str, dict[str, float] | None]] = {}
    for (stage, scenario, method), (plan, study) in studies.items():
        if stage == "search" and plan.space is not None:
            found.setdefault(scenario, {})[method] = parameter_importances(study, plan.space)
    return found


def _row(trial: FrozenTrial, stage: str) -> dict[str, Any]:
    attrs = trial.user_attrs
    metrics, hindsight = _metrics(trial, stage)
    curve = attrs.get("curve", {})
    value = float(np.mean(trial.values)) if trial.values else np.nan
    facts = clean_all({name: attrs.get(name) for name in FACTS}) | {
        "epoch": attrs.get("epoch", attrs.get("best_epoch"))
    }
    if stage != "reference":
        facts |= {name: facts[name] if facts[name] is not None else was for name, was in BEFORE.items()}
    facts["training"] = facts["training"] or 0
    if hindsight and facts["hindsight_epoch"] is None:
        facts["hindsight_epoch"] = facts["epoch"]
    row: dict[str, Any] = {
        "number": trial.number,
        "state": trial.state.name,
        "value": value,
        "hindsight_score": (min(curve["score"]) if HINDSIGHT in attrs else value) if hindsight else np.nan,
        RETAIN_SAMPLES: min(curve.get(RETAIN_SAMPLES, [np.nan])),
        "started": trial.datetime_start,
        "completed": trial.datetime_complete,
        **facts,
        **{f"in_first.{name}": value for name, value in attrs.get(IN_FIRST_OF, {}).items()},
        **{f"hp.{name}": value for name, value in attrs.get("hyperparameters", {}).items()},
        **{f"metric.{name}": value for name, value in metrics.items()},
        **{f"hindsight.{name}": value for name, value in hindsight.items()},
    }
    if curve and (hindsight or stage not in REPORTED):  # not of an evaluation that ended at its stop epoch
        top = [epoch - 1 for epoch in top_epochs(curve["score"])]
        for name, values in curve.items():
            if name not in NO_METRICS:
                chosen = [values[i] for i in top if values[i] is not None]
                row[f"top5.{name}"] = float(np.mean(chosen)) if chosen else np.nan
    return row


def _metrics(trial: FrozenTrial, stage: str) -> tuple[dict[str, float], dict[str, float]]:
    """A trial's metrics at the epoch that counts, and in hindsight; none of one that has not come to its end.

    What was evaluated without a stop epoch counts in hindsight, or by the method's own rule: both are then the same.
    """
    attrs = trial.user_attrs
    metrics = attrs.get(METRICS, None if trial.state == TrialState.COMPLETE else {})
    if metrics is None:
        known = {*OLD_FACTS, *attrs.get("hyperparameters", {})}
        metrics = {k: v for k, v in attrs.items() if k not in known and isinstance(v, float | int)}
    own = stage in REPORTED and attrs.get("stop_epoch") is None
    return metrics, attrs.get(HINDSIGHT) or (metrics if own else {})


def _epochs(curves: list[tuple[dict[str, Any], dict[str, list[Any]]]]) -> pd.DataFrame:
    """One row per trial and epoch, made column by column: of each trial what tells it apart, and its curves."""
    if not curves:
        return pd.DataFrame(columns=[*STUDY, "epoch", "score"])
    lengths = [len(curve["epoch"]) for _, curve in curves]
    columns: dict[str, Any] = {name: np.repeat([where[name] for where, _ in curves], lengths) for name in STUDY}
    for name in dict.fromkeys(name for _, curve in curves for name in curve):
        values = (curve.get(name, [None] * n) for (_, curve), n in zip(curves, lengths, strict=True))
        columns[name] = list(chain.from_iterable(values))
    return pd.DataFrame(columns)
