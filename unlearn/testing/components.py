"""What a sweep expects of metrics, scenarios, data sets and models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearn.data import ImageDataset
from unlearn.gaps import declared
from unlearn.metrics import Outputs, SetOutputs, gaps
from unlearn.models import Classifier
from unlearn.scenarios import Scenario, check_drawn
from unlearn.testing._contract import all_of, must

Measure = Callable[[Outputs], Mapping[str, float]]


def outputs(samples: int = 60, classes: int = 4, features: int = 6, seed: int = 0) -> Outputs:
    """Made-up outputs of a model on the sets of a class scenario."""
    rng = torch.Generator().manual_seed(seed)

    def made_up(count: int) -> SetOutputs:
        labels = torch.arange(count) % classes
        logits = torch.randn(count, classes, generator=rng) + 2 * torch.eye(classes)[labels]
        return SetOutputs(logits, torch.randn(count, features, generator=rng), labels)

    sizes = {"retain": samples, "forget": samples // 3, "heldout": samples, "heldout_class": samples // 4}
    return Outputs({name: made_up(size) for name, size in sizes.items()}, seed=seed)


def check_metric(measure: Measure) -> None:
    """Everything that a sweep expects of a metric family of one model.

    Raises:
        ContractError: with all that is wrong.
    """

    def finite_and_named() -> None:
        values = measure(outputs())
        must(values, "it must give at least one value")
        for name, value in values.items():
            must(name.isidentifier(), f"a value's name must be an identifier, got {name!r}")
            must(math.isfinite(float(value)), f"{name} must be finite, got {value}: leave out what is not defined")

    def repeats_itself() -> None:
        torch.manual_seed(1)
        first = dict(measure(outputs()))
        torch.manual_seed(1)
        must(first == dict(measure(outputs())), "the same outputs and generators must give the same values")
        must(not any(gaps(first, first).values()), "a model's gap to itself must be 0")

    def leaves_the_outputs() -> None:
        one, other = outputs(), outputs()
        measure(one)
        for name, part in one.sets.items():
            for field in ("logits", "features", "labels"):
                same = torch.equal(getattr(part, field), getattr(other.sets[name], field))
                must(same, f"it must not change the {field} of {name}")

    def declares_what_it_gives() -> None:
        told = {facts["name"] for facts in declared([measure])}
        must(told <= set(measure(outputs())), f"it declares values that it does not give: {sorted(told)}")

    all_of([finite_and_named, repeats_itself, leaves_the_outputs, declares_what_it_gives])


def check_scenario(scenario: Scenario, classes: int = 4, per_class: int = 30) -> None:
    """Everything that a sweep expects of a scenario.

    Raises:
        ContractError: with all that is wrong.
    """
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), per_class)
    images = rng.integers(0, 256, (len(labels), 1, 8, 8), np.uint8)
    resolved = scenario.resolved([str(label) for label in range(classes)])
    limit = resolved.limit(labels)
    size = min(limit, max(resolved.least, limit // 3)) if resolved.sized else limit

    def draws_what_is_asked() -> None:
        must(0 < limit <= len(labels), f"limit must be in 1 … {len(labels)}, got {limit}")
        for seed in range(3):
            check_drawn(resolved, resolved.draw(images, labels, size, seed), size, len(labels))

    def repeats_itself() -> None:
        first, second = (resolved.draw(images, labels, size, 5) for _ in range(2))
        must(np.array_equal(first.indices, second.indices), "the same seed must give the same forget set")

    def leaves_the_data() -> None:
        before = images.copy(), labels.copy()
        drawn = resolved.draw(images, labels, size, 1)
        must(np.array_equal(images, before[0]), "it must not change the images: return altered copies")
        must(np.array_equal(labels, before[1]), "it must not change the labels: return altered copies")
        altered = drawn.images is not None or drawn.labels is not None
        must(altered <= resolved.alters_training, "it must say alters_training = True where it alters images or labels")
        one, other = (
            [None if part is None else part.tobytes() for part in (of.images, of.labels)]
            for of in (drawn, resolved.draw(images, labels, size, 2))
        )
        rule = "it must say original_per_draw = True where another seed alters other images or labels"
        must(one == other or resolved.original_per_draw, rule)

    all_of([leaves_the_data, draws_what_is_asked, repeats_itself])


def check_dataset(load: Callable[..., ImageDataset], cache: Path, **options: Any) -> None:
    """Everything that a sweep expects of a data set; it is loaded twice into the folder `cache`.

    Raises:
        ContractError: with all that is wrong.
    """

    def loads_twice_alike() -> None:
        data = load(cache, **options)  # whose shapes and labels it checks itself
        must(isinstance(data, ImageDataset), f"it must give an ImageDataset, got {type(data).__name__}")
        must(load(cache, **options).identity == data.identity, "loading it again must give the same data")

    all_of([loads_twice_alike])


def check_model(make: Callable[..., nn.Module], shape: tuple[int, int, int] = (3, 32, 32), **options: Any) -> None:
    """Everything that a sweep expects of a model that is a `Classifier`.

    Raises:
        ContractError: with all that is wrong.
    """
    torch.manual_seed(0)
    model = make(shape, 4, **options)
    must(isinstance(model, Classifier), f"it must give a Classifier, got {type(model).__name__}")
    assert isinstance(model, Classifier)
    pixels = torch.randint(0, 256, (6, *shape), dtype=torch.uint8)

    def gives_logits() -> None:
        logits = model(pixels)
        must(logits.shape == (6, 4), f"logits must have the shape (6, 4), got {tuple(logits.shape)}")
        features = model.features(pixels)
        must(features.ndim == 2, f"features must have the shape (N, d), got {tuple(features.shape)}")

    def evaluates_alike() -> None:
        model.eval()
        first, second = model(pixels), model(pixels)
        must(torch.equal(first, second), "in eval mode the same images must give the same logits")
        other = make(shape, 4, **options).eval()
        other.load_state_dict(model.state_dict())
        must(torch.allclose(other(pixels), first, atol=1e-5), "its state dict must hold all that it has learnt")

    all_of([gives_logits, evaluates_alike])
