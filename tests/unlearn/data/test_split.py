import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearn.data import ImageDataset, split
from unlearn.data._base import Look, pixel_counts, pixel_moments
from unlearn.errors import DataError

LABELS = arrays.arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 4))


@given(labels=LABELS, held_out=st.floats(0.05, 0.95), dev=st.floats(0, 0.95), seed=st.integers(0, 9))
def test_splits_are_disjoint_cover_and_take_the_same_share_of_every_class(labels, held_out, dev, seed):
    splits = split(labels, held_out=held_out, dev=dev, seed=seed)

    together = np.concatenate([splits.train, splits.validation, splits.dev])
    assert sorted(together) == list(range(len(labels)))
    for label in np.unique(labels):
        size = (labels == label).sum()
        held = (labels[splits.validation] == label).sum() + (labels[splits.dev] == label).sum()
        assert held == round(size * held_out)
        assert (labels[splits.dev] == label).sum() == round(held * dev)


def test_a_split_depends_on_its_seed_alone():
    labels = np.repeat([0, 1], 50)
    first, again, other = (split(labels, held_out=0.2, dev=0.5, seed=seed) for seed in (0, 0, 1))

    np.testing.assert_array_equal(first.train, again.train)
    assert (first.train != other.train).any()


@given(images=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.just(2), st.just(3), st.just(2))))
def test_pixel_moments_are_numpys(images):
    mean, std = pixel_moments(pixel_counts(images))

    np.testing.assert_allclose(mean, images.mean((0, 2, 3)) / 255, atol=1e-12)
    expected = images.std((0, 2, 3)) / 255
    np.testing.assert_allclose(std, np.where(expected > 0, expected, 1), atol=1e-7)


def images(n: int) -> np.ndarray:
    return np.arange(n * 4, dtype=np.uint8).reshape(n, 1, 2, 2)


def test_the_fingerprint_tells_pixels_and_labels_apart():
    labels = np.array([0, 1, 0])
    base = ImageDataset(images(3), labels, images(2), np.array([0, 1]), ("a", "b"))
    same = ImageDataset(images(3), labels.copy(), images(2), np.array([0, 1]), ("a", "b"))
    relabelled = ImageDataset(images(3), np.array([0, 1, 1]), images(2), np.array([0, 1]), ("a", "b"))
    repainted = ImageDataset(images(3) + np.uint8(1), labels, images(2), np.array([0, 1]), ("a", "b"))

    assert base.fingerprint == same.fingerprint
    assert len({base.fingerprint, relabelled.fingerprint, repainted.fingerprint}) == 3


@pytest.mark.parametrize(
    ("train_labels", "test_labels", "message"),
    [
        ([0, 1, 0], [0, 0], "every class must have test images; none for: dog"),
        ([0, 0, 0], [0, 1], "every class must have train images; none for: dog"),
        ([0, 1, 2], [0, 1], r"train labels must be in 0 … 1, got 2"),
    ],
)
def test_unusable_labels_are_named(train_labels, test_labels, message):
    with pytest.raises(DataError, match=message):
        ImageDataset(images(3), np.array(train_labels), images(2), np.array(test_labels), ("cat", "dog"))


def test_training_and_test_images_have_one_shape():
    with pytest.raises(DataError, match="must have one shape"):
        ImageDataset(images(2), np.array([0, 1]), images(2)[..., :1], np.array([0, 1]), ("cat", "dog"))


def test_the_identity_tells_class_names_apart_and_begins_with_the_fingerprint():
    labels = np.array([0, 1, 0])
    data, renamed = (ImageDataset(images(3), labels, images(3), labels, names) for names in (("a", "b"), ("b", "a")))

    assert data.fingerprint == renamed.fingerprint
    assert data.identity != renamed.identity
    assert data.identity.startswith(data.fingerprint)


def test_a_description_says_what_was_read():
    labels = np.array([0, 1, 0])
    data = ImageDataset(images(3), labels, images(2), labels[:2], ("a", "b"), "three files")

    assert data.description == (
        "3 training and 2 test images of 2 classes, 1 × 2 × 2 (channels × height × width), values 0 … 11; read from three files"
    )


def test_class_names_must_differ():
    labels = np.array([0, 1])
    with pytest.raises(DataError, match="every class must have a name of its own; several are named 'a'"):
        ImageDataset(images(2), labels, images(2), labels, ("a", "a"))


def test_one_class_leaves_nothing_to_classify():
    labels, message = np.zeros(2, np.int64), "a data set must have at least two classes, got 'cat'"
    with pytest.raises(DataError, match=message):
        ImageDataset(images(2), labels, images(2), labels, ("cat",))
    assert Look.of(("cat",), labels, labels).problems == (message,)


def test_a_message_about_many_labels_is_short():
    labels = np.arange(2)
    with pytest.raises(DataError, match=r"none for: 2, 3, 4, 5, 6 and 19,993 more$"):
        ImageDataset(images(2), labels, images(2), labels, tuple(map(str, range(20_000))))
