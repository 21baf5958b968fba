"""Stochastic gradient descent without torch's compiler."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["SGD"]


class SGD:
    """SGD with momentum and weight decay: the steps of `torch.optim.SGD`, to the last bit.

    torch's own imports torch's compiler as soon as one is built, which takes two seconds of every worker's start, and on a CPU
    it goes from parameter to parameter in Python.

    Attributes:
        param_groups: the one group of `params`, and its `lr`, `momentum` and `weight_decay`, which hold from the next step on.
    """

    def __init__(self, parameters: Iterable[Tensor], *, lr: float, momentum: float = 0.0, weight_decay: float = 0.0):
        group = {"params": list(parameters), "lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups: list[dict[str, Any]] = [group]
        self._velocity: dict[Tensor, Tensor] = {}

    @property
    def state(self) -> list[Tensor]:
        """All tensors that steps change: parameters, and the velocities of those that have moved."""
        return [*self.param_groups[0]["params"], *self._velocity.values()]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or where those are wanted as tensors fill them with zeros."""
        for parameter in self.param_groups[0]["params"]:
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad = torch.zeros_like(parameter.grad)

    @torch.no_grad()
    def step(self) -> None:
        """v ← momentum·v + g + weight_decay·θ, θ ← θ − lr·v for each parameter θ with a gradient g; v is 0 at first."""
        group = self.param_groups[0]
        parameters = [p for p in group["params"] if p.grad is not None]
        if not parameters:
            return
        moves = [p.grad for p in parameters]
        if decay := group["weight_decay"]:
            moves = list(torch._foreach_add(moves, parameters, alpha=decay))
        if momentum := group["momentum"]:
            velocity = [self._velocity[p] if p in self._velocity else self._at_rest(p) for p in parameters]
            torch._foreach_mul_(velocity, momentum)
            torch._foreach_add_(velocity, moves)
            moves = velocity
        torch._foreach_add_(parameters, moves, alpha=-group["lr"])

    def set_to_rest(self) -> None:
        """Make the velocities of those parameters that have not moved yet, so that no step makes any."""
        group = self.param_groups[0]
        for parameter in group["params"] if group["momentum"] else ():
            if parameter not in self._velocity:
                self._at_rest(parameter)

    def _at_rest(self, parameter: Tensor) -> Tensor:
        self._velocity[parameter] = torch.zeros_like(parameter)
        return self._velocity[parameter]
