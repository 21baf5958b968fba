"""What must hold of every forget set, whatever the labels."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unlearn.errors import UnlearnError
from unlearn.registry import find, keys
from unlearn.scenarios import ForgetSet, check_drawn
from unlearn.scenarios.canary import Canary
from unlearn.scenarios.confusion import Confusion
from unlearn.scenarios.full_class import FullClass
from unlearn.scenarios.listed import Listed, ListedRows
from unlearn.scenarios.partial_class import PartialClass
from unlearn.scenarios.random import RandomSamples

SCENARIOS = {
    "random": RandomSamples(),
    "partial_class": PartialClass(target_class=1),
    "full_class": FullClass(target_class=1),
    "canary": Canary(canaries=3),
    "confusion": Confusion(classes=(2, 0), fraction=0.3),
}
#: Lists are given as positions, once they are looked up.
SCENARIOS["listed"] = ListedRows((0, 3, 7))
LABELS = arrays.arrays(np.int64, st.integers(8, 80), elements=st.integers(0, 3))
SEEDS = st.integers(0, 5)
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


def pixels(labels):
    """Distinct images, (n, 2, 3, 4): the second channel is the first one's complement."""
    first = (np.arange(len(labels))[:, None] * 7 + np.arange(12)).astype(np.uint8).reshape(-1, 1, 3, 4)
    return np.concatenate([first, 255 - first], axis=1)


def sizes(data, scenario, labels):
    most = scenario.limit(labels)
    least = scenario.canaries + 1 if isinstance(scenario, Canary) else 1
    assume(most >= least)
    return data.draw(st.integers(least, most)) if scenario.sized else most


def test_every_scenario_is_tested():
    types = {key: type(scenario) for key, scenario in SCENARIOS.items()} | {"listed": Listed}
    assert types == {key: find("scenarios", key) for key in keys("scenarios")}


