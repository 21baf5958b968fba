"""A worker's answer: which epoch counts, with which metrics, and what is known in hindsight."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sweeps.codes import in_text
from sweeps.errors import DeviceLostError, SweepError
from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Job, Update
from sweeps.jobs.worker import Worker
from sweeps.objective import scrub_r_epoch
from sweeps.plan import ForgetDraw
from sweeps.ray_tune.driver import _for_workers
from sweeps.ray_tune.internals import how_it_died
from sweeps.ray_tune.trainable import _worker
from sweeps.resources import device_of, threads_for
from sweeps.spec import Spec
from unlearn.code import code_digest
from unlearn.methods import Streams, UnlearningData
from unlearn.methods.finetune import FineTune
from unlearn.metrics import Outputs
from unlearn.models import Classifier
from unlearn.registry import find
from unlearn.run import run_unlearning
from unlearn.scenarios.partial_class import PartialClass
from unlearn.testing.recording import Recording

DRAW = ForgetDraw("partial_class", 40, 3)
COSTLY = ["mia_knn_forget", "weight_distance"]
METHODS = {
    "sure": {"lr": 0.1, "alpha": 0.5, "forget_batch_size": 16, "lr_decay_epoch": 5},
    "scrub": {"lr": 0.02, "alpha": 0.3, "forget_batch_size": 16, "lr_decay_epoch": 5, "retain_batch_size": 64},
    "ssd": {"alpha": 1.0, "dampening": 1.0},
}
#: What `test_axes` is about.
COSTS = {"relative_run_time", "relative_samples", "relative_forward_samples"}


@pytest.fixture
def worker(tiny: Callable[..., Spec], cache: Path) -> Worker:
    methods = {**METHODS, f"{__name__}:Late": {"lr": 0.01}}
    spec = tiny(methods=methods, unlearning={"epochs": 5}, metrics={"best_epoch": COSTLY})
    return Worker(spec, Cache(cache))


def job(method: str, **changes: Any) -> Job:
    hyperparameters = {"epochs": 5, **METHODS.get(method, {"lr": 0.01})}
    return Job("unlearning", DRAW, "dev", method, hyperparameters, seed=11, **changes)


def answer(worker: Worker, asked: Job) -> tuple[Update, dict[int, dict[str, float]]]:
    """The last report, and every epoch by its number."""
    reports = list(worker.run(asked))
    assert reports[-1].outcome == "complete", reports[-1].reason
    return reports[-1], {int(e["epoch"]): e for report in reports for e in report.epochs}


def again(worker: Worker, asked: Job, epoch: int) -> dict[str, float]:
    """All metrics of one epoch, from a run of its own that ends there."""
    task, method = worker.task(asked.draw, asked.scored_on), worker.method(asked)
    run = run_unlearning(worker.workspace, task, method, asked.seed, worker.spec.metrics.every_epoch)
    evaluation = next(e for e in run if e.epoch == epoch)
    return evaluation.metrics | evaluation.measure(COSTLY)


def uncosted(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in COSTS}


@pytest.mark.parametrize(("lr", "learns"), [(1e-9, False), (0.1, True)])
def test_a_reference_says_whether_it_only_guesses(
    lr: float, learns: bool, tiny: Callable[..., Spec], cache: Path
) -> None:
    # with seed 0, the first weights of one of the two are right about more images than that, by chance
    worker = Worker(tiny(seed=1, training={"epochs": 8, "milestones": [7], "lr": lr}), Cache(cache))
    for kind in ("original", "oracle"):
        (update,) = worker.run(Job(kind, DRAW, "dev"))
        assert (update.metrics["retain_accuracy"] > update.facts["guessing"]) == learns
        assert 10 < update.facts["guessing"] < 16  # of about 1,150 images of ten classes


def test_a_trial_keeps_what_is_ones_own_of_the_code_by_which_it_computes(
    tiny: Callable[..., Spec], cache: Path, worker: Worker
) -> None:
    shipped, _ = answer(worker, job("ssd"))
    assert "code" not in shipped.facts
    late, metric, scenario = (f"{__name__}:{name}" for name in ("Late", "half", "OwnClass"))
    scenarios = {"partial_class": {"scenario": scenario, "tune_size": 40, "sizes": [40]}}
    metrics = {"every_epoch": ["accuracy", metric]}
    spec = tiny(methods={late: {"lr": 0.01}, "ssd": METHODS["ssd"]}, scenarios=scenarios, metrics=metrics)
    digests = {key: (code_digest(key, None) or "")[:12] for key in (late, scenario, metric)}
    assert all(len(digest) == 12 for digest in digests.values())
    own, _ = answer(Worker(spec, Cache(cache)), job(late, stop_epoch=1))
    assert in_text(own.facts["code"]) == digests
    own, _ = answer(Worker(spec, Cache(cache)), job("ssd"))
    assert in_text(own.facts["code"]) == {key: digest for key, digest in digests.items() if key != late}


def test_a_method_that_cannot_be_imported_where_a_worker_runs_fails_alone(
    tiny: Callable[..., Spec], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "method_there.py").write_text("from unlearn.methods.finetune import FineTune as Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    spec = tiny(
        methods={"method_there:Mine": {"lr": 0.01, "lr_decay_epoch": 1, "retain_batch_size": 64}, "ssd": METHODS["ssd"]}
    )
    del sys.modules["method_there"]
    (tmp_path / "method_there.py").write_text("raise RuntimeError('not here')\n")
    importlib.invalidate_caches()
    find.cache_clear()
    worker = Worker(spec, Cache(cache))
    assert answer(worker, job("ssd"))[0].outcome == "complete"
    (failed, *_) = worker.run(job("method_there:Mine"))
    assert failed.outcome == "error"
    assert "not here" in (failed.reason or "")


@pytest.mark.parametrize("works", [True, False])
def test_a_process_that_has_lost_its_gpu_ends(
    works: bool, tiny: Callable[..., Spec], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No GPU is needed to see what follows from its being lost; the trial is run again in a new process, as others that died."""
    raises = "tests.sweeps.bad_methods:Raises"
    worker = Worker(tiny(methods={raises: {"lr": 0.01}}), Cache(cache))
    monkeypatch.setattr("sweeps.jobs.worker.still_works", lambda device: works)
    if works:
        (told,) = worker.run(job(raises))
        assert told.outcome == "error"
        return
    monkeypatch.setattr(worker.workspace, "check_unchanged", lambda: pytest.fail("looked at what is lost"))
    with pytest.raises(DeviceLostError) as lost:
        list(worker.run(job(raises)))
    death = "".join(traceback.format_exception(lost.value))
    reason = "the worker's GPU can no longer be used: a bug in the method"
    assert how_it_died(death) == reason


