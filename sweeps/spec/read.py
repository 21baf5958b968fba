"""Reads sweep files: YAML, command-line overrides, shipped ranges. The only reader of YAML."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from sweeps.errors import Problem, SpecError, SweepError
from sweeps.spec.check import check, check_names
from sweeps.spec.schema import RangeSpec, Spec
from unlearn.errors import suggest
from unlearn.registry import find


def load_spec(source: str, overrides: Iterable[str] = (), **narrow: list[str] | None) -> Spec:
    """The sweep named or filed as `source`, with `--set key=value` overrides, resolved and checked.

    Args:
        source: a shipped name (`digits`) or a path to a YAML file.
        narrow: `methods=` and `scenarios=`, to keep only some of the file's.

    Raises:
        SpecError: everything that is wrong with it.
    """
    data = read_yaml(_locate(source))
    if not isinstance(data, dict):
        raise SpecError(source, [Problem("(file)", "must be a mapping of keys to values", type(data).__name__)])
    problems = [p for text in overrides if (p := _override(data, text)) is not None]
    for section, wanted in narrow.items():
        problems += _narrow(data, section, wanted)
    if problems:
        raise SpecError(source, problems)
    return parse_spec(data, source)


def parse_spec(data: Mapping[str, Any], source: str = "sweep") -> Spec:
    """A checked `Spec` from plain data.

    Raises:
        SpecError: everything that is wrong with it.
    """
    data = dict(data)
    for section in ("dataset", "model"):
        if isinstance(data.get(section), str):
            data[section] = {"name": data[section]}
    if isinstance(data.get("methods"), list):
        data["methods"] = {name: {} for name in data["methods"] if isinstance(name, str)}
    if isinstance(data.get("scenarios"), dict):
        data["scenarios"] = {k: {} if v is None else v for k, v in data["scenarios"].items()}
    if isinstance(data.get("methods"), dict):
        data["methods"] = {k: {} if v is None else v for k, v in data["methods"].items()}
    problems = check_names(data)
    _drop(data, [p.key.split(".", 1) for p in problems])  # a name may have dots in it
    if isinstance(data.get("methods"), dict):
        data["methods"], found = _fill_ranges(data)
        problems += found
    spec, found = _validate(data)
    problems += found
    if spec is not None:
        problems += check(spec)
    if problems or spec is None:
        raise SpecError(source, list({p.key: p for p in reversed(problems)}.values())[::-1])
    return spec


def _validate(data: dict[str, Any]) -> tuple[Spec | None, list[Problem]]:
    """The spec, and the schema's complaints; the keys complained of are dropped, so that the rest may be checked too."""
    try:
        return Spec.model_validate(data), []
    except ValidationError as error:
        problems = _from_pydantic(error)
    rest = copy.deepcopy(data)
    _drop(rest, [p.key.split(".") for p in problems])
    try:
        return Spec.model_validate(rest), problems
    except ValidationError:
        return None, problems


def _drop(data: dict[str, Any], paths: Iterable[list[str]]) -> None:
    """Remove what the key paths name, as far as they lead."""
    for *parents, last in paths:
        node: Any = data
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(last, None)


def read_yaml(path: Path) -> Any:
    """Plain data of a YAML file, by the safe loader.

    Raises:
        SweepError: it cannot be read or parsed; the message gives the line.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{path}: cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SweepError(f"{path}: not valid YAML: {error}") from error


def shipped_sweeps() -> dict[str, Path]:
    """The sweeps that come with the package, by name."""
    folder = Path(str(files("search_spaces"))) / "sweeps"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def published_params() -> dict[str, dict[str, dict[str, float]]]:
    """The paper's tuned values, {scenario: {method: {hyperparameter: value}}} (Tables 3 and 4)."""
    params: dict[str, dict[str, dict[str, float]]] = read_yaml(
        Path(str(files("search_spaces"))) / "published" / "sure_paper.yaml"
    )["params"]
    return params


def _locate(source: str) -> Path:
    shipped = shipped_sweeps()
    if source in shipped:
        return shipped[source]
    path = Path(source)
    if path.suffix in {".yaml", ".yml"} or path.exists():
        if path.is_file():
            return path
        raise SweepError(f"no such sweep file: {source}")
    raise SweepError(
        f"unknown sweep {source!r}, {suggest(source, shipped)}; or give the path of a YAML file, or the name of a sweep that "
        "was run here"
    )


