"""What a CUDA graph does, on any device: operations are noted with the memory that they work on, and carried out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

#: Operations that give the host a value, or a tensor whose size depends on values.
WAITS = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim", "bincount"}


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Notes each operation with the memory that it reads and writes: what a CUDA graph keeps of a call, and nothing else.

    What the call has changed is as before at the end.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.noted: list[tuple[Callable[..., Any], Any, Any, list[Tensor]]] = []
        self._known: dict[int, Tensor] = {}
        self._before: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in WAITS:
            raise RuntimeError("called a synchronizing CUDA operation\n(as torch says)")
        for tensor in tensors((args, kwargs)):
            if id(tensor) not in self._known:
                self._known[id(tensor)] = tensor
                self._before.append((tensor, tensor.clone()))
        out = func(*args, **(kwargs or {}))
        self._known.update((id(tensor), tensor) for tensor in tensors(out))
        self.noted.append((func, args, kwargs or {}, tensors(out)))
        return out

    def undo(self) -> None:
        with torch.no_grad():
            for tensor, value in self._before:
                tensor.copy_(value)

    @torch.no_grad()
    def again(self) -> None:
        for func, args, kwargs, out in self.noted:
            for old, new in zip(out, tensors(func(*args, **kwargs)), strict=True):
                if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    old.copy_(new)


def tensors(tree: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dictionaries."""
    if isinstance(tree, Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return [tensor for part in parts for tensor in tensors(part)]


class Recording:
    """A recorder of steps for any device; see `unlearn.graphs`.

    Attributes:
        recorded, repeated: how many steps so far.
    """

    def __init__(self, before: int = 1) -> None:
        self.before, self.recorded, self.repeated = before, 0, 0

    def run(self, call: Callable[[], None]) -> None:
        call()

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        noting = Operations()
        try:
            with noting:
                call()
        finally:
            noting.undo()
        self.recorded += 1

        def again() -> None:
            self.repeated += 1
            noting.again()

        return again
