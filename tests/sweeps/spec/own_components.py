"""Components of a user's own for tests: good ones, and some that are not what they should be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from unlearn.data import ImageDataset, Labels, Pixels
from unlearn.gaps import compares_models
from unlearn.methods import Method, UnlearningData
from unlearn.methods.finetune import FineTune
from unlearn.methods.neg_grad import NegGrad
from unlearn.metrics import Outputs
from unlearn.models import Classifier
from unlearn.models.small_resnet import small_resnet
from unlearn.scenarios import ForgetSet, Scenario
from unlearn.steps import Streams

CALLS: list[str] = []


@dataclasses.dataclass(frozen=True, kw_only=True)
class Own(FineTune):
    searched: ClassVar[tuple[str, ...]] = ("lr", "depth")

    lr: float = 0.1
    depth: int = 3
    flag: bool = False

    def __post_init__(self) -> None:
        if self.depth > 7:
            raise ValueError(f"depth is at most 7\nnot {self.depth}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NamedAsTrialsAre(FineTune):
    searched: ClassVar[tuple[str, ...]] = ("forget_size", "run")

    forget_size: int = 10
    run: int = 0


class NoRecord(Method):
    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        yield


@dataclasses.dataclass(frozen=True, kw_only=True)
class Abstract(Method):
    pass


@dataclasses.dataclass
class NotAMethod:
    lr: float = 0.1


def function() -> None:
    CALLS.append("function")


@dataclasses.dataclass(frozen=True)
class Draw(Scenario):
    share: float
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))

    def limit(self, labels: Labels) -> int:
        return len(labels) - 1

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        return ForgetSet(np.arange(size), groups={"first": np.arange(1)})


@dataclasses.dataclass(frozen=True)
class Unhashable(Draw):
    def __post_init__(self) -> None:
        """It keeps the list."""


def own_data(cache: Path, *, path: str, limit: int | None = None) -> ImageDataset:
    CALLS.append("own_data")
    raise NotImplementedError


def own_model(image_shape: tuple[int, int, int], num_classes: int, *, depth: int = 1) -> Classifier:
    if depth == 13:
        raise ZeroDivisionError("13 layers")
    return small_resnet(image_shape, num_classes, width=depth)


def own_metric(outputs: Outputs) -> dict[str, float]:
    return {"spread": 1.0, **({"first": 2.0} if "forget_first" in outputs else {})}


@compares_models
def own_distance(model: Classifier, oracle: Classifier) -> dict[str, float]:
    return {"distance": 0.0}


@compares_models
def no_distance(model: Classifier) -> dict[str, float]:
    return {}


class Renamed(NegGrad):
    """Ascent as it is."""


class Balanced(NegGrad):
    """Ascent, and descent on what is retained."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        yield from FineTune(lr=self.lr, retain_batch_size=self.retain_batch_size).unlearn(model, data, rng)
        yield from super().unlearn(model, data, rng)
