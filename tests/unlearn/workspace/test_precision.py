"""Short trainings in both precisions: what is decided on which figures, and that weights are a function of the setting."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from unlearn.hardware import CPU_INFO, cpu_has_bfloat16
from unlearn.models.small_resnet import small_resnet
from unlearn.testing.recording import Recording
from unlearn.training import Recipe
from unlearn.workspace import Setting, Workspace
from unlearn.workspace import precision as module
from unlearn.workspace.device import has_bfloat16, seconds_a_call
from unlearn.workspace.precision import Comparison, Learnt, compare_precisions

CPU = torch.device("cpu")
#: Three seeds: a standard deviation of 1 point, and of 0.1.
ACCURACIES, LOSSES = (70.0, 71.0, 72.0), (1.0, 1.1, 1.2)


def learnt(seconds: float, points: float = 0.0, loss: float = 0.0) -> tuple[Learnt, ...]:
    return tuple(Learnt(a + points, x + loss, seconds) for a, x in zip(ACCURACIES, LOSSES, strict=True))


@pytest.mark.parametrize(
    ("bfloat16", "reason"),
    [
        (learnt(1.0), None),
        (learnt(1.0, points=1.9, loss=0.19), None),
        (learnt(1.0, points=-1.9, loss=-0.19), None),
        (learnt(1.0, points=2.1), "accuracy after a short training differs by 2.1 points from float32's, more than seeds do (2"),
        (learnt(1.0, points=-2.1), "differs by 2.1 points"),
        (learnt(1.0, loss=0.21), "loss after a short training differs by 0.21 from float32's, more than seeds do (0.2)"),
        (learnt(1.0, loss=float("nan")), "do not stay finite"),
        (learnt(1.9), "1.05 times as fast here, and less than 1.2 is not worth it"),
        (learnt(3.0)[:1], "0.67 times as fast"),
    ],
)  # fmt: skip
def test_it_must_be_as_good_and_faster(bfloat16: tuple[Learnt, ...], reason: str | None) -> None:
    found = Comparison(1000, learnt(2.0)[: len(bfloat16)], bfloat16)
    assert found.choice == ("bfloat16" if reason is None else "float32")
    assert (found.reason is None) if reason is None else (reason in str(found.reason))


def test_networks_that_all_end_alike_may_differ_by_one_image() -> None:
    def ends(accuracy: float, seconds: float) -> tuple[Learnt, ...]:
        return (Learnt(accuracy, 0.1, seconds),) * 3

    assert Comparison(200, ends(100, 2), ends(99.5, 1)).choice == "bfloat16"
    assert Comparison(200, ends(100, 2), ends(99.0, 1)).choice == "float32"


def test_the_quickest_trainings_are_compared() -> None:
    one = tuple(Learnt(70, 1, seconds) for seconds in (9.0, 2.0, 3.0))
    other = tuple(Learnt(70, 1, seconds) for seconds in (1.0, 8.0, 8.0))
    assert Comparison(10, one, other).speedup == 2


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    recipe = Recipe(epochs=3, lr=0.1, batch_size=64)
    return Workspace(Setting(model_options={"width": 4}, recipe=recipe), tmp_path, CPU)


def test_weights_are_a_function_of_the_setting(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 20)
    monkeypatch.setattr(Comparison, "speedup", 1.0)  # so that no training is left out
    torch.manual_seed(1)
    first = compare_precisions(workspace)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = compare_precisions(workspace)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.failure is None
    assert len(first.float32) == len(first.bfloat16) == 3
    assert first.images == len(workspace.samples.positions["validation"])
    for name in ("float32", "bfloat16"):
        trained, repeated = getattr(first, name), getattr(second, name)
        assert [(x.accuracy, x.loss) for x in trained] == [(x.accuracy, x.loss) for x in repeated]
        assert all(x.accuracy > 20 for x in trained)  # of ten classes: something was learnt
    assert len({x.loss for x in (*first.float32, *first.bfloat16)}) == 6
    workspace.check_unchanged()


def test_the_sweeps_models_are_not_trained_for_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 2)
    compare_precisions(workspace, threads=2)
    assert torch.get_num_threads() == 1
    assert list(workspace.store.keys()) == []


def test_a_network_that_refuses_bfloat16(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if torch.is_autocast_enabled("cpu"):
                raise TypeError("float32 only")
            return x

    def refusing(seed: int) -> torch.nn.Module:
        model = small_resnet((1, 8, 8), 10, width=2)
        model.backbone = torch.nn.Sequential(Refuses(), model.backbone)
        return model

    monkeypatch.setattr(workspace.references, "new_model", refusing)
    found = compare_precisions(workspace)
    assert found.choice == "float32"
    assert found.reason == "a short training of this model failed: TypeError: float32 only"
    assert found.figures() == {}


def test_where_steps_are_repeated_those_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is learnt is the same; a short training alone would be timed while it is recorded."""
    monkeypatch.setattr(module, "STEPS", 6)
    monkeypatch.setattr(Comparison, "speedup", 1.0)  # so that no training is left out
    timed: list[bool] = []

    def seconds(call: Callable[[], object], device: torch.device, *, least: float, ready: int) -> float:
        for _ in range(ready):
            call()
        before = recorder.repeated, recorder.recorded, recorder.taken
        seconds_a_call(call, device, least=1e-9)
        after = recorder.repeated, recorder.recorded, recorder.taken
        timed.append(after == (before[0] + 2, before[1], before[2]))
        return 0.5

    monkeypatch.setattr(module, "seconds_a_call", seconds)
    setting = Setting(model_options={"width": 4}, recipe=Recipe(epochs=3, lr=0.1, batch_size=64))
    recorder = Taking()
    for where in ("unlearn.workspace.workspace", module.__name__):
        monkeypatch.setattr(f"{where}.recorder_of", lambda device, before=1: recorder)
    one, other = (compare_precisions(Workspace(setting, tmp_path, CPU, cuda_graphs=graphs)) for graphs in (False, True))
    losses = [[x.loss for x in (*found.float32, *found.bfloat16)] for found in (one, other)]
    assert losses[0] == losses[1]
    assert timed == [True] * 6  # steps that are repeated, and neither recorded nor compared
    assert [x.seconds for x in (*other.float32, *other.bfloat16)] == [6 * 0.5] * 6


class Taking(Recording):
    """Counts the steps that are taken as they are."""

    taken = 0

    def run(self, call: Callable[[], None]) -> None:
        self.taken += 1
        super().run(call)


def test_the_time_of_a_call_is_that_of_many_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = [0.0], [0]

    def call() -> None:
        calls[0] += 1
        clock[0] += 10.0 if calls[0] <= 3 else 0.25

    monkeypatch.setattr("unlearn.workspace.device.time.perf_counter", lambda: clock[0])
    assert seconds_a_call(call, CPU, least=2.0, ready=3) == 0.25
    assert 3 + 8 < calls[0] < 3 + 20
    calls[0] = -100
    assert seconds_a_call(call, CPU, least=2.0) == 10.0
    assert calls[0] == -98  # one to get ready, one that takes long enough


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPU_INFO.exists(), reason="flags of x86 processors, as Linux tells"
)
def test_what_a_processor_has_is_what_torch_says() -> None:
    of_torch = torch.cpu._is_avx512_bf16_supported() or "amx_bf16" in CPU_INFO.read_text()
    assert cpu_has_bfloat16() == of_torch
    assert has_bfloat16(CPU) == of_torch


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_what_a_gpu_has() -> None:
    device = torch.device("cuda")
    assert has_bfloat16(device) == (torch.cuda.get_device_capability(device)[0] >= 8)
