"""Augmentation of training images, against cutting each by hand."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from unlearn.models.small_resnet import small_resnet
from unlearn.steps import Batches
from unlearn.training import Recipe, flip_crop, train


def test_every_image_is_a_shifted_or_mirrored_copy_of_itself() -> None:
    images = torch.randint(1, 256, (200, 2, 5, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    drawn = flip_crop(images, torch.Generator().manual_seed(1))
    assert drawn.shape == images.shape
    assert drawn.dtype == torch.uint8
    seen = set()
    for before, after in zip(images, drawn, strict=True):
        fits = [
            (mirrored, top, left)
            for mirrored in (False, True)
            for top in range(9)
            for left in range(9)
            if torch.equal(
                after, F.pad(before.flip(2) if mirrored else before, (4,) * 4)[:, top : top + 5, left : left + 6]
            )
        ]
        assert fits
        seen.update(fits)
    assert {mirrored for mirrored, _, _ in seen} == {False, True}
    assert {top for _, top, _ in seen} == {left for _, _, left in seen} == set(range(9))


def test_images_are_drawn_anew_in_each_epoch_and_by_the_seed() -> None:
    images = torch.randint(1, 256, (8, 1, 6, 6), dtype=torch.uint8)
    rng = torch.Generator().manual_seed(0)
    first, second = flip_crop(images, rng), flip_crop(images, rng)
    assert not torch.equal(first, second)
    assert torch.equal(first, flip_crop(images, torch.Generator().manual_seed(0)))


def test_training_sees_them_where_the_recipe_says_so() -> None:
    images = torch.randint(0, 256, (20, 1, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    ends = []
    for augment in (None, None, "flip_crop"):
        torch.manual_seed(0)
        model = small_resnet((1, 6, 6), 2, width=2)
        batches = Batches(images, torch.arange(20) % 2, torch.arange(20))
        recipe = Recipe(epochs=2, augment=augment)  # type: ignore[arg-type]
        assert list(train(model, batches, recipe, torch.Generator().manual_seed(0))) == [1, 2]
        ends.append(model.head.weight.detach().clone())
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])
