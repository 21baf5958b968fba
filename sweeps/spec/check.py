"""What the schema alone cannot see: names, options, bounds, sizes."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sweeps.errors import Problem, SpecError
from sweeps.secrets import holds_secret
from sweeps.spec.schema import NAME, Component, RangeSpec, Spec
from unlearn.data import LOCATIONS, Labels, open_dataset, split
from unlearn.errors import UnknownNameError, suggest
from unlearn.registry import find
from unlearn.shared import SharedFolder, ShareError, is_url
from unlearn.steps import Bounds

#: Arguments that the program itself passes to data sets and models.
OWN_ARGUMENTS = {"cache", "image_shape", "num_classes", "mean", "std"}


def check_names(data: Mapping[str, Any]) -> list[Problem]:
    """Misspelt methods, scenarios, data sets, models and metrics."""
    asked: list[tuple[str, str, Any]] = []
    for section, folder in (("dataset", "data"), ("model", "models")):
        if isinstance(data.get(section), dict):
            asked.append((f"{section}.name", folder, data[section].get("name")))
    if isinstance(data.get("methods"), dict):
        asked += [(f"methods.{name}", "methods", name) for name in data["methods"]]
    if isinstance(data.get("scenarios"), dict):
        for label, body in data["scenarios"].items():
            if isinstance(body, dict):
                asked.append((f"scenarios.{label}", "scenarios", body.get("scenario", label)))
    if isinstance(data.get("metrics"), dict):
        for when, names in data["metrics"].items():
            if isinstance(names, list):
                asked += [(f"metrics.{when}", "metrics", name) for name in names]
    problems = []
    for key, folder, name in asked:
        if not isinstance(name, str):
            continue  # the schema says what is wrong with it
        try:
            find(folder, name)
        except UnknownNameError as error:
            problems.append(Problem(key, f"unknown {error.kind} {name!r}", "", suggest(name, error.valid)))
    return problems


def check(spec: Spec) -> list[Problem]:
    """What the schema alone cannot see."""
    problems = _check_scenarios(spec)
    for name, entries in spec.methods.items():
        problems += _check_method(name, entries)
    for section, folder in (("dataset", "data"), ("model", "models")):
        component: Component = getattr(spec, section)
        allowed = _options(find(folder, component.name)) - OWN_ARGUMENTS
        problems += _unknown(section, component.options, allowed)
    problems += [
        Problem(key, "must hold no secret, as the sweep file is kept", "", remedy)
        for key, (place, remedy) in _urls(spec).items()
        if holds_secret(place)
    ]
    if spec.search.forget_seed < spec.evaluation.seeds:
        problems.append(
            Problem(
                "search.forget_seed",
                "must be ≥ evaluation.seeds, so that no tuning forget set is evaluated on",
                f"{spec.search.forget_seed} with {spec.evaluation.seeds} seeds",
            )
        )
    if spec.objective.name == "pareto" and spec.search.pruner != "none":
        problems.append(Problem("search.pruner", "must be none with objective.name pareto", spec.search.pruner))
    if spec.search.sampler == "nsga2" and spec.search.pruner != "none":
        problems.append(Problem("search.pruner", "must be none with search.sampler nsga2", spec.search.pruner))
    problems += _unknown("sensitivity.methods", spec.sensitivity.methods or [], set(spec.methods))
    return problems


def _urls(spec: Spec) -> dict[str, tuple[str, str]]:
    """Every URL of a spec that is kept with it, and where the secrets for it belong."""
    fsspec = "give fsspec its credentials as it reads them by itself: environment, files"
    mlflow = "set $MLFLOW_TRACKING_USERNAME and $MLFLOW_TRACKING_PASSWORD, or let a tracking server hold the database's"
    places = {
        "cache": (spec.cache, fsspec),
        **{f"dataset.{key}": (spec.dataset.options.get(key), fsspec) for key in LOCATIONS},
        "logging.mlflow": (spec.logging.mlflow, mlflow),
    }
    return {key: (place, remedy) for key, (place, remedy) in places.items() if is_url(place) and isinstance(place, str)}


def _check_scenarios(spec: Spec) -> list[Problem]:
    problems = []
    for label, scenario in spec.scenarios.items():
        cls = find("scenarios", spec.scenario_key(label))
        key = f"scenarios.{label}"
        if not re.fullmatch(NAME, label) or label.endswith("\n"):
            problems.append(Problem(key, "a scenario's label must be letters, digits, '.', '_' and '-'", repr(label)))
        problems += _unknown(key, scenario.options, {f.name for f in dataclasses.fields(cls)})
        if cls.sized:
            problems += [
                Problem(f"{key}.{field}", "must be given for this scenario", "", example)
                for field, example in (("tune_size", "e.g. tune_size: 100"), ("sizes", "e.g. sizes: [100, 10]"))
                if getattr(scenario, field) is None
            ]
        elif scenario.tune_size is not None or scenario.sizes is not None:
            problems.append(Problem(key, "its size is fixed by the scenario", "", "remove tune_size and sizes"))
    return problems


def _check_method(name: str, entries: Mapping[str, RangeSpec | float | int | bool]) -> list[Problem]:
    cls = find("methods", name)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    problems = _unknown(f"methods.{name}", entries, set(fields))
    for field, entry in entries.items():
        if field not in fields:
            continue
        key = f"methods.{name}.{field}"
        bounds = _bounds(cls, field)
        values = (entry.low, entry.high) if isinstance(entry, RangeSpec) else (entry,)
        if isinstance(entry, RangeSpec):
            problems += _check_range(key, entry)
            if field not in cls.searched:
                problems.append(Problem(key, "is not a searched hyperparameter of this method", "", "give one value"))
        if bounds is not None and any(not bounds.low <= v <= bounds.high for v in values):
            got = ", ".join(f"{v:g}" for v in values)
            problems.append(Problem(key, f"must lie in {bounds.low:g} … {bounds.high:g}", got))
    return problems


def _check_range(key: str, entry: RangeSpec) -> list[Problem]:
    low, high = entry.low, entry.high
    if not low <= high:
        return [Problem(key, "low ≤ high must hold", f"low={low:g}, high={high:g}")]
    if entry.scale == "log" and low <= 0:
        return [Problem(key, "low must be > 0 on a log scale", f"{low:g}")]
    if entry.scale == "log_complement" and high >= 1:
        return [Problem(key, "high must be < 1 on a log_complement scale", f"{high:g}")]
    if entry.scale == "power_of_two" and any(v < 1 or int(v) & (int(v) - 1) or v != int(v) for v in (low, high)):
        return [Problem(key, "low and high must be powers of two", f"low={low:g}, high={high:g}")]
    return []


def check_here(spec: Spec) -> None:
    """Refuse what this machine, on which the driver is to run, lacks: loggers' packages, and those that URLs need.

    Raises:
        SpecError: with what to install.
    """
    wanted = {"tensorboard": ("tensorboardX", spec.logging.tensorboard), "mlflow": ("mlflow", spec.logging.mlflow)}
    problems = [
        Problem(f"logging.{extra}", f"needs the package {package}", "", f"pip install 'unlearn-sweeps[{extra}]'")
        for extra, (package, asked) in wanted.items()
        if asked and importlib.util.find_spec(package) is None
    ]
    for key, (place, _) in _urls(spec).items():
        if key != "logging.mlflow":
            try:
                SharedFolder(place)
            except ShareError as error:
                problems.append(Problem(key, "must be a path, or a URL that fsspec can open", str(error)))
    if problems:
        raise SpecError(spec.name, problems)


def check_sizes(spec: Spec, cache: Path) -> None:
    """Refuse forget sizes that the data cannot give; the data is decoded for it, once, into `cache`.

    Raises:
        SpecError: with the largest size allowed for each that is too large.
        DataError: the data cannot be read.
    """
    labels = training_labels(spec, cache)
    problems: list[Problem] = []
    for label, body in spec.scenarios.items():
        scenario = find("scenarios", spec.scenario_key(label))(**body.options)
        most = scenario.limit(labels)
        for key, size in [("tune_size", body.tune_size), *(("sizes", s) for s in body.sizes or [])]:
            if size is not None and size > most:
                problems.append(
                    Problem(
                        f"scenarios.{label}.{key}", f"must be ≤ {most}, all that there is", str(size), f"at most {most}"
                    )
                )
        if most < 1:
            problems.append(Problem(f"scenarios.{label}", "its class has no training samples", str(body.options)))
    if problems:
        raise SpecError(spec.name, problems)


def training_labels(spec: Spec, cache: Path) -> Labels:
    """Labels of the training split, shape (n,).

    Raises:
        SpecError: the data set does not take its options.
        DataError: the data cannot be read.
    """
    try:
        data = open_dataset(spec.dataset.name, cache / "data", spec.dataset.options)
    except TypeError as error:
        raise SpecError(spec.name, [Problem("dataset", "its options must be of the right type", str(error))]) from error
    parts = split(data.train_labels, held_out=spec.held_out, dev=spec.dev, seed=spec.seed)
    return data.train_labels[parts.train]


def _unknown(key: str, given: Iterable[str], allowed: set[str]) -> list[Problem]:
    return [
        Problem(f"{key}.{name}", "unknown key", "", suggest(name, allowed)) for name in given if name not in allowed
    ]


def _options(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def _bounds(cls: type, field: str) -> Bounds | None:
    """The bounds in the type of a hyperparameter; annotations are strings in the class that declares the field."""
    hint = typing.get_type_hints(cls, include_extras=True)[field]
    found = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, Bounds)]
    return found[0] if found else None
