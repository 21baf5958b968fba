"""Data sets by torchvision's own loaders, each from a small file or tree in its published layout."""

from __future__ import annotations

import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torchvision
from PIL import Image

from unlearn.component import ComponentFacts
from unlearn.data import look_at, open_dataset
from unlearn.errors import ComponentError, DataError, UnknownNameError
from unlearn.registry import find

RNG = np.random.default_rng(0)


def idx(path: Path, array: np.ndarray) -> None:
    """MNIST's own format: a magic number, the shape, the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + b"".join(struct.pack(">I", n) for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_mnist(folder: Path, prefix: str = "", shift: int = 0) -> dict[str, np.ndarray]:
    """The four files of a data set in MNIST's layout: 30 training and 20 test images."""
    written = {}
    for part, name, count in (("train", "train", 30), ("test", "test" if prefix else "t10k", 20)):
        images, labels = RNG.integers(0, 256, (count, 28, 28), np.uint8), np.arange(count) % 10
        idx(folder / f"{prefix}{name}-images-idx3-ubyte", images)
        idx(folder / f"{prefix}{name}-labels-idx1-ubyte", labels + shift)
        written |= {f"{part}_images": images, f"{part}_labels": labels}
    return written


@pytest.mark.parametrize(
    ("key", "library"),
    [("fashion_mnist", "FashionMNIST"), ("torchvision:MNIST", "MNIST"), ("torchvision:KMNIST", "KMNIST")],
)
def test_mnist_and_its_kin(key: str, library: str, tmp_path: Path) -> None:
    written = write_mnist(tmp_path / "root" / library / "raw")
    data = open_dataset(key, tmp_path / "cache", {"root": tmp_path / "root", "download": False})
    assert data.image_shape == (1, 28, 28)
    for part in ("train", "test"):
        np.testing.assert_array_equal(getattr(data, f"{part}_images")[:, 0], written[f"{part}_images"])
        np.testing.assert_array_equal(getattr(data, f"{part}_labels"), written[f"{part}_labels"])
    assert data.class_names == tuple(getattr(torchvision.datasets, library).classes)
    assert data.ids.rows(["29", "3"]).tolist() == [29, 3]


def test_files_that_have_changed_are_read_again(tmp_path: Path) -> None:
    raw = tmp_path / "root" / "FashionMNIST" / "raw"
    write_mnist(raw)
    options = {"root": tmp_path / "root"}  # all is there: nothing is fetched
    first = open_dataset("fashion_mnist", tmp_path / "cache", options)
    again = write_mnist(raw)
    second = open_dataset("fashion_mnist", tmp_path / "cache", options)
    assert first.fingerprint != second.fingerprint
    np.testing.assert_array_equal(second.train_images[:, 0], again["train_images"])


def test_a_class_with_a_split_of_its_own_keeps_it(tmp_path: Path) -> None:
    """EMNIST's `letters` begin at 1: class 0 is `N/A`, and has no image."""
    write_mnist(tmp_path / "EMNIST" / "raw", "emnist-letters-", shift=1)
    data = open_dataset(
        "torchvision:EMNIST", tmp_path / "cache", {"root": tmp_path, "split": "letters", "download": False}
    )
    assert data.class_names == tuple("abcdefghij")
    assert data.train_labels.tolist() == [i % 10 for i in range(30)]
    facts = ComponentFacts.of(find("data", "torchvision:EMNIST"))
    assert facts.required == ("cache", "split")


