"""pydantic's errors in this program's words: the rule, the value, the remedy."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from sweeps.errors import Problem
from sweeps.spec.document import kind_of
from sweeps.spec.schema import ALL, COUNT, FILE, RANGE, SHARE, VALUE, RangeSpec, Spec
from unlearn.errors import suggest

Path = tuple[str | int, ...]

#: The key that is a number of samples, or `all`.
SAMPLES = ("search", "retain_samples")

_LEAST = {"greater_than_equal": ("≥", "ge"), "greater_than": (">", "gt")}
_MOST = {"less_than_equal": ("≤", "le"), "less_than": ("<", "lt")}
_LIMITS = _LEAST | _MOST
_NUMBERS = ("int", "float", "finite_number")
_RULES = {
    "missing": "is required",
    "extra_forbidden": "unknown key",
    "bool": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be letters, digits, '.', '_' and '-', beginning with a letter or a digit",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "dict_type": "must be a section of keys and values",
    "mapping_type": "must be a section of keys and values",
    "model": "must be a section of keys and values",
    "dataclass": "must be a section of keys and values",
    "path_type": "must be a path",
    "none_required": "must be left out",
    "missing_positional": "must have more entries",
    "unexpected_positional": "must have fewer entries",
    "int": "must be a whole number",
    "finite_number": "must be a finite number",
    "float": "must be a number",
}


def complaints(errors: list[ErrorDetails]) -> Iterator[tuple[Path, Problem]]:
    """(path in the data, problem) of each error; several of one value, from the branches of a union, become one."""
    seen: set[Path] = set()
    for error in errors:
        path = _path(error["loc"])
        if path not in seen:
            seen.add(path)
            yield path, _problem(path, error)


def shown(value: object) -> str:
    """A value as the file has it, cut where it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of more than 40 digits"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def number_remedy(value: object) -> str:
    """What to do about text where a number belongs."""
    if value is None:
        return "give a value, or leave the key out"
    if isinstance(value, str) and kind_of(value) in {"int", "float"}:
        return "remove the quotes"
    return ""


def _path(location: Path) -> Path:
    """The path without pydantic's own names for the branches of unions: of a method's entries, and of single keys."""
    if location[:1] == ("held_out",) or location[:2] == SAMPLES:
        return tuple(part for part in location if part not in {SHARE, FILE, COUNT, ALL})
    if location[:1] != ("methods",) or len(location) < 4:
        return location
    return (*location[:3], *(part for part in location[3:] if part not in {RANGE, VALUE, "int", "float", "bool"}))


def _problem(path: Path, error: ErrorDetails) -> Problem:
    kind, value = error["type"], error.get("input")
    key = ".".join(part for part in path if isinstance(part, str)) or "(file)"  # an entry of a list has its list's key
    if kind == "missing":
        return Problem(key, _RULES[kind], "", "")
    if kind == "extra_forbidden":
        return Problem(key, _RULES[kind], "", _meant(path))
    if path[:1] == ("methods",) and kind not in _LIMITS and (len(path) == 3 or path[3:] in {("low",), ("high",)}):
        either = ", or {low: …, high: …, scale: …}" if len(path) == 3 else ""  # of a union the first branch complains
        return Problem(key, f"must be a number{either}", shown(value), number_remedy(value))
    if path == SAMPLES and kind not in _LIMITS:
        return Problem(key, "must be a whole number, or all", shown(value), number_remedy(value))
    if kind == "literal_error":
        expected = str(error.get("ctx", {}).get("expected", ""))
        return _not_among(key, expected.replace("True", "true").replace("False", "false"), value)
    remedy = number_remedy(value) if value is None or kind.startswith(_NUMBERS) else ""
    names = path in {("methods",), ("scenarios",)} and kind in {"dict_type", "mapping_type"}
    rule = "must be a list of names, or a section for each" if names else _rule(kind, error.get("ctx", {}))
    return Problem(key, rule, shown(value), remedy)


def _rule(kind: str, context: Mapping[str, Any]) -> str:
    if kind in _LIMITS:
        sign, name = _LIMITS[kind]
        return f"must be {sign} {_number(context[name])}"
    if kind in {"too_short", "too_long"}:
        least = kind == "too_short"
        count = context["min_length" if least else "max_length"]
        return f"must have at {'least' if least else 'most'} {count} entr{'y' if count == 1 else 'ies'}"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters"
    known = [rule for name, rule in _RULES.items() if kind == name or kind.startswith(f"{name}_")]
    return known[0] if known else "is not of the right kind"


def _number(limit: float) -> str:
    return "2⁵³" if limit == 2**53 else f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def _not_among(key: str, expected: str, value: object) -> Problem:
    names = [part.strip("' ") for part in expected.replace(" or ", ", ").split(",")]
    near = suggest(value, names) if isinstance(value, str) else ""
    return Problem(key, f"must be {expected}", shown(value), near if near.startswith("did you mean") else "")


def _meant(path: Path) -> str:
    """What an unknown key was meant to be: the same name in another section, else one of its own section's."""
    name = str(path[-1])
    elsewhere = [f"{section}.{name}" for section in Spec.model_fields if name in _known_keys((section,))]
    return f"did you mean {' or '.join(map(repr, elsewhere))}?" if elsewhere else suggest(name, _known_keys(path[:-1]))


def _known_keys(path: Path) -> list[str]:
    part: Any = Spec
    for name in path:
        field = part.model_fields.get(str(name)) if inspect.isclass(part) and issubclass(part, BaseModel) else None
        if field is None:
            return list(RangeSpec.model_fields)
        part = next((a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_model(a)), None)
    return list(part.model_fields) if _is_model(part) else []


def _is_model(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, BaseModel)
