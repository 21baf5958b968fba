"""Reads sweep files: YAML, command-line overrides, shipped ranges; every error at once."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sweeps.errors import Problem, SpecError, SweepError
from sweeps.spec.check import check
from sweeps.spec.complaints import complaints, shown
from sweeps.spec.components import check_names
from sweeps.spec.document import Document, keys_of, read_document, read_yaml
from sweeps.spec.earlier import as_begun
from sweeps.spec.files import fill_code, fill_hashes
from sweeps.spec.overrides import LISTED, NAMED, listed, named, narrow, override
from sweeps.spec.schema import LARGEST, Spec
from unlearn.errors import UnlearnError, suggest
from unlearn.facts import component_facts

#: What stands in for sections that are missing or wrong while the rest is checked.
_STAND_IN: dict[str, Any] = {
    "name": "stand-in",
    "dataset": {"name": "digits"},
    "model": {"name": "small_resnet"},
    "scenarios": {"random": {"tune_size": 1, "sizes": [1]}},
    "methods": {"finetune": {}},
}
LABEL = "label"
#: The sections that decide which images there are, and what they are for.
_OF_DATA = {"dataset", "held_out", "dev", "seed", "protocol", "cache"}
#: How often the keys that the schema complains of are dropped, for what it sees only then.
_ROUNDS = 5


def load_spec(source: str, overrides: Iterable[str] = (), **chosen: list[str] | None) -> Spec:
    """The sweep named or filed as `source`, with `--set key=value` overrides, resolved and checked.

    Args:
        source: a shipped name (`digits`) or a path to a YAML file.
        chosen: `methods=` and `scenarios=`, to keep only some of the file's.

    Raises:
        SpecError: everything that is wrong with it.
    """
    return parse_document(open_document(source, overrides, **chosen), source)


def load_stored(path: Path, overrides: Iterable[str] = (), **chosen: list[str] | None) -> Spec:
    """The same of a file that an earlier run has left.

    Raises:
        SpecError: everything that is wrong with it.
    """
    document = read_document(path, stored=True)
    name = None
    if isinstance(document.data, dict):
        document.data.update(as_begun(document.data))
        name = document.data.get("name")
    data = _changed(document, str(path), overrides, chosen).data
    if data.get("name") != name:
        data.update(files=None, code=None)  # another sweep begins with what is there now
    return parse_document(document, str(path))


def open_document(source: str, overrides: Iterable[str] = (), **chosen: list[str] | None) -> Document:
    """The document of a sweep with what the command line changes in it, not yet checked.

    Raises:
        SweepError: there is no such file, or it is not YAML.
    """
    return _changed(read_document(_locate(source)), source, overrides, chosen)


def _changed(
    document: Document, source: str, overrides: Iterable[str], chosen: Mapping[str, list[str] | None]
) -> Document:
    if not isinstance(document.data, dict):
        raise SpecError(source, [Problem("(file)", "must be a section of keys and values", shown(document.data))])
    for text in overrides:
        override(document, text)
    for section, names in chosen.items():
        narrow(document, section, names)
    return document


def parse_spec(data: Mapping[str, Any], source: str = "sweep") -> Spec:
    """A checked `Spec` from plain data.

    Raises:
        SpecError: everything that is wrong with it.
    """
    return parse_document(Document(copy.deepcopy(dict(data))), source)


def stored_spec(data: Mapping[str, Any], source: str = "") -> Spec:
    """The `Spec` that an earlier run has resolved, checked and kept; rules that came later do not make it unreadable.

    Args:
        source: the file that it is from, for errors; by default its name.

    Raises:
        SpecError: it is no such thing.
    """
    data = as_begun(data)
    try:
        return Spec.model_validate(data)
    except ValidationError:
        return parse_spec(data, source or str(data.get("name", "sweep")))


def parse_document(document: Document, source: str, look: Callable[[Spec], object] | None = None) -> Spec:
    """A checked `Spec` from a document.

    Args:
        look: what looks at the data, of a file in which something is wrong: its `SpecError` is told too.

    Raises:
        SpecError: everything that is wrong with it, each with its place in the file.
    """
    data, found = uniform(document.data)
    problems = [*document.problems, *found, *_check_plain(data)]
    unknown = check_names(data)
    _drop(data, [tuple(problem.key.split(".", 1)) for problem in unknown])  # a name may have dots in it
    problems += [*unknown, *_fill_ranges(data), *fill_hashes(data), *fill_code(data)]
    spec, found, stood_in = _validate(data, {problem.key.split(".")[0] for problem in problems})
    problems += found
    problems += check(spec, {problem.key for problem in problems}, stood_in)
    if problems:
        problems += [] if look is None else _seen(spec, {problem.key for problem in problems}, stood_in, look)
        placed = [dataclasses.replace(p, place=p.place or document.place_of(p.key)) for p in _once(problems)]
        raise SpecError(source, sorted(placed, key=_line))
    return spec


def _seen(spec: Spec, wrong: set[str], stood_in: set[str], look: Callable[[Spec], object]) -> list[Problem]:
    """What `look` complains of, as far as it looks at what nothing is wrong with."""
    if not _OF_DATA.isdisjoint(stood_in | {key.split(".")[0] for key in wrong}):
        return []

    def right(section: str) -> dict[str, Any]:
        bodies = {} if section in stood_in | wrong else getattr(spec, section)
        return {
            name: b for name, b in bodies.items() if not any(f"{k}.".startswith(f"{section}.{name}.") for k in wrong)
        }

    try:
        look(spec.model_copy(update={section: right(section) for section in ("scenarios", "methods")}))
    except SpecError as error:
        return list(error.problems)
    except UnlearnError as error:
        return [Problem("dataset", str(error))]
    return []


def uniform(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The document with every short form written out; sections that are empty are left for the schema."""
    data = dict(raw)
    problems: list[Problem] = []
    for section in NAMED:
        if section in data:
            data[section] = named(data[section])
    for section in LISTED:
        if section in data:
            bodies, found = listed(section, data[section])
            problems += found
            data[section] = (
                {name: {} if body is None else body for name, body in bodies.items()}
                if isinstance(bodies, dict)
                else bodies
            )
    return _with_labels(data), problems


