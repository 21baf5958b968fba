"""A gradient step as a function of tensors, which a GPU may record once and then repeat without being told each operation."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unlearn.errors import UnlearnError
from unlearn.sgd import SGD
from unlearn.steps import descend
from unlearn.switches import host_waits

__all__ = ["CudaGraphs", "Recorder", "Step", "in_repeated_step", "recorder_of"]

logger = logging.getLogger(__name__)

DIFFERS = "what repeats it does not end with the same weights"
STALE = (
    "a gradient step reads something that has changed since the step was recorded as a CUDA graph: pass it to the loss as a "
    "tensor, or set resources.cuda_graphs: auto"
)
#: After so many repeated steps one is compared again, if another epoch has begun.
OFTEN = 64
#: So many steps after those that come before a recording, several follow that are repeated and not compared.
UNCOMPARED = 6

_in_repeated_step = ContextVar("_in_repeated_step", default=False)


def in_repeated_step() -> bool:
    """Whether a gradient step is being taken, or recorded, that a GPU repeats: what the host has to do for it is done once."""
    return _in_repeated_step.get()


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

    def __init__(self, device: torch.device, before: int) -> None:
        self.before = before  # what comes once an epoch does not pay
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, call: Callable[[], None]) -> None:
        """Make a call on the stream that records."""
        outside = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(outside)
        try:
            with torch.cuda.stream(self._stream):
                call()
        finally:  # where it fails as well: others get the memory that is still being worked on
            outside.wait_stream(self._stream)

    def record(self, call: Callable[[], None]) -> Callable[[], object]:
        """A graph of `call`.

        CUDA itself refuses to wait meanwhile, but older versions of torch are not ready for that: what draws random numbers fails
        from then on, and so does every other recording. So torch is to refuse it before.
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream), host_waits("error"):
            call()
        return graph.replay


def recorder_of(device: torch.device, before: int = 32) -> Recorder | None:
    """What records on a device, after so many steps of a shape; None where nothing does."""
    return CudaGraphs(device, before) if device.type == "cuda" else None


