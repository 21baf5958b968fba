"""Arrays of images as people save them, to uint8 channels-first: what is not plain is scaled where that is exact, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from unlearn.data._base import CHUNK, Pixels
from unlearn.data._decode import check_depth
from unlearn.errors import DataError

Images = npt.NDArray[Any]
Layout = Literal["NHW", "NCHW", "NHWC"]
LAYOUTS: tuple[Layout, ...] = ("NHW", "NCHW", "NHWC")


def layout_of(name: str, shape: tuple[int, ...], given: str | None) -> Layout:
    """How the axes of an array of images are meant: as `given`, else as its shape alone can mean.

    (N, H, W) is grey, unless the last axis is 4 or less. With four axes, channels are 1 or 3, first or last; where that fits
    both or neither, they are first if the images are then square and no wider than high in channels.

    Raises:
        DataError: it may be meant in two ways, or in none.
    """
    if given is not None and given not in LAYOUTS:
        raise DataError(f"layout must be one of {', '.join(LAYOUTS)}, got {given!r}")
    if len(shape) not in (3, 4) or 0 in shape or (given is not None and len(given) != len(shape)):
        wanted = f"of layout {given}" if given else "(N, H, W), (N, C, H, W) or (N, H, W, C)"
        raise DataError(f"{name} must be images {wanted}, none of the axes empty, got shape {shape}")
    if given is not None:
        return next(layout for layout in LAYOUTS if layout == given)
    if len(shape) == 3:
        fits: set[Layout] = {"NHW"} if shape[2] > 4 or shape[1] <= 4 else set()
    else:
        first: set[Layout] = {"NCHW"} if shape[1] in (1, 3) else set()
        last: set[Layout] = {"NHWC"} if shape[3] in (1, 3) else set()
        square: set[Layout] = {"NCHW"} if shape[1] < shape[2] == shape[3] else set()
        fits = first | last or square
    if len(fits) != 1:
        raise DataError(
            f"{name} of shape {shape} may be meant in several ways: say which by the data set's option layout, "
            "NCHW (channels first), NHWC (channels last) or NHW (grey)"
        )
    return fits.pop()


def channels_first(images: Images, layout: Layout) -> Images:
    """A view of shape (N, C, H, W)."""
    if layout == "NHW":
        return images[:, None]
    return images.transpose(0, 3, 1, 2) if layout == "NHWC" else images


@dataclass(frozen=True)
class Reading:
    """How values become 0 … 255.

    Attributes:
        what: as people read it: type, range, and what is done.
        convert: of a chunk of the array.
    """

    what: str
    convert: Callable[[Images], Pixels]

    def into(self, images: Images, out: Pixels) -> None:
        """Fill `out`, of the images' shape, chunk by chunk."""
        for start in range(0, len(images), CHUNK):
            out[start : start + CHUNK] = self.convert(images[start : start + CHUNK])


def reading_of(arrays: Mapping[str, Images]) -> Reading:
    """How the arrays, of one type, are read; all alike, so that a value means the same in each.

    Booleans become 0 and 255; whole numbers in 0 … 255 stay; uint16 beyond that is scaled by 255/65535; floats in [0, 1] are
    scaled by 255, and rounded.

    Raises:
        DataError: anything else; the array, its type and its range are named.
    """
    names, types = " and ".join(arrays), {array.dtype for array in arrays.values()}
    if len(types) > 1 or (kind := next(iter(types))).kind not in "buif":
        raise DataError(
            f"{names} must have one type: uint8, or another of numbers, got {', '.join(sorted(map(str, types)))}"
        )
    if kind == np.bool_:
        return Reading("bool, False as 0 and True as 255", lambda x: x.astype(np.uint8) * np.uint8(255))
    if kind == np.uint8:
        return Reading("uint8", lambda x: x)
    low, high = (float(f([f(array) for array in arrays.values()])) for f in (np.min, np.max))
    what = f"{kind} in {low:g} … {high:g}"
    if not np.isfinite([low, high]).all():
        raise DataError(f"{names} must have finite values, got NaN or infinity ({kind})")
    if low < 0:
        raise DataError(f"{names} must have values in 0 … 255, got {what}: undo their normalisation")
    whole = kind.kind != "f" or all(_whole(array) for array in arrays.values())
    if kind.kind == "f" and high <= 1 and not (whole and high == 0):
        return Reading(f"{what}, scaled by 255", lambda x: np.rint(x.astype(np.float64) * 255).astype(np.uint8))
    if whole and high <= 255:
        return Reading(what, lambda x: x.astype(np.uint8))
    if kind.kind in "iu" and high <= 65535:
        check_depth(round(high * 255 / 65535), names)
        return Reading(
            f"{what}, scaled by 255/65535", lambda x: ((x.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        )
    raise DataError(
        f"{names} must have whole values in 0 … 255, floats in [0, 1], or 16-bit ones in 0 … 65535, got {what}: scale them first"
    )


def _whole(array: Images) -> bool:
    return all((part == np.rint(part)).all() for part in np.array_split(array, max(1, len(array) // CHUNK)))


__all__ = ["LAYOUTS", "Layout", "Reading", "channels_first", "layout_of", "reading_of"]
