"""A residual network small enough to train in seconds on one core."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from unlearn.component import has_symmetries, takes_all_options
from unlearn.models._base import Classifier
from unlearn.models._symmetry import residual_network
from unlearn.steps import Count

__all__ = ["small_resnet"]

SYMMETRIES = residual_network(
    ("backbone.0", "backbone.1"),
    {"backbone.3": None, "backbone.4": "backbone.4.shortcut", "backbone.5": "backbone.5.shortcut"},
)


class _Block(nn.Module):
    """Two 3×3 convolutions with batch normalisation around a (projected) shortcut; He et al., 2016."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != width:
            self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x), inplace=True)


@has_symmetries
@takes_all_options
def small_resnet(image_shape: tuple[int, int, int], num_classes: int, *, width: Count = 16) -> Classifier:
    """Three residual blocks of `width`, 2·`width` and 4·`width` channels, global average pooling, a linear head."""
    backbone = nn.Sequential(
        nn.Conv2d(image_shape[0], width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        _Block(width, width, 1),
        _Block(width, 2 * width, 2),
        _Block(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Classifier(backbone, 4 * width, num_classes, symmetries=SYMMETRIES)
