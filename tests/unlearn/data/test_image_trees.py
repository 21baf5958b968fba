"""Trees in the published layouts, written here, small; and CIFAR-10 as JPEG files where the environment says where it is."""

import io
import multiprocessing
import os
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unlearn.data import look_at
from unlearn.data.cinic10 import cinic10
from unlearn.data.image_folder import image_folder
from unlearn.data.tiny_imagenet import tiny_imagenet
from unlearn.errors import DataError

CLASSES = ("cat", "dog")


def picture(name: str, side: int = 8) -> np.ndarray:
    """Pixels (side, side, 3) that its name decides."""
    return np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (side, side, 3), dtype=np.uint8)


def paint(file: Path, side: int = 8) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(file.name, side)).save(file, format="PNG")  # lossless, whatever the suffix


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pets"
    for part, n in (("train", 3), ("test", 2)):
        for name in CLASSES:
            for i in range(n):
                paint(root / part / name / f"{name}{i}.png")
    return root


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_a_folder_tree_gives_its_pixels_and_labels(folder, cache):
    data = image_folder(cache, root=folder)

    assert data.class_names == CLASSES
    assert data.image_shape == (3, 8, 8)
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test_labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(data.train_images[4], picture("dog1.png").transpose(2, 0, 1))


def test_what_is_no_image_is_passed_over(folder, cache):
    (folder / "train" / "cat" / "notes.txt").write_text("not an image")
    (folder / "train" / "cat" / ".hidden.png").write_bytes(b"")
    (folder / "train" / "cat" / "notes").mkdir()

    assert len(image_folder(cache, root=folder).train_images) == 6


def test_images_deeper_than_their_class_are_named(folder, cache):
    deeper = folder / "train" / "cat" / "summer"
    deeper.mkdir()
    paint(deeper / "cat9.png")
    problems = look_at("image_folder", cache, {"root": folder}).problems
    assert list(problems) == [
        f"images must lie in their class's folder itself, and these folders in one hold some: {deeper}"
    ]
    with pytest.raises(DataError, match="must lie in their class's folder itself"):
        image_folder(cache, root=folder)


def test_images_are_decoded_once_and_then_mapped(folder, cache, monkeypatch):
    first = image_folder(cache, root=folder)
    monkeypatch.setattr("unlearn.data._tree._decode_all", lambda *_: pytest.fail("decoded again"))
    second = image_folder(cache, root=folder)

    assert isinstance(second.train_images.base, np.memmap)
    assert not second.train_images.flags.writeable
    assert second.summary == first.summary
    assert second.stored_summary is not None


def test_the_stored_summary_is_that_of_the_arrays(folder, cache):
    stored = image_folder(cache, root=folder)
    fresh = type(stored)(
        stored.train_images, stored.train_labels, stored.test_images, stored.test_labels, stored.class_names
    )

    assert fresh.stored_summary is None
    assert fresh.summary == stored.summary


def test_a_changed_source_is_noticed(folder, cache):
    before = image_folder(cache, root=folder).fingerprint
    Image.fromarray(picture("other")).save(folder / "train" / "cat" / "cat1.png")
    changed = image_folder(cache, root=folder).fingerprint
    paint(folder / "train" / "cat" / "cat9.png")
    added = image_folder(cache, root=folder)

    assert len({before, changed, added.fingerprint}) == 3
    assert len(added.train_images) == 7


def test_the_fingerprint_is_of_the_pixels_not_of_the_place(folder, cache, tmp_path):
    moved = folder.rename(tmp_path / "moved")
    moved_print = image_folder(cache, root=moved).fingerprint
    moved.rename(folder)

    assert image_folder(cache, root=folder).fingerprint == moved_print


@pytest.mark.parametrize("damage", ["truncate", "no description", "not json"])
def test_a_damaged_entry_is_set_aside_and_decoded_again(folder, cache, caplog, damage):
    before = image_folder(cache, root=folder).fingerprint
    (entry,) = (p for p in cache.iterdir() if p.is_dir())
    if damage == "truncate":
        os.truncate(entry / "train_images.npy", 200)
    elif damage == "no description":
        (entry / "about.json").unlink()
    else:
        (entry / "about.json").write_text("{")

    assert image_folder(cache, root=folder).fingerprint == before
    assert "is damaged; set aside" in caplog.text
    assert len([p for p in cache.iterdir() if ".damaged-" in p.name]) == 1


def test_failure_leaves_nothing_behind(folder, cache):
    (folder / "test" / "dog" / "dog1.png").write_bytes(b"no image")
    with pytest.raises(DataError):
        image_folder(cache, root=folder)

    assert [p.suffix for p in cache.iterdir()] == [".lock"]


def _fingerprint(arguments):
    cache, root = arguments
    return image_folder(cache, root=root).fingerprint


