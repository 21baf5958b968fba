"""Which training images are held out, and what for; and which parts that leaves empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unlearn.data._base import Indices, Labels

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


def part_sizes(labels: Labels, classes: Sequence[int] | None, *, held_out: float, dev: float) -> dict[str, int]:
    """How many training images of `classes` (of all, where None) go to training, validation and dev."""
    counts = np.unique(labels if classes is None else labels[np.isin(labels, classes)], return_counts=True)[1]
    parts = [shares(int(count), held_out=held_out, dev=dev) for count in counts]
    return {name: sum(part[name] for part in parts) for name in ("train", "validation", "dev")}