class Step:
    """A gradient step on a loss, as a function of tensors.

    With a recorder the first steps of each shape are taken as they are, then one is recorded, and repeated on the numbers of each
    batch. Before it counts, the recording is compared with the step itself, and again at the next step, the 4th, 16th, 64th …,
    and in a further epoch once `OFTEN` were not. Where the device refuses to record, or parameters, velocities and buffers do
    not come out the same to the last bit, all further steps are taken as they are, and the reason is logged. Learning rates,
    which parameters and layers learn, and where parameters lie may change: then steps are recorded anew. So for a loss that keeps
    the rules below a recorder is to change how long a run takes, and nothing else; but a network may round otherwise in its steps
    (`in_repeated_step`), as resnet18 does on a GPU.

    Args:
        model: whose buffers a step may change.
        loss: of a batch; by default the cross-entropy of the model's logits, of images and their labels. What changes from step
            to step must be among its arguments, each a tensor; what else it reads must stay where it is, and is changed in
            place if at all, between steps. It must read nothing back from the device, and change nothing but the model's
            buffers: where a step is compared, it is taken more than once. Gradients are gone once a step has been taken.
        after: is called at the end of each step, under the same rules, and may change the model's parameters.

    Attributes:
        given_up: why steps are not repeated although there is a recorder; None where nothing speaks against it.

    Raises:
        UnlearnError: the loss reads what has changed since it was recorded, and steps were repeated without it.
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
        self._recorder = recorder
        self._taken: Counter[Any] = Counter()
        self._recorded: dict[Any, _Recorded] = {}
        self._modules = list(model.modules())
        self._recorded_for: object = None
        self._epoch = 0
        self.given_up: str | None = None
        if recorder is not None and not isinstance(optimizer, SGD):
            self._give_up("an optimizer of torch's keeps numbers of its own on the host")

    def __call__(self, *inputs: Tensor) -> None:
        """One step."""
        if self._recorder is None:
            self._take(*inputs)
            return
        if self._recorded_for != (now := self._now()):
            self._recorded.clear()
            self._taken.clear()  # rates of their own for each step do not pay
            self._recorded_for = now
        self._step(self._recorder, inputs)

    def begin_epoch(self) -> None:
        """Say that a new pass over the samples begins, before which what the loss reads may have changed."""
        self._epoch += 1

    def _step(self, recorder: Recorder, inputs: tuple[Tensor, ...]) -> None:
        shape = tuple((x.shape, x.dtype) for x in inputs)
        if (recorded := self._recorded.get(shape)) is not None:
            recorded.steps += 1
            late = recorded.epoch != self._epoch and recorded.steps - recorded.compared >= OFTEN
            if late or _is_power_of_four(recorded.steps):
                self._compare(recorder, recorded, inputs)
            else:
                recorded(*inputs)
            return
        self._taken[shape] += 1
        if self._taken[shape] <= recorder.before:
            buffers = [*self._model.buffers()]
            recorder.run(lambda: self._take(*inputs))
            if any(one is not other for one, other in zip(buffers, self._model.buffers(), strict=False)):
                self._give_up("it puts another tensor in a buffer's place, and does not change the buffer")
        elif (recorded := self._record(recorder, inputs)) is not None:
            self._recorded[shape] = recorded
            self._compare(recorder, recorded, inputs)

    def _take(self, *inputs: Tensor) -> None:
        before = _in_repeated_step.set(self._recorder is not None)
        try:
            descend(self._optimizer, self._loss(*inputs))
            self._after()
        finally:
            _in_repeated_step.reset(before)
        self._optimizer.zero_grad()  # a repeated step leaves no gradients either

    def _now(self) -> object:
        """What the host knows and a step hangs on: rates, which parameters learn, where they lie, and which layers train."""
        groups = self._optimizer.param_groups
        rates = [{name: value for name, value in group.items() if name != "params"} for group in groups]
        learns = [(parameter.requires_grad, parameter.data_ptr()) for group in groups for parameter in group["params"]]
        return rates, learns, [module.training for module in self._modules]

    def _record(self, recorder: Recorder, inputs: tuple[Tensor, ...]) -> _Recorded | None:
        """What repeats a step; where the device cannot record it, it is taken as it is."""
        device = self._changed()[0].device  # it would keep a number of main memory as it is now
        own = [x.to(device, copy=True) for x in inputs]
        assert isinstance(self._optimizer, SGD)
        self._optimizer.set_to_rest()  # what is made within a recording is made anew at each repetition
        try:
            with torch.random.fork_rng(devices=[]):  # what is recorded is not carried out, but for what the host draws
                return _Recorded(own, recorder.record(lambda: self._take(*own)))
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
        recorder.run(lambda: self._take(*inputs))  # not above, where the error holds what was made until it was raised
        self._give_up(f"it cannot be recorded: {reason}")
        return None

    def _compare(self, recorder: Recorder, recorded: _Recorded, inputs: tuple[Tensor, ...]) -> None:
        """Take a step as it is, and give up repeating it where that would have done something else."""
        start = _State(self._changed())
        recorded(*inputs)
        repeated = _State(start.tensors)
        start.restore()
        recorder.run(lambda: self._take(*inputs))
        recorded.compared, recorded.epoch = recorded.steps, self._epoch
        if repeated.is_now():
            return
        taken = _State(start.tensors)
        start.restore()
        recorded(*inputs)
        one_result = repeated.is_now()
        start.restore()
        recorder.run(lambda: self._take(*inputs))
        if not (one_result and taken.is_now()):
            self._give_up("taken twice, it does not end with the same weights")
        elif recorded.steps <= 1:  # each step so far was compared
            self._give_up(DIFFERS)
        else:
            raise UnlearnError(STALE)

    def _changed(self) -> list[Tensor]:
        """All that a step changes."""
        assert isinstance(self._optimizer, SGD)
        return [*self._optimizer.state, *self._model.buffers()]

    def _give_up(self, reason: str) -> None:
        logger.warning("steps are not repeated as a CUDA graph: %s", reason)
        self._recorder, self.given_up = None, reason
        self._recorded.clear()


class _Recorded:
    """A recorded step, with the memory that it reads its inputs from.

    Attributes:
        steps: how many there were since it was recorded; compared: how many up to the last comparison, in `epoch`.
    """

    def __init__(self, own: list[Tensor], repeat: Callable[[], object]) -> None:
        self._own, self._repeat = own, repeat
        self.steps, self.compared, self.epoch = 0, 0, 0

    def __call__(self, *inputs: Tensor) -> None:
        for x, given in zip(self._own, inputs, strict=True):
            x.copy_(given)
        self._repeat()


class _State:
    """What tensors, and the random generators that their device draws from, are now."""

    @torch.no_grad()  # else the copies would hold on to the parameters' autograd nodes, made on another stream than steps'
    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors, self._values = tensors, [tensor.clone() for tensor in tensors]
        self._gpus = {tensor.device for tensor in tensors if tensor.is_cuda}
        self._random = torch.get_rng_state(), [torch.cuda.get_rng_state(gpu) for gpu in self._gpus]

    def restore(self) -> None:
        """Set them back."""
        with torch.no_grad():
            for tensor, value in zip(self.tensors, self._values, strict=True):
                tensor.copy_(value)
        torch.set_rng_state(self._random[0])
        for gpu, state in zip(self._gpus, self._random[1], strict=True):
            torch.cuda.set_rng_state(state, gpu)

    def is_now(self) -> bool:
        """Whether the tensors are the same to the last bit, or are not numbers in the same places."""
        return all(
            bool(((one == other) | (one.isnan() & other.isnan())).all())
            for one, other in zip(self.tensors, self._values, strict=True)
        )


def _is_power_of_four(n: int) -> bool:
    return n.bit_count() == 1 and n.bit_length() % 2 == 1
