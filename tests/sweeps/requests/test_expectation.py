"""Prediction intervals and what makes a request unlike those tuned on, against known answers."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from sweeps.cli.unlearn import expectation_line
from sweeps.record import empty_record
from sweeps.record.rounding import objective_in
from sweeps.requests.choice import Configuration, choose, mean_scores
from sweeps.requests.expectation import SCORE, Expected, comparable, expected, prediction_interval, sources
from sweeps.requests.likeness import unlikenesses
from sweeps.requests.page import _expected, oracles_of
from sweeps.spec import load_spec
from tests.reports.conftest import new_builder
from unlearn.scenarios import Scenario
from unlearn.scenarios.full_class import FullClass
from unlearn.scenarios.listed import ListedRows
from unlearn.scenarios.partial_class import PartialClass
from unlearn.scenarios.random import RandomSamples

LABELS = np.repeat(np.arange(4), 25)
NAMES = ("ant", "bee", "cat", "dog")


def test_an_interval_is_students() -> None:
    found = prediction_interval([1.0, 2.0, 3.0])
    half = stats.t.ppf(0.95, 2) * math.sqrt(4 / 3)
    assert (found.mean, found.low) == (2.0, 0.0)
    assert found.high == pytest.approx(2 + half)
    assert prediction_interval([5.0, 5.0]).low == 5.0


@pytest.mark.parametrize(
    ("objective", "values", "most"),
    [
        ({"name": "average_gap", "gaps": ["forget_gap"]}, (10.0, 90.0, 95.0), {"score": 100.0, "forget_gap": 100.0}),
        ({"name": "tow"}, (0.1, 0.9, 0.9), {"score": 1.0}),
    ],
)
def test_no_gap_of_percentages_is_expected_beyond_100(
    objective: dict[str, Any], values: tuple[float, ...], most: dict[str, float]
) -> None:
    builder = new_builder()
    builder.spec["objective"] = objective
    for seed, value in enumerate(values):
        metrics = {"forget_gap": value, "weight_distance_gap": 3 * value}
        builder.trial("evaluation", "sure", value=value, hp={"lr": 0.1}, metrics=metrics, forget_seed=seed, size=10)
    chosen = Configuration("random", "sure", {"lr": 0.1}, None, "search")
    found = expected(builder.record(), chosen, 10, draws_vary=True)
    assert isinstance(found, Expected)
    assert {name: found.gaps[name].high for name in most} == most
    assert found.gaps["weight_distance_gap"].high > 3 * max(values)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_equal_values_do_not_promise_another(share: float) -> None:
    """Ten samples, each missed with a small probability: where three accuracies are equal, the fourth often differs."""
    accuracies = 100 - 10.0 * np.random.default_rng(0).binomial(10, share, (20_000, 4))
    equal = accuracies[(accuracies[:, :3] == accuracies[:, :1]).all(axis=1)]
    narrow, wide = (
        np.mean([prediction_interval(row[:3].tolist(), step=step).holds(row[3]) for row in equal]) for step in (0, 10)
    )
    assert narrow < 0.82 < wide
    assert prediction_interval([1.0, 2.0], step=10.0) == prediction_interval([1.0, 2.0])
    assert prediction_interval([0.3, 0.1 + 0.2], step=10.0).high == pytest.approx(10.3)


@pytest.mark.parametrize("n", [3, 5, 20])
def test_one_more_value_lies_in_it_in_nine_of_ten_cases(n: int) -> None:
    values = np.random.default_rng(n).normal(20, 2, (4000, n + 1))
    inside = [prediction_interval(row[:-1].tolist()).holds(row[-1]) for row in values]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("count", [2, 3])
def test_of_few_samples_one_more_score_lies_in_it_in_nine_of_ten_cases(count: int) -> None:
    """The mean of a coarse gap, which is often equal on two sets, and of two fine ones."""
    rng, shape = np.random.default_rng(count), (2000, count + 1)

    def gap(images: int, share: float) -> npt.NDArray[np.float64]:
        first, second = rng.binomial(images, share, (2, *shape))
        return 100 * np.abs(first - second) / images

    scores = (gap(10, 0.95) + gap(360, 0.97) + gap(1200, 0.999)) / 3
    narrow, wide = (
        np.mean([prediction_interval(row[:-1].tolist(), rounding=rounding).holds(row[-1]) for row in scores])
        for rounding in (0.0, 10 / 3 / math.sqrt(12))
    )
    assert narrow < 0.89 < wide


def test_the_least_spread_of_a_score_is_what_an_image_moves_it_by() -> None:
    builder = new_builder()
    builder.best = {"random": {"sure": {"lr": 0.1}}}
    for seed, fine in enumerate((0.1, 0.2)):
        metrics = {"forget_gap": 10.0, "utility_gap": fine}
        builder.trial(
            "evaluation", "sure", value=5 + fine / 2, metrics=metrics, hp={"lr": 0.1}, size=10, forget_seed=seed
        )
    found = expected(
        builder.record(), Configuration("random", "sure", {"lr": 0.1}, None, "search"), 10, draws_vary=True
    )
    assert isinstance(found, Expected)
    half = stats.t.ppf(0.95, 1) * 5 / math.sqrt(12) * math.sqrt(1.5)
    assert found.gaps[SCORE].high == pytest.approx(5.075 + half)


def test_gaps_to_the_mean_of_three_oracles_are_not_called_those_to_one() -> None:
    """Five accuracies of models that vary as oracles do: what the interval from eight sets holds, to three oracles or to one."""
    rng, repeats = np.random.default_rng(0), 1000
    models, oracles = rng.normal(size=(repeats, 9, 5)), rng.normal(size=(repeats, 9, 3, 5))
    to_mean = np.abs(models - oracles.mean(axis=2)).mean(axis=2)
    to_one = np.abs(models - oracles[:, :, 0]).mean(axis=2)
    intervals = [prediction_interval(row[:8].tolist()) for row in to_mean]
    held = [np.mean([i.holds(row[8]) for i, row in zip(intervals, gaps, strict=True)]) for gaps in (to_mean, to_one)]
    assert held[0] > 0.88
    assert held[1] < 0.83
    for count, said in ((1, "to an oracle: "), (3, "to the mean of 3 oracles: ")):
        builder = new_builder()
        for seed in range(2):
            builder.trial("evaluation", "sure", value=1.0 + seed, hp={"lr": 0.1}, forget_seed=seed, oracles=count)
        found = expected(
            builder.record(), Configuration("random", "sure", {"lr": 0.1}, None, "search"), 9, draws_vary=True
        )
        assert isinstance(found, Expected)
        record = {
            "expected": {"objective": "average_gap", "level": 0.9, "from": "them", **asdict(found)},
            "oracle": None,
        }
        assert expectation_line(record).startswith(f"average gap {said}1.50 to be expected")
        assert oracles_of(record) in said


def test_a_method_of_which_nothing_is_searched_may_be_the_best() -> None:
    """It has no winner, and no baseline is a method that serves."""
    builder = new_builder()
    builder.best = {"random": {"sure": {"lr": 0.1}}}
    for method, value in (("sure", 3.0), ("ssd", 1.0), ("oracle", 0.5), ("original", 0.1)):
        for seed in range(2):
            builder.trial("evaluation", method, value=value + seed, hp={"lr": 0.1}, forget_seed=seed)
    record = builder.record()
    assert mean_scores(record, "random") == {"sure": 3.5, "ssd": 1.5}
    found = expected(record, Configuration("random", "ssd", {}, None, "fixed"), 100, draws_vary=True)
    assert isinstance(found, Expected)
    assert (found.gaps[SCORE].mean, found.best_of) == (1.5, 2)


def test_what_was_evaluated_at_another_stop_epoch_says_nothing() -> None:
    builder = new_builder()
    for seed in range(2):
        builder.trial("evaluation", "finetune", value=1.0 + seed, hp={"lr": 0.1}, forget_seed=seed, stop_epoch=6)
    of = {stop: Configuration("random", "finetune", {"lr": 0.1}, stop, "given") for stop in (6, 1)}
    found = [expected(builder.record(), chosen, 100, draws_vary=True) for chosen in of.values()]
    assert isinstance(found[0], Expected)
    assert found[1] == "this configuration is not evaluated in the sweep"


def test_parameters_that_a_file_has_not_are_not_called_given(tmp_path: Path) -> None:
    spec = load_spec("smoke", ["methods={ssd: {alpha: 5.0, dampening: 1.0}}"], scenarios=["random"])
    file = tmp_path / "best.yaml"
    for of_ssd, source in (("", "fixed"), ("ssd: {stop_epoch: 1}", "given")):
        file.write_text(f"format: unlearn-sweeps/best-params/1\nparams: {{random: {{{of_ssd}}}}}\n")
        chosen = choose(spec, empty_record(spec), scenario="random", method="ssd", params=file)
        assert (chosen.source, chosen.stop_epoch, chosen.hyperparameters["alpha"]) == (source, 1, 5.0)


def test_the_mean_of_the_method_that_was_best_flatters() -> None:
    """Of four equal methods the best one's mean is, on eight sets, a third of their spread too low; that is said of it alone."""
    scores = np.random.default_rng(0).normal(20, 1, (2000, 8, 4)).mean(axis=1)
    assert scores.min(axis=1).mean() == pytest.approx(20 - 1.03 / math.sqrt(8), abs=0.03)
    builder = new_builder()
    builder.best = {"random": {"sure": {"lr": 0.1}, "scrub": {"lr": 0.2}}}
    for method, score in (("sure", 1.0), ("scrub", 2.0)):
        for size in (100, 10):
            for seed in range(3):
                value, hp = score + 0.1 * seed, builder.best["random"][method]
                builder.trial("evaluation", method, value=value, hp=hp, forget_seed=seed, size=size)
    record = builder.record()

    def told(method: str, size: int) -> str:
        chosen = Configuration("random", method, builder.best["random"][method], None, "search")
        found = expected(record, chosen, size, draws_vary=True)
        assert isinstance(found, Expected)
        return sources(found)

    assert told("sure", 100) == "3 forget sets (on which it was the best of 2 methods, which flatters)"
    assert [told("scrub", 100), told("sure", 10)] == ["3 forget sets", "3 forget sets"]