def test_processes_that_decode_at_once_agree(folder, cache):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        prints = pool.map(_fingerprint, [(cache, folder)] * 2)

    assert len(set(prints)) == 1
    assert len([p for p in cache.iterdir() if p.is_dir()]) == 1


def test_a_truncated_image_is_named(folder, cache):
    victim = folder / "train" / "dog" / "dog2.png"
    victim.write_bytes(victim.read_bytes()[:-40])

    with pytest.raises(DataError, match=r"dog2\.png cannot be decoded"):
        image_folder(cache, root=folder)


def test_an_image_of_another_size_is_named(folder, cache):
    paint(folder / "train" / "dog" / "dog2.png", side=9)

    with pytest.raises(DataError, match=r"cat0\.png is 8×8 and .*dog2\.png is 9×9"):
        image_folder(cache, root=folder)


@pytest.mark.parametrize(("part", "word"), [("train", "training"), ("test", "test")])
@pytest.mark.parametrize("emptied", [True, False])
def test_a_class_missing_from_a_part_is_named(folder, cache, part, word, emptied):
    for file in (folder / part / "dog").iterdir():
        file.unlink()
    if not emptied:
        (folder / part / "dog").rmdir()

    with pytest.raises(DataError, match=f"every class must have {word} images; in .* there are none for: 'dog'"):
        image_folder(cache, root=folder)


