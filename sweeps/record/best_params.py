"""Best parameters as YAML, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.errors import Problem, SpecError, SweepError
from sweeps.record.record import SweepRecord
from sweeps.record.remarks import remarks
from sweeps.spec import Spec, dump_yaml, read_yaml
from sweeps.spec.complaints import shown
from sweeps.spec.components import check_value
from sweeps.studies.trials import STOP_EPOCH
from sweeps.studies.winners import Winner, chooses_epochs_itself, stops
from unlearn.errors import suggest
from unlearn.files import write_atomically
from unlearn.registry import find

FORMAT = "unlearn-sweeps/best-params/1"
FINGERPRINT = "fingerprint"

Params = dict[str, dict[str, dict[str, Any]]]


def best_params(record: SweepRecord) -> dict[str, Any]:
    """The document of `best_params.yaml`: format, sweep, protocol, dataset, params, scores, remarks, fingerprint, provenance.

    `params` is {scenario: {method: {hyperparameter: value}}}, the searched ones and the `stop_epoch`; `scores` is what those very
    parameters scored at each stage (see `_scores`).
    """
    searched = record.spec["methods"]
    params: Params = {}
    scores: dict[str, dict[str, dict[str, Any]]] = {}
    for scenario, methods in record.winners.items():
        for method, winner in methods.items():
            names = [name for name, entry in searched[method].items() if isinstance(entry, dict)]
            stop = {} if winner.stop_epoch is None else {STOP_EPOCH: winner.stop_epoch}
            params.setdefault(scenario, {})[method] = {name: winner.hyperparameters[name] for name in names} | stop
            scores.setdefault(scenario, {})[method] = _scores(record, scenario, method, winner)
    return {
        "format": FORMAT,
        "sweep": record.name,
        "protocol": record.spec["protocol"],
        "dataset": _dataset(record),
        **({"note": record.protocol_note} if record.protocol_note else {}),
        "params": params,
        "scores": scores,
        **_remarked(record),
        FINGERPRINT: record.fingerprint,
        "provenance": record.provenance,
    }


def _remarked(record: SweepRecord) -> dict[str, Any]:
    """What limits these parameters, and the remedy: {scenario: [what is of all methods], scenario/method: […]}."""
    found: dict[str, list[str]] = {}
    for remark in remarks(record):
        of = remark.scenario if remark.method is None else f"{remark.scenario}/{remark.method}"
        found.setdefault(of, []).append(str(remark))
    return {"remarks": found} if found else {}


def _dataset(record: SweepRecord) -> dict[str, Any]:
    """Which data set, what was read of it, and which classes each scenario forgets."""
    forget = {
        scenario: [{"position": position, "name": name} for position, name in classes]
        for scenario, classes in record.classes.items()
    }
    read = {"read": record.data} if record.data else {}
    return {"name": record.spec["dataset"]["name"], **read, **({"forget_classes": forget} if forget else {})}


def _scores(record: SweepRecord, scenario: str, method: str, winner: Winner) -> dict[str, Any]:
    """The winner's own scores: of its search trial, the mean over its confirmation's forget sets, and over its evaluation's.

    The evaluation is the one at the size tuned at, else at the largest evaluated. A score that does not exist is left out.
    """
    trials = record.counted
    search = trials[(trials["stage"] == "search") & (trials["scenario"] == scenario) & (trials["method"] == method)]
    own = {stage: record.at_best(stage, scenario, method) for stage in ("search", "confirmation", "evaluation")}
    scores: dict[str, Any] = {"objective": record.spec["objective"]["name"], "source": winner.source}
    if winner.stop_epoch is not None and winner.sets:
        scores["stop_epoch_rests_on"] = "one draw" if winner.sets == 1 else f"{winner.sets} forget sets"
    if len(own["search"]):
        scores["search"] = float(own["search"]["value"].min())
    scores["search_trials"] = int((search["state"] == "COMPLETE").sum())
    if len(own["confirmation"]):
        scores["confirmation"] = float(record.confirmed_scores(scenario, method).mean())
        scores["confirmation_sets"] = len(own["confirmation"])
    return scores | _evaluation(record, scenario, own["evaluation"])


def _evaluation(record: SweepRecord, scenario: str, trials: pd.DataFrame) -> dict[str, Any]:
    if not len(trials):
        return {}
    size = record.shown_size(scenario)
    trials = trials[trials["forget_size"] == size]
    if not len(trials) or size is None:
        return {}
    found = {
        "evaluation": float(trials["value"].mean()),
        "evaluation_std": float(trials["value"].std(ddof=1)) if len(trials) > 1 else None,
        "evaluation_seeds": len(trials),
        "evaluation_size": int(size),
    }
    hindsight = trials["hindsight_score"].astype(float)
    return found | ({"evaluation_hindsight": float(hindsight.mean())} if hindsight.notna().all() else {})


def fingerprint_of(path: Path) -> str | None:
    """From which state of a sweep a best-params file was made; None where it does not tell."""
    try:
        document = read_yaml(path)
    except SweepError:
        return None
    found = document.get(FINGERPRINT) if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


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
    for name, value in values.items():
        if name == STOP_EPOCH:
            continue
        if name not in ranges:
            problems.append(Problem(f"{key}.{name}", "unknown key", "", suggest(str(name), ranges)))
        else:
            problems += check_value(f"{key}.{name}", types[name], value)
    if problems or STOP_EPOCH not in values:
        return problems
    return _check_stop(f"{key}.{STOP_EPOCH}", {**space.fixed, **values}, spec, method)


def _check_stop(key: str, values: dict[str, Any], spec: Spec, method: str) -> list[Problem]:
    given = values.pop(STOP_EPOCH)
    if chooses_epochs_itself(spec, method):
        return [Problem(key, "this method chooses its epoch itself, in each run", repr(given), "remove it")]
    last = find("methods", method)(**values).last_epoch
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= last:
        return [Problem(key, f"must be a whole number in 1 … {last}", repr(given))]
    return []
