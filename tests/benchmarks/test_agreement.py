"""The peer of the benchmark comes to what our engine comes to, and where it does not, that is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import naive_peer
from benchmarks.agreement import Trial, disagreements, refused, told
from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Job
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan, run_seed
from sweeps.spec import parse_spec

SPEC = {
    "name": "peer",
    "dataset": "digits",
    "model": {"name": "small_resnet", "width": 4},
    "precision": "float32",
    "training": {"epochs": 6, "milestones": [4]},
    "scenarios": {"partial_class": {"target_class": 5, "tune_size": 50, "sizes": [50]}},
    "methods": {name: {} for name in naive_peer.METHODS},
    "metrics": {"every_epoch": ["accuracy", "mia_loss"], "best_epoch": ["mia_confidence", "mia_knn_train"]},
}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    cache.prepare()
    return Worker(parse_spec(SPEC), cache)


def job_of(worker: Worker, method: str) -> Job:
    study = make_plan(worker.spec, ["search"]).study("search", "partial_class", method)
    assert study is not None
    draw, values = study.draws[0], {"lr": 0.02, "lr_decay_epoch": 1, "epochs": 2}
    return Job("unlearning", draw, "dev", method, values, run_seed(0, "search", draw))


@pytest.mark.parametrize("method", naive_peer.METHODS)
def test_the_peer_comes_to_the_same_result(worker: Worker, tmp_path: Path, method: str) -> None:
    job = job_of(worker, method)
    trial, update = Trial.run(worker, job)
    asked = told(worker, job, tmp_path)
    task = naive_peer.Task(Path(asked["task"]))
    result = naive_peer.run(task, asked)
    assert len(result["curve"]) == len(trial.curve) == 2 + (method == "scrub")
    for epoch in trial.curve:
        assert disagreements(replace(trial, epoch=int(epoch["epoch"])), result, task.sizes) == []
    if trial.curve[result["chosen"]]["epoch"] == update.epoch:  # equal scores may differ in the last bit
        for attack in ("mia_confidence", "mia_knn_train"):
            assert result["costly"][attack] == pytest.approx(update.metrics[attack], abs=4.01)  # two of fifty samples


def test_what_differs_is_named(worker: Worker) -> None:
    sizes = {"retain": 1000, "forget": 50, "heldout": 100}
    curve = [{"retain_accuracy": 90.0, "forget_accuracy": 50.0, "heldout_accuracy": 80.0, "mia_loss": 60.0}] * 3
    ours = Trial(job_of(worker, "finetune"), [{"epoch": i, **each} for i, each in enumerate(curve, 1)], 3, 1.0)
    assert disagreements(ours, {"curve": curve}, sizes) == []
    near = {**curve[2], "retain_accuracy": 90.2, "mia_loss": 65.0}  # two samples, five points
    assert disagreements(ours, {"curve": [*curve[:2], near]}, sizes) == []
    far = {**curve[2], "forget_accuracy": 56.0}  # three samples
    assert disagreements(ours, {"curve": [curve[0], far, curve[2]]}, sizes) == []  # at no epoch that is asked
    (line,) = disagreements(ours, {"curve": [*curve[:2], far]}, sizes)
    assert line.endswith("epoch 3: forget_accuracy 50.00, the peer's 56.00")
    (line,) = disagreements(ours, {"curve": [{**curve[0], "mia_loss": 54.9}, *curve[1:]]}, sizes)
    assert line.endswith("epoch 1: mia_loss 60.00, the peer's 54.90")
    assert disagreements(ours, None, sizes)[0].endswith("the peer alone diverged")
    assert disagreements(replace(ours, epoch=None), {"curve": curve}, sizes)[0].endswith("ours alone diverged")
    assert disagreements(replace(ours, epoch=None), None, sizes) == []
    good, bad = {"curve": curve}, {"curve": [*curve[:2], far]}
    assert refused([ours] * 4, [good, bad, good, bad], [sizes] * 4) == (2, [])
    apart, lines = refused([ours] * 4, [good, bad, bad, bad], [sizes] * 4)
    assert (apart, len(lines)) == (3, 3)
