"""t-SNE maps of the training set's features (the paper's Figure 6), on demand: the winners run again to the epoch that counts."""

from __future__ import annotations

import io
import platform
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import torch
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sweeps.errors import SweepError
from sweeps.jobs.cache import Cache
from sweeps.jobs.job import other_data, same_data
from sweeps.jobs.worker import Worker
from sweeps.plan import ForgetDraw
from sweeps.record import BASELINES, SweepRecord
from sweeps.resources import as_a_worker
from sweeps.spec import Spec
from sweeps.studies.trials import AVOIDS
from unlearn.embedding import tsne
from unlearn.files import write_atomically
from unlearn.models import Classifier
from unlearn.registry import find
from unlearn.run import run_unlearning
from unlearn.workspace import Task

#: Groups of samples, by their number in the file.
GROUPS = ("other retain", "retain of the class", "forget")
MOST = 1500


def write_embeddings(
    spec: Spec,
    cache: Cache,
    storage: BaseStorage,
    record: SweepRecord,
    folder: Path,
    *,
    max_samples: int = MOST,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write `folder/<scenario>.npz` for every scenario that has been evaluated; returns the paths.

    Each file holds `names` (original, oracle, then methods), `numbers` (of the evaluation trial behind each; −1 for references),
    `coordinates` (models, samples, 2), `group` (samples; see `GROUPS`), `label`, `forget_size` and `forget_seed`. The samples,
    at most `max_samples`, are the same for every model.

    Raises:
        SweepError: nothing is evaluated yet, or the data set is not the one that was evaluated on.
    """
    worker = Worker(spec, cache)
    if not same_data(record.data_identity, worker.workspace.data.identity):
        raise SweepError(other_data(platform.node()))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for scenario in spec.scenarios:
        trials = dict(_evaluated(spec, storage, record, scenario))
        if trials:
            progress(f"{scenario}: original, oracle, {', '.join(trials)}")
            with as_a_worker(spec):
                content = _maps(worker, scenario, trials, max_samples)
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **content)
            path = folder / f"{scenario}.npz"
            write_atomically(path, buffer.getvalue())
            paths.append(path)
    if not paths:
        raise SweepError(f"nothing of {spec.name!r} is evaluated yet; first: sweeps run {spec.name}")
    return paths


def _evaluated(
    spec: Spec, storage: BaseStorage, record: SweepRecord, scenario: str
) -> Iterator[tuple[str, FrozenTrial]]:
    """Per method, the completed evaluation trial of the current winner on the first forget set of the tuned size."""
    rows = record.counted
    rows = rows[(rows["stage"] == "evaluation") & (rows["scenario"] == scenario) & (rows["state"] == "COMPLETE")]
    if not len(rows):
        return
    sizes = rows["forget_size"]
    tuned = spec.scenarios[scenario].tune_size
    size = tuned if (sizes == tuned).any() else sizes.max()
    rows = rows[sizes == size]
    rows = rows[rows["forget_seed"] == rows["forget_seed"].min()]
    for method in spec.methods:
        own = rows[rows["method"] == method]
        if method not in BASELINES and len(own):
            study = optuna.load_study(study_name=str(own["study"].iloc[0]), storage=storage)
            number = int(own["number"].max())
            yield method, next(t for t in study.get_trials(states=(TrialState.COMPLETE,)) if t.number == number)


def _maps(worker: Worker, scenario: str, trials: dict[str, FrozenTrial], max_samples: int) -> dict[str, Any]:
    facts = next(iter(trials.values())).user_attrs
    draw = ForgetDraw(
        scenario, int(facts["forget_size"]), int(facts["forget_seed"]), facts.get("training", 0), facts.get(AVOIDS)
    )
    task = worker.task(draw, "test")
    group, label = _groups(worker, task)
    rows = _sample(group, max_samples)
    coordinates = [
        tsne(_features(worker, task, model)[rows], most=None).coordinates for model in models(worker, task, trials)
    ]
    return {
        "names": np.array(["original", "oracle", *trials]),
        "numbers": np.array([-1, -1, *(trial.number for trial in trials.values())]),
        "coordinates": np.stack(coordinates),
        "group": group[rows].astype(np.int8),
        "label": label[rows].astype(np.int64),
        "forget_size": np.array(task.forget_size),
        "forget_seed": np.array(task.forget_seed),
    }


def _groups(worker: Worker, task: Task) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The group and the true label of every training sample: the retain set, then the forget set."""
    data = worker.workspace.task_data(task)
    retain, forget = (data.truth[index].cpu().numpy() for index in (data.retain, data.forget))
    classes = data.forget_set.classes
    alike = np.isin(retain, classes) if classes is not None else np.zeros(len(retain), bool)
    return np.concatenate([alike.astype(np.int64), np.full(len(forget), 2)]), np.concatenate([retain, forget])


def _sample(group: npt.NDArray[np.int64], max_samples: int) -> npt.NDArray[np.int64]:
    """At most `max_samples` samples: of the smaller groups up to a third each, the rest from the largest."""
    rng = np.random.default_rng(0)
    chosen: list[npt.NDArray[np.int64]] = []
    for number in (2, 1, 0):
        members = np.flatnonzero(group == number)
        room = max_samples - sum(map(len, chosen)) if number == 0 else max_samples // 3
        chosen.append(rng.permutation(members)[:room])
    return np.sort(np.concatenate(chosen))


def models(worker: Worker, task: Task, trials: Mapping[str, FrozenTrial]) -> Iterator[Classifier]:
    """The original, the oracle, then each trial's model at the epoch that counts; each is good until the next is asked for."""
    workspace = worker.workspace
    yield workspace.original(task).model
    yield workspace.oracle(task).model
    for key, trial in trials.items():
        method = find("methods", key)(**trial.user_attrs["hyperparameters"])
        attrs = trial.user_attrs
        counted = int(attrs["epoch"] if "epoch" in attrs else attrs["best_epoch"])
        if counted == 0:
            yield workspace.original(task).model
            continue
        run = run_unlearning(workspace, task, method, int(trial.user_attrs["seed"]), ("accuracy",))
        yield next(evaluation.model for evaluation in run if evaluation.epoch == counted)


def _features(worker: Worker, task: Task, model: Classifier) -> npt.NDArray[np.float32]:
    """Penultimate activations in eval mode on the retain set, then the forget set."""
    outputs = worker.workspace.outputs(model, task)
    found: npt.NDArray[np.float32] = torch.cat([outputs[name].features for name in ("retain", "forget")]).cpu().numpy()
    return found