@every_scenario
@settings(max_examples=30)
@given(data=st.data(), labels=LABELS, seed=SEEDS)
def test_a_forget_set(scenario, data, labels, seed):
    size, images = sizes(data, scenario, labels), pixels(labels)
    before = images.copy(), labels.copy()
    drawn, again = (scenario.draw(images, labels, size, seed) for _ in range(2))

    assert len(drawn.indices) == size
    assert len(np.unique(drawn.indices)) == size
    assert (np.diff(drawn.indices) > 0).all()
    assert drawn.indices.min() >= 0
    assert drawn.indices.max() < len(labels)
    np.testing.assert_array_equal(drawn.indices, again.indices)
    np.testing.assert_array_equal(images, before[0])  # the caller's arrays are never written to
    np.testing.assert_array_equal(labels, before[1])
    expected = scenario.of_class or (0 < len(np.unique(labels[drawn.indices])) < len(np.unique(labels)))
    assert (drawn.classes is not None) == (expected if isinstance(scenario, ListedRows) else scenario.of_class)
    assert (drawn.classes or ()) == scenario.classes_among(labels)
    if drawn.classes is not None:
        assert np.isin(labels[drawn.indices], drawn.classes).all()
    assert (drawn.images is not None or drawn.labels is not None) == scenario.alters_training
    kept = np.setdiff1d(np.arange(len(labels)), drawn.indices)
    if drawn.images is not None:
        changed = (drawn.images != images).any((1, 2, 3))
        pool = np.random.default_rng(0).choice(len(labels), max(3, min(12, len(labels) // 2)), replace=False)
        assert set(np.flatnonzero(changed)) <= set(pool)
        assert set(drawn.groups["ood"]) <= set(pool)
        assert not set(drawn.groups["in"]) & set(pool)
    if drawn.labels is not None:
        np.testing.assert_array_equal(drawn.labels[kept], labels[kept])
    if drawn.groups:
        np.testing.assert_array_equal(np.sort(np.concatenate([*drawn.groups.values()])), drawn.indices)


@every_scenario
def test_sizes_out_of_range_are_refused(scenario):
    labels = np.repeat(np.arange(4), 10)
    most = scenario.limit(labels)
    for size in (0, -1, most + 1):
        with pytest.raises(UnlearnError, match=f"{most}"):
            scenario.draw(pixels(labels), labels, size, 0)
    if not scenario.sized:
        with pytest.raises(UnlearnError, match=f"forget size is fixed at {most} by this scenario, got {most - 1}"):
            scenario.draw(pixels(labels), labels, most - 1, 0)


@pytest.mark.parametrize(
    "scenario", [FullClass(target_class=9), PartialClass(target_class=9), Confusion(classes=(8, 9))]
)
def test_a_class_that_does_not_exist_is_refused(scenario):
    labels = np.repeat(np.arange(4), 10)
    with pytest.raises(UnlearnError, match="do its classes exist"):
        scenario.draw(pixels(labels), labels, 1, 0)


@given(labels=LABELS, seed=SEEDS)
def test_a_full_class_leaves_none_of_it(labels, seed):
    scenario = FullClass(target_class=1)
    assume(scenario.limit(labels))
    drawn = scenario.draw(pixels(labels), labels, scenario.limit(labels), seed)

    assert 1 not in np.delete(labels, drawn.indices)


@settings(max_examples=30)
@given(labels=LABELS, seed=SEEDS, canary_seed=SEEDS)
def test_canaries_are_scrambled_and_shared_by_all_forget_seeds(labels, seed, canary_seed):
    scenario, images = Canary(canaries=3, canary_seed=canary_seed, pool=3), pixels(labels)
    drawn = scenario.draw(images, labels, 6, seed)
    other = scenario.draw(images, labels, 6, seed + 1)

    assert drawn.images is not None
    assert len(drawn.groups["ood"]) == 3
    assert drawn.labels is None
    np.testing.assert_array_equal(drawn.groups["ood"], other.groups["ood"])
    np.testing.assert_array_equal(drawn.images, other.images)
    for row in drawn.groups["ood"]:
        clean, scrambled = images[row].reshape(2, -1), drawn.images[row].reshape(2, -1)
        order = [int(np.flatnonzero(clean[0] == value)[0]) for value in scrambled[0]]
        assert sorted(order) == list(range(12))
        np.testing.assert_array_equal(scrambled[1], clean[1][order])  # one permutation for all channels
    np.testing.assert_array_equal(drawn.images[drawn.groups["in"]], images[drawn.groups["in"]])


def test_each_canary_has_a_permutation_of_its_own():
    labels = np.zeros(60, np.int64)
    images = np.broadcast_to(np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8), (60, 1, 8, 8))
    drawn = Canary(canaries=20, pool=20).draw(images, labels, 30, 0)

    assert drawn.images is not None
    assert len({drawn.images[row].tobytes() for row in drawn.groups["ood"]} | {images[0].tobytes()}) == 21


def test_canaries_must_leave_room():
    labels = np.zeros(60, np.int64)
    with pytest.raises(UnlearnError, match="forget size must be in 21 … 59 for this scenario, got 20"):
        Canary(canaries=20, pool=20).draw(pixels(labels), labels, 20, 0)
    with pytest.raises(UnlearnError, match="canaries must be ≥ 1, got 0"):
        Canary(canaries=0)
    with pytest.raises(UnlearnError, match=r"pool must be ≥ canaries \(20\), got 19"):
        Canary(canaries=20, pool=19)
    assert Canary(canaries=20, pool=30).limit(labels) == 60 - 10  # ten scrambled ones stay
    assert Canary(canaries=20).limit(labels) == 60 - 10  # a pool of half the training set
    assert Canary(canaries=2).limit(labels) == 60 - 6


@given(labels=LABELS, seed=SEEDS, fraction=st.floats(0.01, 0.9))
def test_confused_labels_are_swapped(labels, seed, fraction):
    scenario = Confusion(classes=(2, 0), fraction=fraction)
    assume({0, 2} <= set(labels.tolist()))
    drawn = scenario.draw(pixels(labels), labels, scenario.limit(labels), seed)

    assert drawn.labels is not None
    assert drawn.confused == drawn.classes == (2, 0)
    np.testing.assert_array_equal(np.flatnonzero(drawn.labels != labels), drawn.indices)
    np.testing.assert_array_equal(drawn.labels[drawn.indices], 2 - labels[drawn.indices])
    for label in (0, 2):
        of_class = int((labels == label).sum())
        assert (labels[drawn.indices] == label).sum() == max(1, round(of_class * fraction))


def test_one_per_cent_of_the_papers_split_is_forty_of_each_class():
    labels = np.repeat(np.arange(10), 4000)
    assert Confusion().limit(labels) == 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": (1, 1)}, "classes must be two different ones"),
        ({"classes": (0, 1, 2)}, "classes must be two different ones"),
        ({"fraction": 0.0}, r"fraction must be in \(0, 1\), got 0.0"),
        ({"fraction": 1.0}, r"fraction must be in \(0, 1\), got 1.0"),
    ],
)
def test_confusion_checks_its_options(options, message):
    with pytest.raises(UnlearnError, match=message):
        Confusion(**options)


