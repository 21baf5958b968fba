"""Seals on what trials share: a tensor or model that has changed since it was sealed is found, however it was changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from unlearn.errors import UnlearnError

__all__ = ["ChangedError", "Seal", "Seals", "checksum"]

#: Words of eight bytes that are weighed at once: what a core's cache holds.
CHUNK = 2**17
#: Odd, so that multiplying by it modulo 2⁶⁴ loses nothing (Knuth's MMIX).
MULTIPLIER = 6_364_136_223_846_793_005


class ChangedError(UnlearnError):
    """A component changed what all trials of this process share; the message names it."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            f"what trials share must not be changed, but this trial changed {', '.join(names)}: work on copies"
        )


class Seal:
    """What named tensors and models held when the seal was put on them.

    Of a model it covers parameters and buffers, and beside their values modes, hooks, gradients and what needs gradients.
    """

    def __init__(self, tensors: Mapping[str, Tensor], models: Mapping[str, nn.Module] | None = None) -> None:
        self.tensors, self.models = dict(tensors), dict(models or {})
        self.states, self.sums = dict(self._states()), self._sums()

    def broken(self) -> list[str]:
        """The names of what is no longer as it was sealed."""
        different = [name for name, state in self._states() if state != self.states[name]]
        if different:
            return different
        try:
            sums = self._sums()
        except RuntimeError:  # the memory of a tensor is gone
            return list(self.sums)
        return [name for name, value in sums.items() if value != self.sums[name]]

    def _states(self) -> Iterator[tuple[str, Any]]:
        yield from ((name, _form(tensor)) for name, tensor in self.tensors.items())
        yield from ((f"modes, hooks or gradients of {name}", _state(model)) for name, model in self.models.items())

    def _sums(self) -> dict[str, int]:
        """Checksums by name, in one transfer from the device."""
        sums = {name: checksum(tensor) for name, tensor in self.tensors.items()}
        for name, model in self.models.items():
            sums[f"weights of {name}"] = checksum(*model.parameters())
            sums[f"buffers of {name}"] = checksum(*model.buffers())
        return dict(zip(sums, torch.stack(list(sums.values())).tolist(), strict=True))


class Seals:
    """The seals on all that a process shares, as long as it is held: with the tensors a seal goes too."""

    def __init__(self) -> None:
        self._held = WeakSet[Seal]()

    def __iter__(self) -> Iterator[Seal]:
        return iter(list(self._held))

    def put(self, tensors: Mapping[str, Tensor], models: Mapping[str, nn.Module] | None = None) -> Seal:
        """Seal something; whoever holds it holds the seal."""
        seal = Seal(tensors, models)
        self._held.add(seal)
        return seal

    def check(self) -> None:
        """Compare everything with its seal.

        Raises:
            ChangedError: a component has changed some of it.
        """
        changed = {name for seal in self for name in seal.broken()}
        if changed:
            raise ChangedError(sorted(changed))


def checksum(*tensors: Tensor) -> Tensor:
    """A number, shape () int64, of all bytes in their order: Σ of the words times odd random weights, modulo 2⁶⁴."""
    words = _words([tensor.detach() for tensor in tensors])
    total = torch.zeros((), dtype=torch.int64, device=words.device)
    weights = _weights(words.device)
    for chunk in torch.split(words, CHUNK):
        total = total * MULTIPLIER + (chunk * weights[: len(chunk)]).sum()
    return total


def _words(tensors: list[Tensor]) -> Tensor:
    """The bytes of `tensors` one after the other as int64, with zeros up to the last word's end."""
    flat = [_in_memory_order(tensor).view(torch.uint8) for tensor in tensors]
    size = sum(map(len, flat))
    if len(flat) != 1 or size % 8 or flat[0].storage_offset() % 8:
        device = tensors[0].device if tensors else None
        flat = [torch.cat([*flat, torch.zeros(-size % 8, dtype=torch.uint8, device=device)])]
    return flat[0].view(torch.int64)


def _in_memory_order(tensor: Tensor) -> Tensor:
    """The numbers of `tensor`, shape (n,), without a copy where they lie side by side."""
    if tensor.is_contiguous() or (tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)):
        return tensor.as_strided((tensor.numel(),), (1,))
    return tensor.reshape(-1)


@lru_cache(maxsize=4)
def _weights(device: torch.device) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return (torch.randint(-(2**62), 2**62, (CHUNK,), generator=rng) | 1).to(device)


def _form(tensor: Tensor) -> Any:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad, tensor.grad is None


def _state(model: nn.Module) -> Any:
    modules = [(name, type(module), module.training, _hooks(module)) for name, module in model.named_modules()]
    return modules, [(name, _form(tensor)) for name, tensor in _named_tensors(model)]


def _named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _hooks(module: nn.Module) -> Any:
    """Every hook that a module has, whatever its kind, and whether its `forward` is its class's."""
    own = vars(module)
    return [(name, *own[name]) for name in own if name.endswith("_hooks") and own[name]], "forward" in own
