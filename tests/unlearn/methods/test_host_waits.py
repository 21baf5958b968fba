"""No method's epoch makes the host wait for the device: nothing is read back, and no shape depends on values."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from method_problems import SEED, resnet_problem
from test_method_contract import KEYS, build
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from unlearn.methods import Batches, Streams, UnlearningData
from unlearn.methods.ssd import squared_gradients
from unlearn.registry import find
from unlearn.testing.problems import Problem
from unlearn.testing.recording import WAITS
from unlearn.training import Recipe, train

#: Methods whose only epoch holds what is made once for a run as well; their loops are looked at by themselves.
ONE_EPOCH = {"oracle", "ssd"}
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class NoWaiting(TorchDispatchMode):
    """Refuses what would wait for a GPU, whatever the device is."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masks = name.startswith("index") and any(
            part is not None and part.dtype in (torch.bool, torch.uint8)
            for given in args[1:2]
            if isinstance(given, list | tuple)
            for part in given
        )
        if name in WAITS or masks:
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


def later_epochs(key: str, problem: Problem, data: UnlearningData) -> Iterator[None]:
    """The epochs of a method after the first, in which what serves the whole run is made."""
    epochs = iter(build(key, epochs=3).unlearn(problem.start().to(data.device), data, Streams(SEED)))
    next(epochs)
    return epochs


def loops(problem: Problem, data: UnlearningData) -> dict[str, Callable[[], object]]:
    """What the methods of one epoch repeat."""
    recipe = Recipe(epochs=2, batch_size=16, augment="flip_crop")
    epochs = train(problem.start().to(data.device), data.retain, recipe, Streams(SEED).generator("retain"))
    next(epochs)
    return {"oracle": lambda: list(epochs), "ssd": lambda: squared_gradients(data.original, data.forget)}


@pytest.mark.parametrize("key", KEYS)
def test_an_epoch_reads_nothing_back(key: str) -> None:
    problem = resnet_problem()
    if key == "original":
        assert not list(later_epochs(key, problem, problem.data))
    elif key in ONE_EPOCH:
        loop = loops(problem, problem.data)[key]
        with NoWaiting():
            loop()
    else:
        epochs = later_epochs(key, problem, problem.data)
        with NoWaiting():
            assert len(list(epochs)) == 2


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.equal(x, x),
        lambda x: x.unique(),
        lambda x: x.masked_fill(x > 0, 0)[x > 1],
    ],
)
def test_what_waits_is_found(wait: Callable[[Tensor], object]) -> None:
    x = torch.arange(5.0)
    with NoWaiting(), pytest.raises(AssertionError, match="waits for the device"):
        wait(x)


@pytest.mark.parametrize("key", KEYS)
def test_nothing_is_read_past_torchs_dispatcher(key: str) -> None:
    """Of a CPU's tensors these read the memory itself, which `NoWaiting` does not see."""
    source = inspect.getsource(inspect.getmodule(find("methods", key)))  # type: ignore[arg-type]
    assert not re.search(r"\.(cpu|numpy|tolist|item)\(", source)


@needs_gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")  # that it does not see everything
@pytest.mark.parametrize("key", [key for key in KEYS if key != "original"])
def test_an_epoch_never_waits_for_a_gpu(key: str) -> None:
    problem = resnet_problem()
    device = torch.device("cuda")
    sets = (problem.data.retain, problem.data.forget, problem.data.validation)
    retain, forget, validation = (
        Batches(part.images.to(device), part.labels.to(device), part.index.to(device)) for part in sets
    )
    original = problem.data.original.to(device)
    data = UnlearningData(retain, forget, validation, original, lambda seed: problem.data.new_model(seed).to(device))
    loop = loops(problem, data)[key] if key in ONE_EPOCH else later_epochs(key, problem, data).__next__
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loop()
    finally:
        torch.cuda.set_sync_debug_mode("default")