def test_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, known = {}, {}
    for part, count in (("train", 30), ("test", 20)):
        images = RNG.integers(0, 256, (32, 32, 3, count), np.uint8)
        labels = np.arange(count)[:, None] % 10 + 1  # 10 stands for the digit 0
        file = tmp_path / f"{part}_32x32.mat"
        scipy.io.savemat(file, {"X": images, "y": labels.astype(np.uint8)})
        written[part] = images, labels[:, 0] % 10
        known[part] = ["http://nowhere.invalid", file.name, hashlib.md5(file.read_bytes()).hexdigest()]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", known)
    data = open_dataset("svhn", tmp_path / "cache", {"root": tmp_path})
    assert data.class_names == tuple("0123456789")
    for part, (images, labels) in written.items():
        np.testing.assert_array_equal(getattr(data, f"{part}_images"), images.transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(getattr(data, f"{part}_labels"), labels)
    (tmp_path / "train_32x32.mat").write_bytes(b"damaged")
    with pytest.raises(
        DataError, match=r"torchvision's SVHN cannot be read from .*corrupted.*put its published files there"
    ):
        open_dataset("svhn", tmp_path / "cache", {"root": tmp_path, "download": False})


def pickled(entry: dict[bytes, Any]) -> bytes:
    """The published files are of Python 2, whose keys are text or bytes, as one reads them: here they are both."""
    return pickle.dumps({**entry, **{key.decode(): value for key, value in entry.items()}}, protocol=4)


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for part, count in (("train", 200), ("test", 100)):
        fine = np.arange(count) % 100
        entry = {
            b"data": RNG.integers(0, 256, (count, 3072), np.uint8),
            b"fine_labels": fine.tolist(),
            b"coarse_labels": (fine // 5).tolist(),
        }
        (folder / part).write_bytes(pickled(entry))
    names = {b"fine_label_names": [f"fine{i}".encode() for i in range(100)]}
    names |= {b"coarse_label_names": [f"group{i}".encode() for i in range(20)]}
    (folder / "meta").write_bytes(pickled(names))
    return tmp_path


def test_cifar100_by_classes_and_by_groups(cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fine = open_dataset("cifar100", tmp_path / "cache", {"root": cifar})
    coarse = open_dataset("cifar100", tmp_path / "cache", {"root": cifar, "labels": "coarse"})
    known = torchvision.datasets.CIFAR100
    for attribute in ("train_list", "test_list"):
        monkeypatch.setattr(known, attribute, [[file, None] for file, _ in getattr(known, attribute)])
    monkeypatch.setattr(known, "meta", {**known.meta, "md5": None})
    theirs = known(str(cifar), train=True)
    np.testing.assert_array_equal(fine.train_images.transpose(0, 2, 3, 1), theirs.data)
    assert fine.train_labels.tolist() == theirs.targets
    np.testing.assert_array_equal(coarse.train_images, fine.train_images)
    assert coarse.train_labels.tolist() == [label // 5 for label in theirs.targets]
    assert coarse.class_names == tuple(f"group{i}" for i in range(20))
    seen = look_at("cifar100", tmp_path, {"root": cifar, "labels": "coarse"})
    assert seen is not None
    assert seen.class_names == coarse.class_names


@pytest.mark.parametrize(("labels", "classes", "first"), [("fine", 100, "apple"), ("coarse", 20, "aquatic_mammals")])
def test_cifar100_before_its_download(labels: str, classes: int, first: str, tmp_path: Path) -> None:
    seen = look_at("cifar100", tmp_path, {"labels": labels})
    assert seen is not None
    assert seen.train_labels is not None
    assert seen.class_names is not None
    assert (seen.class_names[0], len(set(seen.class_names)), len(seen.train_labels)) == (first, classes, 50_000)


def write_signs(folder: Path, size: tuple[int, int] = (8, 8)) -> None:
    """A tree as GTSRB has it: two classes, three training images and one test image each."""
    rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    tests = folder / "gtsrb" / "GTSRB" / "Final_Test" / "Images"
    tests.mkdir(parents=True)
    for label in range(2):
        of_class = folder / "gtsrb" / "GTSRB" / "Training" / f"{label:05d}"
        of_class.mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", size if i == 2 else (8, 8), (label, i, 7)).save(of_class / f"{i:05d}.ppm")
        Image.new("RGB", (8, 8), (label, 9, 9)).save(tests / f"{label:05d}.ppm")
        rows.append(f"{label:05d}.ppm;8;8;0;0;7;7;{label}")
    (folder / "gtsrb" / "GT-final_test.csv").write_text("\n".join(rows) + "\n")


def test_a_tree_of_files_by_its_splits(tmp_path: Path) -> None:
    write_signs(tmp_path / "root")
    data = open_dataset("torchvision:GTSRB", tmp_path / "cache", {"root": tmp_path / "root", "download": False})
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.train_images[4, :, 0, 0].tolist() == [1, 1, 7]
    assert data.test_images[1, :, 0, 0].tolist() == [1, 9, 9]
    assert data.class_names == ("0", "1")


def test_images_of_several_sizes_are_refused(tmp_path: Path) -> None:
    write_signs(tmp_path / "root", size=(9, 8))
    with pytest.raises(DataError, match="GTSRB must have images of one size, got 3 × 8 × 8 and 3 × 8 × 9"):
        open_dataset("torchvision:GTSRB", tmp_path / "cache", {"root": tmp_path / "root", "download": False})


@pytest.mark.parametrize(
    "name", ["CocoDetection", "ImageFolder", "FakeData", "VOCDetection", "Kitti2012Stereo", "EuroSAT", "HD1K"]
)
def test_what_has_no_labelled_parts_is_refused(name: str) -> None:
    with pytest.raises((ComponentError, UnknownNameError)) as told:
        find("data", f"torchvision:{name}")
    assert "must be a data set of images with a class each" in str(told.value)


@pytest.mark.parametrize("name", ["wrap_dataset_for_transforms_v2", "MNISTT", "", "nothing.at.all"])
def test_what_is_no_class_of_torchvision_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown data set of torchvision"):
        find("data", f"torchvision:{name}")


@pytest.mark.parametrize("key", ["svhn", "fashion_mnist", "torchvision:MNIST", "torchvision:Food101"])
def test_what_is_absent_is_said_and_no_folder_is_made(key: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"root": tmp_path / "none", "download": False}
    with pytest.raises(
        DataError, match=r"cannot be read from .*none .*put its published files there, or say download: true"
    ):
        open_dataset(key, tmp_path / "cache", options)
    assert not (tmp_path / "none").exists()
