"""Images that a data set has twice."""

from __future__ import annotations

import numpy as np

from unlearn.data._base import Pixels
from unlearn.data._ids import Indices

#: So many bytes from the middle of an image tell most images apart; the others are compared whole.
STRIP = 256


def copies_of(images: Pixels, wanted: Indices, among: Indices) -> Indices:
    """Which images are the same as some other one, pixel for pixel.

    Args:
        images: (N, C, H, W), which may lie on disk.
        wanted: positions of the others. among: positions of those that are looked at.

    Returns:
        Positions, in the order of `among`.
    """
    flat = images.reshape(len(images), -1)
    start = max(0, (flat.shape[1] - STRIP) // 2)
    strips = {flat[row, start : start + STRIP].tobytes() for row in wanted}
    likely = [row for row in among if flat[row, start : start + STRIP].tobytes() in strips]
    whole = {flat[row].tobytes() for row in wanted} if likely else set()
    return np.array([row for row in likely if flat[row].tobytes() in whole], dtype=np.int64)


__all__ = ["copies_of"]
