"""What every classifier here is: normalisation, a feature extractor, and a linear head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from unlearn.errors import UnlearnError
from unlearn.models._symmetry import Symmetries

LONE_SAMPLE = (
    "batch normalisation needs ≥ 2 samples a batch in training, as images of this size leave it one value per channel, got 1: "
    "let forget sets and batches hold ≥ 2 samples"
)


class Classifier(nn.Module):
    """A network with first-class penultimate features: `forward(x) = head(features(x))`.

    Inputs are pixels: uint8 in 0 … 255, or floats in [0, 1]; shape (N, channels, height, width). Normalisation is the
    first layer, so that a method may work in pixel space.

    Args:
        mean, std: per channel (or one for all), of pixels in [0, 1]; see `normalise`.
        symmetries: which units may be renumbered, where that is defined; weights can then be compared up to renumbering.
        memory_format: layout of images and convolution weights; channels last makes convolutions faster.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        feature_dim: int,
        num_classes: int,
        mean: Sequence[float] = (0.5,),
        std: Sequence[float] = (0.25,),
        *,
        symmetries: Symmetries | None = None,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(feature_dim, num_classes)
        self.symmetries = symmetries
        self.memory_format = memory_format
        self.normalise(mean, std)
        self.to(memory_format=memory_format)

    def normalise(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Let the first layer subtract `mean` and divide by `std`, each with one value per channel or one for all."""
        device = self.head.weight.device
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32, device=device).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32, device=device).view(-1, 1, 1))

    def features(self, x: Tensor) -> Tensor:
        """Penultimate activations, shape (N, feature_dim).

        Raises:
            UnlearnError: batch normalisation in train mode has a single value per channel, from a batch of one small image.
        """
        pixels = x / 255 if x.dtype == torch.uint8 else x
        normal = (pixels - self.mean) / self.std
        try:
            out: Tensor = self.backbone(normal.contiguous(memory_format=self.memory_format))
        except ValueError as error:
            if len(x) == 1 and "more than 1 value per channel" in str(error):
                raise UnlearnError(LONE_SAMPLE) from error
            raise
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (N, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def own_state(self) -> dict[str, Tensor]:
        """Weights and buffers by the names that they have in the network's own class, which loads them with `strict=True`."""
        return self.state_dict()

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:
        """Take weights and buffers as `own_state` gives them, all of them."""
        self.take(state)

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Take weights and buffers as `state_dict` gives them, all of them, whatever the state dict says of its own version.

        Raises:
            KeyError: its names are not the model's.
        """
        own = self.state_dict()
        if own.keys() != state.keys():
            raise KeyError(
                f"state must have the model's names, and these differ: {sorted(own.keys() ^ state.keys())[:5]}"
            )
        for name, tensor in own.items():
            tensor.copy_(state[name])  # what `state_dict` gives is detached, and shares the model's memory

    @property
    def finite(self) -> bool:
        """Whether every weight and every running statistic is a finite number."""
        return bool(torch.stack([torch.isfinite(tensor).all() for tensor in self.state_dict().values()]).all())

    @property
    def feature_dim(self) -> int:
        return self.head.in_features

    @property
    def num_classes(self) -> int:
        return self.head.out_features


@contextmanager
def in_eval_mode(network: nn.Module) -> Iterator[None]:
    """Within, every module is in eval mode; each comes back to its own, which a method may have set apart from the others'."""
    modes, was_training = [(module, module.training) for module in network.modules()], network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)  # a network's own `train` may do more than turn modes
        for module, training in modes:
            module.training = training
