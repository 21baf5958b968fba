"""What is reported decides nothing: not the test set's labels, and no trial of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.storages import InMemoryStorage

import unlearn.workspace.workspace
from sweeps.folder import SweepFolder
from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Job, Update
from sweeps.jobs.worker import Worker
from sweeps.record import SweepRecord, load_sweep
from sweeps.spec import Spec
from sweeps.sweep import Sweep
from tests.sweeps.conftest import open_studies, serve
from unlearn.data import ImageDataset, open_dataset

SpecMaker = Callable[..., Spec]


class Misreporting(Worker):
    """A worker whose scores on the test set are made up, for every stage and epoch."""

    def run(self, job: Job) -> Iterator[Update]:
        for report in super().run(job):
            if job.scored_on == "dev" or job.kind != "unlearning":
                yield report
                continue
            rng = np.random.default_rng([job.seed, job.draw.seed])
            epochs = [{**epoch, "score": float(rng.random())} for epoch in report.epochs]
            yield replace(report, epochs=epochs, values=[float(rng.random()) for _ in report.values])


def swept(spec: Spec, folder: Path, cache: Path, worker: type[Worker] = Worker) -> SweepRecord:
    storage = InMemoryStorage()
    Sweep(spec, SweepFolder(folder), "memory").freeze(storage)
    studies = open_studies(spec, storage)
    serve(studies, worker(spec, Cache(cache)))
    assert studies.done
    return load_sweep(storage, spec.name)


def permuted(name: str, folder: Path, options: dict[str, Any]) -> ImageDataset:
    """The data set with the labels of its test images permuted; its fingerprint, by which models are kept, is held fixed."""
    data = open_dataset(name, folder, options)
    labels = np.random.default_rng(0).permutation(data.test_labels)
    return replace(data, test_labels=labels, stored_summary=data.summary)


DECIDED = ["search", "confirmation"]


def decisions(record: SweepRecord) -> dict[str, Any]:
    """Everything that was chosen, and all that it was chosen by: clocks apart."""
    trials = record.trials[record.trials["stage"].isin(DECIDED)]
    told = [c for c in trials if not c.endswith("relative_run_time")]
    told = [c for c in told if c not in {"started", "completed", "seconds"}]
    curves = record.curves[record.curves["stage"].isin(DECIDED)]
    evaluated = record.trials[record.trials["stage"].isin(["evaluation", "sensitivity"])]
    asked = ["study", "number", "stop_epoch", "seed", "forget_seed", "forget_size", "hp.lr", "hp.alpha"]
    return {
        "winners": record.winners,
        "trials": trials[told].dropna(axis="columns", how="all").to_csv(),
        "curves": curves.drop(columns="relative_run_time").to_csv(),
        "evaluated": evaluated[asked].to_csv(),
    }


def test_neither_test_labels_nor_evaluations_decide_anything(
    tiny: SpecMaker, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tiny(
        methods={"sure": {}},
        training={"epochs": 6, "milestones": [5]},  # a model that says the same of every image minds no labels
        unlearning={"epochs": 3},
        scenarios={"partial_class": {"tune_size": 40, "sizes": [40]}},
        search={"trials": 3, "sampler": "random", "confirm": [{"leaders": 2, "sets": 1}, {"leaders": 1, "sets": 2}]},
        evaluation={"seeds": 1},
    )
    record = swept(spec, tmp_path, cache)
    assert {(w.source, w.sets) for w in record.winners["partial_class"].values()} == {("confirmation", 3)}
    assert all(w.stop_epoch is not None for w in record.winners["partial_class"].values())
    scores = record.trials.query("stage == 'evaluation'")["value"].tolist()

    misreported = swept(spec, tmp_path, cache, Misreporting)
    assert misreported.trials.query("stage == 'evaluation'")["value"].tolist() != scores
    assert decisions(misreported) == decisions(record)

    monkeypatch.setattr(unlearn.workspace.workspace, "open_dataset", permuted)
    relabelled = swept(spec, tmp_path, cache)
    assert relabelled.trials.query("stage == 'evaluation'")["value"].tolist() != scores
    assert decisions(relabelled) == decisions(record)


def test_the_headline_is_in_the_curves(tiny: SpecMaker, tmp_path: Path, cache: Path) -> None:
    """A trial's value is its curve at the stop epoch, the hindsight score its least; the winner is recomputed by hand."""
    spec = tiny(
        methods={"sure": {}},
        unlearning={"epochs": 4},
        scenarios={"partial_class": {"tune_size": 40, "sizes": [40]}},
        search={"trials": 3, "sampler": "random", "confirm": [{"leaders": 3, "sets": 2}]},
    )
    record = swept(spec, tmp_path, cache)
    curves = {key: rows.set_index("epoch")["score"] for key, rows in record.curves.groupby(["study", "number"])}
    for trial in record.counted.query("stage in ['evaluation', 'sensitivity']").itertuples():
        own = curves[trial.study, trial.number]
        assert trial.epoch == trial.stop_epoch
        assert trial.value == own[trial.stop_epoch]
        assert trial.hindsight_score == own.min() == own[trial.hindsight_epoch]
    confirmed = record.trials.query("stage == 'confirmation'")
    means = {}
    for lr, trials in confirmed.groupby("hp.lr"):
        scores = np.mean([curves[t.study, t.number].to_numpy() for t in trials.itertuples()], axis=0)
        assert len(trials) == 2
        padded = np.pad(scores, 1, mode="edge")
        means[lr] = np.convolve(padded, [0.25, 0.5, 0.25], mode="valid")
    winner = record.winners["partial_class"]["sure"]
    best = min(means, key=lambda lr: means[lr].min())
    assert winner.hyperparameters["lr"] == best
    assert winner.stop_epoch == means[best].argmin() + 1
