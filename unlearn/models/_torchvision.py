"""torchvision's classifiers by their own names: `torchvision:resnet34`."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn
from torchvision import models

from unlearn.errors import ModelError, UnknownNameError

__all__ = ["named"]

#: Where the first convolution and the pooling behind it are, in the families whose stem can be made for small images.
STEMS = (("conv1", "maxpool"), ("features.conv0", "features.pool0"))


def named(name: str) -> Any:
    """The function that makes torchvision's classifier `name`, without weights.

    Raises:
        UnknownNameError: there is no such classifier.
    """
    known = models.list_models(module=models)
    if name not in known:
        raise UnknownNameError("model of torchvision", name, known)

    def make(
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        stem: Literal["imagenet", "small"] = "imagenet",
        **options: Any,
    ) -> nn.Module:
        network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes, **options)
        if image_shape[0] != 3:
            _other_channels(network, image_shape[0])
        if stem == "small":
            _small_stem(name, network)
        return network

    make.__doc__ = f"torchvision's {name}; `stem: small` is a 3×3 first convolution without pooling, for small images."
    return make


def _small_stem(name: str, network: nn.Module) -> None:
    """A first convolution of 3×3 and stride 1, and no pooling behind it (He et al., 2016, for CIFAR-10)."""
    modules = dict(network.named_modules())
    for convolution, pooling in STEMS:
        first = modules.get(convolution)
        if isinstance(first, nn.Conv2d) and pooling in modules:
            stem = nn.Conv2d(first.in_channels, first.out_channels, 3, 1, 1, bias=False)
            nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
            _replace(network, convolution, stem)
            _replace(network, pooling, nn.Identity())
            return
    raise ModelError(f"stem must be imagenet for {name}: `small` is for ResNets and DenseNets, got 'small'")


def _other_channels(network: nn.Module, channels: int) -> None:
    """The first convolution for images of another number of channels."""
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    like = {key: getattr(first, key) for key in ("kernel_size", "stride", "padding", "dilation", "padding_mode")}
    _replace(network, name, nn.Conv2d(channels, first.out_channels, bias=first.bias is not None, **like))


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, module)
