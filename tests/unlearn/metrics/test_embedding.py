import numpy as np
import pytest

from unlearn.embedding import tsne


def clusters(n):
    return np.repeat([[0.0] * 5, [40.0] * 5], n, axis=0) + np.random.default_rng(0).normal(size=(2 * n, 5))


def test_clusters_stay_apart_and_a_seed_decides():
    first, again = (tsne(clusters(40), seed=1) for _ in range(2))

    np.testing.assert_array_equal(first.coordinates, again.coordinates)
    assert first.coordinates.shape == (80, 2)
    left, right = first.coordinates[:40], first.coordinates[40:]
    spread = max(half.std(0).max() for half in (left, right))
    assert np.linalg.norm(left.mean(0) - right.mean(0)) > 3 * spread


def test_a_subsample_holds_what_must_be_kept():
    keep = np.array([3, 77, 60])
    some = tsne(clusters(40), most=20, keep=keep)

    assert len(some.rows) == len(some.coordinates) == 20
    assert set(keep) <= set(some.rows)
    assert (np.diff(some.rows) > 0).all()
    assert len(tsne(clusters(4), most=None).rows) == 8


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="an embedding needs ≥ 4 samples, got 2"):
        tsne(clusters(1))
