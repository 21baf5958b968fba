"""One image file to 8-bit RGB: what cannot be read without loss is scaled where that is exact, and refused where it is not."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from unlearn.data._base import Pixels
from unlearn.errors import DataError

#: Modes of 8 bits a channel or fewer that RGB holds exactly.
PLAIN = {"1", "L", "P", "RGB"}
#: One channel of 16 bits; mode `I` holds one too where a PNG or a PNM file was read.
DEEP = {"I;16", "I;16B", "I;16L", "I;16N"}
#: Formats of which a second picture in the file is one of a sequence, not a preview.
SEQUENCES = {"GIF", "PNG", "TIFF", "WEBP"}
#: 16-bit data that reaches only this 8-bit value would keep fewer than a quarter of its grey levels.
DARK = 63


@dataclass(frozen=True)
class Decoded:
    """An image, and what it was read from.

    Attributes:
        pixels: (3, H, W) uint8, RGB; a grey image has three equal channels.
        kind: format and mode of the file, as people read them.
        deep: whether the file has 16 bits a channel.
    """

    pixels: Pixels
    kind: str
    deep: bool


def decode(file: Path, background: int | None = None) -> Decoded:
    """Decode `file`. 16 bits a channel are scaled, 65535 to 255; transparency is laid on the grey level `background`.

    Raises:
        DataError: it is no image, or has transparency while no background is given, floats, integers of an unknown range,
            another colour space, or several pictures; file, mode and remedy are named.
    """
    try:
        with Image.open(file) as image:
            return _decoded(file, image, background)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{file} cannot be decoded: {error}") from error


def check_depth(brightest: int, what: str) -> None:
    """Refuse 16-bit data that uses a small part of its range only, as 12-bit data in 16-bit files does.

    Args:
        brightest: the greatest value after scaling to 8 bits.

    Raises:
        DataError: fewer than a quarter of the grey levels would be left.
    """
    if brightest <= DARK:
        raise DataError(
            f"{what} must use their range 0 … 65535, but reach {brightest} of 255 once scaled to 8 bits, "
            "which few grey levels survive: stretch their values, or save them with 8 bits"
        )


def _decoded(file: Path, image: ImageFile.ImageFile, background: int | None) -> Decoded:
    mode, name = image.mode, f"{image.format} {image.mode}"
    if image.format in SEQUENCES and (frames := getattr(image, "n_frames", 1)) > 1:
        raise DataError(f"{file} holds {frames} pictures, and only one can be read: save each in a file of its own")
    if mode in DEEP or (mode == "I" and image.format in {"PNG", "PPM"}):
        if image.has_transparency_data:
            raise DataError(
                f"{file} has 16-bit grey with transparency, which is not read: save it without transparency"
            )
        return Decoded(_rgb(_to_8_bits(np.asarray(image))), f"{image.format} 16-bit grey", deep=True)
    deep = ";16" in str(image.tile)  # of which Pillow keeps the upper 8 bits
    kind = f"{name} 16-bit" if deep else name
    if image.has_transparency_data:
        return Decoded(_opaque(file, image, background).transpose(2, 0, 1), kind, deep)
    if mode not in PLAIN:
        raise DataError(
            f"{file} has mode {mode!r}, of which 8-bit RGB would lose something: convert it to 8-bit RGB or grey as it is meant"
        )
    return Decoded(np.asarray(image.convert("RGB")).transpose(2, 0, 1), kind, deep)


def _to_8_bits(grey: npt.NDArray[np.generic]) -> Pixels:
    """16-bit values to the nearest of 0 … 255; 257·k becomes k."""
    return ((grey.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _rgb(grey: Pixels) -> Pixels:
    return np.broadcast_to(grey, (3, *grey.shape))


def _opaque(file: Path, image: ImageFile.ImageFile, background: int | None) -> Pixels:
    """(H, W, 3): the colours where nothing is transparent, else laid on the background."""
    rgba = np.asarray(image.convert("RGBA"))
    colours, alpha = rgba[..., :3], rgba[..., 3:]
    if (alpha == 255).all():
        return colours
    if background is None:
        raise DataError(
            f"{file} (mode {image.mode!r}) has transparent pixels, and its colours alone may lack the shape: say on which grey "
            "level to lay it (image_folder: background: 0 … 255), or save it without transparency"
        )
    weight = alpha.astype(np.uint32)
    laid = ((colours * weight + background * (255 - weight) + 127) // 255).astype(np.uint8)
    if (laid == laid[0, 0]).all() and not (rgba == rgba[0, 0]).all():
        raise DataError(f"{file} shows nothing on background {background}: give another one")
    return laid


__all__ = ["Decoded", "check_depth", "decode"]
