import pickle
import struct

import numpy as np
import pytest

from unlearn.data import look_at
from unlearn.data.cifar10 import BATCHES, FOLDER, META, cifar10
from unlearn.errors import DataError

NAMES = [f"class{i}" for i in range(10)]


def text(value: bytes) -> bytes:
    """Python 2's str, as its pickles hold it (SHORT_BINSTRING, BINSTRING)."""
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value


def python2_batch(data: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 pickled the published ones: protocol 2, byte strings, numpy.core's functions."""
    dtype = (
        b"cnumpy\ndtype\n"
        + text(b"u1")
        + b"K\x00K\x01\x87R(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    shape = b"".join(b"J" + struct.pack("<i", n) for n in data.shape)
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R(K\x01"
    array += shape + b"\x86" + dtype + b"\x89" + text(data.tobytes()) + b"tb"
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"labels") + listed + text(b"data") + array + b"u."


def names_file(names: list[str]) -> bytes:
    return b"\x80\x02}(" + text(b"label_names") + b"](" + b"".join(text(n.encode()) for n in names) + b"eu."


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [*BATCHES["train"], *BATCHES["test"]]:
        data = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        (folder / name).write_bytes(python2_batch(data, [*range(10), *range(10)]))
    (folder / META).write_bytes(names_file(NAMES))
    return tmp_path


def test_the_published_batches_are_read(root, tmp_path):
    data = cifar10(tmp_path / "cache", root=root)

    assert data.class_names == tuple(NAMES)
    assert data.train_images.shape == (100, 3, 32, 32)
    assert data.test_labels.tolist() == [*range(10), *range(10)]
    first = np.random.default_rng(0).integers(0, 256, (20, 3072), dtype=np.uint8)
    np.testing.assert_array_equal(data.train_images[:20].reshape(20, -1), first)
    assert cifar10(tmp_path / "cache", root=root).fingerprint == data.fingerprint
    seen = look_at("cifar10", tmp_path, {"root": root})
    assert seen.class_names == tuple(NAMES)
    np.testing.assert_array_equal(seen.train_labels, data.train_labels)


@pytest.mark.filterwarnings("ignore:dtype.. align should be passed:Warning")  # NumPy 2.4 of Python 2's flags
def test_our_batch_is_what_pickle_itself_reads(root):
    batch = pickle.loads((root / FOLDER / "test_batch").read_bytes(), encoding="bytes")

    assert batch[b"data"].shape == (20, 3072)
    assert batch[b"labels"] == [*range(10), *range(10)]


class _Malicious:
    def __reduce__(self):
        return print, ("code ran",)


def test_code_in_a_batch_does_not_run(root, tmp_path, capsys):
    (root / FOLDER / "data_batch_3").write_bytes(pickle.dumps({b"data": _Malicious(), b"labels": []}))

    with pytest.raises(DataError, match=r"data_batch_3 cannot be read .* names builtins\.print"):
        cifar10(tmp_path / "cache", root=root)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\x80\x02}.", b"nonsense"])
def test_a_damaged_batch_is_named(root, tmp_path, content):
    (root / FOLDER / "data_batch_2").write_bytes(content)

    with pytest.raises(DataError, match="data_batch_2 cannot be read"):
        cifar10(tmp_path / "cache", root=root)


def test_a_batch_of_another_shape_is_named(root, tmp_path):
    (root / FOLDER / "data_batch_2").write_bytes(python2_batch(np.zeros((2, 3072), np.uint8), [1]))

    with pytest.raises(DataError, match=r"data_batch_2 must hold uint8 data of shape \(N, 3072\) with N labels"):
        cifar10(tmp_path / "cache", root=root)


def test_absent_batches_are_named_where_nothing_may_be_fetched(root, tmp_path):
    (root / FOLDER / "data_batch_4").unlink()

    with pytest.raises(DataError, match=f"expected CIFAR-10's Python batches in .*{FOLDER}; missing: data_batch_4"):
        cifar10(tmp_path / "cache", root=root, download=False)


def test_a_failed_download_says_what_to_unpack_where(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", refuse)
    with pytest.raises(DataError, match=r"no route to host.*unpack cifar-10-python\.tar\.gz so that .*cifar10"):
        cifar10(tmp_path / "cache")


def test_a_look_at_what_is_still_to_be_fetched(tmp_path):
    seen = look_at("cifar10", tmp_path, {})

    assert seen.problems == ()
    assert np.bincount(seen.train_labels).tolist() == [5000] * 10
    assert seen.class_names[3] == "cat"
    (problem,) = look_at("cifar10", tmp_path, {"download": False}).problems
    assert "missing: data_batch_1" in problem
