"""The contracts for authors of components find what is wrong, and say all of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unlearn.data import ImageDataset, Indices, Labels, Pixels
from unlearn.data.digits import digits
from unlearn.methods import Method, Streams, UnlearningData
from unlearn.methods.finetune import FineTune
from unlearn.metrics import Outputs
from unlearn.metrics.accuracy import accuracy
from unlearn.metrics.mia_loss import mia_loss
from unlearn.models import Classifier
from unlearn.registry import find, keys
from unlearn.scenarios import ForgetSet
from unlearn.scenarios.random import RandomSamples
from unlearn.testing import (
    ContractError,
    check_dataset,
    check_method,
    check_metric,
    check_model,
    check_scenario,
)
from unlearn.workspace import Setting, Task, Workspace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sloppy(Method):
    """Wrong in every way at once."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight), alpha=self.lr)
            data.original.head.bias += 1
            data.forget.labels += 1
        yield


def test_everything_that_is_wrong_with_a_method_is_said_at_once() -> None:
    with pytest.raises(ContractError) as caught:
        check_method(Sloppy)
    for part in (
        "must not draw from the global generator",
        "must not change the original model",
        "yield last_epoch = 2 times, it did 1 times",
        "read its samples through data.retain",
    ):
        assert part in str(caught.value), part


@dataclasses.dataclass(frozen=True, kw_only=True)
class Idle(FineTune):
    searched: ClassVar[tuple[str, ...]] = ("lr", "idle", "missing")

    idle: int = 1


def test_a_hyperparameter_that_does_nothing_is_found() -> None:
    with pytest.raises(ContractError, match="searched names 'idle', which changes nothing"):
        check_method(Idle)


class Raises(FineTune):
    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        raise KeyError("oh")
        yield


def test_an_error_of_the_method_is_told() -> None:
    with pytest.raises(ContractError, match="it raised KeyError: 'oh'"):
        check_method(Raises)


class Stale(FineTune):
    """A number changes from epoch to epoch where no device that repeats its steps would see it."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        weight, shuffle = 0.0, rng.generator("retain")
        step = data.step(model, optimizer, lambda x, y: weight * F.cross_entropy(model(x), y))
        for epoch in self.passes(optimizer):
            weight = 1 / (epoch + 1)
            model.train()
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y)
            yield


def test_a_step_that_is_not_repeated_as_it_is_taken_is_found() -> None:
    with pytest.raises(ContractError, match="its steps must give the same model where a device repeats them") as caught:
        check_method(Stale)
    assert len(str(caught.value).splitlines()) == 1  # nothing else is wrong


def test_a_good_method_passes() -> None:
    check_method(FineTune)


@pytest.mark.parametrize("measure", [accuracy, mia_loss])
def test_a_good_metric_passes(measure: object) -> None:
    check_metric(measure)  # type: ignore[arg-type]


def drawing(outputs: Outputs) -> dict[str, float]:
    outputs["forget"].logits.zero_()
    return {"not a name": float("nan"), "luck": float(np.random.default_rng().random())}


def test_what_is_wrong_with_a_metric() -> None:
    with pytest.raises(ContractError) as caught:
        check_metric(drawing)
    for part in ("must be an identifier", "must give the same values", "must not change the logits of forget"):
        assert part in str(caught.value), part


@pytest.mark.parametrize("key", [key for key in keys("scenarios") if key != "listed"])
def test_the_shipped_scenarios_pass(key: str) -> None:
    options = {"full_class": {"target_class": 1}, "partial_class": {"target_class": 1}, "canary": {"canaries": 3}}
    given = options.get(key, {"fraction": 0.2, "classes": (0, 1)} if key == "confusion" else {})
    check_scenario(find("scenarios", key)(**given))


@dataclasses.dataclass(frozen=True)
class Unsteady(RandomSamples):
    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, **_: object) -> ForgetSet:
        images[0] = 0
        rng = np.random.default_rng()
        return ForgetSet(np.sort(rng.choice(len(labels), size + (seed == 2), replace=False)), images=images.copy())


def test_what_is_wrong_with_a_scenario() -> None:
    with pytest.raises(ContractError) as caught:
        check_scenario(Unsteady())
    for part in ("the same seed must give the same forget set", "must not change the images", "must forget"):
        assert part in str(caught.value), part


@dataclasses.dataclass(frozen=True)
class Marked(RandomSamples):
    """Marks what it forgets, which another seed does elsewhere, and does not say so."""

    alters_training: ClassVar[bool] = True

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        drawn, marked = super().draw(images, labels, size, seed, avoid), images.copy()
        marked[drawn.indices, :, :2, :2] = 255
        return dataclasses.replace(drawn, images=marked)


def test_a_scenario_says_that_each_draw_alters_other_images() -> None:
    with pytest.raises(ContractError, match="original_per_draw = True"):
        check_scenario(Marked())


def test_each_draw_has_the_images_that_it_altered_whatever_its_scenario_says(tmp_path: Path) -> None:
    workspace = Workspace(Setting(), tmp_path, torch.device("cpu"))
    for seed in (0, 1, 0):
        data = workspace.task_data(Task(scenario=Marked(), forget_size=20, forget_seed=seed))
        assert (data.images[data.forget][:, :, :2, :2] == 255).all(), seed


def floats(cache: Path) -> ImageDataset:
    del cache
    images, labels = np.random.default_rng().random((8, 1, 4, 4)), np.arange(8) % 2
    return ImageDataset(images, labels, images, labels, class_names=("a", "b"))  # type: ignore[arg-type]


def test_data_sets(tmp_path: Path) -> None:
    check_dataset(digits, tmp_path)
    with pytest.raises(ContractError, match="must be uint8"):
        check_dataset(floats, tmp_path)
    with pytest.raises(ContractError, match="must give the same data"):
        check_dataset(shuffled, tmp_path)


def shuffled(cache: Path) -> ImageDataset:
    del cache
    images, labels = np.random.default_rng().integers(0, 256, (8, 1, 4, 4), np.uint8), np.arange(8) % 2
    return ImageDataset(images, labels, images, labels, class_names=("a", "b"))


def plain(shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))


def test_models() -> None:
    check_model(find("models", "small_resnet"), width=2)
    with pytest.raises(ContractError, match="must give a Classifier, got Sequential"):
        check_model(plain)
