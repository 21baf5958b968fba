import numpy as np
import pytest

from unlearn.data import look_at
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
        ({"x_train": np.zeros((6, 6, 6), np.float32)}, "x_train and x_test must have one type.*got float32, uint8"),
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


def both(images):
    """The same images, six for training and three for testing, beside labels that fit."""
    return {"x_train": images, "x_test": images[:3]}


IMAGES = RNG.integers(0, 256, (6, 5, 7), dtype=np.uint8)
IMAGES[0, 0, 0] = 255


@pytest.mark.parametrize(
    ("given", "expected", "told"),
    [
        (IMAGES.astype(np.float32) / 255, IMAGES, "float32 in 0 … 1, scaled by 255"),
        (IMAGES.astype(np.float64), IMAGES, "float64 in 0 … 255"),
        (IMAGES.astype(np.uint16) * 257, IMAGES, "uint16 in 0 … 65535, scaled by 255/65535"),
        (IMAGES.astype(np.int32) * 257, IMAGES, "int32 in 0 … 65535, scaled by 255/65535"),
        (IMAGES.astype(np.int16), IMAGES, "int16 in 0 … 255"),
        (IMAGES // 64, IMAGES // 64, "uint8"),
        ((IMAGES // 64).astype(np.int64), IMAGES // 64, "int64 in 0 … 3"),
        (IMAGES > 127, (IMAGES > 127) * 255, "bool"),
        (np.zeros((6, 5, 7), np.float32), np.zeros((6, 5, 7)), "float32 in 0 … 0"),
    ],
)
def test_other_types_are_scaled_where_that_is_exact(tmp_path, given, expected, told):
    path, _ = save(tmp_path, **both(given))
    data = arrays(tmp_path / "cache", path=path)

    np.testing.assert_array_equal(data.train_images[:, 0], expected)
    assert data.source.startswith(told)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (RNG.normal(size=(6, 5, 7)), "values in 0 … 255, got float64 in -.*undo their normalisation"),
        (IMAGES.astype(np.float32) / 2, "must have whole values in 0 … 255, floats in"),
        (np.where(IMAGES == 255, np.nan, IMAGES), "must have finite values, got NaN"),
        (np.where(IMAGES == 255, np.inf, IMAGES), "must have finite values"),
        (IMAGES.astype(np.int16) - 128, "got int16 in -128"),
        (IMAGES.astype(np.uint16) * 16, "must use their range 0 … 65535"),
        (IMAGES.astype(np.int64) * 10**6, "must have whole values"),
        (IMAGES.astype(np.complex64), "must have one type: uint8, or another of numbers"),
        (IMAGES.astype("S3"), "must have one type: uint8, or another of numbers"),
    ],
)
def test_other_ranges_are_refused(tmp_path, given, message):
    path, _ = save(tmp_path, **both(given))
    with pytest.raises(DataError, match=message):
        arrays(tmp_path / "cache", path=path)


@pytest.mark.parametrize(
    "shape", [(32, 32, 4), (3, 8, 3), (1, 8, 1), (32, 32, 2), (8, 6, 5), (64, 3), (3, 3, 3), (5, 8, 9)]
)
def test_a_shape_that_may_be_meant_in_several_ways_is_refused_until_it_is_told(tmp_path, shape):
    path, content = save(tmp_path, shape=shape)
    with pytest.raises(DataError, match="may be meant in several ways: say which by the data set's option layout"):
        arrays(tmp_path / "cache", path=path)
    assert "layout" in look_at("arrays", tmp_path, {"path": path}).problems[0]

    layout = "NHWC" if len(shape) == 3 else "NHW"
    data = arrays(tmp_path / "cache", path=path, layout=layout)
    expected = content["x_train"].transpose(0, 3, 1, 2) if len(shape) == 3 else content["x_train"][:, None]
    np.testing.assert_array_equal(data.train_images, expected)


@pytest.mark.parametrize("shape", [(4, 8, 8), (2, 32, 32), (3, 8, 6)])
def test_channels_first_stays_clear(tmp_path, shape):
    path, content = save(tmp_path, shape=shape)
    np.testing.assert_array_equal(arrays(tmp_path / "cache", path=path).train_images, content["x_train"])


@pytest.mark.parametrize(
    ("labels", "names"),
    [([20000, 20001, 20003], ("20000", "20001", "20003")), ([1, 2, 10], ("1", "2", "10")), ([0, 5, 10**12], None)],
)
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_each_different_label_is_a_class_in_order(tmp_path, labels, names, dtype):
    values = np.array(labels, dtype)
    path, _ = save(tmp_path, y_train=np.tile(values, 2), y_test=values[::-1])
    data = arrays(tmp_path / "cache", path=path)

    assert data.class_names == (names or ("0", "5", "1000000000000"))
    assert data.train_labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.test_labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"y_train": np.array([0, 1, 2, 0, 1, -1])}, r"y_train must be ≥ 0, got -1 \(1 below 0\)"),
        ({"y_test": np.array([0, 1, 10**12])}, "none for the y_test labels 1000000000000"),
        ({"y_train": np.array([0, 1, 2, 0, 1, 10**12])}, "none for: 1000000000000"),
        ({"class_names": np.array(["a", "b"])}, r"y_train must be positions in class_names, 0 … 1, got 2"),
        ({"class_names": np.array(["a", "b", "b"])}, "several are named 'b'"),
        ({"class_names": np.array([["a", "b", "c"]])}, "class_names must be a list of texts"),
        ({"y_train": np.array([0.0, 1.0, 2.0, 0.0, 1.0, 2.0])}, "y_train must be integers"),
    ],
)
def test_labels_that_are_none_are_named_shortly(tmp_path, replaced, message):
    path, _ = save(tmp_path, **replaced)
    with pytest.raises(DataError, match=message) as caught:
        arrays(tmp_path / "cache", path=path)
    assert len(str(caught.value)) < 300