def _override(data: dict[str, Any], text: str) -> Problem | None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        return Problem("--set", "must be key=value", repr(text), "e.g. --set search.trials=100")
    *parents, last = key.split(".")
    node: Any = data
    for parent in parents:
        if isinstance(node.get(parent), list):
            node[parent] = {name: {} for name in node[parent]}
        elif isinstance(node.get(parent), str):
            node[parent] = {"name": node[parent]}
        node = node.setdefault(parent, {})
        if node is None or not isinstance(node, dict):
            return Problem(f"--set {key}", f"{parent!r} must be a section", repr(node))
    try:
        node[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        return Problem(f"--set {key}", "the value must be YAML", repr(value))
    return None


def _narrow(data: dict[str, Any], section: str, wanted: list[str] | None) -> list[Problem]:
    there = data.get(section)
    if not wanted or not isinstance(there, dict | list):
        return []
    names = list(there)
    problems = [
        Problem(f"--{section}", "must be in the sweep", repr(name), suggest(name, map(str, names)))
        for name in wanted
        if name not in names
    ]
    if isinstance(there, dict):
        data[section] = {name: there[name] for name in wanted if name in there}
    else:
        data[section] = [name for name in wanted if name in there]
    return problems


def _fill_ranges(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The shipped ranges of each method under what the file itself says; decay epochs end before the last epoch."""
    folder = Path(str(files("search_spaces"))) / "methods"
    unlearning = data.get("unlearning")
    epochs = unlearning.get("epochs", 20) if isinstance(unlearning, dict) else 20
    filled: dict[str, Any] = {}
    problems = []
    for name, own in data["methods"].items():
        path = folder / f"{name}.yaml"
        ranges = read_yaml(path) if path.exists() else {}
        body = own if isinstance(own, dict) else {}
        last = body.get("epochs", epochs)
        decay = ranges.get("lr_decay_epoch")
        if decay and isinstance(last, int):
            high = max(1, min(decay["high"], last - 1))
            ranges["lr_decay_epoch"] = {**decay, "low": min(decay["low"], high), "high": high}
        merged = {**ranges, **{k: _over(ranges.get(k), v) for k, v in body.items()}}
        missing = [field for field in find("methods", name).searched if field not in merged]
        problems += [
            Problem(f"methods.{name}.{field}", "needs a range or a value", "", "add {low: …, high: …, scale: …}")
            for field in missing
        ]
        filled[name] = merged if isinstance(own, dict) else own
    return filled, problems


def _over(shipped: Any, own: Any) -> Any:
    """A method's own entry; one that names only part of a range keeps the rest of the shipped one."""
    return {**shipped, **own} if isinstance(shipped, dict) and isinstance(own, dict) else own


def _from_pydantic(error: ValidationError) -> list[Problem]:
    problems: list[Problem] = []
    for item in error.errors():
        path = [str(part) for part in item["loc"] if part not in {"RangeSpec", "float", "int", "bool"}]
        value, remedy = item.get("input"), ""
        rule = item["msg"].replace("Input should be", "must be").replace("a valid", "a")
        if isinstance(value, dict) and item["type"] != "extra_forbidden" and path[0] == "methods":
            continue  # the branches of the union that a mapping was never meant for
        if item["type"] == "extra_forbidden":
            rule, remedy = "unknown key", suggest(path[-1], _known_keys(path[:-1]))
            value = ""
        elif item["type"] == "missing":
            rule, value = "is required", ""
        elif isinstance(value, str) and item["type"].startswith(("float", "int", "model_type", "bool", "model_attr")):
            rule = "must be a number"
            remedy = "write 1.0e-5: YAML reads 1e-5 as a string" if "e" in value.lower() else "remove the quotes"
        shown = "" if value == "" else repr(value)[:80]
        problem = Problem(".".join(path), rule, shown, remedy)
        if not any(p.key == problem.key for p in problems):  # a union reports each of its branches
            problems.append(problem)
    return problems


def _known_keys(path: list[str]) -> list[str]:
    part: Any = Spec
    for name in path:
        field = part.model_fields.get(name) if inspect.isclass(part) and issubclass(part, BaseModel) else None
        if field is None:
            return list(RangeSpec.model_fields)
        part = field.annotation
    return list(part.model_fields) if inspect.isclass(part) and issubclass(part, BaseModel) else []
