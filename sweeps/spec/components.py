"""Components of a sweep: that each is there and of its kind, takes the options it is given, and can be built with them."""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Union

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from sweeps.errors import Problem
from sweeps.spec.complaints import number_remedy, shown
from sweeps.spec.schema import plain_type
from unlearn.bounds import Bounds
from unlearn.errors import ComponentError, UnknownNameError, UnlearnError, suggest
from unlearn.facts import component_facts
from unlearn.registry import find, is_own
from unlearn.scenarios import Scenario

#: Arguments that the program itself passes.
OWN_ARGUMENTS = {
    "data": {"cache"},
    "models": {"image_shape", "num_classes"},
    "scenarios": set[str](),
    "methods": set[str](),
}
#: Images that a model is built for before the data is there.
ANY_IMAGES, ANY_CLASSES = (3, 32, 32), 10

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", Path: "a path", list: "a list"}
_PLURALS = {int: "whole numbers", float: "numbers", str: "texts", bool: "times true or false"}


def names_in(data: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(key, folder of `unlearn`, name) of every component that a document names."""
    for section, folder in (("dataset", "data"), ("model", "models")):
        if isinstance(data.get(section), dict):
            yield f"{section}.name", folder, data[section].get("name")
    for section in ("methods", "scenarios"):
        bodies = data.get(section)
        for label, body in bodies.items() if isinstance(bodies, dict) else ():
            name = body.get("scenario") if section == "scenarios" and isinstance(body, dict) else None
            yield f"{section}.{label}", section, label if name is None else name
    metrics = data.get("metrics")
    for when, names in metrics.items() if isinstance(metrics, dict) else ():
        for name in names if isinstance(names, list) else ():
            yield f"metrics.{when}", "metrics", name


def check_names(data: Mapping[str, Any]) -> list[Problem]:
    """Components that are misspelt, cannot be imported, or are not what stands in their place."""
    problems = []
    for key, folder, name in names_in(data):
        if not isinstance(name, str):
            continue  # the schema says what is wrong with it
        if is_own(folder, name):
            continue
        try:
            rule = wrong_kind(folder, find(folder, name))
        except UnknownNameError as error:
            problems.append(Problem(key, f"unknown {error.kind} {error.name!r}", "", _meant(error)))
        except ComponentError as error:
            problems.append(Problem(key, error.reason, "" if key.endswith(name) else name, error.remedy))
        else:
            if rule:
                problems.append(Problem(key, rule, "" if key.endswith(name) else name))
    return problems


def _meant(error: UnknownNameError) -> str:
    """What a name that nobody knows was meant to be; code of one's own may be named as Python's import does."""
    module, _, name = error.name.rpartition(".")
    own = all(part.isidentifier() for part in (*module.split("."), name))
    return f"did you mean '{module}:{name}'?" if own else suggest(error.name, error.valid)


def wrong_kind(folder: str, found: Any) -> str:
    """What a component of this kind must be, where `found` is not; it is looked at, never called."""
    if folder in {"methods", "scenarios"}:
        base = _method() if folder == "methods" else Scenario
        good = inspect.isclass(found) and issubclass(found, base) and dataclasses.is_dataclass(found)
        if not good or inspect.isabstract(found):
            return f"must be a dataclass derived from {base.__module__.removesuffix('._base')}.{base.__name__}"
        return ""
    if not callable(found) or inspect.isbuiltin(found):
        return "must be a function or a class" if folder == "models" else "must be a function"
    if folder == "metrics":
        takes = ("a model", "the oracle") if getattr(found, "compares_models", False) else ("a model's outputs",)
        return "" if _takes(found, *takes) else f"must be a function of {' and '.join(takes)}"
    return "" if folder == "models" else _lacking_arguments(found, OWN_ARGUMENTS[folder])


def _lacking_arguments(found: Any, own: set[str]) -> str:
    """Which of the arguments that the program itself passes a component does not take."""
    arguments = sorted(own)
    if set(arguments) <= set(_parameters(found)) or any(p.kind == p.VAR_KEYWORD for p in _parameters(found).values()):
        return ""
    return f"must be a function that takes {' and '.join(arguments)}"


def _method() -> type:
    from unlearn.methods import Method  # noqa: PLC0415  # torch comes with it

    return Method


def check_options(key: str, folder: str, name: str, options: Mapping[str, Any]) -> list[Problem]:
    """Options that a component does not take, lacks, or that are of another type than it says."""
    facts = component_facts(folder, name)
    types = {option: hint for option, hint in facts.options.items() if option not in OWN_ARGUMENTS[folder]}
    problems = [
        Problem(f"{key}.{option}", "is required")
        for option in types
        if option in facts.required and option not in options
    ]
    for option, value in options.items():
        if option in types:
            problems += check_value(f"{key}.{option}", types[option], value)
        elif not facts.open:
            problems.append(unknown(f"{key}.{option}", option, types))
    return problems


def check_value(key: str, hint: Any, value: Any) -> list[Problem]:
    """Whether a value of a document is of a type, by the rules of the sweep file, and within the bounds that come with it."""
    try:
        adapter = _adapter(hint)
        text = json.dumps(value, allow_nan=False)
    except (PydanticUserError, TypeError):
        return []  # a type of the user's own: its constructor sees to it
    except (ValueError, OverflowError):
        return [Problem(key, "must be a finite number", shown(value))]
    try:
        adapter.validate_json(text)
    except ValidationError:
        return [Problem(key, f"must be {described(hint)}", shown(value), _remedy(hint, value))]
    bounds = bounds_of(hint)
    if bounds is None or value is None or bounds.low <= value <= bounds.high:
        return []
    return [Problem(key, f"must lie in {bounds.low:,.12g} … {bounds.high:,.12g}", shown(value))]


@lru_cache(maxsize=512)
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False))


def bounds_of(hint: Any) -> Bounds | None:
    """The bounds in a type, or in the type that it makes optional."""
    for part in (hint, *(typing.get_args(hint) if _is_union(hint) else ())):
        for found in getattr(part, "__metadata__", ()):
            if isinstance(found, Bounds):
                return found
    return None


def described(hint: Any) -> str:
    """A type in words: `a list of 2 whole numbers`."""
    hint = plain_type(hint)
    arguments = [plain_type(a) for a in typing.get_args(hint) if a not in {type(None), Ellipsis}]
    if _is_union(hint):
        words = [described(argument) for argument in arguments if not (argument is Path and str in arguments)]
        return " or ".join(words)
    origin = typing.get_origin(hint)
    if origin is Literal:
        return " or ".join(repr(argument) for argument in arguments)
    if origin in {list, tuple, set, frozenset} or getattr(origin, "__name__", "") == "Sequence":
        counted = f"{len(arguments)} " if origin is tuple and Ellipsis not in typing.get_args(hint) else ""
        return f"a list of {counted}{_PLURALS.get(arguments[0], 'values') if arguments else 'values'}"
    return _WORDS.get(
        hint, "a section of keys and values" if origin is dict else "of the type that it is declared with"
    )


def check_built(key: str, build: Callable[..., Any], options: Mapping[str, Any]) -> list[Problem]:
    """What building a component with its options raises, at the option without which it is not raised, if there is one."""
    error = _error_of(build, options)
    if error is None:
        return []
    rule = str(error).splitlines()[0] if isinstance(error, UnlearnError) else _in_short(error)
    without = ((o, {k: v for k, v in options.items() if k != o}) for o in options)
    culprit = next((option for option, rest in without if _error_of(build, rest) is None), None)
    if culprit is None:
        return [Problem(key, rule)]
    return [Problem(f"{key}.{culprit}", rule, "" if ", got " in rule else shown(options[culprit]))]


def build_model(name: str, options: Mapping[str, Any]) -> Any:
    """A model without weights, for images of any common shape; of a network from elsewhere, what its class makes.

    Raises:
        Exception: whatever the model's constructor raises.
    """
    import torch  # noqa: PLC0415  # only where a model is built

    from unlearn.models import construct  # noqa: PLC0415  # likewise

    try:
        with torch.device("meta"):
            return construct(name, ANY_IMAGES, ANY_CLASSES, options)
    except (NotImplementedError, RuntimeError):  # one that computes with its weights while it is made
        with torch.random.fork_rng(devices=[]):
            return construct(name, ANY_IMAGES, ANY_CLASSES, options)


def unknown(key: str, name: str, allowed: Iterable[str]) -> Problem:
    """A key that nobody reads."""
    return Problem(key, "unknown key", "", suggest(name, allowed))


def _error_of(build: Callable[..., Any], options: Mapping[str, Any]) -> Exception | None:
    try:
        build(**options)
    except Exception as error:  # whatever a constructor raises
        return error
    return None


def _in_short(error: Exception) -> str:
    text = str(error).splitlines()[0][:200] if str(error) else "no reason given"
    return f"is refused by its constructor: {type(error).__name__}: {text}"


def _parameters(found: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(found).parameters
    except (TypeError, ValueError):
        return {}


def _takes(found: Any, *arguments: Any) -> bool:
    try:
        inspect.signature(found).bind(*arguments)
    except (TypeError, ValueError):
        return False
    return True


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in {Union, types.UnionType}


def _remedy(hint: Any, value: Any) -> str:
    wants = {plain_type(a) for a in (typing.get_args(hint) if _is_union(hint) else (hint,))}
    return number_remedy(value) if wants & {int, float} else ""
