"""What the schema alone cannot see: options, bounds, and rules between sections."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from sweeps.errors import Problem
from sweeps.secrets import holds_secret
from sweeps.spec.between import built_scenario, check_between
from sweeps.spec.components import build_model, check_built, check_options, check_value, unknown
from sweeps.spec.here import urls_of
from sweeps.spec.schema import NAME, RangeSpec, Spec, plain_type
from sweeps.storage.urls import wrong_url
from unlearn.errors import UnlearnError, suggest
from unlearn.facts import component_facts
from unlearn.registry import find, is_own
from unlearn.scenarios import Scenario


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
    problems += [*_check_lists(spec), *_check_labels(spec)]
    problems += _check_rounds(spec)
    problems += [
        Problem(key, "must hold no secret, as the sweep file is kept", "", remedy)
        for key, (place, remedy) in urls_of(spec).items()
        if holds_secret(place)
    ]
    problems += _check_storage(spec.storage)
    problems += check_between(spec, wrong, stood_in)
    return [problem for problem in problems if problem.key.split(".")[0] not in stood_in]


def _check_storage(url: str | None) -> Iterator[Problem]:
    if url is None:
        return
    if wrong := wrong_url(url):
        yield wrong
    if holds_secret(url):
        remedy = "set $UNLEARN_SWEEPS_STORAGE to the whole URL, or pass it with --storage"
        yield Problem("storage", "must hold no secret, as the sweep file is kept", "", remedy)


def _check_rounds(spec: Spec) -> list[Problem]:
    leaders = [part.leaders for part in spec.search.confirm]
    return [
        Problem(f"search.confirm.{i}.leaders", "must not grow from round to round", f"{now} after {before}")
        for i, (before, now) in enumerate(itertools.pairwise(leaders), 1)
        if now > before
    ]


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


def _check_labels(spec: Spec) -> Iterator[Problem]:
    """Labels of methods that are not there, and those that two share: a figure would have one place for both."""
    labels = spec.labels or {}
    for name in labels:
        if name not in spec.methods:
            yield Problem(f"labels.{name}", "must be one of the sweep's methods", "", suggest(name, spec.methods))
    printed = {
        "methods": {name: labels.get(name, name) for name in spec.methods},
        "scenarios": {name: body.label or name for name, body in spec.scenarios.items()},
    }
    for section, names in printed.items():
        for name, label in names.items():
            if label != (plain := " ".join(label.split())):
                rule = "must be one line, with single spaces between its words"
                yield Problem(f"{section}.{name}.label", rule, repr(label), plain and f"write {plain!r}")
            if "%{" in label:
                rule = "must not hold %{, in whose place figures write a value"
                yield Problem(f"{section}.{name}.label", rule, repr(label))
            if label != name and list(names.values()).count(label) > 1:
                yield Problem(f"{section}.{name}.label", "must be this one's alone", repr(label), "choose another")


def _check_scenarios(spec: Spec) -> Iterator[Problem]:
    for label, body in spec.scenarios.items():
        name = spec.scenario_key(label)
        cls = find("scenarios", name)  # scenarios need no torch
        key = f"scenarios.{label}"
        if not re.fullmatch(NAME, label) or label.endswith("\n"):
            rule = "a scenario's name must be letters, digits, '.', '_' and '-'"
            yield Problem(key, rule, repr(label), "its section may have a label in other words")
        wrong = check_options(key, "scenarios", name, body.options) or check_built(
            key, partial(_hashable, cls), body.options
        )
        yield from wrong
        if not cls.sized:
            if body.tune_size is not None or body.sizes is not None:
                yield Problem(key, "its size is fixed by the scenario", "", "remove tune_size and sizes")
            continue
        for field, example in (("tune_size", "e.g. tune_size: 100"), ("sizes", "e.g. sizes: [100, 10]")):
            if getattr(body, field) is None:
                yield Problem(f"{key}.{field}", "must be given for this scenario", "", example)
        scenario = built_scenario(spec, label)
        for field, size in [("tune_size", body.tune_size), *(("sizes", size) for size in body.sizes or [])]:
            if scenario is not None and not wrong and size is not None and size < scenario.least:
                yield Problem(f"{key}.{field}", f"must be ≥ {scenario.least} for this scenario", str(size))


def _hashable(cls: type[Scenario], **options: Any) -> Scenario:
    """A scenario by which a worker can find what it has made of it before."""
    scenario = cls(**options)
    try:
        hash(scenario)
    except TypeError as error:
        raise UnlearnError(
            f"must be hashable, got {error}: let {cls.__name__}.__post_init__ make tuples of lists"
        ) from error
    return scenario


def _check_model(spec: Spec) -> list[Problem]:
    name, options = spec.model.name, spec.model.options
    wrong = check_options("model", "models", name, options)
    if wrong or not component_facts("models", name).refuses or (is_own("models", name) and not options):
        return wrong  # a shipped model can be built as it is
    return check_built("model", lambda **given: build_model(name, given), options)


#: Names in a method's section that are none of its hyperparameters.
_OWN = {"stop_epoch": "when a winner stops", "label": "what the method is called"}
#: Names that no searched one can have: they stand beside these in a trial's parameters.
_OF_TRIALS = {
    **dict.fromkeys(["forget_size", "forget_seed", "training", "avoids"], "on which forget set a trial is"),
    "run": "which run on its forget set a trial is",
}


def _check_method(name: str, entries: Mapping[str, RangeSpec | float | int | bool]) -> list[Problem]:
    facts = component_facts("methods", name)
    types, searched = facts.options, facts.declared["searched"]
    problems: list[Problem] = []
    for field, entry in entries.items():
        key = f"methods.{name}.{field}"
        own = _OWN.get(field) or (_OF_TRIALS.get(field) if isinstance(entry, RangeSpec) else None)
        if own is not None:
            problems.append(Problem(key, f"is the sweep's own: {own}", "", "rename the method's field"))
        elif field not in types:
            problems.append(unknown(key, field, types))
        elif not isinstance(entry, RangeSpec):
            problems += check_value(key, types[field], entry)
        else:
            if field not in searched:
                problems.append(Problem(key, "is not a searched hyperparameter of this method", "", "give one value"))
            if plain_type(types[field]) not in {int, float}:
                problems.append(Problem(key, "must be one value: only numbers have ranges"))
                continue
            ends = [
                *check_value(f"{key}.low", types[field], entry.low),
                *check_value(f"{key}.high", types[field], entry.high),
            ]
            problems += ends or _check_range(key, entry)
    return problems or (_check_method_built(name, entries) if facts.refuses else [])


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
