"""No trial changes the next: a probe after each kind of damage equals the probe before it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Job, Update
from sweeps.jobs.worker import Worker
from sweeps.plan import ForgetDraw
from sweeps.spec import parse_spec
from tests.sweeps import mutators
from tests.sweeps.conftest import TINY
from unlearn.switches import Switches

HERE = "tests.sweeps.mutators:"
CLOCKS = {"relative_run_time"}
PROBE = {"lr": 0.05, "epochs": 2, "lr_decay_epoch": 1, "retain_batch_size": 600}


@pytest.fixture(scope="module")
def worker(cache: Path) -> Worker:
    return make_worker(cache)


@pytest.fixture(scope="module")
def before(worker: Worker) -> Any:
    """What the probe finds on an untouched worker."""
    return result(worker)


@pytest.fixture
def process() -> Iterator[Switches]:
    """How the process was; a test that fails leaves it so all the same."""
    before = Switches.now()
    yield before
    before.restore()


def different(before: Switches) -> list[Any]:
    """The pairs of values, before and now, that differ; but for the environment's note of pytest on its own phase."""
    both = zip(before.values, Switches.now().values, strict=True)
    pairs = [[_plain(value) for value in pair] for pair in both]
    return [pair for pair in pairs if pair[0] != pair[1]]


def _plain(value: Any) -> Any:
    return {k: v for k, v in value.items() if k != "PYTEST_CURRENT_TEST"} if isinstance(value, dict) else value


def make_worker(cache: Path, **changes: Any) -> Worker:
    scenarios = {
        "random": {"tune_size": 40, "sizes": [40]},
        "writes": {"scenario": f"{HERE}WritesImages", "tune_size": 40, "sizes": [40]},
        "forces": {"scenario": f"{HERE}WritesImages", "force": True, "tune_size": 40, "sizes": [40]},
        "keeps": {"scenario": f"{HERE}KeepsIndices", "tune_size": 40, "sizes": [40]},
        "canary": {"canaries": 5, "tune_size": 40, "sizes": [40]},
        "confusion": {"fraction": 0.2},
    }
    metrics = {"every_epoch": ["accuracy"], "best_epoch": ["weight_distance"]}
    spec = parse_spec({**TINY, "scenarios": scenarios, "metrics": metrics, **changes})
    return Worker(spec, Cache.at(str(cache)), torch.device("cpu"))


def job(method: str = "finetune", scenario: str = "random", draw_seed: int = 0, **options: Any) -> Job:
    prune, seed = options.pop("prune", False), options.pop("seed", 0)
    size = None if scenario == "confusion" else 40
    draw = ForgetDraw(scenario, size, draw_seed)
    return Job("unlearning", draw, "dev", method, {**PROBE, **options}, seed=seed, prune=prune)


def run(worker: Worker, this: Job) -> Update:
    *_, last = worker.run(this)
    assert last.done
    return last


def result(worker: Worker, this: Job | None = None) -> Any:
    """What a trial found, but for clocks."""
    report = run(worker, this or job())
    assert report.outcome == "complete", report.reason
    return report.values, report.epoch, {k: v for k, v in report.metrics.items() if k not in CLOCKS}


def cases(all_of_them: Iterable[str], some: Iterable[str]) -> list[tuple[str, str]]:
    """What is done, and how the trial ends: each once as it goes on, some in every way."""
    return [(what, "goes on") for what in all_of_them] + [
        (what, end) for what in some for end in ("raises", "diverges")
    ]


@pytest.mark.parametrize(
    ("what", "then"),
    cases(mutators.SHARED, ["images by .data", "labels", "weights of the original", "a hook inside it"]),
)
def test_who_changes_what_is_shared_fails_and_the_next_is_right(worker, before, process, what, then):
    report = run(worker, job(f"{HERE}Mutates", what=what, then=then))

    assert report.outcome == "error"
    assert report.reason is not None
    assert mutators.SHARED[what][1] in report.reason.splitlines()[0]
    assert "what trials share must not be changed" in report.reason
    assert ("a bug in the method" in report.reason) == (then == "raises")
    assert result(worker) == before
    assert different(process) == []