def test_without_a_stop_epoch_the_least_score_counts(worker: Worker) -> None:
    asked = job("sure")
    report, epochs = answer(worker, asked)
    least = min(epochs, key=lambda e: epochs[e]["score"])
    assert report.epoch == least
    assert report.values == [epochs[least]["score"]]
    assert uncosted(report.metrics) == pytest.approx(uncosted(again(worker, asked, least)))
    assert (report.hindsight_epoch, report.hindsight) == (None, {})


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_the_stop_epoch_counts_and_the_least_score_is_kept_beside_it(worker: Worker, stop: int) -> None:
    asked = job("sure", stop_epoch=stop)
    report, epochs = answer(worker, asked)
    least = min(epochs, key=lambda e: epochs[e]["score"])
    assert list(epochs) == [1, 2, 3, 4, 5]
    assert (report.epoch, report.hindsight_epoch) == (stop, least)
    assert report.values == [epochs[stop]["score"]]
    assert uncosted(report.metrics) == pytest.approx(uncosted(again(worker, asked, stop)))
    assert uncosted(report.hindsight) == pytest.approx(uncosted(again(worker, asked, least)))


def test_a_run_ends_at_its_stop_epoch_where_nothing_more_is_asked_for(worker: Worker) -> None:
    whole, _ = answer(worker, job("sure", stop_epoch=2))
    report, epochs = answer(worker, job("sure", stop_epoch=2, all_epochs=False))
    assert list(epochs) == [1, 2]
    assert (report.values, report.epoch) == (whole.values, 2)
    assert uncosted(report.metrics) == uncosted(whole.metrics)
    assert (report.hindsight_epoch, report.hindsight) == (None, {})
    assert report.facts["samples"] < whole.facts["samples"]


