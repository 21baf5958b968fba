"""ResNet-18 in its variant for small images (He et al., 2016): a 3×3 first convolution, no max-pooling."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from unlearn.component import has_symmetries, takes_all_options
from unlearn.models._base import Classifier
from unlearn.models._norm import normalised
from unlearn.models._symmetry import residual_network
from unlearn.steps import Count

__all__ = ["resnet18"]

#: Projection shortcuts stand in the first block of each stage but the first.
_BLOCKS = {
    f"backbone.layer{stage}.{block}": f"backbone.layer{stage}.0.downsample" if stage > 1 and block == 0 else None
    for stage in (1, 2, 3, 4)
    for block in (0, 1)
}
SYMMETRIES = residual_network(("backbone.conv1", "backbone.bn1"), _BLOCKS)


@has_symmetries
@takes_all_options
def resnet18(image_shape: tuple[int, int, int], num_classes: int, *, width: Count = 64) -> Classifier:
    """Four stages of two basic blocks with `width`, 2·, 4· and 8·`width` channels; 11.2 million weights at 64.

    Penultimate features: the globally averaged last stage, 8·`width` of them.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(image_shape[0], width, 3, 1, 1, bias=False),
        bn1=nn.BatchNorm2d(width),
        layer1=_stage(width, width, 1),
        layer2=_stage(width, 2 * width, 2),
        layer3=_stage(2 * width, 4 * width, 2),
        layer4=_stage(4 * width, 8 * width, 2),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )
    backbone = _Backbone(layers)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return Classifier(backbone, 8 * width, num_classes, symmetries=SYMMETRIES)


class _Backbone(nn.Sequential):
    """A first convolution, its normalisation and a ReLU, then all other layers in order."""

    def forward(self, input: Tensor) -> Tensor:
        convolution, norm, *others = self
        out = normalised(norm, convolution(input))
        for layer in others:
            out = layer(out)
        return out


def _stage(width_in: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(width_in, width, stride), _Block(width, width, 1))


class _Block(nn.Module):
    """Two 3×3 convolutions around a shortcut, projected where shapes differ; torchvision's basic block, with its names."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if stride != 1 or width_in != width:
            self.downsample = _Projection(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        inner = normalised(self.bn1, self.conv1(x))
        return normalised(self.bn2, self.conv2(inner), shortcut)


class _Projection(nn.Sequential):
    """A convolution and its normalisation."""

    def forward(self, input: Tensor) -> Tensor:
        convolution, norm = self
        return normalised(norm, convolution(input), relu=False)
