"""What the schema alone cannot see: options, bounds, sizes, and rules between sections."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

from sweeps.errors import Problem, SpecError
from sweeps.objective import AVERAGE_GAPS
from sweeps.secrets import holds_secret
from sweeps.spec.components import build_model, check_built, check_options, check_value, unknown
from sweeps.spec.measured import gaps_of
from sweeps.spec.schema import NAME, RangeSpec, Spec, field_types, plain_type
from unlearn.data import LOCATIONS, Labels, open_dataset, split
from unlearn.errors import suggest
from unlearn.metrics import COMPARISONS
from unlearn.registry import find, keys
from unlearn.scenarios import Scenario
from unlearn.shared import SharedFolder, ShareError, is_url


def check(spec: Spec, wrong: Collection[str] = (), stood_in: Collection[str] = ()) -> list[Problem]:
    """What the schema alone cannot see.

    Args:
        wrong: keys that were found wrong and left out; rules between them and others are passed over.
        stood_in: sections that are not the file's own, of which nothing is said.
    """
    problems = [*_check_scenarios(spec)]
    for name, entries in spec.methods.items():
        problems += _check_method(name, entries)
    problems += check_options("dataset", "data", spec.dataset.name, spec.dataset.options)
    problems += _check_model(spec)
    problems += _check_lists(spec)
    problems += [
        Problem(key, "must hold no secret, as the sweep file is kept", "", remedy)
        for key, (place, remedy) in _urls(spec).items()
        if holds_secret(place)
    ]
    for read, found in _between(spec, wrong, stood_in):
        if not any(_touches(key, bad) for key in read for bad in wrong):
            problems += found
    return [problem for problem in problems if problem.key.split(".")[0] not in stood_in]


def _touches(key: str, bad: str) -> bool:
    """Whether one of two keys is the other, or in it."""
    return key == bad or key.startswith(f"{bad}.") or bad.startswith(f"{key}.")


def _between(
    spec: Spec, wrong: Collection[str], stood_in: Collection[str]
) -> Iterator[tuple[tuple[str, ...], list[Problem]]]:
    """(keys read, what is wrong between them)."""
    search = spec.search
    if search.forget_seed < spec.evaluation.seeds:
        rule = "must be ≥ evaluation.seeds, so that no tuning forget set is evaluated on"
        got = f"{search.forget_seed} with {spec.evaluation.seeds} seeds"
        yield ("search.forget_seed", "evaluation.seeds"), [Problem("search.forget_seed", rule, got)]
    if spec.objective.name == "pareto":
        if search.pruner != "none":
            rule = "must be none with objective.name pareto"
            yield ("search.pruner", "objective.name"), [Problem("search.pruner", rule, search.pruner)]
        if search.sampler == "cma_es":
            rule = "must not be cma_es with objective.name pareto: it knows one score only"
            yield ("search.sampler", "objective.name"), [Problem("search.sampler", rule, "", "e.g. nsga2, or auto")]
    if search.sampler == "nsga2" and search.pruner != "none":
        found = [Problem("search.pruner", "must be none with search.sampler nsga2", search.pruner)]
        yield ("search.pruner", "search.sampler"), found
    yield ("sensitivity",), [p for p in _check_sensitivity(spec) if f"methods.{p.key.split('.', 2)[2]}" not in wrong]
    yield ("metrics", "model"), _check_comparisons(spec)
    if "accuracy" not in spec.metrics.every_epoch:
        rule = "must have accuracy, from which scores are computed"
        got = f"[{', '.join(spec.metrics.every_epoch)}]"
        yield ("metrics.every_epoch",), [Problem("metrics.every_epoch", rule, got, "add it")]
    if "scenarios" not in stood_in:
        yield ("metrics.every_epoch", "objective"), _check_gaps(spec)


def _check_lists(spec: Spec) -> list[Problem]:
    """Entries that stand in a list twice."""
    lists: dict[str, list[str] | list[int] | None] = {
        "metrics.every_epoch": spec.metrics.every_epoch,
        "metrics.best_epoch": spec.metrics.best_epoch,
        "objective.gaps": spec.objective.gaps,
        "sensitivity.methods": spec.sensitivity.methods,
        **{f"scenarios.{label}.sizes": body.sizes for label, body in spec.scenarios.items()},
    }
    return [
        Problem(key, "must list each entry once", f"{entry} twice")
        for key, entries in lists.items()
        for entry in dict.fromkeys(entries or [])
        if (entries or []).count(entry) > 1  # type: ignore[arg-type]  # of the list's own type
    ]


def _check_sensitivity(spec: Spec) -> list[Problem]:
    problems = []
    for name in spec.sensitivity.methods or []:
        key = f"sensitivity.methods.{name}"
        if name not in spec.methods:
            problems.append(Problem(key, "must be one of the sweep's methods", "", suggest(name, spec.methods)))
        elif spec.sensitivity.enabled and not {"lr", "alpha"} <= {r.name for r in spec.space(name).ranges}:
            problems.append(Problem(key, "must search both lr and alpha to have a grid of them", "", "leave it out"))
    return problems


def _check_comparisons(spec: Spec) -> list[Problem]:
    """Metrics that compare a model with the oracle: where they may stand, and for which models they are defined."""
    problems = [
        Problem("metrics.every_epoch", f"{name} is measured at the best epoch only", "", f"best_epoch: [{name}]")
        for name in spec.metrics.every_epoch
        if name in COMPARISONS
    ]
    if "weight_distance" in spec.metrics.best_epoch:
        try:
            symmetries = build_model(spec.model.name, spec.model.options).symmetries
        except Exception:  # told by `_check_model`
            return problems
        if symmetries is None:
            rule = f"weight_distance is not defined for {spec.model.name}: which of its units may be renumbered is not"
            problems.append(Problem("metrics.best_epoch", rule, "", "leave it out"))
    return problems


def _check_gaps(spec: Spec) -> list[Problem]:
    """Gaps that are named but not measured; of the default ones, the mean is over those that are."""
    objective, families = spec.objective, tuple(dict.fromkeys([*spec.metrics.every_epoch, "accuracy"]))
    if objective.gaps == list(AVERAGE_GAPS):
        return []
    if objective.name != "average_gap":
        return [Problem("objective.gaps", f"is not read with objective.name {objective.name}", "", "leave it out")]
    problems: dict[str, Problem] = {}
    for label in spec.scenarios:
        scenario = _built(spec, label)
        measured = None if scenario is None else gaps_of(scenario, families)
        for name in objective.gaps:
            if measured is not None and name not in measured:
                rule = f"is not measured in every epoch of scenario {label}"
                problems.setdefault(
                    name, Problem(f"objective.gaps.{name}", rule, "", _gap_remedy(name, families, measured))
                )
    return list(problems.values())


def _gap_remedy(name: str, families: Collection[str], measured: Collection[str]) -> str:
    family = name.removesuffix("_gap")
    if family in set(keys("metrics")) - set(families) - COMPARISONS:
        return f"add {family} to metrics.every_epoch"
    return suggest(name, measured)


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


def _built(spec: Spec, label: str) -> Scenario | None:
    """The scenario behind a section; None where its options are wrong."""
    body = spec.scenarios[label]
    try:
        scenario: Scenario = find("scenarios", spec.scenario_key(label))(**body.options)
    except Exception:  # told by `_check_scenarios`
        return None
    return scenario


def _check_scenarios(spec: Spec) -> Iterator[Problem]:
    for label, body in spec.scenarios.items():
        name = spec.scenario_key(label)
        cls = find("scenarios", name)
        key = f"scenarios.{label}"
        if not re.fullmatch(NAME, label) or label.endswith("\n"):
            yield Problem(key, "a scenario's label must be letters, digits, '.', '_' and '-'", repr(label))
        wrong = check_options(key, "scenarios", name, body.options) or check_built(key, cls, body.options)
        yield from wrong
        if not cls.sized:
            if body.tune_size is not None or body.sizes is not None:
                yield Problem(key, "its size is fixed by the scenario", "", "remove tune_size and sizes")
            continue
        for field, example in (("tune_size", "e.g. tune_size: 100"), ("sizes", "e.g. sizes: [100, 10]")):
            if getattr(body, field) is None:
                yield Problem(f"{key}.{field}", "must be given for this scenario", "", example)
        scenario = _built(spec, label)
        for field, size in [("tune_size", body.tune_size), *(("sizes", size) for size in body.sizes or [])]:
            if scenario is not None and not wrong and size is not None and size < scenario.least:
                yield Problem(f"{key}.{field}", f"must be ≥ {scenario.least} for this scenario", str(size))


def _check_model(spec: Spec) -> list[Problem]:
    name, options = spec.model.name, spec.model.options
    wrong = check_options("model", "models", name, options)
    return wrong or check_built("model", lambda **given: build_model(name, given), options)


def _check_method(name: str, entries: Mapping[str, RangeSpec | float | int | bool]) -> list[Problem]:
    cls = find("methods", name)
    types = field_types(cls)
    problems: list[Problem] = []
    for field, entry in entries.items():
        key = f"methods.{name}.{field}"
        if field not in types:
            problems.append(unknown(key, field, types))
        elif not isinstance(entry, RangeSpec):
            problems += check_value(key, types[field], entry)
        else:
            if field not in cls.searched:
                problems.append(Problem(key, "is not a searched hyperparameter of this method", "", "give one value"))
            if plain_type(types[field]) not in {int, float}:
                problems.append(Problem(key, "must be one value: only numbers have ranges"))
                continue
            ends = [
                *check_value(f"{key}.low", types[field], entry.low),
                *check_value(f"{key}.high", types[field], entry.high),
            ]
            problems += ends or _check_range(key, entry)
    return problems or _check_method_built(name, entries)


def _check_method_built(name: str, entries: Mapping[str, RangeSpec | float | int | bool]) -> list[Problem]:
    """What a method's constructor says of the ends of its ranges."""
    for end in ("low", "high"):
        values = {
            field: getattr(entry, end) if isinstance(entry, RangeSpec) else entry for field, entry in entries.items()
        }
        if found := check_built(f"methods.{name}", partial(find("methods", name)), values):
            return found
    return []


def _check_range(key: str, entry: RangeSpec) -> list[Problem]:
    low, high = entry.low, entry.high
    if not low <= high:
        return [Problem(key, "low ≤ high must hold", f"low={low:g}, high={high:g}")]
    if high - low > 1e300:
        return [Problem(key, "high − low must be ≤ 1e300", f"low={low:g}, high={high:g}")]
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
