"""What is known of a component by looking at it: its documentation, its options, and the facts that its class declares."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from unlearn.bounds import Bounds
from unlearn.gaps import declared

#: Attributes that are facts of methods, of scenarios, of models or of metrics.
FLAGS = (
    *("searched", "unread", "epoch_rule", "one_epoch"),
    *("of_class", "sized", "alters_training", "original_per_draw", "draws_vary"),
    "has_symmetries",
    "compares_models",
)

Function = TypeVar("Function", bound=Callable[..., Any])

_PLAIN: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str, "path": Path, "none": type(None)}
_NAMES = {kind: name for name, kind in _PLAIN.items()}


@dataclass(frozen=True)
class ComponentFacts:
    """Facts of a method, data set, model, scenario or metric.

    Attributes:
        about: the first line of its documentation.
        options: the types of a dataclass's fields or a function's arguments, annotations included; `Any` where there is none.
        required: the options without a default.
        open: whether it takes any other option too.
        refuses: whether building it may refuse options that are all of the right types.
        declared: what its class says of itself, by name: `searched`, `sized`, …
        measures: what a metric declares of its values.
    """

    about: str
    options: Mapping[str, Any]
    required: tuple[str, ...]
    open: bool
    refuses: bool
    declared: Mapping[str, Any]
    measures: tuple[Mapping[str, Any], ...]

    @staticmethod
    def of(found: Any, *, options: bool = True) -> ComponentFacts:
        """The facts of a class or function; it is looked at, never called.

        Args:
            options: whether its arguments are options; a metric's are what it measures.
        """
        parameters, hints = (_parameters(found), _hints(found)) if options else ({}, {})
        named = {n: p for n, p in parameters.items() if p.kind in {p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD}}
        plain = dataclasses.is_dataclass(found) and not hasattr(found, "__post_init__")
        return ComponentFacts(
            about=((found.__doc__ or "").strip().splitlines() or [""])[0],
            options={name: hints.get(name, Any) for name in named},
            required=tuple(name for name, p in named.items() if p.default is p.empty),
            open=any(p.kind == p.VAR_KEYWORD for p in parameters.values()),
            refuses=not (plain or getattr(found, "takes_all_options", False)),
            declared={name: _plain(getattr(found, name)) for name in FLAGS if hasattr(found, name)},
            measures=tuple(declared([found])),
        )

    @property
    def places(self) -> tuple[str, ...]:
        """The options that may be the path of a file or folder."""
        return tuple(name for name, hint in self.options.items() if Path in (hint, *typing.get_args(hint)))

    def dump(self) -> dict[str, Any]:
        """As JSON has it; a type that is more than numbers, texts and lists of them becomes `Any`."""
        options = {name: _written(hint) for name, hint in self.options.items()}
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)} | {"options": options}

    @staticmethod
    def load(data: Mapping[str, Any]) -> ComponentFacts:
        """From what `dump` gave, once through JSON.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: it is no such thing.
        """
        listed = {name: tuple(value) if isinstance(value, list) else value for name, value in data["declared"].items()}
        options = {name: _read(hint) for name, hint in data["options"].items()}
        changed = {"options": options, "required": tuple(data["required"]), "measures": tuple(data["measures"])}
        return ComponentFacts(**{**data, **changed, "declared": listed})


def takes_all_options(function: Function) -> Function:
    """Tell of a function that it takes any options of the right types within their bounds, in any combination."""
    function.takes_all_options = True  # type: ignore[attr-defined]
    return function


def has_symmetries(function: Function) -> Function:
    """Tell of a model's function that all its models have `symmetries`, by which their weights can be compared."""
    function.has_symmetries = True  # type: ignore[attr-defined]
    return function


def _plain(value: Any) -> str | bool | tuple[str, ...]:
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(map(str, value))
    return value if isinstance(value, str) else bool(value)


def _parameters(found: Any) -> Mapping[str, inspect.Parameter]:
    if dataclasses.is_dataclass(found):
        kind = inspect.Parameter.KEYWORD_ONLY
        return {
            f.name: inspect.Parameter(f.name, kind, default=_default(f)) for f in dataclasses.fields(found) if f.init
        }
    try:
        return inspect.signature(found).parameters
    except (TypeError, ValueError):
        return {}


def _default(field: dataclasses.Field[Any]) -> Any:
    missing = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return inspect.Parameter.empty if missing else None


def _hints(found: Any) -> dict[str, Any]:
    """The annotated types of a function's arguments or a dataclass's fields; none where they cannot be resolved."""
    if inspect.isclass(found) and not dataclasses.is_dataclass(found):
        found = found.__init__
    try:
        return typing.get_type_hints(found, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}


def _written(hint: Any) -> Any:
    """A type as JSON has it; None for `Any` and for whatever cannot be written."""
    if hint in _NAMES:
        return _NAMES[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        plain, *notes = arguments
        bounds = notes[0] if len(notes) == 1 and isinstance(notes[0], Bounds) else None
        return {"bounded": _written(plain), "low": bounds.low, "high": bounds.high} if bounds else None
    if origin is Literal:
        return {"one_of": list(arguments)}
    if origin in {Union, types.UnionType}:
        return {"union": [_written(argument) for argument in arguments]}
    if origin in {list, tuple}:
        written = ["..." if argument is Ellipsis else _written(argument) for argument in arguments]
        return {origin.__name__: written}
    return None


def _read(text: Any) -> Any:
    if text is None:
        return Any
    if isinstance(text, str):
        return _PLAIN[text]
    if "bounded" in text:
        return Annotated[_read(text["bounded"]), Bounds(text["low"], text["high"])]
    if "one_of" in text:
        return Literal[tuple(text["one_of"])]
    if "union" in text:
        return functools.reduce(operator.or_, map(_read, text["union"]))
    (kind, arguments), *_ = text.items()
    generic: Any = {"list": list, "tuple": tuple}[kind]
    return generic[tuple(... if argument == "..." else _read(argument) for argument in arguments)]
