"""Configurations that are given: first points of searches, and what is evaluated instead of the searches' winners."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sweeps.errors import Problem, SpecError
from sweeps.spec import Spec, leaves_published_out, published_params, read_yaml
from sweeps.spec.complaints import shown
from sweeps.spec.components import check_value
from sweeps.studies.trials import STOP_EPOCH
from sweeps.studies.winners import chooses_epochs_itself, last_epoch, stops
from unlearn.errors import suggest

#: Of a best-params file.
FORMAT = "unlearn-sweeps/best-params/1"

#: {scenario: {method: {hyperparameter: value}}}, and beside the hyperparameters a `stop_epoch`, where there is one.
Params = dict[str, dict[str, dict[str, Any]]]


def warm_start(spec: Spec) -> list[Params]:
    """The first points that the spec names: the published ones where it may have them, or those of best-params files.

    Raises:
        SpecError: a file cannot be used.
    """
    return [
        published_params() if source == "published" else read_warm_start(Path(source))
        for source in spec.search.warm_start
        if source != "published" or not leaves_published_out(spec)
    ]


def read_warm_start(path: Path) -> Params:
    """The parameters of a best-params file as first points of searches; what a search does not know is passed over there.

    Raises:
        SpecError: it is no such file.
    """
    params = _params_of(path)
    problems = [
        Problem(key, "must be {scenario: {method: {hyperparameter: number}}}", shown(value))
        for key, depth, value in _leaves(params)
        if depth != 3 or isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf
    ]
    if problems:
        raise SpecError(str(path), problems)
    return params


def point_of(
    params: Mapping[str, Mapping[str, Mapping[str, Any]]], spec: Spec, scenario: str, method: str
) -> Mapping[str, Any]:
    """What a warm start has for a scenario (by its label, else its key) and method; empty where it has nothing."""
    return (params.get(scenario) or params.get(spec.scenario_key(scenario)) or {}).get(method, {})


def moved_first_points(spec: Spec) -> Iterator[str]:
    """Where searches do not begin at what the files of their warm start say, for their ranges do not hold it; a sentence each.

    Raises:
        SpecError: a file cannot be used.
    """
    for source in spec.search.warm_start:
        params = {} if source == "published" else read_warm_start(Path(source))
        for scenario, method in itertools.product(spec.scenarios, spec.methods):
            point = point_of(params, spec, scenario, method)
            begins = {r.name: r.decode(r.encode(point[r.name])) for r in spec.space(method).ranges if r.name in point}
            moved = [
                f"{name} = {value:.4g} for {point[name]:.4g}"
                for name, value in begins.items()
                if not math.isclose(value, point[name])
            ]
            if moved:
                yield (
                    f"search.warm_start: {source}: {scenario}/{method} begins at {', '.join(moved)}, "
                    "the nearest that its range holds"
                )


def _leaves(node: Any, key: str = "params", depth: int = 0) -> Iterator[tuple[str, int, Any]]:
    """(key, depth, value) of everything in a document that is no mapping."""
    if not isinstance(node, dict):
        yield key, depth, node
        return
    for name, value in node.items():
        yield from _leaves(value, f"{key}.{name}", depth + 1)


def _params_of(path: Path) -> Params:
    document = read_yaml(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        got = document.get("format") if isinstance(document, dict) else document
        raise SpecError(str(path), [Problem("format", f"must be {FORMAT}", shown(got))])
    params = document.get("params")
    if not isinstance(params, dict):
        raise SpecError(str(path), [Problem("params", "must be a mapping", type(params).__name__)])
    return params


def read_best_params(path: Path, spec: Spec) -> Params:
    """The parameters of a best-params file, checked against the methods and scenarios of `spec`, with their `stop_epoch`s if any.

    Raises:
        SpecError: everything that is wrong with it.
    """
    params = _params_of(path)
    problems: list[Problem] = []
    for scenario in spec.scenarios:
        methods = params.get(scenario)
        if not isinstance(methods, dict):
            problems.append(Problem(f"params.{scenario}", "is missing", "", suggest(scenario, map(str, params))))
            continue
        for method in spec.methods:
            if spec.space(method).ranges or method in methods:
                problems += _check(f"params.{scenario}.{method}", methods.get(method), spec, method)
    if problems:
        raise SpecError(str(path), problems)
    return {s: {m: params[s][m] for m in spec.methods if m in params[s]} for s in spec.scenarios}


def last_epochs(params: Params, spec: Spec) -> list[str]:
    """Which of these configurations stop at their last epoch, for want of a stop epoch: as `scenario/method`."""
    return [
        f"{scenario}/{method}"
        for scenario, methods in params.items()
        for method, values in methods.items()
        if STOP_EPOCH not in values and stops(spec, method)
    ]


def _check(key: str, values: Any, spec: Spec, method: str) -> list[Problem]:
    space = spec.space(method)
    ranges = {r.name: r for r in space.ranges}
    types = spec.facts("methods", method).options
    if not isinstance(values, dict):
        return [Problem(key, "is missing", "", "leave the method out with --methods, or add its parameters")]
    problems = [Problem(f"{key}.{name}", "is missing") for name in ranges if name not in values]
    valid = [*ranges, *([] if chooses_epochs_itself(spec, method) else [STOP_EPOCH])]
    for name, value in values.items():
        if name == STOP_EPOCH:
            continue
        if name not in ranges:
            problems.append(Problem(f"{key}.{name}", "unknown key", "", suggest(str(name), valid)))
        else:
            problems += check_value(f"{key}.{name}", types[name], value)
    if problems or STOP_EPOCH not in values:
        return problems
    return _check_stop(f"{key}.{STOP_EPOCH}", {**space.fixed, **values}, spec, method)


def _check_stop(key: str, values: dict[str, Any], spec: Spec, method: str) -> list[Problem]:
    given = values.pop(STOP_EPOCH)
    if chooses_epochs_itself(spec, method):
        return [Problem(key, "this method chooses its epoch itself, in each run", repr(given), "remove it")]
    last = last_epoch(spec, method, values)
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= last:
        return [Problem(key, f"must be a whole number in 1 … {last}", repr(given))]
    return []