def test_confusion_from_a_list_is_hashable():
    assert hash(Confusion(classes=[0, 1])) == hash(Confusion())


NAMES = ("cat", "dog", "emu")


@pytest.mark.parametrize(
    ("named", "by_position"),
    [
        (FullClass(target_class="dog"), FullClass(target_class=1)),
        (PartialClass(target_class="emu"), PartialClass(target_class=2)),
        (Confusion(classes=("emu", "cat")), Confusion(classes=(2, 0))),
        (Confusion(classes=("emu", 0)), Confusion(classes=(2, 0))),
        (RandomSamples(), RandomSamples()),
        (Canary(), Canary()),
    ],
)
def test_classes_by_name(named, by_position):
    assert named.resolved(NAMES) == by_position
    assert by_position.resolved(NAMES) == by_position


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (FullClass(target_class="bird"), "target_class: no class is named 'bird'"),
        (Confusion(classes=("cat", "bird")), "classes: no class is named 'bird'"),
        (Confusion(classes=("cat", 0)), r"classes must be two different ones, got \(0, 0\)"),
    ],
)
def test_names_of_no_class_are_refused(scenario, message):
    with pytest.raises(UnlearnError, match=message):
        scenario.resolved(NAMES)


def test_a_name_must_be_resolved_first():
    with pytest.raises(UnlearnError, match="class 'cat' must be known by its position first"):
        FullClass(target_class="cat").limit(np.zeros(3, np.int64))


@pytest.mark.parametrize(
    ("indices", "missing", "message"),
    [
        (
            [0, 1],
            ["a.png"],
            "must forget 3 samples, got 2; not in the training split: a.png; held-out images are in no",
        ),
        ([0, 1], [], "must forget 3 samples, got 2; held-out images are in no training split"),
        ([0, 1, 2], ["a.png"], "must forget 3 samples, got 3; not in the training split: a.png"),
        ([0, 1, 1], [], "must draw each sample once"),
        ([2, 1, 0], [], "must draw each sample once, in ascending order"),
        ([0, 1, 10], [], r"must draw positions in 0 … 9, got 0 … 10"),
        ([-1, 0, 1], [], r"must draw positions in 0 … 9, got -1 … 1"),
    ],
)
def test_a_forget_set_that_is_not_what_was_asked_for_is_refused(indices, missing, message):
    check_drawn(RandomSamples(), ForgetSet(np.array([0, 4, 9])), 3, 10)
    with pytest.raises(UnlearnError, match=message):
        check_drawn(RandomSamples(), ForgetSet(np.array(indices), missing=missing), 3, 10)
