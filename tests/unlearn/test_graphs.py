"""Steps that a device repeats do what the steps themselves do, or are not repeated."""

from __future__ import annotations

import copy
import gc
import random
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from unlearn.arithmetic import arithmetic
from unlearn.errors import UnlearnError
from unlearn.graphs import DIFFERS, CudaGraphs, Recorder, Step, recorder_of
from unlearn.methods import Streams
from unlearn.registry import find, keys
from unlearn.sgd import SGD
from unlearn.testing import SEED, Problem, network_problem, same_state, small_problem
from unlearn.testing.methods import SMALL
from unlearn.testing.recording import Recording

#: They take no gradient steps.
STEPLESS = {"ssd", "original"}
METHODS = sorted(set(keys("methods")) - STEPLESS)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def unlearned(key: str, problem: Problem, recorder: Recorder | None, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The model after three epochs of two full batches and one smaller one, the learning rate less in the last."""
    cls = find("methods", key)
    settings = {**SMALL, "lr_decay_epoch": 2, "epochs": 3, "max_epochs": 2}
    method = cls(**{name: value for name, value in settings.items() if name in cls.__dataclass_fields__})
    problem.data.recorder = recorder
    model = problem.start()
    epochs = iter(method.unlearn(model, problem.data, Streams(SEED)))
    done = False
    while not done:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16, cache_enabled=False):
            done = next(epochs, epochs) is epochs
        model.eval()  # as an evaluation between epochs does
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("key", METHODS)
def test_a_method_whose_steps_are_repeated_ends_with_the_same_weights(
    key: str, dtype: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recording()
    got = unlearned(key, small_problem(), recorder, dtype)
    assert same_state(got, unlearned(key, small_problem(), None, dtype))
    assert not caplog.records
    assert recorder.repeated > recorder.recorded > 1  # again after the learning rate has changed


def tiny(*layers: nn.Module) -> tuple[nn.Sequential, SGD]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), *layers, nn.Linear(6, 3))
    return model, SGD(model.parameters(), lr=0.1, momentum=0.9)


def steps(step: Step, count: int = 8, batch: int = 5, device: str = "cpu") -> None:
    rng = torch.Generator().manual_seed(1)
    for _ in range(count):
        x, y = torch.randn(batch, 4, generator=rng), torch.randint(0, 3, (batch,), generator=rng)
        step(x.to(device), y.to(device))


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(6)], ids=["dropout", "batch normalisation"])
def test_random_numbers_and_statistics_go_on_as_they_would(layer: nn.Module) -> None:
    ends, states = [], []
    for recorder in (Recording(), None):
        model, optimizer = tiny(copy.deepcopy(layer))
        torch.manual_seed(3)
        steps(Step(model, optimizer, recorder=recorder))
        ends.append(model)
        states.append(torch.get_rng_state())
    assert same_state(*ends)
    assert torch.equal(*states)


def test_a_learning_rate_that_changes_is_recorded_anew() -> None:
    ends = []
    for recorder in (made := Recording(), None):
        model, optimizer = tiny()
        step = Step(model, optimizer, recorder=recorder)
        for lr in (0.1, 0.01, 0.1):
            optimizer.param_groups[0]["lr"] = lr
            steps(step)
        ends.append(model)
    assert same_state(*ends)
    assert made.recorded == 3


def fussy(model: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        value = nn.functional.cross_entropy(model(x), y)
        return value * 2 if value.item() > 1 else value

    return loss


def test_what_reads_a_number_back_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    ends = []
    for recorder in (made := Recording(), None):
        model, optimizer = tiny()
        steps(Step(model, optimizer, fussy(model), recorder=recorder))
        ends.append(model)
    assert same_state(*ends)
    assert made.recorded == made.repeated == 0
    assert [record.getMessage() for record in caplog.records] == [
        "steps are not repeated as a CUDA graph: it cannot be recorded: called a synchronizing CUDA operation"
    ]


def test_a_recording_for_which_memory_lacks_is_gone_before_the_step_is_taken() -> None:
    made: list[weakref.ref[Tensor]] = []

    class Full(Recording):
        def run(self, call: Callable[[], None]) -> None:
            assert not any(tensor() is not None for tensor in made)
            super().run(call)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        logits = model(x)
        made.append(weakref.ref(logits))
        if len(made) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.\nMore of it.")
        return nn.functional.cross_entropy(logits, y)

    model, optimizer = tiny()
    step = Step(model, optimizer, loss, recorder=Full())
    steps(step, count=3)
    assert step.given_up == "it cannot be recorded: CUDA out of memory."


def test_a_recorded_step_reads_from_its_device_what_is_given_in_main_memory() -> None:
    """A GPU takes a number there when a step is recorded, and would go on with it."""
    places = []

    def loss(x: Tensor, weight: Tensor) -> Tensor:
        places.append((x.device.type, weight.device.type))
        if len(places) == 2:
            raise RuntimeError("seen enough")
        return weight * model(x).sum()

    with torch.device("meta"):
        model, optimizer = tiny()
    step = Step(model, optimizer, loss, recorder=Recording())
    for _ in range(3):
        step(torch.ones(5, 4, device="meta"), torch.tensor(0.5))
    assert places == [("meta", "cpu"), ("meta", "meta"), ("meta", "cpu"), ("meta", "cpu")]


def test_what_draws_on_the_host_and_cannot_be_recorded_draws_the_same_as_without() -> None:
    ends = []
    for recorder in (Recording(), None):
        model, optimizer = tiny()
        torch.manual_seed(3)
        loss = fussy(model)
        step = Step(model, optimizer, lambda x, y, loss=loss: torch.rand(()) * loss(x, y), recorder=recorder)
        steps(step)
        assert (step.given_up is None) == (recorder is None)
        ends.append(model)
    assert same_state(*ends)


def test_what_python_decides_at_each_step_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    def fickle(model: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        weights = iter(range(1, 100))
        return lambda x, y: next(weights) * nn.functional.cross_entropy(model(x), y)

    made = Recording()
    model, optimizer = tiny()
    steps(Step(model, optimizer, fickle(model), recorder=made))
    assert made.repeated == 2  # the one that was compared, and once more to see whether it repeats itself
    assert "taken twice, it does not end with the same weights" in caplog.text
    assert all(torch.isfinite(p).all() for p in model.parameters())


def weighted(changes_at: int) -> tuple[list[int], Callable[..., list[Tensor]]]:
    """Steps whose loss has a weight that changes before a step, and that reads it where a recording does not see it."""
    calls = [0]

    def run(recorder: Recorder | None) -> list[Tensor]:
        model, optimizer = tiny()
        step = Step(model, optimizer, lambda x, y: weight * nn.functional.cross_entropy(model(x), y), recorder=recorder)
        rng, weight = torch.Generator().manual_seed(1), 1.0
        for calls[0] in range(1, 200):
            if calls[0] % 60 == 1:
                step.begin_epoch()
            if calls[0] == changes_at:
                weight = 0.5
            step(torch.randn(5, 4, generator=rng), torch.randint(0, 3, (5,), generator=rng))
        return list(model.parameters())

    return calls, run


def test_a_number_that_changes_at_once_is_found_before_a_step_was_wrong(caplog: pytest.LogCaptureFixture) -> None:
    _, run = weighted(changes_at=3)
    ends = [run(recorder) for recorder in (Recording(), None)]
    assert all(torch.equal(*pair) for pair in zip(*ends, strict=True))
    assert DIFFERS in caplog.text


@pytest.mark.parametrize(("changes_at", "found_at"), [(4, 6), (5, 6), (6, 6), (67, 130), (150, 194)])
def test_a_number_that_changes_later_ends_the_run(changes_at: int, found_at: int) -> None:
    """The first step is taken as it is, the second recorded; the first, fourth, sixteenth, 64th after that are compared, and then
    the first one in a further epoch, of 60 steps here, that comes 64 or more after the last.
    """
    calls, run = weighted(changes_at)
    with pytest.raises(UnlearnError, match="pass it to the loss as a tensor, or set"):
        run(Recording())
    assert calls == [found_at]


class Wobbling(Recording):
    """A device that now and then rounds otherwise when it repeats a step, each time by another amount."""

    def __init__(self, weights: Tensor, seed: int) -> None:
        super().__init__()
        self._weights, self._chance = weights, random.Random(seed)

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        repeat = super().record(call)

        def again() -> None:
            repeat()
            if self._chance.random() < 0.3:
                with torch.no_grad():
                    self._weights.mul_(1 + 1e-3 * self._chance.random())

        return again


def test_a_device_that_seldom_rounds_otherwise_ends_no_run() -> None:
    given_up = set()
    for seed in range(20):
        model, optimizer = tiny()
        step = Step(model, optimizer, recorder=Wobbling(model[0].weight, seed))
        steps(step, count=100)
        given_up.add(step.given_up)
    assert "taken twice, it does not end with the same weights" in given_up


@pytest.mark.parametrize("at", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("what", ["frozen", "unfrozen", "normalised by running statistics"])
def test_layers_may_begin_and_end_to_learn(what: str, at: int, caplog: pytest.LogCaptureFixture) -> None:
    ends = []
    for recorder in (made := Recording(), None):
        model, optimizer = tiny(nn.BatchNorm1d(6))
        model[0].requires_grad_(what != "unfrozen")
        step = Step(model, optimizer, recorder=recorder)
        steps(step, count=at)
        if what == "normalised by running statistics":
            model[1].eval()
        else:
            model[0].requires_grad_(what == "unfrozen")
        steps(step, count=9)
        ends.append(model)
    assert same_state(*ends)
    assert made.repeated > 1
    assert not caplog.records


class Averaged(nn.Module):
    """It puts a new tensor in the place of its buffer, where others change theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        self.average = 0.9 * self.average + 0.1 * x.detach().mean(0)
        return x - self.average


def test_a_step_that_replaces_a_buffer_is_not_recorded(caplog: pytest.LogCaptureFixture) -> None:
    """A recording would go on to read the tensor that was the buffer when it was made."""
    ends = []
    for recorder in (made := Recording(), None):
        model, optimizer = tiny(Averaged())
        steps(Step(model, optimizer, recorder=recorder))
        ends.append(model)
    assert same_state(*ends)
    assert made.recorded == 0
    assert [record.getMessage() for record in caplog.records] == [
        "steps are not repeated as a CUDA graph: it puts another tensor in a buffer's place, and does not change the buffer"
    ]


def test_weights_that_lie_elsewhere_from_some_step_on_are_recorded_anew() -> None:
    model, optimizer = tiny()
    step = Step(model, optimizer, recorder=(made := Recording()))
    for _ in range(2):
        steps(step)
        model[0].weight.data = 0.5 * model[0].weight.data
    steps(step)
    assert made.recorded == 3


def test_what_begins_to_learn_without_being_said_is_found() -> None:
    """A loss that reads more of the network from some step on: its velocities must not be those of a repeated step."""
    model, optimizer = tiny()
    reads_all = False

    def loss(x: Tensor, y: Tensor) -> Tensor:
        features = model[0](x) if reads_all else model[0](x).detach()
        return nn.functional.cross_entropy(model[1:](features), y)

    step = Step(model, optimizer, loss, recorder=Recording())
    steps(step, count=5)
    reads_all = True
    with pytest.raises(UnlearnError, match="pass it to the loss as a tensor"):
        steps(step, count=20)


def test_steps_are_told_of_epochs_and_let_go_of() -> None:
    """A method that makes a step anew for each epoch must not fill the device with recordings."""
    data = small_problem().data
    model, optimizer = tiny()
    kept = data.step(model, optimizer)  # type: ignore[arg-type]  # a network of fewer names
    gone = weakref.ref(data.step(model, optimizer))  # type: ignore[arg-type]
    gc.collect()
    assert gone() is None
    before = kept._epoch
    data.begin_epoch()
    assert kept._epoch == before + 1


@pytest.mark.parametrize("recorder", [Recording(), None], ids=["repeated", "as they are"])
def test_gradients_are_gone_after_a_step(recorder: Recorder | None) -> None:
    """Else what reads them afterwards would find those of another step, or none, only where steps are repeated."""
    model, optimizer = tiny()
    step = Step(model, optimizer, recorder=recorder)
    for _ in range(5):
        steps(step, count=1)
        assert all(parameter.grad is None for parameter in model.parameters())


def test_a_learning_rate_of_its_own_for_each_step_is_not_recorded() -> None:
    made = Recording()
    model, optimizer = tiny()
    step = Step(model, optimizer, recorder=made)
    for i in range(8):
        optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
        steps(step, count=1)
    assert made.recorded == 0


def test_weights_that_are_no_longer_numbers_are_no_difference(caplog: pytest.LogCaptureFixture) -> None:
    made = Recording()
    model, optimizer = tiny()
    steps(Step(model, optimizer, lambda x, y: model(x).sum() * float("nan"), recorder=made))
    assert made.repeated > 1
    assert not caplog.records


def test_optimizers_of_torch_are_left_alone_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    made = Recording()
    model, _ = tiny()
    for recorder in (made, None):
        steps(Step(model, torch.optim.SGD(model.parameters(), lr=0.1), recorder=recorder))
    assert made.recorded == 0
    assert [record.getMessage() for record in caplog.records] == [
        "steps are not repeated as a CUDA graph: an optimizer of torch's keeps numbers of its own on the host"
    ]


def test_a_shape_that_comes_seldom_is_not_recorded() -> None:
    made = Recording(before=4)
    model, optimizer = tiny()
    step = Step(model, optimizer, recorder=made)
    for _ in range(4):
        steps(step, count=2)
        steps(step, count=1, batch=3)
    assert made.recorded == 1


def test_a_cpu_records_nothing() -> None:
    assert recorder_of(torch.device("cpu")) is None


def test_torch_is_to_refuse_what_waits_before_cuda_does(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int | str] = [0]
    stand_ins = {
        "CUDAGraph": SimpleNamespace,
        "Stream": lambda device: device,
        "graph": lambda graph, **_: nullcontext(setattr(graph, "replay", list)),
        "graph_pool_handle": tuple,
        "get_sync_debug_mode": lambda: modes[-1],
        "set_sync_debug_mode": modes.append,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    during: list[int | str] = []
    CudaGraphs(torch.device("cuda"), before=1).record(lambda: during.append(modes[-1]))
    assert during == ["error"]
    assert modes[-1] == 0


class Counting(CudaGraphs):
    """CUDA graphs of steps that come twice."""

    recorded = 0

    def record(self, call: Callable[[], None]) -> Callable[[], object]:
        self.recorded += 1
        return super().record(call)


@needs_gpu
@pytest.mark.parametrize("key", METHODS)
def test_a_gpu_repeats_the_steps_of_every_method(key: str, caplog: pytest.LogCaptureFixture) -> None:
    device = torch.device("cuda")
    ends = []
    for recorder in (made := Counting(device, before=1), None):
        problem = network_problem("small_resnet", width=2)
        data = problem.data
        for batches in (data.retain, data.forget, data.validation):
            for name in ("images", "labels", "index"):
                setattr(batches, name, getattr(batches, name).to(device))
        make = data.new_model
        data.new_model = lambda seed, make=make: make(seed).to(device)
        data.original.to(device)
        with arithmetic(device, "float32"):
            ends.append(unlearned(key, problem, recorder))
    assert same_state(*ends)
    assert made.recorded > 1
    assert not caplog.records


@needs_gpu
def test_a_gpu_that_refuses_to_record_draws_and_records_as_before(caplog: pytest.LogCaptureFixture) -> None:
    device, ends = torch.device("cuda"), []
    for recorder in (made := Counting(device, before=1), None):
        with device:
            model, optimizer = tiny(nn.Dropout(0.5))
        torch.manual_seed(3)
        steps(Step(model, optimizer, fussy(model), recorder=recorder), device="cuda")
        steps(step := Step(model, optimizer, recorder=recorder), device="cuda")
        assert step.given_up is None
        ends.append(model)
    assert same_state(*ends)
    assert made.recorded == 2
    assert [record.getMessage() for record in caplog.records] == [
        "steps are not repeated as a CUDA graph: it cannot be recorded: called a synchronizing CUDA operation"
    ]


@needs_gpu
def test_a_number_in_main_memory_may_change_on_a_gpu(caplog: pytest.LogCaptureFixture) -> None:
    device, ends = torch.device("cuda"), []
    for recorder in (made := Counting(device, before=1), None):
        with device:
            model, optimizer = tiny()
        step = Step(
            model, optimizer, lambda x, weight, model=model: weight * model(x).square().mean(), recorder=recorder
        )
        for i in range(8):
            step(torch.ones(5, 4, device=device), torch.tensor(1 / (1 + i)))
        ends.append(model)
    assert same_state(*ends)
    assert made.recorded == 1
    assert not caplog.records
