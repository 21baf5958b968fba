"""Every Pillow mode is read as it is meant, or refused by name."""

import numpy as np
import pytest
from PIL import Image, features

from unlearn.data._decode import check_depth, decode
from unlearn.errors import DataError

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
RGB = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
SHAPE = np.where(np.add.outer(np.arange(16), np.arange(16)) % 5 < 2, 255, 0).astype(np.uint8)


def grey(pixels):
    return np.broadcast_to(pixels, (3, *pixels.shape))


def save(tmp_path, image, suffix="png", **options):
    file = tmp_path / f"picture.{suffix}"
    image.save(file, **options)
    return file


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_16_bit_grey_is_scaled(tmp_path, suffix):
    read = decode(save(tmp_path, Image.fromarray(RAMP.astype(np.uint16) * 257), suffix))

    np.testing.assert_array_equal(read.pixels, grey(RAMP))
    assert read.deep
    assert "16-bit grey" in read.kind


def test_16_bits_in_between_go_to_the_nearest_level(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (16, 16), dtype=np.uint16)
    read = decode(save(tmp_path, Image.fromarray(deep)))

    np.testing.assert_array_equal(read.pixels, grey(np.rint(deep / 257).astype(np.uint8)))


@pytest.mark.parametrize(
    ("image", "expected", "kind"),
    [
        (Image.fromarray(RAMP), grey(RAMP), "PNG L"),
        (Image.fromarray(RGB), RGB.transpose(2, 0, 1), "PNG RGB"),
        (Image.fromarray(SHAPE).convert("1"), grey(SHAPE), "PNG 1"),
        (Image.fromarray(RAMP).convert("P"), grey(RAMP), "PNG P"),
        (Image.fromarray(np.dstack([RGB, np.full_like(RAMP, 255)])), RGB.transpose(2, 0, 1), "PNG RGBA"),
        (Image.merge("LA", [Image.fromarray(RAMP), Image.new("L", (16, 16), 255)]), grey(RAMP), "PNG LA"),
    ],
    ids=["L", "RGB", "1", "P", "opaque RGBA", "opaque LA"],
)
def test_what_rgb_holds_is_read_exactly(tmp_path, image, expected, kind):
    read = decode(save(tmp_path, image))

    np.testing.assert_array_equal(read.pixels, expected)
    assert (read.kind, read.deep) == (kind, False)


def transparent(mode):
    """Black all over; the shape is in the transparency."""
    black, shape = Image.new("L", (16, 16), 0), Image.fromarray(SHAPE)
    if mode == "P":
        image = Image.fromarray(SHAPE // 255, "P")
        image.putpalette([0, 0, 0, 0, 0, 0])
        return image, {"transparency": 0}
    if mode == "L":
        return Image.fromarray(255 - SHAPE), {"transparency": 255}
    return Image.merge(mode, [*[black] * (len(mode) - 1), shape]), {}


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_a_shape_in_the_transparency_is_never_lost(tmp_path, mode):
    image, options = transparent(mode)
    file = save(tmp_path, image, **options)

    with pytest.raises(DataError, match=rf"picture\.png \(mode '{mode}'\) has transparent pixels.*background: 0 … 255"):
        decode(file)
    np.testing.assert_array_equal(decode(file, background=255).pixels, grey(255 - SHAPE))
    with pytest.raises(DataError, match="shows nothing on background 0: give another one"):
        decode(file, background=0)


def test_half_transparent_pixels_are_mixed(tmp_path):
    alpha = Image.fromarray(RAMP)
    file = save(tmp_path, Image.merge("RGBA", [*Image.new("RGB", (16, 16), (200, 100, 0)).split(), alpha]))
    weight = RAMP / 255
    expected = [np.rint(c * weight + 50 * (1 - weight)) for c in (200, 100, 0)]

    assert np.abs(decode(file, background=50).pixels.astype(int) - expected).max() <= 1


def two_pictures(tmp_path, suffix):
    first, second = Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())
    return save(tmp_path, first, suffix, save_all=True, append_images=[second])


@pytest.mark.parametrize("suffix", ["gif", "tiff", "png", *(["webp"] if features.check("webp") else [])])
def test_a_sequence_is_refused(tmp_path, suffix):
    with pytest.raises(DataError, match="holds 2 pictures, and only one can be read"):
        decode(two_pictures(tmp_path, suffix))


@pytest.mark.parametrize(
    ("image", "suffix", "mode"),
    [
        (Image.fromarray(RAMP.astype(np.float32) / 255), "tiff", "F"),
        (Image.fromarray(RAMP.astype(np.int32) * 70000), "tiff", "I"),
        (Image.fromarray(RGB).convert("CMYK"), "jpg", "CMYK"),
        (Image.fromarray(RGB).convert("LAB"), "tiff", "LAB"),
    ],
    ids=["F", "I", "CMYK", "LAB"],
)
def test_other_modes_are_refused_by_name(tmp_path, image, suffix, mode):
    with pytest.raises(DataError, match=rf"picture\.{suffix} has mode '{mode}', of which 8-bit RGB would lose"):
        decode(save(tmp_path, image, suffix))


def test_12_bits_in_16_bit_files_are_refused():
    check_depth(64, "the images")
    with pytest.raises(DataError, match="reach 16 of 255 once scaled to 8 bits"):
        check_depth(16, "the images")
