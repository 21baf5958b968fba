"""Contracts of components, for the tests of their authors: `check_method(MyMethod, lr=0.01)` raises with all that is wrong.

Each check builds a small problem of its own, on the CPU, in seconds.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import torch
from torch import Tensor, nn

from unlearn.bounds import Bounds
from unlearn.data import ImageDataset
from unlearn.gaps import declared
from unlearn.methods import Batches, Method, Streams, UnlearningData
from unlearn.metrics import Outputs, SetOutputs, gaps
from unlearn.models import Classifier
from unlearn.registry import find
from unlearn.scenarios import Scenario, check_drawn

__all__ = [
    "METHOD_CHECKS",
    "ContractError",
    "Problem",
    "check_dataset",
    "check_method",
    "check_metric",
    "check_model",
    "check_scenario",
    "network_problem",
    "outputs",
    "same_state",
]

SEED = 7
#: Settings of a small run, for those hyperparameters that a method has.
SMALL = {"lr": 0.02, "lr_decay_epoch": 1, "epochs": 2, "retain_batch_size": 16, "forget_batch_size": 4}

Build = Callable[..., Method]
Measure = Callable[[Outputs], Mapping[str, float]]


class ContractError(AssertionError):
    """What a component does, or does not, against its contract; one line each."""


@dataclasses.dataclass
class RecordingBatches(Batches):
    """Batches that remember which rows they served."""

    served_rows: list[Tensor] = dataclasses.field(default_factory=list)

    def rows(self, batch_size: int, rng: torch.Generator | None) -> Iterator[Tensor]:
        """As `Batches`."""
        for rows in super().rows(batch_size, rng):
            self.served_rows.append(rows)
            yield rows


class Problem:
    """Random images in three sets, and an original model; every model that a method asks for is kept in `made`.

    Args:
        sizes: of the retain, forget and validation set.
    """

    def __init__(
        self, new_model: Callable[[], Classifier], shape: tuple[int, ...], classes: int, sizes: tuple[int, int, int]
    ) -> None:
        rng = torch.Generator().manual_seed(0)
        total = sum(sizes) + 2  # two rows of the pool belong to no set
        images = torch.randint(0, 256, (total, *shape), generator=rng, dtype=torch.uint8)
        images[torch.rand(images.shape, generator=rng) < 0.3] = 255  # so that clamping to [0, 1] matters
        labels = torch.arange(total) % classes
        self.retain, self.forget, self.validation = torch.split(torch.randperm(total, generator=rng)[2:], list(sizes))
        self.made: list[Classifier] = []
        self.images, self.labels = images, labels

        def make(seed: int) -> Classifier:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.made.append(new_model())
            return self.made[-1]

        retain, forget, validation = (
            RecordingBatches(images, labels, index) for index in (self.retain, self.forget, self.validation)
        )
        self.data = UnlearningData(retain, forget, validation, make(0).eval().requires_grad_(False), make)

    def start(self) -> Classifier:
        """A copy of the original to unlearn."""
        return copy.deepcopy(self.data.original).requires_grad_(True).train()

    def unlearned(self, method: Method, seed: int = SEED) -> Classifier:
        """The model after the whole run."""
        model = self.start()
        for _ in method.unlearn(model, self.data, Streams(seed)):
            pass
        return model

    def weights(self, model: Classifier | None = None) -> list[Tensor]:
        """Detached copies of the parameters of `model` or of the original, which need gradients."""
        return [p.detach().clone().requires_grad_() for p in (model or self.data.original).parameters()]

    def batch(self, name: str) -> tuple[Tensor, Tensor]:
        """A whole set as float64 pixels in [0, 1] and labels."""
        index = getattr(self, name)
        return (self.images[index] / 255).double(), self.labels[index]


def network_problem(model: str, sizes: tuple[int, int, int] = (40, 12, 10), **options: int) -> Problem:
    """A network by its key, laid out in memory as a workspace does, on 8×8 colour images of 4 classes."""
    shape = (3, 8, 8)

    def new_model() -> Classifier:
        network: Classifier = find("models", model)(shape, 4, **options)
        return network.to(memory_format=torch.channels_last)

    return Problem(new_model, shape, 4, sizes)


def small_problem(retain: int = 40, forget: int = 12, validation: int = 10) -> Problem:
    """A residual network of width 2."""
    return network_problem("small_resnet", (retain, forget, validation), width=2)


def same_state(one: nn.Module, other: nn.Module) -> bool:
    """Whether parameters and buffers are equal to the last bit."""
    second = other.state_dict()
    return all(torch.equal(value, second[name]) for name, value in one.state_dict().items())


def must(condition: object, message: str) -> None:
    """Raise `ContractError` unless the condition holds."""
    if not condition:
        raise ContractError(message)


def _all_of(checks: Sequence[Callable[[], None]]) -> None:
    found = []
    for check in checks:
        try:
            check()
        except ContractError as error:
            found.append(str(error))
        except Exception as error:  # whatever the component raises
            found.append(f"it raised {type(error).__name__}: {error}")
    if found:
        raise ContractError("\n".join(dict.fromkeys(found)))


# --- methods ---


def check_method(method: type[Method], **settings: Any) -> None:
    """Everything that a sweep expects of a method.

    Args:
        settings: hyperparameters of a small run, instead of `SMALL` and the method's defaults.

    Raises:
        ContractError: with all that is wrong.
    """

    def build(**changes: Any) -> Method:
        names = {field.name for field in dataclasses.fields(method)}
        wanted = SMALL | settings | changes
        return method(**{name: value for name, value in wanted.items() if name in names})

    _all_of([lambda check=check: check(build) for check in METHOD_CHECKS])  # type: ignore[misc]


def repeats(build: Build) -> None:
    """The same seed gives the same model whatever the global generator, which stays as it was."""
    torch.manual_seed(1)
    first = small_problem().unlearned(build())
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = small_problem().unlearned(build())
    must(torch.equal(torch.get_rng_state(), before), "it must not draw from the global generator: use rng.generator(…)")
    must(same_state(first, second), "the same seed must give the same model")


def changes_the_model(build: Build) -> None:
    """The model changes and stays finite."""
    problem = small_problem()
    got = problem.unlearned(build())
    must(not same_state(got, problem.data.original), "it must change the model")
    must(_finite(got), "it must leave the model finite")


def leaves_the_rest(build: Build) -> None:
    """The original model and the data stay as they were."""
    problem, untouched = small_problem(), small_problem()
    problem.unlearned(build())
    original = problem.data.original
    must(same_state(original, untouched.data.original), "it must not change the original model: work on a copy")
    must(not original.training, "it must leave the original model in eval mode")
    parameters = list(original.parameters())
    must(not any(p.requires_grad or p.grad is not None for p in parameters), "the original must get no gradients")
    for name in ("retain", "forget", "validation"):
        for part in ("images", "labels", "index"):
            one, other = (getattr(getattr(p.data, name), part) for p in (problem, untouched))
            must(torch.equal(one, other), f"it must not change the {name} set's {part}")


def yields_each_epoch(build: Build) -> None:
    """It yields after each epoch, `last_epoch` times, a model of the same architecture, and does not mind its mode."""
    problem, method = small_problem(), build()
    model = problem.start()
    modules = [type(module) for module in model.modules()]
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    yields = 0
    for _ in method.unlearn(model, problem.data, Streams(SEED)):
        yields += 1
        must([type(m) for m in model.modules()] == modules, "at a yield the model must have its own modules")
        now = {name: value.shape for name, value in model.state_dict().items()}
        must(now == shapes, "at a yield the model's tensors must have their own shapes")
        model.eval()
    must(yields == method.last_epoch, f"it must yield last_epoch = {method.last_epoch} times, it did {yields} times")
    alone = small_problem().unlearned(build())
    must(same_state(model, alone), "an evaluation between epochs must change nothing: call model.train() in each epoch")


def takes_one_sample(build: Build) -> None:
    """One epoch and one forget sample are enough."""
    got = small_problem(forget=1, validation=1).unlearned(build(epochs=1) if _has(build(), "epochs") else build())
    must(_finite(got), "with one forget sample the model must stay finite")


def counts_samples(build: Build) -> None:
    """What it reads is counted: batches come from `data`."""
    problem = small_problem()
    problem.unlearned(build())
    must(problem.data.served > 0, "it must read its samples through data.retain, data.forget and data.validation")


def searches_what_matters(build: Build) -> None:
    """Each hyperparameter in `searched` changes the weights."""
    method = build()
    reference = small_problem().unlearned(method)
    for name in type(method).searched:
        must(_has(method, name), f"searched names {name!r}, which is none of its fields")
        got = small_problem().unlearned(build(**{name: _another(method, name)}))
        same = all(torch.equal(a, b) for a, b in zip(reference.parameters(), got.parameters(), strict=True))
        must(not same, f"searched names {name!r}, which changes nothing")


def runs_under_autocast(build: Build) -> None:
    """It runs in bfloat16."""
    problem = small_problem()
    model = problem.start()
    run = iter(build().unlearn(model, problem.data, Streams(SEED)))
    done = False
    while not done:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            done = next(run, run) is run
    must(_finite(model), "in bfloat16 the model must stay finite")


METHOD_CHECKS: tuple[Callable[[Build], None], ...] = (
    repeats,
    changes_the_model,
    leaves_the_rest,
    yields_each_epoch,
    takes_one_sample,
    counts_samples,
    searches_what_matters,
    runs_under_autocast,
)


def _finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in model.state_dict().values())


def _has(method: Method, name: str) -> bool:
    return name in {field.name for field in dataclasses.fields(method)}


def _another(method: Method, name: str) -> Any:
    """Another value of a hyperparameter, within its bounds where its type tells them."""
    value = getattr(method, name)
    hint = get_type_hints(type(method), include_extras=True)[name]
    bounds = next((part for part in get_args(hint) if isinstance(part, Bounds)), None)
    tried = [value + 1, value - 1] if isinstance(value, int) else [value * 0.5, value * 1.5, value + 0.1]
    allowed = [v for v in tried if v != value and (bounds is None or bounds.low <= v <= bounds.high)]
    must(allowed, f"no other value of {name!r} lies within its bounds")
    return allowed[0]


# --- metrics, scenarios, data sets, models ---


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

    _all_of([finite_and_named, repeats_itself, leaves_the_outputs, declares_what_it_gives])


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

    _all_of([leaves_the_data, draws_what_is_asked, repeats_itself])


def check_dataset(load: Callable[..., ImageDataset], cache: Path, **options: Any) -> None:
    """Everything that a sweep expects of a data set; it is loaded twice into the folder `cache`.

    Raises:
        ContractError: with all that is wrong.
    """

    def loads_twice_alike() -> None:
        data = load(cache, **options)  # whose shapes and labels it checks itself
        must(isinstance(data, ImageDataset), f"it must give an ImageDataset, got {type(data).__name__}")
        must(load(cache, **options).identity == data.identity, "loading it again must give the same data")

    _all_of([loads_twice_alike])


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

    _all_of([gives_logits, evaluates_alike])
