"""Which samples a draw takes: apart from those to avoid, another set for each size, and as older versions drew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearn.data import Indices
from unlearn.scenarios import Scenario, draws_apart, halves
from unlearn.scenarios.canary import Canary
from unlearn.scenarios.confusion import Confusion
from unlearn.scenarios.full_class import FullClass
from unlearn.scenarios.partial_class import PartialClass
from unlearn.scenarios.random import RandomSamples

LABELS = np.repeat(np.arange(4), 100)
IMAGES = np.zeros((400, 1, 1, 1), np.uint8)
NOTHING = np.array([], np.int64)
VARYING = {
    "random": (RandomSamples(), 60),
    "partial_class": (PartialClass(target_class=1), 30),
    "canary": (Canary(canaries=10), 40),
    "confusion": (Confusion(classes=(2, 0), fraction=0.3), 60),
}
varying = pytest.mark.parametrize(("scenario", "size"), VARYING.values(), ids=VARYING)


def draw(scenario: Scenario, size: int, seed: int, avoid: Indices | None = NOTHING) -> Indices:
    return scenario.draw(IMAGES, LABELS, size, seed, avoid).indices


@varying
@pytest.mark.parametrize("seed", range(5))
def test_a_draw_takes_nothing_that_it_is_to_avoid(scenario: Scenario, size: int, seed: int) -> None:
    avoid = draw(scenario, size, 1000)
    drawn = draw(scenario, size, seed, avoid)
    assert len(np.intersect1d(drawn, avoid)) == 0
    assert len(np.intersect1d(draw(scenario, size, seed), avoid)) > 0  # which is no matter of luck


@given(seed=st.integers(0, 50), classes=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_halves_share_nothing_and_leave_nothing(seed: int, classes: list[int]) -> None:
    labels = np.repeat(np.arange(len(classes)), classes)
    tuning, evaluation = halves(labels, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([tuning, evaluation])), np.arange(len(labels)))
    for label, count in enumerate(classes):
        assert (labels[tuning] == label).sum() - (labels[evaluation] == label).sum() == count % 2


@varying
def test_sets_of_the_evaluation_are_apart_from_those_tuned_on_and_differ_among_themselves(
    scenario: Scenario, size: int
) -> None:
    """Also where the tuning sets hold most samples: what they leave would be nearly the same set every time."""
    tuning, evaluation = halves(LABELS, 0)
    tuned = np.unique(np.concatenate([draw(scenario, size, seed, evaluation) for seed in range(1000, 1004)]))
    drawn = [draw(scenario, size, seed, tuning) for seed in range(5)]
    assert not any(len(np.intersect1d(one, tuned)) for one in drawn)
    shared = [len(np.intersect1d(a, b)) / size for i, a in enumerate(drawn) for b in drawn[:i]]
    assert np.mean(shared) < 0.75


@settings(max_examples=50)
@given(size=st.integers(1, 100), seen=st.integers(0, 100), seed=st.integers(0, 50))
def test_where_the_rest_is_too_small_all_of_it_is_taken(size: int, seen: int, seed: int) -> None:
    of_class = np.flatnonzero(LABELS == 1)
    avoid = np.random.default_rng(seed).choice(of_class, seen, replace=False)
    drawn = draw(PartialClass(target_class=1), size, seed, avoid)
    assert len(drawn) == len(np.unique(drawn)) == size
    assert len(np.intersect1d(drawn, avoid)) == max(0, size - (100 - seen))


def test_canaries_and_ordinary_samples_are_each_apart() -> None:
    """Of a pool of 40, tuning sets have seen 30: ten canaries are left, and they are taken."""
    scenario = Canary(canaries=10)
    pool = np.flatnonzero(scrambled(scenario))
    assert len(pool) == 40
    avoid = np.concatenate([pool[:30], np.setdiff1d(np.arange(400), pool)[:200]])
    drawn = scenario.draw(IMAGES, LABELS, 60, 3, avoid)
    np.testing.assert_array_equal(drawn.groups["ood"], pool[30:])
    assert len(drawn.groups["in"]) == 50
    assert not set(drawn.groups["in"]) & {*pool, *avoid}


def scrambled(scenario: Scenario) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which samples the original learns changed, seen on images in which every pixel differs."""
    images = np.tile(np.arange(64, dtype=np.uint8), 400).reshape(400, 1, 8, 8)
    altered = scenario.draw(images, LABELS, 40, 0, NOTHING).images
    assert altered is not None
    changed: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (altered != images).any((1, 2, 3))
    return changed


@pytest.mark.parametrize("seed", [0, 1000])
def test_a_small_set_is_not_inside_a_larger_one_of_the_same_seed(seed: int) -> None:
    """At CIFAR-10's sizes: of 1,000 samples 125 are expected in a set of 5,000 of 40,000 (deviation 10.3)."""
    labels, images = np.zeros(40_000, np.int64), np.zeros((40_000, 1, 1, 1), np.uint8)
    small, large = (RandomSamples().draw(images, labels, size, seed, NOTHING).indices for size in (1000, 5000))
    assert abs(len(np.intersect1d(small, large)) - 125) < 52


@varying
def test_another_seed_draws_another_set(scenario: Scenario, size: int) -> None:
    assert scenario.draws_vary
    assert len({draw(scenario, size, seed).tobytes() for seed in range(5)}) == 5


def test_a_full_class_is_the_same_for_every_seed() -> None:
    scenario = FullClass(target_class=1)
    assert not scenario.draws_vary
    assert (
        len({draw(scenario, 100, seed, avoid).tobytes() for seed in range(3) for avoid in (NOTHING, np.arange(200))})
        == 1
    )


@pytest.mark.parametrize("seed", [0, 3, 1000])
def test_without_samples_to_avoid_a_seed_draws_what_it_always_did(seed: int) -> None:
    """Sweeps of older versions go on: each set as their code drew it, written out here."""

    def old(candidates: Any, size: int, seed: int) -> Indices:
        return np.sort(np.random.default_rng(seed).choice(candidates, size, replace=False))

    np.testing.assert_array_equal(draw(RandomSamples(), 60, seed, None), old(400, 60, seed))
    of_class = np.flatnonzero(LABELS == 1)
    np.testing.assert_array_equal(draw(PartialClass(target_class=1), 30, seed, None), old(of_class, 30, seed))
    np.testing.assert_array_equal(draw(PartialClass(target_class=1), 100, seed, None), of_class)

    ood = old(400, 10, 7)
    drawn = Canary(canaries=10, canary_seed=7, pool=10).draw(IMAGES, LABELS, 40, seed)
    np.testing.assert_array_equal(drawn.groups["ood"], ood)
    np.testing.assert_array_equal(drawn.groups["in"], old(np.setdiff1d(np.arange(400), ood), 30, seed))

    rng = np.random.default_rng(seed)
    swapped = [rng.choice(np.flatnonzero(label == LABELS), 30, replace=False) for label in (2, 0)]
    confusion = Confusion(classes=(2, 0), fraction=0.3)
    np.testing.assert_array_equal(draw(confusion, 60, seed, None), np.sort(np.concatenate(swapped)))


def test_a_scenario_of_ones_own_need_not_avoid() -> None:
    class Own(RandomSamples):
        def draw(self, images, labels, size, seed):  # type: ignore[no-untyped-def,override]
            return super().draw(images, labels, size, seed)

    assert not draws_apart(Own())
    assert draws_apart(RandomSamples())
