"""Means, spreads and comparisons against hand-made numbers and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reports.frames.statistics import compare, holm, paired_p, summarise


def test_mean_std_and_n_skip_missing_values():
    frame = pd.DataFrame({"method": ["a", "a", "a", "b"], "x": [1.0, 3.0, np.nan, 5.0]})
    out = summarise(frame, ["method"], ["x"]).set_index("method")
    assert (out.loc["a", "mean"], out.loc["a", "n"]) == (2.0, 2)
    assert out.loc["a", "std"] == pytest.approx(math.sqrt(2))
    assert out.loc["b", "n"] == 1
    assert math.isnan(out.loc["b", "std"])


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=12))
def test_paired_p_is_scipys(differences: list[float]):
    if np.std(differences) < 1e-6:
        return
    assert paired_p(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=1e-9)


@pytest.mark.parametrize(("differences", "p"), [([0.0, 0.0, 0.0], 1.0), ([2.0, 2.0, 2.0], 0.0)])
def test_paired_p_without_spread(differences: list[float], p: float):
    assert paired_p(differences) == p


def test_paired_p_of_one_pair_is_unknown():
    assert math.isnan(paired_p([3.0]))


def test_holm_by_hand():
    # sorted 0.01, 0.03, 0.04 → ×3, ×2, ×1 → 0.03, 0.06, max(0.06, 0.04)
    assert holm([0.04, 0.01, float("nan"), 0.03]) == pytest.approx([0.06, 0.03, math.nan, 0.06], nan_ok=True)


def test_clear_winner_near_rival_and_clear_loser():
    samples = pd.DataFrame({"w": [1.0, 1.1, 0.9, 1.0], "near": [1.2, 0.9, 1.3, 0.9], "far": [9.0, 9.2, 8.9, 9.1]})
    out = compare(samples)
    assert list(out.index[out["best"]]) == ["w"]
    assert list(out.index[out["tied"]]) == ["near"]
    assert out.loc["far", "p"] < 0.05


def test_equal_means_are_both_best():
    out = compare(pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [50.0, 50.1]}))
    assert list(out.index[out["best"]]) == ["a", "b"]
    assert not out["tied"].loc[["a", "b"]].any()


def test_one_forget_set_tells_nothing_apart():
    out = compare(pd.DataFrame({"a": [1.0], "b": [99.0]}))
    assert out.loc["b", "tied"]
    assert out.loc["b", "pairs"] == 1


def test_no_rival_no_best():
    out = compare(pd.DataFrame({"a": [1.0, 2.0], "failed": [np.nan, np.nan]}))
    assert not out["best"].any()
    assert not out["tied"].any()


def test_only_shared_forget_sets_are_paired():
    out = compare(pd.DataFrame({"a": [1.0, 1.0, 1.0], "b": [np.nan, 5.0, 6.0]}))
    assert out.loc["b", "pairs"] == 2
