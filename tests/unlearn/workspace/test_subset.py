"""A part of a set in which classes have their shares, and how far a gap on it is from that on the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearn.workspace.subset import shares, stratified


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [
        ([50, 30, 20], 10, [5, 3, 2]),
        ([60, 25, 15], 7, [4, 2, 1]),  # 4.2, 1.75, 1.05
        ([10, 10, 10], 4, [2, 1, 1]),
        ([10, 10, 10], 2, [1, 1, 0]),
        ([97, 1, 1, 1], 4, [1, 1, 1, 1]),
        ([97, 1, 1, 1], 10, [7, 1, 1, 1]),
        ([97, 1, 1, 1], 100, [97, 1, 1, 1]),
        ([5], 3, [3]),
    ],
)
def test_shares_by_the_largest_remainder(counts: list[int], size: int, expected: list[int]) -> None:
    assert shares(np.array(counts), size).tolist() == expected


@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), st.data())
def test_every_class_has_its_share(counts: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, sum(counts)))
    found = shares(np.array(counts), size)
    exact = np.array(counts) * size / sum(counts)
    assert found.sum() == size
    assert (found <= counts).all()
    if size >= len(counts):
        assert found.min() >= 1
    if exact.min() >= 1 or size < len(counts):
        assert (abs(found - exact) < 1).all()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.data())
def test_positions_are_of_the_set_each_once(labels: list[int], data: st.DataObject) -> None:
    size, seed = data.draw(st.integers(1, len(labels))), data.draw(st.integers(0, 9))
    found = stratified(np.array(labels), size, np.random.default_rng(seed))
    assert found.tolist() == sorted(set(found.tolist()))
    assert len(found) == size
    assert 0 <= found.min() <= found.max() < len(labels)
    assert found.tolist() == stratified(np.array(labels), size, np.random.default_rng(seed)).tolist()


def test_a_gap_on_a_part_varies_as_the_docs_say() -> None:
    """Of two models with known answers, over 4,000 parts: unbiased, with the standard error that docs/search.md gives."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [3000, 2000, 1000])
    hard = rng.random(len(labels)) < np.array([0.02, 0.1, 0.3])[labels]  # both models are wrong on most of these
    unlearned = ~hard ^ (rng.random(len(labels)) < np.array([0.01, 0.03, 0.1])[labels])
    oracle = ~hard ^ (rng.random(len(labels)) < 0.01)
    n, k = len(labels), 600
    parts = [stratified(labels, k, np.random.default_rng(seed)) for seed in range(4000)]

    difference = 100 * (unlearned.astype(float) - oracle)
    signed = np.array([difference[part].mean() for part in parts])
    of_class = [difference[labels == label] for label in range(3)]
    exact = np.sqrt(sum((len(d) / n) ** 2 * (1 - k / n) * d.var(ddof=1) / (len(d) * k / n) for d in of_class))
    assert signed.std() == pytest.approx(exact, rel=0.05)
    assert signed.mean() == pytest.approx(difference.mean(), abs=4 * exact / np.sqrt(len(parts)))

    disagreement = (unlearned != oracle).mean()
    bound = 100 * np.sqrt(disagreement * (1 - k / n) / k)
    assert exact < bound < 1.2 * exact
    accuracy = np.array([100 * unlearned[part].mean() for part in parts])
    assert signed.std() < 0.8 * accuracy.std()  # what both models find hard is the same in both

    gap = abs(signed)  # what is reported: never below the truth on average, and above it by no more than the error
    assert -0.01 < gap.mean() - abs(difference.mean()) < 0.8 * exact


def test_a_gap_of_nothing_is_seen_as_the_noise() -> None:
    labels = np.zeros(5000, dtype=np.int64)
    difference = np.zeros(5000)
    difference[:200] = np.tile([100.0, -100.0], 100)
    gaps = [abs(difference[stratified(labels, 500, np.random.default_rng(seed))].mean()) for seed in range(2000)]
    error = 100 * np.sqrt(200 / 5000 * (1 - 500 / 5000) / 500)
    assert np.mean(gaps) == pytest.approx(error * np.sqrt(2 / np.pi), rel=0.06)
