"""ViT-Small (Dosovitskiy et al., 2021; Touvron et al., 2021): a vision transformer for small images."""

from __future__ import annotations

import math

import torch
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

from unlearn.errors import DataError
from unlearn.models._base import Classifier
from unlearn.steps import Count

__all__ = ["vit_small"]

PATCHES_PER_SIDE = 8


def vit_small(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    depth: Count = 12,
    width: Count = 384,
    heads: Count = 6,
    mlp_width: Count | None = None,
) -> Classifier:
    """torchvision's VisionTransformer on 8 × 8 patches (4×4 pixels at 32×32, 8×8 at 64×64); 21.3 million weights by default.

    Penultimate features: the class token after the last normalisation, `width` of them. No dropout. `mlp_width` is 4·`width`
    unless given.

    Raises:
        DataError: the images are not square, or 8 does not divide their side.
    """
    channels, height, side = image_shape
    if height != side or side % PATCHES_PER_SIDE:
        raise DataError(f"vit_small needs square images whose side 8 divides, got {height}×{side}")
    patch = side // PATCHES_PER_SIDE
    backbone = VisionTransformer(
        image_size=side,
        patch_size=patch,
        num_layers=depth,
        num_heads=heads,
        hidden_dim=width,
        mlp_dim=mlp_width or 4 * width,
    )
    backbone.heads = nn.Identity()
    if channels != 3:  # torchvision's patch embedding is for colour images: the same one for any number of channels
        embedding = nn.Conv2d(channels, width, patch, patch)
        nn.init.zeros_(embedding.bias)  # type: ignore[arg-type]  # it has one
        nn.init.trunc_normal_(embedding.weight, std=math.sqrt(1 / (channels * patch * patch)))
        backbone.conv_proj = embedding
    return Classifier(backbone, width, num_classes, memory_format=torch.contiguous_format)
