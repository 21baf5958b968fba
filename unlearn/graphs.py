"""A gradient step as a function of tensors, which a GPU may record once and then repeat without being told each operation."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unlearn.sgd import SGD
from unlearn.steps import descend

__all__ = ["CudaGraphs", "Recorder", "Step", "recorder_of"]

logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """What records the operations of a call on a device.

    Attributes:
        before: how many steps of a shape are taken as they are before one is recorded.
    """

    before: int

    def run(self, call: Callable[[], None]) -> None:
        """Make a call that may be recorded later."""

    def record(self, call: Callable[[], None]) -> Callable[[], object]:
        """What repeats the operations of `call` on the same memory. None of them is carried out yet.

        Raises:
            RuntimeError: the device cannot record it: it reads a number back, for instance.
        """


class CudaGraphs:
    """Records CUDA graphs, on a stream and in a memory of its own.

    They share that memory: a step leaves nothing in it that a later one reads.
    """

    before = 32  # what comes once an epoch does not pay

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, call: Callable[[], None]) -> None:
        """Make a call on the stream that records."""
        outside = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(outside)
        with torch.cuda.stream(self._stream):
            call()
        outside.wait_stream(self._stream)

    def record(self, call: Callable[[], None]) -> Callable[[], object]:
        """A graph of `call`."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            call()
        return graph.replay


def recorder_of(device: torch.device) -> Recorder | None:
    """What records on a device; None where nothing does."""
    return CudaGraphs(device) if device.type == "cuda" else None


class Step:
    """A gradient step on a loss, as a function of tensors.

    With a recorder the first steps of each shape are taken as they are, then one is recorded, and repeated on the numbers of each
    batch. Before it counts, the recording is compared with the step itself: where parameters, velocities and buffers do not come
    out the same to the last bit, or the device refuses to record, all further steps are taken as they are, and the reason is
    logged. So for a loss that keeps the rules below a recorder is to change how long a run takes, and nothing else.

    Args:
        model: whose buffers a step may change.
        loss: of a batch; by default the cross-entropy of the model's logits, of images and their labels. What changes from step
            to step must be among its arguments, each a tensor; what else it reads must stay where it is, and is changed in
            place if at all. It must read nothing back from the device.
        after: is called at the end of each step, under the same rules.

    Attributes:
        given_up: why steps are not repeated although there is a recorder; None where nothing speaks against it.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: SGD | torch.optim.Optimizer,
        loss: Callable[..., Tensor] | None = None,
        *,
        after: Callable[[], None] = lambda: None,
        recorder: Recorder | None = None,
    ) -> None:
        self._model, self._optimizer, self._after = model, optimizer, after
        self._loss = loss or (lambda x, y: F.cross_entropy(model(x), y))
        self._recorder = recorder if isinstance(optimizer, SGD) else None  # others keep numbers of theirs on the host
        self._taken: Counter[Any] = Counter()
        self._recorded: dict[Any, Callable[..., None]] = {}
        self._rates: object = None
        self.given_up: str | None = None

    def __call__(self, *inputs: Tensor) -> None:
        """One step."""
        if self._recorder is None:
            self._take(*inputs)
            return
        if self._rates != (rates := self._now()):  # they are part of what was recorded
            self._recorded.clear()
            self._rates = rates
        shape = tuple((x.shape, x.dtype) for x in inputs)
        if shape in self._recorded:
            self._recorded[shape](*inputs)
            return
        self._taken[shape] += 1
        if self._taken[shape] <= self._recorder.before:
            self._recorder.run(lambda: self._take(*inputs))
        elif (repeat := self._record(self._recorder, inputs)) is not None:
            self._recorded[shape] = repeat

    def _take(self, *inputs: Tensor) -> None:
        descend(self._optimizer, self._loss(*inputs))
        self._after()

    def _now(self) -> object:
        """Numbers of the host that a step reads."""
        return [
            {name: value for name, value in group.items() if name != "params"} for group in self._optimizer.param_groups
        ]

    def _record(self, recorder: Recorder, inputs: tuple[Tensor, ...]) -> Callable[..., None] | None:
        """Take a step, and give what repeats it on other numbers, if that does the same."""
        own = [x.clone() for x in inputs]
        try:
            repeat = recorder.record(lambda: self._take(*own))
        except RuntimeError as error:
            recorder.run(lambda: self._take(*inputs))
            self._give_up(f"it cannot be recorded: {str(error).splitlines()[0]}")
            return None
        device, changed = own[0].device, self._changed()
        before = [tensor.clone() for tensor in changed]
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            repeat()
        repeated = [tensor.clone() for tensor in changed]
        with torch.no_grad():
            for tensor, value in zip(changed, before, strict=True):
                tensor.copy_(value)
        recorder.run(lambda: self._take(*inputs))
        if not all(_same(one, other) for one, other in zip(changed, repeated, strict=True)):
            self._give_up("what repeats it does not end with the same weights")
            return None

        def again(*inputs: Tensor) -> None:
            for x, given in zip(own, inputs, strict=True):
                x.copy_(given)
            repeat()

        return again

    def _changed(self) -> list[Tensor]:
        """All that a step changes."""
        assert isinstance(self._optimizer, SGD)
        return [*self._optimizer.state, *self._model.buffers()]

    def _give_up(self, reason: str) -> None:
        logger.warning("steps are not repeated as a CUDA graph: %s", reason)
        self._recorder, self.given_up = None, reason
        self._recorded.clear()


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal to the last bit, or are not numbers in the same places."""
    return bool(((one == other) | (one.isnan() & other.isnan())).all())
