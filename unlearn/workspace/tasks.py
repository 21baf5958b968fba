"""What a worker is set up for, and what is asked of it: the setting of a sweep, and one forget set to unlearn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from unlearn.scenarios import Scenario
from unlearn.training import Recipe


@dataclass(frozen=True)
class Given:
    """An original that is trained already: its checkpoint, and the SHA-256 that the file must have."""

    weights: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all tasks of a sweep have in common; it decides which original and oracle models belong to it.

    Attributes:
        dataset, model: keys, with the options of each as keyword arguments.
        normalise: (mean, std) of pixels in [0, 1]; None takes the data set's own.
        head: name of the linear layer that gives the logits of a network from elsewhere; None finds it.
        code: SHA-256 of the code of a network from elsewhere; None does not tell one from another.
        original: one that is trained already; None trains it.
        held_out: fraction of each class kept from training (0.2 in the paper), or a file of ids (see `unlearn.data.splits_of`).
        dev: fraction of the held-out images reserved for scoring a strict search.
        precision: arithmetic of forward passes; `bfloat16` uses autocast.
    """

    dataset: str = "digits"
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    model: str = "small_resnet"
    model_options: Mapping[str, Any] = field(default_factory=dict)
    normalise: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    head: str | None = None
    code: str | None = None
    original: Given | None = None
    recipe: Recipe = field(default_factory=Recipe)
    held_out: float | str = 0.2
    dev: float = 0.5
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One forget set to unlearn, the images on which utility is scored (`dev` or `test`), and the models that it is about.

    Attributes:
        tuned: (size, seed) of the scenario's sets to tune on; none for one of these. Those are drawn from one half of the
            samples, all others from the other half. None: it is drawn by its seed alone, whatever its size.
        training: number of the original and its oracles; those of another number are trained alike from other seeds.
        oracles: of how many oracles the mean values are what gaps are to.
    """

    scenario: Scenario
    forget_size: int
    forget_seed: int
    scored_on: Literal["dev", "test"] = "test"
    tuned: tuple[tuple[int, int], ...] | None = None
    training: int = 0
    oracles: int = 1

    @property
    def alone(self) -> Task:
        """The same without its models: what its data depend on."""
        return replace(self, training=0, oracles=1)