def test_many_strange_labels_are_told_in_one_line(tmp_path):
    path, _ = save(tmp_path, y_test=np.arange(3), x_test=None, x_train=None)
    np.savez(path, **both(np.zeros((9000, 2, 2), np.uint8)), y_train=np.arange(9000), y_test=np.arange(3))
    (problem,) = look_at("arrays", tmp_path, {"path": path}).problems
    assert problem.endswith("none for: 3, 4, 5, 6, 7 and 8,992 more")


def test_a_look_sees_what_will_be_without_reading_pixels(tmp_path):
    path, _ = save(tmp_path, class_names=np.array(["a", "b", "c"]))
    seen, data = look_at("arrays", tmp_path / "cache", {"path": path}), arrays(tmp_path / "cache", path=path)

    assert seen.class_names == data.class_names
    np.testing.assert_array_equal(seen.train_labels, data.train_labels)
    np.testing.assert_array_equal(seen.test_labels, data.test_labels)


def test_a_look_tells_everything_at_once(tmp_path):
    path, _ = save(
        tmp_path, x_train=np.zeros((6, 8, 8, 5), np.uint8), x_test=np.zeros((3,), np.uint8), y_test=np.ones(3)
    )
    problems = look_at("arrays", tmp_path, {"path": path}).problems

    assert [problem.split(" ")[0] for problem in problems] == ["x_train", "x_test", "y_test"]
    path, _ = save(tmp_path, y_test=None, x_test=None)
    assert "missing: x_test, y_test" in look_at("arrays", tmp_path, {"path": path}).problems[0]


def test_a_plain_array_is_no_archive(tmp_path):
    np.save(tmp_path / "plain.npy", IMAGES)
    file = (tmp_path / "plain.npy").rename(tmp_path / "plain.npz")
    with pytest.raises(DataError, match=r"plain\.npz cannot be read: File is not a zip file; numpy\.savez writes"):
        arrays(tmp_path / "cache", path=file)