def test_a_run_that_ends_before_its_stop_epoch_counts_at_its_end(worker: Worker) -> None:
    report, epochs = answer(worker, job("ssd", stop_epoch=5))
    assert list(epochs) == [1]
    assert report.epoch == 1


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_scrub_r_keeps_its_own_rule_and_runs_once(worker: Worker, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Job("unlearning", DRAW, "dev", "scrub", {"epochs": 5, **METHODS["scrub"]}, seed=seed, stop_epoch=None)
    expected = scrub_r_epoch([again(worker, asked, epoch) for epoch in range(6)])
    metrics = again(worker, asked, expected)

    runs: list[int] = []
    monkeypatch.setattr("sweeps.jobs.worker.run_unlearning", lambda *a, **k: runs.append(1) or run_unlearning(*a, **k))
    report, epochs = answer(worker, asked)
    assert runs == [1]
    assert list(epochs) == [0, 1, 2, 3, 4, 5]
    assert report.epoch == expected
    assert uncosted(report.metrics) == pytest.approx(uncosted(metrics))
    assert report.values == [epochs[expected]["score"]]


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("method", ["sure", "scrub"])
def test_the_epoch_that_counts_is_on_all_retain_samples(worker: Worker, method: str, prune: bool) -> None:
    """It counts as the very same epoch does where every epoch is on all of them; the others are on the part."""
    on_all, every = answer(worker, job(method))
    task = worker.task(DRAW, "dev")
    retain = len(worker.workspace.task_data(task).retain)
    asked = job(method, retain_samples=200, prune=prune)
    report, epochs = answer(worker, asked)
    assert list(epochs) == list(every)
    assert report.epoch is not None
    counted = epochs[report.epoch]
    assert counted.pop("retain_samples") == retain
    assert uncosted(counted) == uncosted(every[report.epoch])
    assert report.values == [counted["score"]]
    assert uncosted(report.metrics) == pytest.approx(uncosted(again(worker, asked, report.epoch)))
    others = {e: row for e, row in epochs.items() if e != report.epoch}
    assert {row["retain_samples"] for row in others.values()} == {200}
    assert any(row["retain_gap"] != every[e]["retain_gap"] for e, row in others.items())
    for name in ("forget_gap", "utility_gap", "mia_loss_gap"):
        assert all(row[name] == every[e][name] for e, row in others.items())
    if method == "scrub":
        assert report.epoch == on_all.epoch  # its rule reads no retain sample
        assert report.metrics["validation_accuracy"] == on_all.metrics["validation_accuracy"]


def test_the_least_epoch_is_looked_for_on_the_part(worker: Worker) -> None:
    first = next(iter(worker.run(job("sure", retain_samples=200, prune=True))))
    assert [row["retain_samples"] for row in first.epochs] == [200]
    told: dict[int, float] = {}
    for report in worker.run(job("sure", retain_samples=200, prune=True)):
        if report.done:
            assert report.epoch == min(told, key=lambda e: told[e])
            assert [row["epoch"] for row in report.epochs] == [report.epoch]  # told once more, as it is now
        told |= {int(row["epoch"]): row["score"] for row in report.epochs}


@pytest.mark.parametrize("changes", [{"retain_samples": 10**6}, {"retain_samples": None}])
def test_a_part_that_is_no_smaller_changes_nothing(worker: Worker, changes: dict[str, Any]) -> None:
    (one, epochs), (other, expected) = answer(worker, job("sure", **changes)), answer(worker, job("sure"))
    assert [uncosted(row) for row in epochs.values()] == [uncosted(row) for row in expected.values()]
    assert (one.values, one.epoch) == (other.values, other.epoch)


def test_one_more_pass_and_no_more(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    task = worker.task(DRAW, "dev")
    data = worker.workspace.task_data(task)
    beside = len(data.forget) + len(data.heldout)
    answer(worker, job("sure", retain_samples=200))  # the oracle's own values are known from here on
    passed: list[int] = []
    forward = worker.workspace._forward
    monkeypatch.setattr(worker.workspace, "_forward", lambda m, x, i: passed.append(len(i)) or forward(m, x, i))
    answer(worker, job("sure", retain_samples=200))
    assert passed == [200 + beside] * 5 + [len(data.retain) + beside]
    passed.clear()
    answer(worker, job("ssd", retain_samples=200))
    assert passed == [len(data.retain) + beside]  # of a single epoch a part would be measured in vain


def test_what_is_not_finite_beyond_the_part_has_diverged(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(worker, job("sure", retain_samples=200))
    outputs = worker.workspace.outputs

    def broken(*args: Any, **options: Any) -> Any:
        found = outputs(*args, **options)
        if options.get("retain_samples") is None:
            found["retain"].logits[-1] = float("nan")
        return found

    monkeypatch.setattr(worker.workspace, "outputs", broken)
    *_, report = worker.run(job("sure", retain_samples=200))
    assert report.outcome == "diverged"
    assert re.fullmatch(r"diverged at epoch [1-5]", report.reason or "")


def half(outputs: Outputs) -> dict[str, float]:
    """A metric of one's own."""
    return {"half": 50.0}


class OwnClass(PartialClass):
    """As the package's."""


@dataclass(frozen=True, kw_only=True)
class Late(FineTune):
    """Diverges in the fourth epoch."""

    searched: ClassVar[tuple[str, ...]] = ()

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        for epoch, _ in enumerate(super().unlearn(model, data, rng), 1):
            if epoch == 4:
                model.head.weight.data.fill_(float("nan"))
            yield


@pytest.mark.parametrize(("stop", "outcome"), [(None, "diverged"), (3, "complete"), (4, "diverged")])
def test_what_diverges_after_its_stop_epoch_has_not_failed(worker: Worker, stop: int | None, outcome: str) -> None:
    asked = job(f"{__name__}:Late", stop_epoch=stop)
    *_, report = worker.run(asked)
    assert report.outcome == outcome
    if outcome == "complete":
        assert report.epoch == 3
        assert report.hindsight_epoch in {1, 2, 3}
    else:
        assert report.reason == "diverged at epoch 4"
        retained = worker.workspace.task_data(worker.task(asked.draw, asked.scored_on)).retain
        assert report.facts["samples"] == 4 * len(retained)


class Own(FineTune):
    """A method of one's own, which nobody has looked at."""


@pytest.mark.parametrize(("method", "by_itself"), [("sure", True), (f"{__name__}:Own", False)])
def test_with_cuda_graphs_steps_of_methods_and_references_are_repeated(
    tiny: Callable[..., Spec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, by_itself: bool
) -> None:
    """On a recorder for CPUs: weights and metrics are the same, and without the setting nothing is recorded."""
    recorder, network = Recording(), {"name": "small_resnet", "width": 2}
    monkeypatch.setattr("unlearn.workspace.workspace.recorder_of", lambda device: recorder)
    methods = {**METHODS, f"{__name__}:Own": {"lr": 0.1, "retain_batch_size": 64, "lr_decay_epoch": 5}}
    decaying = {**methods[method], "epochs": 3, "lr_decay_epoch": 2}
    asked, found = Job("unlearning", DRAW, "dev", method, decaying, seed=11), []
    for how, repeats_training, repeats in ((False, False, False), (True, True, True), ("auto", True, by_itself)):
        spec = tiny(methods={method: methods[method]}, model=network, resources={"cuda_graphs": how})
        one = Worker(spec, Cache(tmp_path / str(how)))
        assert one.workspace.references.place.device == ("cpu, CUDA graphs" if how else "cpu")
        before = recorder.repeated
        one.workspace.original(one.task(asked.draw, asked.scored_on))
        assert (recorder.repeated > before + 1) == repeats_training
        before = recorder.repeated
        one.workspace.oracle(one.task(asked.draw, asked.scored_on))
        assert (recorder.repeated > before) == repeats_training
        before = recorder.repeated
        _, epochs = answer(one, asked)
        assert (recorder.repeated > before) == repeats
        found.append({number: uncosted(metrics) for number, metrics in epochs.items()})
    assert found[0] == found[1] == found[2]


def test_networks_from_elsewhere_are_repeated_only_where_all_are(
    tiny: Callable[..., Spec], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlearn.workspace.workspace.recorder_of", lambda device: Recording())
    for name, graphs, expected in (
        ("small_resnet", "auto", True),
        ("torchvision:resnet18", "auto", False),
        ("torchvision:resnet18", True, True),
        ("small_resnet", False, False),
    ):
        spec = tiny(model={"name": name}, resources={"cuda_graphs": graphs})
        assert (Worker(spec, Cache(cache)).workspace.recorder is not None) == expected


@pytest.mark.parametrize(
    ("asked", "is_here", "expected"), [(0, True, "cpu"), (0.5, True, "cuda"), (0.5, False, "cpu"), (0, False, "cpu")]
)
def test_trials_compute_where_they_ask_to(
    tiny: Callable[..., Spec], monkeypatch: pytest.MonkeyPatch, asked: float, is_here: bool, expected: str
) -> None:
    """Ray shows a worker that asks for no GPU all that a machine has, and so does the machine a request."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: is_here)
    assert device_of(tiny(resources={"gpus_per_trial": asked})).type == expected


@pytest.mark.parametrize(
    ("said", "cpus", "expected"),
    [("", 2, 2), ("", 0.5, 1), ("1", 2, 1), ("2,1", 1, 2), ("0", 2, 1), ("many", 2, 2), ("²", 2, 2), ("9999", 1, 8)],
)
def test_threads_of_a_worker(monkeypatch: pytest.MonkeyPatch, said: str, cpus: float, expected: int) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    monkeypatch.setattr("sweeps.resources.os.cpu_count", lambda: 8)
    assert threads_for(cpus) == expected


def test_a_worker_of_trials_that_ask_for_no_gpu_takes_none(
    tiny: Callable[..., Spec], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert Worker(tiny(), Cache(cache)).workspace.device.type == "cpu"


def test_a_node_whose_gpus_torch_does_not_find_stops_the_run(
    tiny: Callable[..., Spec], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trials would compute on a CPU, many times as slow, and round otherwise than the others'."""
    here = Cache(cache)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    def begin(asked: float) -> Any:
        spec = tiny(resources={"gpus_per_trial": asked})
        return _worker.__wrapped__(_for_workers(spec), here.place, here.identity)

    with pytest.raises(SweepError, match="has GPUs for trials, and torch finds none there"):
        begin(0.5)
    assert begin(0).workspace.device.type == "cpu"


MEASURED: list[bool] = []


def sometimes(outputs: Outputs) -> dict[str, float]:
    """A metric that leaves its value out where the test says so, measurement by measurement."""
    return {"now": 50.0} if MEASURED.pop(0) else {}


@pytest.mark.parametrize(
    ("part", "measured", "missing"),
    [
        (None, [True, True, True], ""),  # oracle, and two epochs
        (None, [True, False, True], "in epoch 1"),
        (None, [True, True, False], "in epoch 2"),
        (None, [False, True, True], ""),  # no gap in any epoch
        (50, [True, True, True, False, True], "in epoch 1"),  # once more on all of the retain set, the oracle too
    ],
)
def test_a_score_is_of_the_same_gaps_in_every_epoch(
    tiny: Callable[..., Spec], cache: Path, part: int | None, measured: list[bool], missing: str
) -> None:
    spec = tiny(
        methods={"finetune": {"lr": 1e-12}},
        metrics={"every_epoch": ["accuracy", f"{__name__}:sometimes"]},
        objective={"gaps": ["forget_gap", "now_gap"]},
    )
    worker = Worker(spec, Cache(cache))
    MEASURED[:] = measured
    asked = Job("unlearning", DRAW, "dev", "finetune", {"epochs": 2, "lr": 1e-12}, retain_samples=part)
    last = list(worker.run(asked))[-1]
    assert last.outcome == ("error" if missing else "complete"), last.reason
    if missing:
        assert f"{missing} there is no now_gap" in (last.reason or "")
    else:
        share = 2 if measured[0] else 1
        assert last.values == [last.metrics["forget_gap"] / share]
