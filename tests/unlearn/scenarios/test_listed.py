"""Lists of ids as forget sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unlearn.data import Ids, IdsError, split
from unlearn.scenarios.listed import Listed, ListedRows

LABELS = np.repeat(np.arange(4), 10)
IDS = Ids(np.arange(100, 140), np.arange(200, 210))
SPLITS = split(LABELS, held_out=0.2, dev=0.5, seed=0)
TRAINED = LABELS[SPLITS.train]


def located(path: Path, wanted: list[int]) -> ListedRows:
    path.write_text("\n".join(map(str, wanted)))
    scenario = Listed(str(path)).located(IDS, SPLITS)
    assert isinstance(scenario, ListedRows)
    return scenario


def test_the_samples_of_a_list_are_forgotten_whatever_their_order(tmp_path: Path) -> None:
    wanted = [int(IDS.train[row]) for row in SPLITS.train[[20, 3, 11]]]
    scenario = located(tmp_path / "ids.txt", wanted)
    drawn = [scenario.draw(np.empty(0), TRAINED, 3, seed) for seed in (0, 1)]
    for forget in drawn:
        assert {int(IDS.train[row]) for row in SPLITS.train[forget.indices]} == set(wanted)
        assert forget.classes == tuple(sorted({int(TRAINED[i]) for i in (20, 3, 11)}))
    assert Listed(str(tmp_path / "ids.txt")).limit(TRAINED) == scenario.limit(TRAINED) == 3
    assert hash(scenario) == hash(located(tmp_path / "same.txt", wanted[::-1]))


def test_a_list_of_every_class_has_no_forget_classes(tmp_path: Path) -> None:
    wanted = [int(IDS.train[SPLITS.train[np.flatnonzero(label == TRAINED)[0]]]) for label in range(4)]
    assert located(tmp_path / "ids.txt", wanted).draw(np.empty(0), TRAINED, 4, 0).classes is None


def test_all_that_cannot_be_forgotten_is_told_at_once(tmp_path: Path) -> None:
    held_out = int(IDS.train[SPLITS.dev[0]])
    good = int(IDS.train[SPLITS.train[0]])
    with pytest.raises(IdsError) as told:
        located(tmp_path / "ids.txt", [good, good, 205, 999, held_out])
    assert told.value.problems == (
        f"each id must be listed once; these are there several times: {good}",
        "ids must be of training images; these are test images: 205",
        "ids must be row numbers of the training images in 100 … 139; these are none: 999",
        f"ids must be of images that were trained on; these are held out for validation: {held_out}",
    )
