"""Any network as a classifier: its last linear layer is the head, and that layer's input the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unlearn.errors import ModelError
from unlearn.models._base import Classifier, in_eval_mode

__all__ = ["Adapted", "adapt"]


class Adapted(Classifier):
    """A network from elsewhere, cut before its head; whatever it computes behind the head (a softmax, say) is left out.

    The network itself is changed: it belongs to this classifier from now on.

    Args:
        head: name of the linear layer in the network, as `find_head` gives it.
    """

    def __init__(self, network: nn.Module, head: str) -> None:
        layer = network.get_submodule(head)
        assert isinstance(layer, nn.Linear)
        self.own_names = tuple(network.state_dict())
        parent, _, name = head.rpartition(".")
        setattr(network.get_submodule(parent), name, _Stop())
        super().__init__(
            _UpToHead(network), layer.in_features, layer.out_features, memory_format=torch.contiguous_format
        )
        self.head_name, self.head = head, layer

    def own_state(self) -> dict[str, Tensor]:
        state = self.state_dict()
        return {name: state[self._inner(name)] for name in self.own_names}

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:
        inner = {self._inner(name): tensor for name, tensor in state.items()}
        self.take({"mean": self.mean, "std": self.std, **inner})

    def _inner(self, name: str) -> str:
        """What a parameter or buffer of the network is called here."""
        of_head = name.startswith(f"{self.head_name}.")
        return name.replace(self.head_name, "head", 1) if of_head else f"backbone.network.{name}"


class _Reached(BaseException):
    """A forward pass has reached the head."""

    def __init__(self, features: Tensor) -> None:
        self.features = features


class _Stop(nn.Module):
    """Stands where the head was, and ends the forward pass there."""

    def forward(self, features: Tensor) -> Tensor:
        raise _Reached(features)


class _UpToHead(nn.Module):
    """A network up to its head: pixels in, features out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        try:
            self.network(x)
        except _Reached as reached:
            return reached.features
        raise ModelError("the network's forward pass must reach its head in every mode")


def adapt(network: nn.Module, image_shape: tuple[int, int, int], num_classes: int, head: str | None = None) -> Adapted:
    """`network` as a classifier of `num_classes` classes of images of shape `image_shape` (channels, height, width).

    Args:
        head: name of the linear layer that gives the logits; by default it is found by passing two images.

    Raises:
        ModelError: it does not take such images, or no linear layer gives its logits, or another number of them.
    """
    return Adapted(network, find_head(network, image_shape, num_classes, head))


@dataclass(frozen=True)
class _Call:
    """One call of a linear layer in a forward pass."""

    name: str
    layer: nn.Linear
    features: Tensor
    logits: Tensor


def find_head(network: nn.Module, image_shape: tuple[int, int, int], num_classes: int, named: str | None = None) -> str:
    """The name of the linear layer whose outputs are the network's logits.

    Raises:
        ModelError: as `adapt`.
    """
    calls, output = _passed(network, image_shape)
    if named is not None:
        calls = [call for call in calls if call.name == named]
        if not calls:
            raise ModelError(
                f"head must be a linear layer that a forward pass calls, got {named!r}; {_listed(network)}"
            )
    if not calls:
        raise ModelError("the network must end in a linear layer, whose input is its features; it calls none")
    fits = [call for call in calls if _gives(output, call)]
    if not fits:
        raise ModelError(
            f"the network's output must be the logits of a linear layer on features of shape (N, d); {calls[-1].name!r}, the "
            "last one that it calls, does not give it: name another by model.head, or let forward() return its logits"
        )
    head = fits[-1]
    if head.layer.out_features != num_classes:
        raise ModelError(
            f"the network's head {head.name!r} must give one logit for each of the data set's {num_classes} classes, got "
            f"{head.layer.out_features}: make it with another number of classes, or give other data"
        )
    if sum(call.layer is head.layer for call in calls) > 1:
        raise ModelError(f"the network's head {head.name!r} must be called once in a forward pass")
    return head.name


def _passed(network: nn.Module, image_shape: tuple[int, int, int]) -> tuple[list[_Call], Tensor]:
    """(every call of a linear layer, what the network gives) of a forward pass of two made-up images, in eval mode."""
    calls: list[_Call] = []

    def note(name: str) -> Any:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], logits: Tensor) -> None:
            assert isinstance(layer, nn.Linear)
            calls.append(_Call(name, layer, inputs[0], logits))

        return hook

    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    hooks = [layer.register_forward_hook(note(name)) for name, layer in layers]
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    images = torch.rand(2, *image_shape, generator=torch.Generator().manual_seed(0)).to(device)
    try:
        with in_eval_mode(network), torch.no_grad():
            output = network(images)
    except Exception as error:  # whatever the user's network raises
        shape = " × ".join(map(str, image_shape))
        reason = str(error).splitlines()[0] if str(error) else "no reason given"
        raise ModelError(
            f"the network must take images of {shape} (channels × height × width), as the data set has; its forward pass "
            f"raised {type(error).__name__}: {reason}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return calls, _tensor(output)


def _tensor(output: Any) -> Tensor:
    """The logits in what a network gives: itself, the first of several, or its attribute `logits`."""
    found = output[0] if isinstance(output, tuple | list) and output else getattr(output, "logits", output)
    if not isinstance(found, Tensor):
        raise ModelError(f"the network's forward pass must give a tensor of logits, got {type(output).__name__}")
    return found


def _gives(output: Tensor, call: _Call) -> bool:
    """Whether the output is the layer's logits, or their (log-)probabilities."""
    logits = call.logits
    if call.features.ndim != 2 or output.shape != logits.shape:
        return False
    if output.is_meta:
        return True
    forms = (logits, F.log_softmax(logits, 1), F.softmax(logits, 1))
    return any(torch.allclose(output, form, rtol=1e-4, atol=1e-6) for form in forms)


def _listed(network: nn.Module) -> str:
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return f"it has {', '.join(names[-5:])}" if names else "it has none"