def test_an_absent_tree_is_named(tmp_path, cache):
    with pytest.raises(DataError, match=r"(?s)expected a folder of class folders at .*nowhere/train.*nowhere/test"):
        image_folder(cache, root=tmp_path / "nowhere")
    (tmp_path / "bare" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected one folder per class in .*bare/train"):
        image_folder(cache, root=tmp_path / "bare")


# --- what is seen before anything is decoded ---


def test_a_look_sees_the_labels_that_will_be(folder, cache):
    seen, data = look_at("image_folder", cache, {"root": folder}), image_folder(cache, root=folder)

    assert seen.problems == ()
    assert seen.class_names == data.class_names
    np.testing.assert_array_equal(seen.train_labels, data.train_labels)
    np.testing.assert_array_equal(seen.test_labels, data.test_labels)


def test_a_look_tells_everything_at_once(folder, cache, tmp_path):
    absent = look_at("image_folder", cache, {"root": tmp_path / "nowhere", "background": 256})
    assert len(absent.problems) == 3  # train, test, background

    (folder / "train" / "cat" / "gone.png").symlink_to(tmp_path / "nothing.png")
    (folder / "test" / "bird").mkdir()
    (listed,) = (look_at("image_folder", cache, {"root": folder}).problems,)
    assert [problem.split(":")[0] for problem in listed] == ["these links lead to no file"]
    (folder / "train" / "cat" / "gone.png").unlink()
    without = look_at("image_folder", cache, {"root": folder}).problems
    assert [problem.split(";")[0] for problem in without] == [
        f"every class must have {part} images" for part in ("training", "test")
    ]

    (folder / "test" / "bird").rmdir()
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(folder / "train" / "cat" / "cat0.png")
    paint(folder / "test" / "dog" / "dog0.png", side=9)
    sampled = look_at("image_folder", cache, {"root": folder}).problems
    assert len(sampled) == 2
    assert "cat0.png (mode 'RGBA') has transparent pixels" in sampled[0]
    assert "dog0.png is 9×9" in sampled[1]
    assert not cache.exists()


def test_folders_stand_in_natural_order(tmp_path, cache):
    for name in map(str, range(1, 12)):
        for part in ("train", "test"):
            paint(tmp_path / "numbered" / part / name / f"{part}{name}.png")
    data = image_folder(cache, root=tmp_path / "numbered")

    assert data.class_names == tuple(map(str, range(1, 12)))
    np.testing.assert_array_equal(data.train_images[9], picture("train10.png").transpose(2, 0, 1))
    assert data.train_labels.tolist() == list(range(11))


def test_what_was_read_is_told(folder, cache):
    Image.fromarray(picture("grey")[..., 0]).save(folder / "train" / "cat" / "cat1.png")
    Image.fromarray(picture("deep")[..., 0].astype(np.uint16) * 257).save(folder / "test" / "cat" / "cat1.png")
    for _ in range(2):  # decoded, then from the cache
        assert image_folder(cache, root=folder).source == "8 × PNG RGB, 1 × PNG L, 1 × PNG 16-bit grey"


def test_dark_16_bit_images_are_refused(folder, cache):
    for file in folder.rglob("*.png"):
        Image.fromarray(picture(file.name)[..., 0].astype(np.uint16) * 16).save(file)
    with pytest.raises(DataError, match=r"the 16-bit images of .*pets must use their range"):
        image_folder(cache, root=folder)
    assert [p.suffix for p in cache.iterdir()] == [".lock"]


def test_another_background_is_another_data_set(folder, cache):
    for file in folder.rglob("*.png"):
        Image.fromarray(np.dstack([picture(file.name), picture(file.name)[..., 0]])).save(file)
    white, black = (image_folder(cache, root=folder, background=level) for level in (255, 0))

    assert white.fingerprint != black.fingerprint


# --- CINIC-10 ---


@pytest.mark.parametrize(("with_valid", "expected"), [(False, 2), (True, 5)])
def test_cinic10(cache, with_valid, expected):
    for part, n in (("train", 2), ("valid", 3), ("test", 1)):
        for name in CLASSES:
            for i in range(n):
                paint(cache / "cinic10" / part / name / f"{part}-{name}-{i}.png", side=32)

    data = cinic10(cache, with_valid=with_valid)
    seen = look_at("cinic10", cache, {"with_valid": with_valid})

    np.testing.assert_array_equal(seen.train_labels, data.train_labels)
    assert np.bincount(data.train_labels).tolist() == [expected] * 2
    assert data.test_labels.tolist() == [0, 1]
    np.testing.assert_array_equal(data.train_images[1], picture("train-cat-1.png", 32).transpose(2, 0, 1))


# --- Tiny ImageNet ---


@pytest.fixture
def tiny(tmp_path):
    root = tmp_path / "tiny-imagenet-200"
    for wnid in ("n02", "n01"):
        for i in range(2):
            paint(root / "train" / wnid / "images" / f"{wnid}_{i}.JPEG", side=64)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("")
    lines = []
    for i, wnid in enumerate(("n02", "n01", "n02")):
        paint(root / "val" / "images" / f"val_{i}.JPEG", side=64)
        lines.append(f"val_{i}.JPEG\t{wnid}\t0\t0\t63\t63\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "test" / "images").mkdir(parents=True)  # its labels were never published
    return root


def test_tiny_imagenet_reads_its_test_set_from_the_annotated_folder(tiny, cache):
    data, seen = tiny_imagenet(cache, root=tiny), look_at("tiny_imagenet", cache, {"root": tiny})

    np.testing.assert_array_equal(seen.test_labels, data.test_labels)
    assert data.class_names == ("n01", "n02")
    assert data.image_shape == (3, 64, 64)
    assert data.train_labels.tolist() == [0, 0, 1, 1]
    assert data.test_labels.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(data.test_images[0], picture("val_1.JPEG", 64).transpose(2, 0, 1))


def test_tiny_imagenet_names_what_is_missing(tiny, cache):
    (tiny / "val" / "images" / "val_2.JPEG").unlink()
    with pytest.raises(DataError, match=r"images are annotated but missing: val_2\.JPEG"):
        tiny_imagenet(cache, root=tiny)

    paint(tiny / "val" / "images" / "val_2.JPEG", side=64)
    paint(tiny / "val" / "images" / "val_3.JPEG", side=64)
    with pytest.raises(DataError, match=r"are without a line in val_annotations\.txt: val_3\.JPEG"):
        tiny_imagenet(cache, root=tiny)

    (tiny / "val" / "val_annotations.txt").write_text("val_0.JPEG n01")
    with pytest.raises(DataError, match="line 1: expected a file and a class"):
        tiny_imagenet(cache, root=tiny)

    (tiny / "val" / "val_annotations.txt").unlink()
    with pytest.raises(DataError, match=r"expected .*val_annotations\.txt and .*images"):
        tiny_imagenet(cache, root=tiny)


# --- CIFAR-10 as JPEG files ---


@pytest.fixture
def cifar10_jpeg(tmp_path):
    place = os.environ.get("UNLEARN_SWEEPS_CIFAR10_JPEG")
    if not place:
        pytest.skip("set UNLEARN_SWEEPS_CIFAR10_JPEG to the folder or tar.xz of CIFAR-10's JPEG files")
    if Path(place).is_dir():
        return Path(place)
    with tarfile.open(place) as archive:
        archive.extractall(tmp_path / "cifar10-jpeg", filter="data")
    return tmp_path / "cifar10-jpeg"


def test_cifar10_as_jpeg_files(cifar10_jpeg, cache):
    data = image_folder(cache, root=cifar10_jpeg)

    assert data.class_names[:3] == ("airplane", "automobile", "bird")
    assert data.train_images.shape == (50_000, 3, 32, 32)
    assert np.bincount(data.train_labels).tolist() == [5000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    np.testing.assert_allclose(data.summary.mean, (0.4914, 0.4822, 0.4465), atol=1e-3)  # CIFAR-10's, as published
    np.testing.assert_allclose(data.summary.std, (0.2470, 0.2435, 0.2616), atol=3e-3)
    last = sorted((cifar10_jpeg / "test" / "truck").iterdir())[-1]
    with Image.open(io.BytesIO(last.read_bytes())) as image:
        np.testing.assert_array_equal(data.test_images[-1], np.asarray(image).transpose(2, 0, 1))