@pytest.mark.parametrize(
    ("scenario", "rows", "sizes", "told"),
    [
        (RandomSamples(), range(0, 100, 5), {20}, []),
        (RandomSamples(), range(0, 100, 5), {5, 10}, ["it has 20 samples, and the forget sets of the evaluation had 5 to 10"]),
        (
            RandomSamples(),
            range(25, 45),
            {20},
            ["its classes are not those of a random draw, on which the sweep was tuned: of 20 samples 20 of 'bee'"],
        ),
        (PartialClass(target_class=1), range(25, 45), {20}, []),
        (
            PartialClass(target_class=1),
            range(20, 40),
            {20},
            ["5 of its 20 samples are not of class 'bee', of which the sweep's forget sets were"],
        ),
        (
            PartialClass(target_class=1),
            range(25, 50),
            {25},
            ["it takes every training sample of 'bee', and no forget set of the sweep did"],
        ),
        (FullClass(target_class=1), range(25, 50), {25}, []),
        (ListedRows((1, 2, 3)), (1, 2, 3), {3}, []),
        (ListedRows((1, 2, 3)), (1, 2, 4), {3}, ["it is another list than the one tuned on: they differ in 2 samples"]),
    ],
)  # fmt: skip
def test_what_is_unlike_is_told(scenario: Scenario, rows: range, sizes: set[int], told: list[str]) -> None:
    assert unlikenesses(scenario, np.array(rows), LABELS, NAMES, sizes) == told


