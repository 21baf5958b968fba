"""A network of two layers for tests that run sweeps: what they look at is not how well it learns."""

from __future__ import annotations

from torch import nn

from unlearn.component import has_symmetries
from unlearn.models import Classifier
from unlearn.models._symmetry import Symmetries, batch_norm, convolution

AXES = convolution("backbone.0", None, "first") | batch_norm("backbone.1", "first")
AXES |= convolution("backbone.3", "first", "second") | batch_norm("backbone.4", "second")
AXES |= {"head.weight": (None, "second"), "head.bias": (None,)}


@has_symmetries
def tiny_network(image_shape: tuple[int, int, int], num_classes: int, *, width: int = 4) -> Classifier:
    """Two convolutions that halve the image, of `width` and 2·`width` channels, global average pooling, a linear head."""
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
    return Classifier(backbone, 2 * width, num_classes, symmetries=Symmetries(AXES, "backbone.3.weight"))
