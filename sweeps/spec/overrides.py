"""What the command line changes in a sweep's document: `--set`, `--methods`, `--scenarios`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.errors import Problem, SweepError
from sweeps.spec.complaints import shown
from sweeps.spec.document import Document, parse_yaml
from unlearn.errors import suggest

#: Sections in which a name stands for {name: …}, and those in which a list of names stands for a mapping.
NAMED = ("dataset", "model")
LISTED = ("methods", "scenarios")
SET = "--set"

#: A component of a package has dots in its name.
_OWN = re.compile(r"[^\W\d]\w*(?:\.\w+)*:\w+")


def named(section: Any) -> Any:
    """A data set or model given by its name alone as a section."""
    return {"name": section} if isinstance(section, str) else section


def listed(section: str, value: Any) -> tuple[Any, list[Problem]]:
    """A list of names, or of {name: body}, as a mapping from names to bodies; and what in it is neither, or stands twice."""
    if not isinstance(value, list):
        return value, []
    bodies: dict[str, Any] = {}
    problems = []
    for item in value:
        if not isinstance(item, str | dict) or item in ("", {}):
            problems.append(Problem(section, "must list names, or {name: {…}}", shown(item)))
            continue
        for name, body in item.items() if isinstance(item, dict) else [(item, {})]:
            if name in bodies:
                problems.append(Problem(f"{section}.{name}", "is listed twice", "", "remove one"))
            bodies.setdefault(name, body)
    return bodies, problems


def override(document: Document, text: str) -> None:
    """Carry out one `--set key=value`; what is wrong with it is added to the document's problems."""
    key, equals, value = text.partition("=")
    if not equals or not key or not all(key.split(".")):
        document.problems.append(Problem(SET, "must be key=value", repr(text), "e.g. --set search.trials=100"))
        return
    try:
        parsed = parse_yaml(value)
    except SweepError as error:
        document.problems.append(Problem(key, "the value must be YAML", shown(value), str(error), SET))
        return
    problem = _put(document, key, parsed)
    if problem is not None:
        document.problems.append(problem)
    else:
        document.move(key, SET)


def _put(document: Document, key: str, value: Any) -> Problem | None:
    node, path, rest = document.data, "", key
    while True:
        name, rest = _first(node, path, rest)
        if not rest:
            node[name] = value
            return None
        path = f"{path}.{name}" if path else name
        below = node.get(name)
        if path in NAMED:
            below = named(below)
        elif path in LISTED:
            below, problems = listed(path, below)
            document.problems += problems
        if below is None:
            below = {}
        if not isinstance(below, dict):
            return Problem(key, f"{path} must be a section for it", shown(below), "", SET)
        node[name] = below
        node = below


def _first(node: Mapping[str, Any], path: str, key: str) -> tuple[str, str]:
    """(first name, rest) of a dotted key; names that are there, and those of components of packages, may have dots in them."""
    there = [name for name in node if key == name or key.startswith(f"{name}.")]
    own = _OWN.match(key) if path in LISTED else None
    name = max(there, key=len) if there else own[0] if own else key.partition(".")[0]
    return name, key[len(name) + 1 :]


def narrow(document: Document, section: str, wanted: Iterable[str] | None) -> None:
    """Keep only the `wanted` of a section's names; a name that is not there is added to the document's problems."""
    there = document.data.get(section)
    names = list(dict.fromkeys(wanted or []))
    if not names or not isinstance(there, dict | list):
        return
    bodies, problems = listed(section, there)
    document.problems += problems
    document.problems += [
        Problem(f"--{section}", "must be in the sweep", repr(name), suggest(name, bodies))
        for name in names
        if name not in bodies
    ]
    kept = {name: bodies[name] for name in names if name in bodies}
    document.data[section] = kept or bodies
    labels = document.data.get("labels")
    if section == "methods" and isinstance(labels, dict):
        document.data["labels"] = {m: label for m, label in labels.items() if m in kept or m not in bodies}
    sensitivity = document.data.get("sensitivity")
    if section == "methods" and isinstance(sensitivity, dict) and isinstance(sensitivity.get("methods"), list):
        chosen = [name for name in sensitivity["methods"] if name in kept or name not in bodies]
        document.data["sensitivity"] = {**sensitivity, "methods": chosen}
