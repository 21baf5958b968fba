"""Which training images are held out, and what for; and which parts that leaves empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unlearn.data._base import ImageDataset, Labels, Look
from unlearn.data._ids import Indices, read_ids
from unlearn.files import expanded

#: No class is larger than this where the least size of a part is looked for.
MOST = 10_000


@dataclass(frozen=True)
class Splits:
    """Disjoint index sets over the training images; they cover it.

    `validation` is what unlearning methods may see besides the training data, `dev` is what a strict search is scored on.
    """

    train: Indices
    validation: Indices
    dev: Indices

    def sizes(self, labels: Labels, classes: Sequence[int] | None = None) -> dict[str, int]:
        """How many images of `classes` (of all, where None) each part has."""
        parts = {"train": self.train, "validation": self.validation, "dev": self.dev}
        return {
            name: len(rows) if classes is None else int(np.isin(labels[rows], classes).sum())
            for name, rows in parts.items()
        }


def splits_of(data: ImageDataset | Look, *, held_out: float | str, dev: float, seed: int) -> Splits:
    """The parts of a data set's training images.

    Args:
        held_out: fraction of each class (see `split`), or a file of the ids of the images that no model is trained on; not
            read where the data set itself holds some out.

    Raises:
        IdsError: the file of ids cannot be used.
    """
    labels = data.train_labels
    assert labels is not None  # of a look that has seen none, nobody asks
    if data.held_out is not None:
        return split_rows(labels, data.held_out, dev=dev, seed=seed)
    if isinstance(held_out, str):
        assert data.ids is not None  # likewise
        rows = data.ids.rows(read_ids(expanded(held_out)))
        return split_rows(labels, rows, dev=dev, seed=seed)
    return split(labels, held_out=held_out, dev=dev, seed=seed)


def split_rows(labels: Labels, held_out: Indices, *, dev: float, seed: int) -> Splits:
    """Hold out the rows given, and divide them, class by class, into validation and dev images."""
    within = split(labels[held_out], held_out=dev, dev=0.0, seed=seed)  # what it would train on is for validation
    train = np.setdiff1d(np.arange(len(labels)), held_out)
    return Splits(train, np.sort(held_out[within.train]), np.sort(held_out[within.validation]))


def split(labels: Labels, *, held_out: float, dev: float, seed: int) -> Splits:
    """Hold out a fraction of EACH class, and divide that into validation and dev images.

    Args:
        held_out: fraction of each class that no model is trained on, in (0, 1); 0.2 in the paper.
        dev: fraction of the held-out images reserved for scoring a strict search, in [0, 1).
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[Indices]] = {"train": [], "validation": [], "dev": []}
    for label in np.unique(labels):
        of_class = rng.permutation(np.flatnonzero(labels == label))
        ends = np.cumsum(list(shares(len(of_class), held_out=held_out, dev=dev).values())[::-1])
        for name, part in zip(("dev", "validation", "train"), np.split(of_class, ends[:-1]), strict=True):
            parts[name].append(part)
    return Splits(**{name: np.sort(np.concatenate(part)) for name, part in parts.items()})


def shares(images: int, *, held_out: float, dev: float) -> dict[str, int]:
    """How many of so many images of one class go to training, validation and dev."""
    held = round(images * held_out)
    for_dev = round(held * dev)
    return {"train": images - held, "validation": held - for_dev, "dev": for_dev}


def least_images(part: str, *, held_out: float, dev: float) -> int | None:
    """From how many images of a class on there is one in `part`; None where more than `MOST` are needed."""
    for images in range(MOST, 0, -1):
        if not shares(images, held_out=held_out, dev=dev)[part]:
            return None if images == MOST else images + 1
    return 1
