"""Comparisons: against SciPy, by hand, and by simulation with known truth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sweeps.record.statistics import LEAST_UNITS, LEVEL, POWER, Pairs, compare, holm, least_difference, units_needed
from sweeps.spec.draws import misled
from unlearn.scenarios import halves, in_common
from unlearn.scenarios.canary import Canary

Draw = Callable[[np.random.Generator, int, int], npt.NDArray[np.float64]]
METHODS = 9

#: Scores of methods that are equal in the mean: (forget sets, methods).
EQUAL: dict[str, Draw] = {
    "normal": lambda rng, n, k: rng.normal(size=(n, 1)) + rng.normal(size=(n, k)),
    "mean absolute gaps": lambda rng, n, k: np.abs(rng.normal(size=(n, k, 4))).mean(-1),
    "skewed": lambda rng, n, k: rng.exponential(size=(n, k)),
    "unequal spreads": lambda rng, n, k: rng.normal(size=(n, k)) * np.r_[np.full(k - 2, 0.1), 3, 3],
    "in steps of a third of the spread": lambda rng, n, k: np.round(3 * rng.normal(size=(n, k))) / 3,
    "in steps of the spread": lambda rng, n, k: np.round(rng.normal(size=(n, k))),
}


def simulated(draw: Draw, n: int, repeats: int, seed: int = 0) -> float:
    """How often methods that are equal in the mean are told apart, any of them."""
    rng = np.random.default_rng(seed)
    verdicts = (compare(pd.DataFrame(draw(rng, n, METHODS))) for _ in range(repeats))
    return sum(bool((~v["best"] & ~v["tied"]).any()) for v in verdicts) / repeats


def at_most(rate: float, repeats: int) -> float:
    """What a rate stays below in simulation, but once in a thousand times."""
    return float(stats.binom.ppf(0.999, repeats, rate)) / repeats


@pytest.mark.parametrize("n", range(3, 11))
def test_equal_methods_are_told_apart_in_five_per_cent_at_most(n: int):
    assert simulated(EQUAL["normal"], n, 300, seed=n) <= at_most(LEVEL, 300)


@pytest.mark.parametrize("kind", EQUAL)
@pytest.mark.parametrize("n", [3, 10])
def test_and_whatever_their_scores_are_like(kind: str, n: int):
    assert simulated(EQUAL[kind], n, 150, seed=n) <= at_most(LEVEL, 150)


def test_against_the_observed_best_alone_the_error_would_be_larger():
    """Why all pairs are compared: the best of nine equal methods was picked for being low."""
    rng, found, repeats = np.random.default_rng(0), 0, 600
    for _ in range(repeats):
        x = EQUAL["normal"](rng, 5, METHODS)
        first = x.mean(0).argmin()
        p = [stats.ttest_rel(x[:, i], x[:, first]).pvalue for i in range(METHODS) if i != first]
        found += min(p) * (METHODS - 1) < LEVEL
    assert found / repeats > at_most(LEVEL, repeats)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_least_difference_is_told_at_the_stated_power(n: int):
    spread, level, repeats = 2.0, LEVEL / 36, 4000
    least = least_difference(spread, n, level)
    x = least + spread * np.random.default_rng(n).normal(size=(repeats, n))
    told = (stats.ttest_1samp(x, 0, axis=1).pvalue < level).mean()
    assert told == pytest.approx(POWER, abs=4 * math.sqrt(POWER * (1 - POWER) / repeats))


@pytest.mark.parametrize("n", [4, 8])
def test_one_method_that_is_better_by_the_least_difference_is_told_from_each_other(n: int):
    """By Holm's rule each pair is told a little more often than by the first level, which the line stands for."""
    repeats, rng = 300, np.random.default_rng(n)
    least = least_difference(math.sqrt(2), n, LEVEL / (METHODS * (METHODS - 1) / 2))
    told = 0.0
    for _ in range(repeats):
        x = rng.normal(size=(n, METHODS)) + np.r_[0, np.full(METHODS - 1, least)]
        told += compare(pd.DataFrame(x))["p"].lt(LEVEL).iloc[1:].mean() / repeats
    assert POWER - 0.07 < told < 0.95


def test_so_many_forget_sets_tell_the_present_difference():
    level = LEVEL / 3
    needed = units_needed(1.0, 2.0, level)
    assert needed is not None
    assert least_difference(2.0, needed, level) <= 1.0 < least_difference(2.0, needed - 1, level)
    assert units_needed(-1.0, 2.0, level) == needed
    assert units_needed(50.0, 0.001, level) == LEAST_UNITS
    assert units_needed(0.0, 2.0, level) is None
    assert units_needed(0.001, 2.0, level) is None
    assert units_needed(math.nan, 2.0, level) is None


