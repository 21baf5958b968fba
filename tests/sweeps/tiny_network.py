"""A network of two layers for tests that run sweeps: what they look at is not how well it learns.

Torch comes with a network that is built, and not with its name: commands that only look at it need not wait for that.
"""

from __future__ import annotations

from typing import Any

from unlearn.bounds import Count
from unlearn.component import has_symmetries, takes_all_options


@has_symmetries
@takes_all_options
def tiny_network(image_shape: tuple[int, int, int], num_classes: int, *, width: Count = 4) -> Any:
    """Two convolutions that halve the image, of `width` and 2·`width` channels, global average pooling, a linear head."""
    from torch import nn  # noqa: PLC0415  # as said above, and what imports it

    from unlearn.models import Classifier, Symmetries  # noqa: PLC0415
    from unlearn.models._symmetry import batch_norm, convolution  # noqa: PLC0415

    axes = convolution("backbone.0", None, "first") | batch_norm("backbone.1", "first")
    axes |= convolution("backbone.3", "first", "second") | batch_norm("backbone.4", "second")
    axes |= {"head.weight": (None, "second"), "head.bias": (None,)}
    backbone = nn.Sequential(
        nn.Conv2d(image_shape[0], width, 3, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Classifier(backbone, 2 * width, num_classes, symmetries=Symmetries(axes, "backbone.3.weight"))


@takes_all_options
def talking_network(image_shape: tuple[int, int, int], num_classes: int, *, width: Count = 4) -> Any:
    """The same, and says what it does."""
    network = tiny_network(image_shape, num_classes, width=width)
    network.register_forward_pre_hook(lambda *_: print("applied"))
    print("built")
    return network
