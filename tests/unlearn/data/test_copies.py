"""Images that a data set has twice."""

from __future__ import annotations

import numpy as np
import pytest

from unlearn.data import copies_of


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 1, 1)])
def test_copies_are_the_same_in_every_pixel(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    images = np.zeros((9, *shape), np.uint8)
    images[:, 0, 0, 0] = rng.permutation(9) + 1  # the middle of large ones is the same in all
    for copy, of in ((7, 2), (8, 2), (6, 0)):
        images[copy] = images[of]
    every = np.arange(9)
    assert copies_of(images, np.array([2]), np.setdiff1d(every, [2])).tolist() == [7, 8]
    assert copies_of(images, np.array([2, 7, 6]), np.array([8, 0, 1, 3])).tolist() == [8, 0]
    assert copies_of(images, np.array([1, 3]), np.array([0, 2, 4, 5, 6, 7, 8])).tolist() == []
    images[7, -1, -1, -1] ^= 128  # one pixel apart, or not the first one's copy any more
    assert copies_of(images, np.array([2]), np.setdiff1d(every, [2])).tolist() == [8]
