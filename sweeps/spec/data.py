"""What a sweep file asks of its data: classes, sizes, and parts that must not be empty; seen before anything runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeps.errors import Problem, SpecError
from sweeps.spec.schema import ScenarioSpec, Spec
from unlearn.data import IdsError, ImageDataset, Labels, Look, Splits, least_images, look_at, open_dataset, splits_of
from unlearn.errors import UnlearnError
from unlearn.facts import component_facts
from unlearn.registry import find, is_own
from unlearn.scenarios import Scenario, check_drawn

#: What each part of the training images is for.
USES = {
    "train": "to train on",
    "validation": "which unlearning methods may see",
    "dev": "on which a strict search is scored",
}
#: Data sets whose look knows no ids, and that can be opened wherever this is installed.
EMBEDDED = ("digits",)


@dataclass(frozen=True)
class Sizes:
    """What a data set is to a network: images of each part, their shape (channels, height, width), and how many classes."""

    train: int
    dev: int
    test: int
    image_shape: tuple[int, int, int]
    classes: int


@dataclass(frozen=True)
class Facts:
    """What a sweep keeps of its data, to tell it later without the data.

    Attributes:
        read: counts, shape, range and source.
        classes: the forget classes of each scenario that has some, as (position, name).
        sizes: as numbers.
        class_images: of the forget classes of each scenario that has some, how many dev and test images there are.
        original: how well an original that is given classifies them; empty where the sweep trains its own.
    """

    read: str
    classes: dict[str, list[tuple[int, str]]]
    sizes: Sizes
    class_images: dict[str, dict[str, int]]
    original: str = ""


def scenario_of(spec: Spec, label: str, data: ImageDataset | Look, splits: Splits) -> Scenario:
    """The scenario behind a section, its classes and images as positions in the data set and its training split.

    Raises:
        UnlearnError: its options are wrong, or name no class or no image of the data set.
    """
    scenario: Scenario = find("scenarios", spec.scenario_key(label))(**copy.deepcopy(spec.scenarios[label].options))
    assert data.class_names is not None
    resolved = scenario.resolved(data.class_names)
    return resolved if data.ids is None else resolved.located(data.ids, splits)


def split_data(spec: Spec, data: ImageDataset | Look) -> Splits:
    """The parts of the training images of a sweep.

    Raises:
        IdsError: the file of the held-out ones cannot be used.
    """
    return splits_of(data, held_out=spec.held_out, dev=spec.dev, seed=spec.seed)


def open_data(spec: Spec, cache: Path) -> ImageDataset:
    """The data set of a sweep, decoded once into `cache`.

    Raises:
        SpecError: it does not take its options.
        DataError: it cannot be read.
    """
    try:
        return open_dataset(spec.dataset.name, cache / "data", spec.dataset.options)
    except TypeError as error:
        raise SpecError(spec.name, [Problem("dataset", "its options must be of the right type", str(error))]) from error


def check_sizes(spec: Spec, cache: Path) -> Facts:
    """Refuse classes, sizes and splits that the data cannot give; the data is decoded for it, once, into `cache`.

    Raises:
        SpecError: with everything that the data cannot give, and from which size on it could.
        DataError: the data cannot be read.
    """
    return facts(spec, open_data(spec, cache))


def facts(spec: Spec, data: ImageDataset) -> Facts:
    """What a sweep keeps of its data.

    Raises:
        SpecError: with everything that the data cannot give, and from which size on it could.
    """
    problems = [*asked_of(spec, data), *_own_draws(spec, data), *_model_for(spec, data)]
    if problems:
        raise SpecError(spec.name, problems)
    splits, classes = split_data(spec, data), forget_classes(spec, data)
    labels = {"dev": data.train_labels[splits.dev], "test": data.test_labels}
    dev, test = map(len, labels.values())
    sizes = Sizes(len(splits.train), dev, test, data.image_shape, data.num_classes)
    of_classes = {
        label: {part: int(np.isin(found, [position for position, _ in of]).sum()) for part, found in labels.items()}
        for label, of in classes.items()
    }
    return Facts(data.description, classes, sizes, of_classes)


def check_data(spec: Spec, cache: Path) -> str:
    """Look at the data without decoding it, and refuse what is seen to be wrong with it, all at once. What lies in no file is
    opened where a list names its images.

    Returns:
        What was seen.

    Raises:
        SpecError: everything that is wrong.
    """
    try:
        seen = look_at(spec.dataset.name, cache / "data", spec.dataset.options)
    except TypeError as error:
        raise SpecError(spec.name, [Problem("dataset", "its options must be of the right type", str(error))]) from error
    unseen = "cannot be looked at before a run"
    if seen is None:
        return unseen
    problems = [Problem("dataset", problem) for problem in seen.problems]
    names, train, test = seen.class_names, seen.train_labels, seen.test_labels
    if seen.ids is None and _has_lists(spec) and names is not None and spec.dataset.name in EMBEDDED:
        data = open_data(spec, cache)
        seen = Look((), data.class_names, data.train_labels, data.test_labels, data.ids)
        names, train, test = seen.class_names, seen.train_labels, seen.test_labels
    hidden = seen.ids is None and isinstance(spec.held_out, str)
    if names is None or train is None or test is None or hidden:
        if problems:
            raise SpecError(spec.name, problems)
        return unseen
    problems += asked_of(spec, seen)
    if problems:
        raise SpecError(spec.name, problems)
    held_out = 0 if seen.held_out is None else len(seen.held_out)
    validation = f", {held_out:,} validation" if held_out else ""
    return f"{len(train) - held_out:,} training{validation} and {len(test):,} test images of {len(names)} classes"


def _has_lists(spec: Spec) -> bool:
    """Whether it names images by their ids."""
    listed = any(spec.scenario_key(label) == "listed" for label in spec.scenarios)
    return listed or isinstance(spec.held_out, str)


def asked_of(spec: Spec, data: ImageDataset | Look) -> Iterator[Problem]:
    """Everything that a data set with these classes, training labels and ids cannot give."""
    labels, names = data.train_labels, data.class_names
    assert labels is not None
    assert names is not None
    if spec.original is not None and data.held_out is None and not isinstance(spec.held_out, str):
        rule = "must say which training images the original has not seen, as a fraction cannot"
        yield Problem(
            "held_out", rule, f"{spec.held_out:g}", "a file of their ids, or dataset.validation: a folder of images"
        )
    try:
        splits = split_data(spec, data)
    except IdsError as error:
        yield from (Problem("held_out", problem) for problem in error.problems)
        return
    empty = _empty_parts(spec, splits, labels, None)
    untaught = [names[position] for position in np.setdiff1d(labels, labels[splits.train])]
    if isinstance(spec.held_out, str) and untaught and "train" not in empty:
        got = f"none of {' and '.join(untaught)}"
        yield Problem("held_out", "must leave training images of every class", got, "hold fewer of them out")
    yield from (Problem("dataset", _too_few(spec, part, "a class", labels, None)) for part in empty)
    for label, body in spec.scenarios.items():
        key = f"scenarios.{label}"
        try:
            scenario = scenario_of(spec, label, data, splits)
            classes = scenario.classes_among(labels[splits.train])
            whose = [names[position] for position in classes]
            yield from list(_sizes(key, body, scenario, labels[splits.train], whose))  # none of an unreadable list
        except IdsError as error:
            yield from (Problem(key, problem) for problem in error.problems)
            continue
        except UnlearnError as error:
            yield Problem(key, str(error))
            continue
        if classes:
            named = " and ".join(f"class {position} ({names[position]})" for position in classes)
            for part in _empty_parts(spec, splits, labels, classes):
                if part not in empty and part != "train":
                    yield Problem(key, _too_few(spec, part, named, labels, classes))


def forget_classes(spec: Spec, data: ImageDataset | Look) -> dict[str, list[tuple[int, str]]]:
    """The forget classes of each scenario that has some, as (position, name)."""
    names, splits = data.class_names, split_data(spec, data)
    assert names is not None
    positions = {label: scenario_of(spec, label, data, splits).forget_classes for label in spec.scenarios}
    return {label: [(int(p), names[int(p)]) for p in of_label] for label, of_label in positions.items() if of_label}


def _model_for(spec: Spec, data: ImageDataset) -> Iterator[Problem]:
    """Why the model does not suit the data, as far as its constructor or its first forward pass tells."""
    if is_own("models", spec.model.name) and not component_facts("models", spec.model.name).refuses:
        return
    from unlearn.models import build  # noqa: PLC0415  # torch comes with it

    normalise = spec.model.normalise
    for name, values in (("mean", normalise.mean), ("std", normalise.std)) if normalise else ():
        if len(values) not in {1, data.image_shape[0]}:
            rule = f"must have one value, or one for each of the {data.image_shape[0]} channels"
            yield Problem(f"model.normalise.{name}", rule, str(len(values)))
    try:
        build(spec.model.name, data.image_shape, data.num_classes, spec.model.options, spec.model.head)
    except UnlearnError as error:
        yield Problem("model", str(error))


def _sizes(key: str, body: ScenarioSpec, scenario: Scenario, labels: Labels, classes: list[str]) -> Iterator[Problem]:
    """Forget sets that are larger than they can be, or leave nothing to retain."""
    limit, samples = scenario.limit(labels), len(labels)
    of_what = f" of {' and '.join(map(repr, classes))}" if classes else ""
    if limit < 1:
        yield Problem(key, f"must find training samples to forget{of_what}, and there are none")
        return
    if not scenario.sized and limit >= samples:
        yield Problem(key, f"must leave samples to retain: it forgets all {samples} training samples")
    most = min(limit, samples - 1)
    for name, size in [("tune_size", body.tune_size), *(("sizes", size) for size in body.sizes or [])]:
        if size is not None and size > most:
            yield Problem(
                f"{key}.{name}", f"must be ≤ {most}, all that there is", str(size), f"at most {most}{of_what}"
            )


def _empty_parts(spec: Spec, splits: Splits, labels: Labels, classes: Sequence[int] | None) -> list[str]:
    """The parts that are needed, and of which the classes have no image."""
    searched = spec.protocol == "strict" and any(spec.space(method).ranges for method in spec.methods)
    sizes = splits.sizes(labels, classes)
    return [part for part, size in sizes.items() if not size and (part != "dev" or searched)]


def _too_few(spec: Spec, part: str, whose: str, labels: Labels, classes: Sequence[int] | None) -> str:
    """Which part would be empty, and from how many images on it would not."""
    other = ", or protocol: paper" if part == "dev" else ""
    if not isinstance(spec.held_out, float) or spec.dataset.options.get("validation") is not None:
        of = "" if classes is None else f" of {whose}"
        if part == "train":
            return f"{whose} must have {part} images, {USES[part]}: hold fewer images out{of}"
        return f"{whose} must have {part} images, {USES[part]}: hold more images out{of}, or choose another dev{other}"
    counts = np.unique(labels if classes is None else labels[np.isin(labels, classes)], return_counts=True)[1]
    least = least_images(part, held_out=spec.held_out, dev=spec.dev)
    have = f"the largest class has {counts.max()}" if classes is None else f"it has {' and '.join(map(str, counts))}"
    shares = f"held_out {spec.held_out:g} and dev {spec.dev:g}"
    enough = (
        f"with {shares} there is one from {least} training images a class on, and {have}"
        if least
        else f"with {shares} there is none, however many images a class has"
    )
    return f"{whose} must have {part} images, {USES[part]}: {enough} — more images, or other shares{other}"


def _own_draws(spec: Spec, data: ImageDataset) -> Iterator[Problem]:
    """Forget sets of users' own scenarios that are not what was asked for: each size is drawn once."""
    own = [label for label in spec.scenarios if not _shipped(spec, label)]
    if not own:
        return
    try:
        splits = split_data(spec, data)
    except IdsError:  # told by `asked_of`
        return
    images, labels = data.train_images[splits.train], data.train_labels[splits.train]
    for label in own:
        body, key = spec.scenarios[label], f"scenarios.{label}"
        try:
            scenario = scenario_of(spec, label, data, splits)
        except UnlearnError:  # told by `asked_of`
            continue
        limit, tuning = scenario.limit(labels), spec.search.forget_seed
        sized = [
            (f"{key}.tune_size", body.tune_size, tuning),
            *((f"{key}.sizes", size, 0) for size in body.sizes or []),
        ]
        for where, size, seed in sized if scenario.sized else [(key, limit, tuning)]:
            if size is not None and size <= limit:
                try:
                    check_drawn(scenario, scenario.draw(images, labels, size, seed), size, len(labels))
                except UnlearnError as error:
                    yield Problem(where, str(error))


def _shipped(spec: Spec, label: str) -> bool:
    module: str = find("scenarios", spec.scenario_key(label)).__module__
    return module.startswith("unlearn.scenarios.")


__all__ = [
    "Facts",
    "Sizes",
    "asked_of",
    "check_data",
    "check_sizes",
    "facts",
    "forget_classes",
    "open_data",
    "scenario_of",
    "split_data",
]