@pytest.mark.parametrize(
    ("what", "then"), cases(mutators.SWITCHES, ["gradients off", "inference mode", "default type", "working folder"])
)
def test_switches_are_as_before_after_every_trial(worker, before, process, what, then):
    report = run(worker, job(f"{HERE}Mutates", what=what, then=then))

    assert different(process) == []
    if then != "goes on":
        assert report.outcome == {"raises": "error", "diverges": "diverged"}[then]
    assert result(worker) == before
    mutators.held.clear()  # guards that were held are let go of
    assert result(worker) == before
    assert different(process) == []


@pytest.mark.parametrize("what", ["images to zero", "weights of the original", "gradients off", "working folder"])
@pytest.mark.parametrize("then", ["goes on", "cleans up"])
def test_a_trial_that_is_cut_off_leaves_nothing(worker, before, what, then, caplog):
    process = Switches.now()
    caplog.set_level(logging.WARNING)
    reports = worker.run(job(f"{HERE}Mutates", what=what, then=then, prune=True, epochs=4))
    first = next(reports)

    told = what in mutators.SHARED and then == "goes on"
    assert first.outcome == ("error" if told else "running")
    assert different(process) == []
    assert result(worker) == before  # `reports` is still held
    assert ("afresh" in caplog.text) == (what in mutators.SHARED)
    assert different(process) == []


@pytest.mark.parametrize("scenario", ["canary", "confusion"])
@pytest.mark.parametrize("what", ["one pixel", "labels", "index of forget"])
def test_altered_images_and_labels_are_sealed_too(worker, scenario, what):
    before = result(worker, job(scenario=scenario))
    report = run(worker, job(f"{HERE}Mutates", scenario=scenario, what=what))

    assert report.outcome == "error"
    assert result(worker, job(scenario=scenario)) == before


@pytest.mark.parametrize(("scenario", "reason"), [("writes", "read-only"), ("forces", "changed images")])
def test_a_scenario_that_writes_into_the_images_fails_before_anything_is_trained(cache, worker, scenario, reason):
    before = result(worker)
    stored = list(worker.workspace.store.keys())
    report = run(worker, job(scenario=scenario))

    assert report.outcome == "error"
    assert reason in str(report.reason)
    assert list(worker.workspace.store.keys()) == stored
    assert result(worker) == before


def test_a_scenario_may_keep_its_arrays(worker):
    first = result(worker, job(scenario="keeps"))
    result(worker, job(scenario="keeps", draw_seed=1))
    assert result(worker, job(scenario="keeps")) == first
    mutators.held.clear()


def test_a_metric_draws_alike_for_every_model_and_turns_no_switch(cache, worker, process):
    metrics = {"every_epoch": [f"{HERE}turns_switches", "accuracy"], "best_epoch": []}
    other = make_worker(cache, metrics=metrics)
    values, epoch, best = result(other)
    assert best["drawn_gap"] == 0
    assert different(process) == []

    torch.manual_seed(99)
    np.random.seed(99)
    assert result(make_worker(cache, metrics=metrics)) == (values, epoch, best)
    assert (values, epoch) == result(worker)[:2]


def test_what_a_method_draws_from_global_generators_depends_on_its_seed_alone(worker, process):
    first = result(worker, job(f"{HERE}Draws", epochs=3))
    torch.manual_seed(99)
    np.random.seed(99)
    assert result(worker, job(f"{HERE}Draws", epochs=3)) == first
    process.restore()
    assert result(worker, job(f"{HERE}Draws", epochs=3, seed=1)) != first


def test_trials_that_change_nothing_keep_what_is_loaded(worker):
    result(worker)
    kept = worker.workspace
    for method in ("scrub", "ssd", "boundary_shrinking", "cf_k", "oracle", "bad_teacher", "salun"):
        options = {} if method == "ssd" else {"epochs": 1}
        this = Job("unlearning", ForgetDraw("random", 40, 0), "dev", method, options)
        run(worker, this)
    assert worker.workspace is kept