@pytest.mark.parametrize("n", [3, 8])
def test_the_least_difference_that_a_spread_gives_is_told_less_often_than_the_true_one(n: int):
    """The spread of a few forget sets is too small as often as too large, and a difference that is too small is told seldom."""
    rng, repeats, told = np.random.default_rng(n), 2000, 0
    for _ in range(repeats):
        least = least_difference(float(rng.normal(size=n).std(ddof=1)), n, LEVEL)
        told += stats.ttest_1samp(least + rng.normal(size=n), 0).pvalue < LEVEL
    assert 0.55 < told / repeats < 0.76


def test_so_many_more_seldom_tell_the_nearest_of_several_methods():
    """Nine methods whose true means differ by a third of the spread: what is needed for the present differences is too few."""
    rng, repeats, kept, units = np.random.default_rng(0), 150, 0, 5
    for _ in range(repeats):
        means = 0.3 * rng.normal(size=METHODS)
        scores = means + rng.normal(size=(units, METHODS))
        best, pairs = str(scores.mean(0).argmin()), Pairs.of(pd.DataFrame(scores))
        differences = pairs.against(best)
        needed = {
            m: count
            for m, r in differences.iterrows()
            if (count := units_needed(r["difference"], r["spread"], pairs.next_level)) and r["p"] >= LEVEL
        }
        rival = min(needed, key=lambda m: needed[m])
        more = np.vstack([scores, means + rng.normal(size=(max(needed[rival] - units, 1), METHODS))])
        kept += Pairs.of(pd.DataFrame(more)).against(best)["p"][rival] < LEVEL
    assert kept / repeats < POWER / 2


def test_a_skewed_score_beside_a_steady_one_is_told_apart_more_often():
    """What docs/concepts.md says of the 5 %: they are of scores that are about normal."""
    rng, repeats = np.random.default_rng(0), 400
    steady, skewed = (1 + 0.1 * rng.normal(size=(repeats, 8)), rng.exponential(size=(repeats, 8, 3)))
    scores = np.concatenate([steady[:, :, None], skewed], axis=2)
    told = np.mean([(Pairs.of(pd.DataFrame(x)).p < LEVEL).any() for x in scores])
    assert 0.07 < told < 0.2


@pytest.mark.parametrize(
    ("sets", "share", "trainings"),
    [(8, 0.1, 1), (8, 0.24, 1), (8, 0.5, 1), (8, 0.86, 1), (3, 0.5, 1), (16, 0.1, 1), (2, 0.5, 4)],
)
def test_sets_that_repeat_each_other_tell_apart_what_is_equal_on_others(sets: int, share: float, trainings: int):
    """Two methods that are equal on all 100 images of a class, on forget sets from half of them, each run without chance."""
    rng, repeats = np.random.default_rng(0), 2000
    images = rng.normal(size=(repeats, 100))
    half = images[:, :50] - images.mean(axis=1, keepdims=True)
    drawn = rng.permuted(np.broadcast_to(half[:, None], (repeats, trainings * sets, 50)), axis=2)
    scores = drawn[:, :, : round(50 * share)].mean(axis=2)
    if trainings > 1:
        scores = scores.reshape(repeats, trainings, sets).mean(axis=2)
    told = stats.ttest_1samp(scores, 0, axis=1).pvalue < LEVEL
    assert told.mean() == pytest.approx(misled(sets, share, trainings), abs=0.045)


def test_methods_that_differ_on_scrambled_images_are_told_apart_as_often_as_those_repeat_each_other():
    """Two methods that are equal on all scrambled images, and one by one on all others."""
    images, labels = np.tile(np.arange(16, dtype=np.uint8), (300, 1)).reshape(300, 1, 4, 4), np.zeros(300, np.int64)
    rng, repeats, shares, told = np.random.default_rng(0), 120, [], 0
    for seed in range(repeats):
        tuning, _ = halves(labels, seed)
        canary = Canary(canaries=10, canary_seed=seed)
        first, *others = sets = [canary.draw(images, labels, 30, draw, tuning) for draw in range(8)]
        shares += [in_common(other, first) for other in others]
        scrambled = (first.images != images).any((1, 2, 3))
        difference = np.where(scrambled, rng.normal(size=300), 0)
        difference[scrambled] -= difference[scrambled].mean()
        told += stats.ttest_1samp([difference[drawn.indices].mean() for drawn in sets], 0).pvalue < LEVEL
    group, whole = (misled(8, np.mean([share[name] for share in shares])) for name in ("ood", ""))
    assert told / repeats == pytest.approx(group, abs=0.08)
    assert told / repeats > whole + 0.1


