import numpy as np
import pytest

from unlearn.data.arrays import arrays
from unlearn.errors import DataError

RNG = np.random.default_rng(0)


def save(tmp_path, *, shape=(6, 6), **replaced):
    content = {
        "x_train": RNG.integers(0, 256, (6, *shape), dtype=np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": RNG.integers(0, 256, (3, *shape), dtype=np.uint8),
        "y_test": np.array([2, 1, 0]),
    } | replaced
    np.savez(tmp_path / "mine.npz", **{name: value for name, value in content.items() if value is not None})
    return tmp_path / "mine.npz", content


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [((6, 5), None, (1, 6, 5)), ((3, 6, 5), None, (3, 6, 5)), ((6, 5, 3), (0, 3, 1, 2), (3, 6, 5))],
)
def test_images_become_channels_first(tmp_path, shape, axes, expected):
    path, content = save(tmp_path, shape=shape)
    data = arrays(tmp_path / "cache", path=path)

    assert data.image_shape == expected
    images = content["x_train"] if axes is None else content["x_train"].transpose(axes)
    np.testing.assert_array_equal(data.train_images, images.reshape(6, *expected))
    assert data.class_names == ("0", "1", "2")
    assert data.test_labels.tolist() == [2, 1, 0]


def test_names_and_column_labels_are_taken(tmp_path):
    path, _ = save(tmp_path, y_train=np.array([[0], [1], [0], [1], [1], [0]]), y_test=np.array([[0], [1], [0]]))
    assert arrays(tmp_path / "cache", path=path).train_labels.tolist() == [0, 1, 0, 1, 1, 0]

    path, _ = save(tmp_path, class_names=np.array(["a", "b", "c"]))
    assert arrays(tmp_path / "cache", path=path).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"y_test": None}, "missing: y_test"),
        ({"x_train": np.zeros((6, 6, 6), np.float32)}, "x_train must be uint8 images"),
        ({"y_train": np.zeros(6, np.float32)}, r"y_train must be integers of shape \(N,\)"),
        ({"y_train": np.array([0, 1, 2, 0, 1, None])}, "Object arrays cannot be loaded"),
        ({"y_test": np.array([0, 0, 1])}, "every class must have test images; none for: 2"),
        ({"y_test": np.array([0, 1])}, "with 2 labels"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, replaced, message):
    path, _ = save(tmp_path, **replaced)
    with pytest.raises(DataError, match=message):
        arrays(tmp_path / "cache", path=path)


def test_no_archive_no_data(tmp_path):
    with pytest.raises(DataError, match=r"expected a NumPy archive .*absent\.npz"):
        arrays(tmp_path / "cache", path=tmp_path / "absent.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK no archive")
    with pytest.raises(DataError, match=r"bad\.npz cannot be read"):
        arrays(tmp_path / "cache", path=tmp_path / "bad.npz")