def test_of_many_whole_classes_it_is_told_how_many() -> None:
    *_, told = unlikenesses(RandomSamples(), np.arange(99), np.repeat(np.arange(10), 10), tuple("abcdefghij"), {99})
    assert (
        told == "it takes every training sample of 'a', 'b', 'c' and 6 more classes, and no forget set of the sweep did"
    )


def test_random_draws_are_like_random_draws() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 3, 10, 20):
        for _ in range(10):
            rows = np.sort(rng.choice(100, size, replace=False))
            assert unlikenesses(RandomSamples(), rows, LABELS, NAMES, {size}) == []


def test_a_score_of_other_gaps_is_held_against_no_interval() -> None:
    """Of fewer than five images one attack has no value: the mean is then of one gap less than in the evaluation.

    What is measured at the epoch that counts alone enters neither.
    """
    whole = {SCORE: 2.0, "forget_gap": 2.0, "mia_knn_forget_gap": 2.0}
    few = {SCORE: 2.0, "forget_gap": 2.0}
    for curve, same, other in (([whole], whole, few), ([few], few, whole)):
        builder = new_builder()
        builder.spec["objective"] = {"name": "average_gap", "gaps": ["forget_gap", "mia_knn_forget_gap"]}
        metrics = {"forget_gap": 2.0, "mia_knn_forget_gap": 2.0}
        for seed in range(3):
            builder.trial(
                "evaluation", "sure", value=2.0, metrics=metrics, hp={"lr": 0.1}, forget_seed=seed, curve=curve
            )
        record = builder.record()
        hopes = expected(record, Configuration("random", "sure", {"lr": 0.1}, None, "search"), 10, draws_vary=True)
        assert isinstance(hopes, Expected)
        assert comparable(objective_in(record), same, hopes) == hopes.gaps
        assert comparable(objective_in(record), other, hopes).keys() == {"forget_gap", "mia_knn_forget_gap"}
    score = {"mean": 2.0, "low": 1.0, "high": 3.0}
    hopes = {"objective": "average_gap", "level": 0.9, "from": "5 forget sets", "size": 50, "gaps": {SCORE: score}}
    for inside, told in (({SCORE: True}, "inside the interval"), ({}, "a mean of other gaps than those")):
        record = {"expected": hopes, "oracle": {"gaps": few, "as_expected": inside}}
        assert expectation_line(record).endswith(f"found 2.00, {told}")
        assert (">yes<" in _expected(record), ">no<" in _expected(record)) == (bool(inside), False)
