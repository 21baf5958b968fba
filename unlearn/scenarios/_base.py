"""What a scenario decides: which training samples to forget, and which pixels or labels differ while they are learnt."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from unlearn.data import ClassName, Ids, Indices, Labels, Pixels, Splits, class_index, few
from unlearn.errors import UnlearnError


@dataclass(frozen=True)
class ForgetSet:
    """The samples to forget, and how the training set was altered for the original model.

    Attributes:
        indices: positions in the training split, sorted, unique.
        classes: the forget classes in a class scenario, else None (then every class counts).
        images, labels: replacements for the whole training split's own, or None where nothing is altered.
        groups: named parts of `indices` that are reported apart.
        confused: the two classes whose labels were swapped, or None.
        missing: what a scenario was told to forget and did not find in the training split, by name.
    """

    indices: Indices
    classes: tuple[int, ...] | None = None
    images: Pixels | None = None
    labels: Labels | None = None
    groups: Mapping[str, Indices] = field(default_factory=dict)
    confused: tuple[int, int] | None = None
    missing: Sequence[str] = ()


class Scenario(ABC):
    """A rule that draws forget sets; subclasses are frozen dataclasses whose fields are its options."""

    #: Whether utility is also measured on the forget class alone (CTA), and attacks use its images only.
    of_class: ClassVar[bool] = False
    #: Whether `forget_size` may be chosen; where it may not, the rule itself fixes the size, and the only valid one is `limit`.
    sized: ClassVar[bool] = True
    #: Whether the original model trains on altered data, and whether every draw alters it differently.
    alters_training: ClassVar[bool] = False
    original_per_draw: ClassVar[bool] = False
    #: Whether another seed draws another forget set; where it does not, an evaluation repeats runs on the only one.
    draws_vary: ClassVar[bool] = True

    @property
    def least(self) -> int:
        """The smallest forget set that this scenario can draw, whatever the data."""
        return 1

    @property
    def forget_classes(self) -> tuple[ClassName, ...]:
        """The classes that it forgets, as its options name them; none where it forgets of all classes."""
        return ()

    def classes_among(self, labels: Labels) -> tuple[int, ...]:
        """The classes that it forgets of, as positions, given the labels of the training split; none where it is all of them."""
        return tuple(position(name) for name in self.forget_classes)

    def resolved(self, class_names: Sequence[str]) -> Self:
        """The same for a data set with these classes: its own classes as positions, which `limit` and `draw` want.

        Raises:
            UnlearnError: there is no such class, or two may be meant.
        """
        return self

    def located(self, ids: Ids, splits: Splits) -> Scenario:
        """The same for a data set whose images the user knows by `ids`, its training images divided as `splits` say.

        Raises:
            IdsError: its options name images that cannot be forgotten.
        """
        return self

    @abstractmethod
    def limit(self, labels: Labels) -> int:
        """The largest forget set that this scenario can draw from training labels `labels`; the only one unless `sized`."""

    @abstractmethod
    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        """The forget set of `size` samples for one seed.

        Args:
            avoid: samples that are drawn only where the others are too few; draws of different sizes are then independent too.
                None: drawn by the seed alone, as sweeps of older versions go on to. A scenario of one's own may leave it out.

        Raises:
            UnlearnError: the size is out of range; the message gives the largest allowed.
        """

    def check_size(self, size: int, labels: Labels) -> None:
        """Raise `UnlearnError` unless least ≤ size ≤ limit, and size = limit where the scenario is not `sized`."""
        most = self.limit(labels)
        if most == 0:
            raise UnlearnError("this scenario finds no training samples to forget: do its classes exist?")
        if not self.sized and size != most:
            raise UnlearnError(f"forget size is fixed at {most} by this scenario, got {size}")
        if not self.least <= size <= most:
            raise UnlearnError(f"forget size must be in {self.least} … {most} for this scenario, got {size}")


def positions(key: str, wanted: Sequence[ClassName], class_names: Sequence[str]) -> tuple[int, ...]:
    """The positions of the classes that the option `key` names.

    Raises:
        UnlearnError: there is no such class, or two may be meant.
    """
    try:
        return tuple(class_index(name, class_names) for name in wanted)
    except UnlearnError as error:
        raise UnlearnError(f"{key}: {error}") from None


def position(wanted: ClassName) -> int:
    """A class that is a position already.

    Raises:
        UnlearnError: it is a name.
    """
    if isinstance(wanted, str):
        raise UnlearnError(f"class {wanted!r} must be known by its position first: scenario.resolved(class_names)")
    return wanted


def check_drawn(scenario: Scenario, drawn: ForgetSet, size: int, samples: int) -> None:
    """Refuse a forget set that is not what was asked for.

    Args:
        samples: how many the training split has.

    Raises:
        UnlearnError: not `size` different positions in it; what the scenario did not find is named.
    """
    indices, name = np.asarray(drawn.indices), type(scenario).__name__
    if len(indices) != size or drawn.missing:
        why = f"; not in the training split: {few(drawn.missing)}" if drawn.missing else ""
        raise UnlearnError(
            f"scenario {name} must forget {size} samples, got {len(indices)}{why}; held-out images are in no training split: "
            "list others, or ask for fewer"
        )
    if len(np.unique(indices)) != size or (np.diff(indices) < 0).any():
        raise UnlearnError(f"scenario {name} must draw each sample once, in ascending order")
    if size and (indices[0] < 0 or indices[-1] >= samples):
        raise UnlearnError(
            f"scenario {name} must draw positions in 0 … {samples - 1}, got {indices[0]} … {indices[-1]}"
        )


def stream(size: int, seed: int, avoid: Indices | None) -> np.random.Generator:
    """What a draw is made from: its seed and its size, that no set lies within a larger one of the same seed; see `draw`."""
    return np.random.default_rng(seed if avoid is None else [seed, size])


def choose(candidates: Indices, size: int, rng: np.random.Generator, avoid: Indices | None = None) -> Indices:
    """`size` of the candidates, uniformly without replacement, sorted; those to `avoid` only where the others are too few."""
    seen = np.isin(candidates, [] if avoid is None else avoid)
    rest: Indices = candidates[~seen]
    if size <= len(rest):
        return np.sort(rng.choice(rest, size, replace=False))
    return np.sort(np.concatenate([rest, rng.choice(candidates[seen], size - len(rest), replace=False)]))


def halves(labels: Labels, seed: int) -> tuple[Indices, Indices]:
    """The samples in two halves, class by class: for the forget sets to tune on, and for those of the evaluation.

    Were the evaluation's drawn from whatever the tuning sets leave, they would all be the same few samples where that is little.
    """
    rng = np.random.default_rng([seed, 1])
    classes = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    parts = [np.array_split(of_class, 2) for of_class in classes]
    found = tuple(np.sort(np.concatenate(half)) for half in zip(*parts, strict=True))
    for half in found:
        half.setflags(write=False)  # scenarios are given it
    return found[0], found[1]


def draws_apart(scenario: Scenario) -> bool:
    """Whether a scenario's forget sets can avoid samples: one of a user's own may leave that argument of `draw` out."""
    return "avoid" in inspect.signature(scenario.draw).parameters


def in_common(drawn: ForgetSet, other: ForgetSet) -> dict[str, float]:
    """Which share of a forget set's samples another one holds too, 0 … 1: of all of them (under ""), and of each group.

    Canary's scrambled samples repeat each other more than its sets do, and methods differ on little else.
    """
    parts = {"": (drawn.indices, other.indices)}
    parts |= {name: (rows, other.groups.get(name, rows[:0])) for name, rows in drawn.groups.items() if len(rows)}
    return {name: float(np.isin(*rows).mean()) for name, rows in parts.items()}
