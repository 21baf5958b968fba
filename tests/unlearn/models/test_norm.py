"""Batch normalisation with what follows it: kernels in Triton's interpreter against torch's operations in float64."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

from unlearn.arithmetic import full_precision
from unlearn.graphs import Step
from unlearn.models import _norm
from unlearn.models._norm import normalised
from unlearn.models.resnet18 import resnet18
from unlearn.steps import SGD

CPU = torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
#: One tile of one column; and several parts of several tiles, the last ones not full, of two columns.
SHAPES = [(3, 5, 4, 4), (5, 70, 5, 7)]


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The kernels, interpreted. There is more than one of everything."""
    module: ModuleType = pytest.importorskip("unlearn.models._norm_kernels", reason="needs Triton")
    if os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("kernels are compiled where there is a GPU")
    monkeypatch.setattr(module, "PARTS", 8)
    monkeypatch.setattr(module, "ADD_PARTS", 4)
    monkeypatch.setattr(module, "_grid", module._Grid)
    return module


@pytest.fixture
def fused(kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers on a CPU compute as they do on a GPU, in a step that is repeated."""
    monkeypatch.setattr(_norm, "_kernels_for", lambda device, dtype: kernels)
    monkeypatch.setattr(_norm, "in_repeated_step", lambda: True)


def numbers(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    drawn = 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + 3
    return drawn.to(dtype, memory_format=torch.channels_last)


def off(found: Tensor, wanted: Tensor) -> float:
    found, wanted = found.detach().double(), wanted.detach().double()
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_kernels_compute_what_torch_computes(
    kernels: ModuleType, shape: tuple[int, ...], dtype: torch.dtype, adds: bool, relu: bool
) -> None:
    x, shortcut, dy = (numbers(shape, seed, dtype) for seed in range(3))
    weight, bias = (numbers((shape[1], 1, 1, 1), seed).flatten() for seed in (3, 4))
    mean, variance, seen = torch.zeros(shape[1]), torch.ones(shape[1]), torch.tensor(7)
    layer = kernels.Layer(weight, bias - 3, 1e-5, relu)
    y, *statistics = kernels.forward(x, shortcut if adds else None, layer, kernels.Running(mean, variance, seen, 0.1))
    dx, dweight, dbias, dz = kernels.backward(dy, x, y if adds and relu else None, layer, *statistics)
    by = kernels.forward_by(x, shortcut if adds else None, layer, mean, variance)

    leaves = [tensor.double().requires_grad_() for tensor in (x, weight, bias - 3, shortcut)]
    wanted_mean, wanted_variance = torch.zeros(shape[1]).double(), torch.ones(shape[1]).double()

    def result(training: bool) -> Tensor:
        normal = F.batch_norm(leaves[0], wanted_mean, wanted_variance, leaves[1], leaves[2], training)
        out = normal + leaves[3] if adds else normal
        return F.relu(out) if relu else out

    wanted = result(True)
    gradients = torch.autograd.grad(wanted, leaves[: 3 + adds], dy.double())
    of_activations = 1e-5 if dtype == torch.float32 else 2**-7
    assert off(y, wanted) < of_activations
    assert off(by, result(False)) < of_activations
    assert off(dx, gradients[0]) < of_activations
    assert max(off(dweight, gradients[1]), off(dbias, gradients[2])) < 1e-4
    assert max(off(mean, wanted_mean), off(variance, wanted_variance)) < 1e-5
    assert int(seen) == 8
    if adds:
        assert off(dz, gradients[3]) < of_activations
    assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in (y, dx, by))


def test_a_mean_far_from_zero_costs_no_digits(kernels: ModuleType) -> None:
    x = numbers(SHAPES[1], 0) + 1000
    layer = kernels.Layer(torch.ones(70), torch.zeros(70), 1e-5, False)
    y, *_ = kernels.forward(x, None, layer, None)
    assert off(y, F.batch_norm(x.double(), None, None, training=True)) < 1e-3  # one part of 10⁷ of x is 5·10⁻⁵ of σ


def test_what_is_no_number_stays_none(kernels: ModuleType) -> None:
    x = numbers(SHAPES[0], 0)
    x[1, 2, 0, 0] = torch.nan
    layer = kernels.Layer(torch.ones(5), torch.zeros(5), 1e-5, True)
    y, mean, inverse = kernels.forward(x, None, layer, None)
    dx, *_ = kernels.backward(torch.ones_like(x), x, None, layer, mean, inverse)
    by = kernels.forward_by(x, None, layer, torch.zeros(5), torch.ones(5))
    for found in (y, dx):
        assert found[:, 2].isnan().all()
        assert found[:, [0, 1, 3, 4]].isfinite().all()
    assert int(by.isnan().sum()) == 1


def layer() -> nn.BatchNorm2d:
    """With made-up weights, the same each time."""
    norm = nn.BatchNorm2d(5)
    nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(5))
    nn.init.uniform_(norm.bias, -1, 1, generator=torch.Generator().manual_seed(6))
    return norm


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.usefixtures("fused")
def test_a_layer_is_torchs_with_what_follows(relu: bool, adds: bool) -> None:
    ours, theirs = layer(), layer()
    inputs = [numbers(SHAPES[0], seed).requires_grad_() for seed in range(1 + adds)]

    def both() -> tuple[Tensor, Tensor]:
        out = theirs(inputs[0]) + inputs[1] if adds else theirs(inputs[0])
        return normalised(ours, *inputs, relu=relu), F.relu(out) if relu else out

    for track in (True, False, True):
        ours.track_running_stats = theirs.track_running_stats = track
        torch.testing.assert_close(*both(), rtol=1e-4, atol=1e-5)
    assert ours.num_batches_tracked == theirs.num_batches_tracked == 2
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))
    ends = [gradients(y, [*inputs, *of.parameters()]) for y, of in zip(both(), (ours, theirs), strict=True)]
    assert max(map(off, *ends)) < 1e-5
    ours.eval(), theirs.eval()
    with torch.no_grad():
        torch.testing.assert_close(*both(), rtol=1e-4, atol=1e-5)


def gradients(y: Tensor, of: list[Tensor]) -> list[Tensor]:
    """Those of a loss, and those of their own sum of squares."""
    first = torch.autograd.grad((y**3).sum(), of, create_graph=True)
    second = torch.autograd.grad(sum((one**2).mean() for one in first), of, retain_graph=True)
    plain = torch.autograd.grad((y**3).sum(), of)
    return [*first, *second, *plain]


def test_gradients_of_gradients_go_through_a_block_once(fused: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is added in the end is what the block began with: a gradient has two ways to it."""
    ours = layer()
    x, weight = numbers(SHAPES[0], 0).requires_grad_(), numbers((5, 5, 1, 1), 1).requires_grad_()
    found, wanted = list[Tensor](), list[Tensor]()
    for results in (found, wanted):
        results.extend(gradients(normalised(ours, F.conv2d(x, weight), x), [x, weight]))
        monkeypatch.setattr(_norm, "in_repeated_step", lambda: False)
    assert max(map(off, found, wanted)) < 1e-4


@pytest.mark.usefixtures("fused")
def test_what_does_not_learn_gets_no_gradient() -> None:
    ours = layer()
    ours.weight.requires_grad_(False)
    x, shortcut = (numbers(SHAPES[0], seed) for seed in (0, 1))
    for graph in (False, True):
        (found,) = torch.autograd.grad(normalised(ours, x, shortcut).sum(), [ours.bias], create_graph=graph)
        assert found.isfinite().all()
    normalised(ours, x, shortcut).sum().backward()
    assert ours.weight.grad is None
    assert ours.bias.grad is not None


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.head = layer(), nn.Linear(80, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(normalised(self.norm, x).flatten(1))
        return out


def hook(*_: object) -> None:
    """Sees what a layer gives."""


def plain_layout(x: Tensor) -> Tensor:
    return x.contiguous()


@pytest.mark.parametrize(
    ("change", "of"),
    [
        pytest.param(plain_layout, lambda ours: None, id="channels first"),
        pytest.param(torch.Tensor.double, lambda ours: ours.double(), id="float64"),
        pytest.param(torch.Tensor.clone, lambda ours: setattr(ours, "momentum", None), id="cumulative means"),
        pytest.param(torch.Tensor.requires_grad_, lambda ours: ours.eval(), id="gradients by running statistics"),
        pytest.param(torch.Tensor.clone, lambda ours: ours.register_forward_hook(hook), id="a hook"),
    ],
)
@pytest.mark.usefixtures("fused")
def test_what_kernels_do_not_know_is_torchs_own(
    change: Callable[[Tensor], Tensor], of: Callable[[nn.BatchNorm2d], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = layer()
    of(ours)
    monkeypatch.setattr(_norm, "_kernels_for", lambda device, dtype: SimpleNamespace())  # nothing may be asked of them
    assert normalised(ours, change(numbers(SHAPES[0], 0))).isfinite().all()


@pytest.mark.filterwarnings("ignore")  # torch's, that there are newer ways
@pytest.mark.usefixtures("fused")
def test_what_is_traced_is_torchs_own() -> None:
    ours = Small().eval()
    with torch.no_grad():
        traced = torch.jit.trace(ours, numbers(SHAPES[0], 0))
        x = numbers(SHAPES[0], 1)
        torch.testing.assert_close(traced(x), ours(x), rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("fused")
def test_one_value_a_channel_is_refused_as_by_torch() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        normalised(layer(), torch.ones(1, 5, 1, 1).contiguous(memory_format=torch.channels_last))


def test_kernels_are_tried_out_before_they_are_used(
    kernels: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    single, half = torch.float32, torch.bfloat16
    assert _norm._kernels_for(CPU, single) is None
    for mode in (nullcontext(), torch.no_grad(), torch.inference_mode()):
        with mode:
            assert _norm._difference(kernels, CPU, single) < 1e-5
            assert _norm._tried(CPU, single) is kernels
            assert _norm._tried(CPU, half) is kernels
    assert not caplog.messages
    said = "batch normalisation is not fused with what follows it: "
    forward, backward = kernels.forward, kernels.backward

    def old_gpus(x: Tensor, *given: Any) -> object:
        return forward(x, *given) if x.dtype == single else 1 / 0

    monkeypatch.setattr(kernels, "forward", old_gpus)
    assert _norm._tried(CPU, single) is kernels
    assert _norm._tried(CPU, half) is None
    assert caplog.messages.pop() == f"{said}ZeroDivisionError: division by zero"
    monkeypatch.setattr(kernels, "backward", lambda *given: [torch.nan * one for one in backward(*given)])
    assert _norm._tried(CPU, single) is None
    assert caplog.messages.pop() == f"{said}results are off by nan"
    monkeypatch.setattr(_norm, "_difference", lambda *_: 0.5)
    assert _norm._tried(CPU, single) is None
    assert caplog.messages.pop() == f"{said}results are off by 0.5"
    assert caplog.records[-1].levelno == logging.WARNING


class Waiting:
    """A recorder that would record much later."""

    before = 100

    def run(self, call: Callable[[], None]) -> None:
        call()

    def record(self, call: Callable[[], None]) -> Callable[[], object]:
        raise AssertionError


@pytest.mark.parametrize("recorder", [Waiting(), None])
def test_only_steps_that_are_to_be_repeated_are_fused(
    kernels: ModuleType, recorder: Waiting | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_norm, "_kernels_for", lambda device, dtype: kernels)
    forward = kernels.forward
    calls: list[int] = []
    monkeypatch.setattr(kernels, "forward", lambda *given: (calls.append(1), forward(*given))[1])
    model = Small()
    step = Step(model, SGD(model.parameters(), lr=0.1), recorder=recorder)
    x, y = numbers(SHAPES[0], 0), torch.tensor([0, 1, 0])
    for _ in range(3):
        step(x, y)
    assert len(calls) == (0 if recorder is None else 3)
    model(x).sum().backward()
    assert len(calls) == (0 if recorder is None else 3)


def test_the_networks_blocks_are_torchvisions() -> None:
    torch.manual_seed(0)
    ours = resnet18((3, 8, 8), 10, width=4).backbone
    for name, width_in, width, stride in (("layer1", 4, 4, 1), ("layer2", 4, 8, 2)):
        block = getattr(ours, name)[0]
        projection = None
        if stride > 1:
            projection = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        theirs = BasicBlock(width_in, width, stride, projection)
        theirs.load_state_dict(block.state_dict())
        x = numbers((6, width_in, 8, 8), 0)
        for mode in (True, False):
            block.train(mode), theirs.train(mode)
            ends = []
            for network in (block, theirs):
                y = network(x)
                ends.append([y, *torch.autograd.grad(y.square().sum(), list(network.parameters()))])
            assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


def test_what_stands_in_a_layers_place_is_called_as_it_is() -> None:
    """As where layers are replaced: a ReLU and a shortcut are the block's."""
    ours = resnet18((3, 8, 8), 10, width=4).eval()
    x = numbers((6, 3, 8, 8), 0)
    before = ours(x)
    for module in [*ours.modules()]:
        for name, child in [*module.named_children()]:
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.SyncBatchNorm.convert_sync_batchnorm(child).eval())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in ours.modules())
    torch.testing.assert_close(ours(x), before)


@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_computes_what_torch_computes(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_norm, "in_repeated_step", lambda: True)
    gpu = torch.device("cuda", torch.cuda.current_device())
    kernels: Any = _norm._kernels_for(gpu, dtype)
    assert kernels is not None
    with full_precision(gpu):
        for shape in [*SHAPES, (64, 128, 16, 16), (256, 64, 32, 32), (2, 512, 1, 1)]:
            x, shortcut, dy = (numbers(shape, seed, dtype).to(gpu).requires_grad_() for seed in range(3))
            for adds in (False, True):
                inputs = [x, shortcut] if adds else [x]
                ours = nn.BatchNorm2d(shape[1]).to(gpu)
                y = normalised(ours, *inputs)
                assert y.grad_fn is not None
                assert "Fused" in type(y.grad_fn).__name__
                found = [y, *torch.autograd.grad(y, [*inputs, *ours.parameters()], dy)]
                again = normalised(ours, *inputs)
                found_again = [again, *torch.autograd.grad(again, [*inputs, *ours.parameters()], dy)]
                assert all(torch.equal(one, other) for one, other in zip(found, found_again, strict=True))
                exact = [tensor.detach().double().requires_grad_() for tensor in (*inputs, *ours.parameters())]
                z = F.batch_norm(exact[0], None, None, *exact[-2:], training=True)
                z = F.relu(z + exact[1] if adds else z)
                wanted = [z, *torch.autograd.grad(z, exact, dy.double())]
                # where both round to either side of a ReLU's kink, gradients of single pixels differ
                for one, other in zip(found, wanted, strict=True):
                    far = (one.double() - other).norm() / other.norm()
                    assert far < (1e-3 if dtype == torch.float32 else 0.02), (shape, adds, one.shape)
