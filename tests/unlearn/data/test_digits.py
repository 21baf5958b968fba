import numpy as np

from unlearn.data import look_at, open_dataset
from unlearn.data.digits import digits


def test_a_look_has_the_labels_of_the_data(tmp_path):
    data, seen = digits(), look_at("digits", tmp_path, {})

    assert seen.class_names == data.class_names
    np.testing.assert_array_equal(seen.train_labels, data.train_labels)  # draws go by positions
    np.testing.assert_array_equal(seen.test_labels, np.sort(data.test_labels))


def test_the_cache_holds_the_same_data(tmp_path):
    data, first, again = digits(), *(open_dataset("digits", tmp_path, {}) for _ in range(2))

    for kept in (first, again):
        assert (kept.identity, kept.description) == (data.identity, data.description)
        np.testing.assert_array_equal(kept.train_images, data.train_images)
        np.testing.assert_array_equal(kept.test_labels, data.test_labels)
        np.testing.assert_array_equal(kept.ids.train, data.ids.train)
        np.testing.assert_array_equal(kept.ids.test, data.ids.test)


def test_an_entry_of_the_cache_that_lacks_its_ids_is_made_again(tmp_path, caplog):
    """A clean-up by age takes single files; without its ids an image would be known by its place among those to train on."""
    ids = open_dataset("digits", tmp_path, {}).ids
    for file in tmp_path.glob("digits-*/*_ids.npy"):
        file.unlink()

    np.testing.assert_array_equal(open_dataset("digits", tmp_path, {}).ids.train, ids.train)
    assert "is damaged; set aside" in caplog.text