def test_sets_that_are_too_few_or_have_nothing_in_common_mislead_nobody():
    assert misled(2, 0.9) == misled(8, 0.0) == 0
    assert misled(3, 1.0) == 1


@pytest.mark.parametrize(("trainings", "draws"), [(3, 2), (5, 4)])
def test_nested_draws_are_no_independent_witnesses(trainings: int, draws: int):
    """Equal methods whose scores move with the training: the draws of one training repeat one observation."""
    index = pd.MultiIndex.from_product(
        [range(trainings), range(draws), range(2)], names=["training", "forget_seed", "run"]
    )
    rng, repeats, nested, flat = np.random.default_rng(draws), 200, 0, 0
    for _ in range(repeats):
        training = 3 * rng.normal(size=(trainings, METHODS))
        x = training[index.get_level_values("training")] + rng.normal(size=(len(index), METHODS))
        for_each = [compare(pd.DataFrame(x, index=i)) for i in (index, pd.RangeIndex(len(index)))]
        apart = [bool((~v["best"] & ~v["tied"]).any()) for v in for_each]
        nested, flat = nested + apart[0], flat + apart[1]
    assert nested / repeats <= at_most(LEVEL, repeats)
    assert flat / repeats > 0.3


def test_units_are_forget_sets_of_one_training_and_trainings_of_several():
    def units(trainings: int, draws: int, runs: int) -> tuple[int, float]:
        levels = [range(trainings), range(draws), range(runs)]
        index = pd.MultiIndex.from_product(levels, names=["training", "forget_seed", "run"])
        x = np.arange(len(index), dtype=float)
        found = Pairs.of(pd.DataFrame({"a": 0 * x, "b": x}, index=index)).against("a").loc["b"]
        return int(found["units"]), float(found["spread"])

    assert units(1, 4, 1) == (4, pytest.approx(np.std([0, 1, 2, 3], ddof=1)))
    assert units(1, 4, 2) == (4, pytest.approx(np.std([0.5, 2.5, 4.5, 6.5], ddof=1)))
    assert units(3, 2, 2) == (3, pytest.approx(np.std([1.5, 5.5, 9.5], ddof=1)))


@given(st.lists(st.lists(st.floats(-50, 50), min_size=5, max_size=5), min_size=2, max_size=4))
def test_p_is_scipys(columns: list[list[float]]):
    x = np.round(np.array(columns).T + np.arange(5)[:, None] * np.arange(len(columns)) ** 2 * 1e-3, 9)
    found = Pairs.of(pd.DataFrame(x))
    pairs = [(x[:, i], x[:, j]) for i, j in zip(found.first, found.second, strict=True)]
    steps = np.diff(np.unique(x))
    if any(np.std(a - b) < 1e-6 or np.std(a - b, ddof=1) < steps.min() for a, b in pairs):
        return
    assert found.p == pytest.approx(holm([stats.ttest_rel(a, b).pvalue for a, b in pairs]), abs=1e-9)


def test_holm_by_hand():
    # sorted 0.01, 0.03, 0.04 → ×3, ×2, ×1 → 0.03, 0.06, max(0.06, 0.04)
    assert holm([0.04, 0.01, float("nan"), 0.03]) == pytest.approx([0.06, 0.03, math.nan, 0.06], nan_ok=True)


def test_clear_winner_near_rival_and_clear_loser():
    samples = pd.DataFrame({"w": [1.0, 1.1, 0.9, 1.0], "near": [1.2, 0.9, 1.3, 0.9], "far": [9.0, 9.2, 8.9, 9.1]})
    out = compare(samples)
    assert list(out.index[out["best"]]) == ["w"]
    assert list(out.index[out["tied"]]) == ["near"]
    assert out.loc["far", "p"] < 0.05


def test_equal_differences_of_scores_in_steps_are_no_proof():
    out = compare(pd.DataFrame({"a": [1.0, 1.0, 2.0], "b": [2.0, 2.0, 3.0]}))  # a step of 1 apart, three times
    assert out.loc["b", "tied"]
    assert out.loc["b", "p"] == pytest.approx(2 * stats.t.sf(math.sqrt(18), 2))  # a spread of 1 / √6


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


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (3, 1)])
def test_nothing_to_compare(shape: tuple[int, int]):
    out = compare(pd.DataFrame(np.ones(shape)))
    assert len(out) == shape[1]
    assert not out[["best", "tied"]].to_numpy().any()
