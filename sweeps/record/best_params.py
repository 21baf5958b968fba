"""Best parameters as YAML, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweeps.errors import Problem, SpecError
from sweeps.record.record import SweepRecord
from sweeps.spec import Spec, dump_yaml, read_yaml
from sweeps.spec.complaints import shown
from sweeps.spec.components import check_value
from sweeps.spec.schema import field_types
from unlearn.errors import suggest
from unlearn.files import write_atomically
from unlearn.registry import find

FORMAT = "unlearn-sweeps/best-params/1"

Params = dict[str, dict[str, dict[str, Any]]]


def best_params(record: SweepRecord) -> dict[str, Any]:
    """The document that `best_params.yaml` holds: format, sweep, protocol, dataset, params, scores, provenance.

    `params` is {scenario: {method: {hyperparameter: value}}}, the searched ones only. `scores` has the search's best score and,
    where evaluated, the mean and standard deviation over seeds of the evaluation's score at the size tuned at (else the first).
    """
    searched = record.spec["methods"]
    params: Params = {}
    scores: dict[str, dict[str, dict[str, Any]]] = {}
    for scenario, methods in record.best.items():
        for method, values in methods.items():
            names = [name for name, entry in searched[method].items() if isinstance(entry, dict)]
            params.setdefault(scenario, {})[method] = {name: values[name] for name in names}
            scores.setdefault(scenario, {})[method] = _scores(record, scenario, method)
    return {
        "format": FORMAT,
        "sweep": record.name,
        "protocol": record.spec["protocol"],
        "dataset": _dataset(record),
        "params": params,
        "scores": scores,
        "provenance": record.provenance,
    }


def _dataset(record: SweepRecord) -> dict[str, Any]:
    """Which data set, what was read of it, and which classes each scenario forgets."""
    forget = {
        scenario: [{"position": position, "name": name} for position, name in classes]
        for scenario, classes in record.classes.items()
    }
    read = {"read": record.data} if record.data else {}
    return {"name": record.spec["dataset"]["name"], **read, **({"forget_classes": forget} if forget else {})}


def _scores(record: SweepRecord, scenario: str, method: str) -> dict[str, Any]:
    trials = record.counted
    trials = trials[(trials["scenario"] == scenario) & (trials["method"] == method) & (trials["state"] == "COMPLETE")]
    search = trials[trials["stage"] == "search"]
    scores: dict[str, Any] = {
        "objective": record.spec["objective"]["name"],
        "search": float(record.at_best("search", scenario, method)["value"].min()),
        "search_trials": len(search),
    }
    evaluation = trials[trials["stage"] == "evaluation"]
    size = record.spec["scenarios"][scenario].get("tune_size")
    if size is not None:
        evaluation = evaluation[evaluation["forget_size"] == size]
    if len(evaluation):
        scores["evaluation"] = float(evaluation["value"].mean())
        scores["evaluation_std"] = float(evaluation["value"].std(ddof=1)) if len(evaluation) > 1 else None
        scores["evaluation_seeds"] = len(evaluation)
    return scores


def write_best_params(record: SweepRecord, path: Path) -> Path:
    """Write `best_params.yaml`, atomically."""
    write_atomically(path, dump_yaml(best_params(record)).encode())
    return path


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
        got = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise SpecError(str(path), [Problem("format", f"must be {FORMAT}", repr(got))])
    params = document.get("params")
    if not isinstance(params, dict):
        raise SpecError(str(path), [Problem("params", "must be a mapping", type(params).__name__)])
    return params


def read_best_params(path: Path, spec: Spec) -> Params:
    """The parameters of a best-params file, checked against the methods and scenarios of `spec`.

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
            problems += _check(f"params.{scenario}.{method}", methods.get(method), spec, method)
    if problems:
        raise SpecError(str(path), problems)
    return {scenario: {method: params[scenario][method] for method in spec.methods} for scenario in spec.scenarios}


def _check(key: str, values: Any, spec: Spec, method: str) -> list[Problem]:
    ranges = {r.name: r for r in spec.space(method).ranges}
    types = field_types(find("methods", method))
    if not isinstance(values, dict):
        return [Problem(key, "is missing", "", "leave the method out with --methods, or add its parameters")]
    problems = [Problem(f"{key}.{name}", "is missing") for name in ranges if name not in values]
    for name, value in values.items():
        if name not in ranges:
            problems.append(Problem(f"{key}.{name}", "unknown key", "", suggest(str(name), ranges)))
        else:
            problems += check_value(f"{key}.{name}", types[name], value)
    return problems
