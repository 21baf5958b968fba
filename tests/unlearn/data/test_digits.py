import numpy as np

from unlearn.data import look_at
from unlearn.data.digits import digits


def test_a_look_counts_as_the_data_do(tmp_path):
    data, seen = digits(), look_at("digits", tmp_path, {})

    assert seen.class_names == data.class_names
    np.testing.assert_array_equal(seen.train_labels, np.sort(data.train_labels))
    np.testing.assert_array_equal(seen.test_labels, np.sort(data.test_labels))
