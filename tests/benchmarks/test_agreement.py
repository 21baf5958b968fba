"""The peer of the benchmark comes to what our engine comes to, and where it does not, that is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import naive_peer
from benchmarks.agreement import NUDGE, Result, Trial, disagreements, refused, told
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
    ours, peer = (dict(enumerate(curve)) for curve in (trial.curve, result["curve"]))
    assert disagreements(ours, peer, set(ours), task.sizes) == []
    if trial.curve[result["chosen"]]["epoch"] == update.epoch:  # equal scores may differ in the last bit
        for attack in ("mia_confidence", "mia_knn_train"):
            assert result["costly"][attack] == pytest.approx(update.metrics[attack], abs=4.01)  # two of fifty samples


CURVE = [{"retain_accuracy": 90.0, "forget_accuracy": 50.0, "heldout_accuracy": 80.0, "mia_loss": 60.0}] * 3
SIZES = {"retain": 1000, "forget": 50, "heldout": 100}
FAR = {**CURVE[2], "forget_accuracy": 56.0}  # three samples


def test_what_differs_is_named() -> None:
    ours = dict(enumerate(CURVE, 1))
    assert disagreements(ours, ours, {1, 3}, SIZES) == []
    near = {**CURVE[2], "retain_accuracy": 90.2, "mia_loss": 65.0}  # two samples, five points
    assert disagreements(ours, ours | {3: near}, {1, 3}, SIZES) == []
    assert disagreements(ours, ours | {2: FAR}, {1, 3}, SIZES) == []  # at no epoch that is asked
    assert disagreements(ours, ours | {3: FAR}, {1, 3}, SIZES) == ["epoch 3: forget_accuracy 50.00, the peer's 56.00"]
    found = disagreements(ours, ours | {1: {**CURVE[0], "mia_loss": 54.9}}, {1, 3}, SIZES)
    assert found == ["epoch 1: mia_loss 60.00, the peer's 54.90"]
    lost = {1: {**CURVE[0], "mia_loss": float("nan")}}
    assert disagreements(ours, lost, {1}, SIZES) == ["epoch 1: mia_loss 60.00, the peer's nan"]
    assert disagreements(ours, None, {1}, SIZES) == ["the peer alone diverged"]
    assert disagreements(None, ours, {1}, SIZES) == ["ours alone diverged"]
    assert disagreements(None, None, {1}, SIZES) == []


def never(i: int) -> tuple[Trial, Result]:
    raise AssertionError("some trial of the method was compared")


@pytest.mark.parametrize("first", [0, 1])
def test_a_trial_may_differ_where_the_peer_differs_from_itself(worker: Worker, first: int) -> None:
    curve = [{"epoch": i, **each} for i, each in enumerate(CURVE, first)]
    ours = Trial(job_of(worker, "finetune"), curve, first + 2, 1.0)
    good, bad = {"curve": CURVE}, {"curve": [*CURVE[:2], FAR]}
    trials, results, sizes = [ours, ours, replace(ours, epoch=None)], [good, bad, bad], [SIZES] * 3
    asked = []

    def nudged(i: int) -> Result:
        asked.append(i)
        return {1: good, 2: None}[i]

    assert refused(trials, results, sizes, nudged, never) == (2, [])
    assert asked == [1, 2]
    apart, lines = refused(trials, results, sizes, lambda i: bad, never)
    assert apart == 0
    assert [line.rpartition("}: ")[2] for line in lines] == [
        f"epoch {first + 2}: forget_accuracy 50.00, the peer's 56.00",
        "ours alone diverged",
    ]


def test_what_comes_apart_later_excuses_no_earlier_difference(worker: Worker) -> None:
    ours = Trial(job_of(worker, "finetune"), [{"epoch": i, **each} for i, each in enumerate(CURVE, 1)], 3, 1.0)
    peer, late = {"curve": [FAR, *CURVE[1:]]}, {"curve": [FAR, CURVE[1], FAR]}
    apart, lines = refused([ours], [peer], [SIZES], lambda i: late, never)
    assert apart == 0
    assert [line.rpartition("}: ")[2] for line in lines] == ["epoch 1: forget_accuracy 50.00, the peer's 56.00"]


def test_a_method_whose_trials_are_all_driven_apart_must_agree_with_smaller_steps(worker: Worker) -> None:
    ours = Trial(job_of(worker, "finetune"), [{"epoch": i, **each} for i, each in enumerate(CURVE, 1)], 3, 1.0)
    good, bad = {"curve": CURVE}, {"curve": [*CURVE[:2], FAR]}
    assert refused([ours, ours], [bad, bad], [SIZES] * 2, lambda i: None, lambda i: (ours, good)) == (2, [])
    apart, lines = refused([ours, ours], [bad, bad], [SIZES] * 2, lambda i: None, lambda i: (ours, bad))
    assert apart == 2
    assert [line.rpartition("}: ")[2] for line in lines] == ["epoch 3: forget_accuracy 50.00, the peer's 56.00"]


@pytest.mark.parametrize("method", ["finetune", "scrub"])
def test_a_trial_may_diverge_in_its_first_epoch(worker: Worker, method: str) -> None:
    ours = Trial(job_of(worker, method), [], None, 1.0)
    assert refused([ours], [None], [SIZES], lambda i: None, never) == (0, [])
    apart, lines = refused([ours], [{"curve": CURVE}], [SIZES], lambda i: {"curve": CURVE}, never)
    assert apart == 0
    assert [line.rpartition("}: ")[2] for line in lines] == ["ours alone diverged"]


def test_the_peer_starts_from_weights_changed_in_the_last_bits(worker: Worker, tmp_path: Path) -> None:
    task = naive_peer.Task(Path(told(worker, job_of(worker, "sure"), tmp_path)["task"]))
    same, other = (task.network("original", nudge).state_dict() for nudge in (0.0, NUDGE))
    for name, weights in same.items():
        if weights.is_floating_point() and weights.numel() > 100:
            change = ((other[name] - weights) / weights).abs()
            assert 0 < change.mean() < 2 * NUDGE
        elif not weights.is_floating_point():
            assert torch.equal(other[name], weights)