def _with_labels(data: dict[str, Any]) -> dict[str, Any]:
    """The labels that methods have in their own sections, together, where they are no hyperparameters."""
    methods, known = data.get("methods"), data.get("labels")
    if not isinstance(methods, dict):
        return data
    own = {m: body[LABEL] for m, body in methods.items() if isinstance(body, dict) and LABEL in body}
    if not own or not isinstance(known, dict | None):
        return data
    bodies = {m: {k: v for k, v in body.items() if k != LABEL} if m in own else body for m, body in methods.items()}
    return {**data, "methods": bodies, "labels": {**(known or {}), **own}}


def _check_plain(data: Mapping[str, Any]) -> list[Problem]:
    """Numbers that nothing here could compute with or keep."""
    problems = []
    for key, value in keys_of(data):
        if isinstance(value, float) and not math.isfinite(value):
            problems.append(Problem(key, "must be a finite number", shown(value)))
        elif isinstance(value, int) and abs(value) > LARGEST:
            problems.append(Problem(key, "must lie within ±2⁵³", shown(value)))
    return problems


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """The first problem of each key, and what the document's own form adds to it."""
    first: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.key, "form" if "twice" in problem.rule else ""), problem)
    return list(first.values())


def _line(problem: Problem) -> int:
    number = problem.place.removeprefix("line ")
    return int(number) if number.isdigit() else 0


def _validate(data: dict[str, Any], doubtful: set[str]) -> tuple[Spec, list[Problem], set[str]]:
    """The spec, the schema's complaints, and the sections that something stands in for.

    What is complained of is dropped, so that the rest is checked too.
    """
    problems: list[Problem] = []
    rest = copy.deepcopy(data)
    stood_in = {section for section in _STAND_IN if section in doubtful and rest.get(section) in (None, {})}
    for _ in range(_ROUNDS):
        rest |= {section: copy.deepcopy(_STAND_IN[section]) for section in stood_in}
        try:
            return Spec.model_validate(rest), problems, stood_in
        except ValidationError as error:
            found = list(complaints(error.errors()))
        problems += [problem for _, problem in found]
        _drop(rest, [path for path, _ in found])
        stood_in |= {section for section in _STAND_IN if rest.get(section) in (None, {})}
    return Spec.model_validate(_STAND_IN), problems, set(Spec.model_fields)


def _drop(data: dict[str, Any], paths: Iterable[tuple[str | int, ...]]) -> None:
    """Remove what the key paths name: the last key of each that is there."""
    for path in paths:
        node: Any = data
        holder: tuple[dict[str, Any], str] | None = None
        for part in path:
            if not isinstance(node, dict) or part not in node:
                break
            holder = (node, str(part))
            node = node[part]
        if holder is not None:
            holder[0].pop(holder[1])


def shipped_sweeps() -> dict[str, Path]:
    """The sweeps that come with the package, by name."""
    folder = Path(str(files("search_spaces"))) / "sweeps"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def published_params() -> dict[str, dict[str, dict[str, float]]]:
    """The paper's tuned values, {scenario: {method: {hyperparameter: value}}} (Tables 3 and 4)."""
    params: dict[str, dict[str, dict[str, float]]] = _published()["params"]
    return params


def leaves_published_out(spec: Spec) -> bool:
    """Whether a sweep names the published values as first points and may not have them.

    They were chosen by the test set of their data set: a strict search on that one would learn from what it is evaluated on.
    """
    strict = spec.rules > 1 and spec.protocol == "strict" and "published" in spec.search.warm_start
    return strict and bool(spec.dataset.name == _published()["tuned_on"])


@cache
def _published() -> Any:
    return read_yaml(Path(str(files("search_spaces"))) / "published" / "sure_paper.yaml")


@cache
def _shipped_text(method: str) -> Any:
    path = Path(str(files("search_spaces"))) / "methods" / f"{method}.yaml"
    return read_yaml(path) if path.is_file() else {}


def shipped_ranges(method: str) -> dict[str, Any]:
    """The ranges that come with the package for a method; none for one of the user's own."""
    ranges: dict[str, Any] = copy.deepcopy(_shipped_text(method))
    return ranges


def decay_range(method: str, epochs: int) -> dict[str, Any]:
    """The shipped range of a method's decay epoch, which ends before the last epoch; empty where there is none."""
    shipped = shipped_ranges(method).get("lr_decay_epoch", {})
    if not shipped:
        return {}
    high = max(1, min(shipped["high"], epochs - 1))
    return {**shipped, "low": min(shipped["low"], high), "high": high}


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
        f"unknown sweep {source!r}, {suggest(source, shipped)}; or give the path of a YAML file: of a sweep that was run it is "
        "runs/NAME/spec.yaml"
    )


def _fill_ranges(data: dict[str, Any]) -> list[Problem]:
    """Put the shipped ranges of each method under what the file itself says; decay epochs end before the last epoch."""
    if not isinstance(data.get("methods"), dict):
        return []
    unlearning = data.get("unlearning")
    epochs = unlearning.get("epochs", 20) if isinstance(unlearning, dict) else 20
    problems: list[Problem] = []
    filled: dict[str, Any] = {}
    for name, own in data["methods"].items():
        if not isinstance(own, dict):
            filled[name] = own
            continue
        ranges, declared = shipped_ranges(name), component_facts("methods", name).declared
        last = own.get("epochs", epochs)
        if "lr_decay_epoch" in ranges and isinstance(last, int):
            ranges["lr_decay_epoch"] = decay_range(name, last)
        filled[name] = {**ranges, **{key: _over(ranges.get(key), value) for key, value in own.items()}}
        problems += [
            Problem(f"methods.{name}.{field}", "needs a range or a value", "", "add {low: …, high: …, scale: …}")
            for field in declared["searched"]
            if field not in filled[name]
        ]
        if "rules" not in data:  # a sweep that has begun goes on with what it was given
            problems += [
                Problem(f"methods.{name}.{field}", "is not read by this method", shown(own[field]), "leave it out")
                for field in declared.get("unread", ())
                if field in own
            ]
    data["methods"] = filled
    return problems


def _over(shipped: Any, own: Any) -> Any:
    """A method's own entry; one that names only part of a range keeps the rest of the shipped one."""
    return {**shipped, **own} if isinstance(shipped, dict) and isinstance(own, dict) else own
