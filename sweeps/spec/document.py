"""YAML text as plain data with the place of every key, and back: YAML 1.2's core schema, no key twice, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sweeps.errors import Problem, SpecError, SweepError

MAX_BYTES = 2**20
MAX_NODES = 50_000
MAX_DEPTH = 40
MAX_DIGITS = 400

_TAG = "tag:yaml.org,2002:"
_MERGE = "<<"
#: What a plain scalar is, in the core schema of YAML 1.2.2 (10.3.2); whatever else is text.
_CORE = {
    "null": re.compile(r"(?:~|null|Null|NULL|)$"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"),
    "int": re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    "float": re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
#: Words that other readers of YAML 1.1 take for booleans, though PyYAML does not.
_WORDS = {"y", "Y", "n", "N"}


@dataclass
class Document:
    """Plain data, where in the file (or on the command line) each of its keys stands, and what could not be understood.

    `places` has dotted keys; the items of a list stand under the list's own key.
    """

    data: Any
    places: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place_of(self, key: str) -> str:
        """Where `key` stands, or else the nearest key above it; empty where that is not known."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return self.places.get(key, "")

    def move(self, key: str, place: str) -> None:
        """`key`, and all that is below it, stands at another place now."""
        for old in [k for k in self.places if k.startswith(f"{key}.")]:
            del self.places[old]
        self.places[key] = place
        while key := key.rpartition(".")[0]:
            self.places.setdefault(key, place)


class _Loader(yaml.SafeLoader):
    """Composes nodes whose plain scalars have the tags of the core schema."""


_Loader.yaml_implicit_resolvers = {
    first: [(_TAG + kind, pattern) for kind, pattern in _CORE.items()] for first in ["", *"~nNtTfF+-.0123456789"]
}


class _Old(yaml.SafeLoader):
    """The same by the rules of YAML 1.1, as PyYAML has them."""


def read_document(path: Path, *, stored: bool = False) -> Document:
    """The document in a YAML file; one that is `stored` and has no version is of a time when this program wrote YAML 1.1.

    Raises:
        SweepError: it cannot be read or parsed; the message gives the line.
    """
    text = _text_of(path)
    return _of_text(text, str(path), _Old if stored and not text.startswith("%YAML 1.2") else _Loader)


def read_yaml(path: Path) -> Any:
    """Plain data of a YAML file.

    Raises:
        SweepError: it cannot be read or parsed, or is not understood; the message gives the line.
    """
    return _data_of(read_document(path), path)


def read_stored(path: Path) -> dict[str, Any]:
    """Plain data of a `stored` file.

    Raises:
        SweepError: it cannot be read or parsed, or is not understood, or holds no sections; the message gives the line.
    """
    data = _data_of(read_document(path, stored=True), path)
    if not isinstance(data, dict):
        got = "nothing" if data is None else f"a {type(data).__name__}"
        raise SpecError(str(path), [Problem("(file)", "must be a section of keys and values", got)])
    return data


def parse_yaml(text: str) -> Any:
    """Plain data of a YAML text.

    Raises:
        SweepError: it cannot be parsed, or is not understood.
    """
    document = _of_text(text, "value", _Loader)
    if document.problems:
        raise SweepError("; ".join(problem.rule for problem in document.problems))
    return document.data


def dump_yaml(data: Any, *, stored: bool = False) -> str:
    """YAML that readers of version 1.1 and 1.2 take for the same data; `stored` files say which version they are."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, version=(1, 2) if stored else None)


def inline_yaml(data: Any) -> str:
    """The same on one line, to stand behind a key."""
    text = yaml.dump([data], Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=True, width=10**6)
    return text.strip().removeprefix("[").removesuffix("]")


def kind_of(text: str) -> str:
    """What a plain scalar is in YAML 1.2: `null`, `bool`, `int`, `float` or `str`."""
    return next((kind for kind, pattern in _CORE.items() if pattern.match(text)), "str")


class _Dumper(yaml.SafeDumper):
    """Quotes what either version would not read as text; PyYAML sees to version 1.1. No anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _quoted(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "'" if kind_of(text) != "str" or text in _WORDS else None
    return dumper.represent_scalar(_TAG + "str", text, style)


_Dumper.add_representer(str, _quoted)


def _data_of(document: Document, path: Path) -> Any:
    if document.problems:
        raise SpecError(str(path), document.problems)
    return document.data


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SweepError(f"{path}: must be text in UTF-8: {error.reason} at byte {error.start}") from error
    except (OSError, ValueError) as error:
        raise SweepError(f"{path}: cannot be read: {error}") from error
    if len(content) > MAX_BYTES:
        raise SweepError(f"{path}: must be ≤ {MAX_BYTES} bytes to be a file of settings")
    return text


def _of_text(text: str, name: str, loader_class: type[yaml.SafeLoader]) -> Document:
    loader = None
    try:
        loader = loader_class(text)  # a reader refuses control characters here
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise SweepError(f"{name}: not valid YAML: {line}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise SweepError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise SweepError(f"{name}: must not be nested deeper than {MAX_DEPTH} levels") from error
    finally:
        if loader is not None:
            loader.dispose()
    builder = _Builder(name, loader_class is _Old)
    data = None if node is None else builder.build(node, "", 0)
    return Document(data, builder.places, builder.problems)


class _Builder:
    """Makes plain data of nodes; an alias counts as often as it is used, so that no small file makes large data."""

    def __init__(self, name: str, old: bool) -> None:
        self.name = name
        self.old = yaml.constructor.SafeConstructor() if old else None
        self.count = 0
        self.places: dict[str, str] = {}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, path: str, depth: int) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            raise SweepError(f"{self.name}: must be ≤ {MAX_NODES} values, aliases written out")
        if depth > MAX_DEPTH:
            raise SweepError(f"{self.name}: must not be nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        mapping = isinstance(node, yaml.MappingNode)
        if node.tag.removeprefix(_TAG) not in ({"map", "!"} if mapping else {"seq", "!"}):
            self._problem(path, node, f"is not understood as {node.tag[:60]}")
            return None
        return self._mapping(node, path, depth) if mapping else self._sequence(node, path, depth)

    def _mapping(self, node: yaml.Node, path: str, depth: int) -> dict[str, Any]:
        first: dict[str, yaml.Node] = {}
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(path, key_node, "a key must be text")
                continue
            name = str(key_node.value)  # a key is a name here, whatever else it might be read as
            key = f"{path}.{name}" if path else name
            if name == _MERGE and key_node.style is None:
                merged = self._merge(value_node, path, depth) | merged
            elif name in first:
                line = first[name].start_mark.line + 1
                self._problem(key, key_node, f"is given twice, first on line {line}", "remove one")
            else:
                first[name] = key_node
                self.places.setdefault(key, _place(key_node))
                own[name] = self.build(value_node, key, depth + 1)
        return {**merged, **own}

    def _merge(self, node: yaml.Node, path: str, depth: int) -> dict[str, Any]:
        """What `<<` brings in: a mapping, or several of which the first wins. Not of YAML 1.2, but widely read."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                self._problem(f"{path}.{_MERGE}".lstrip("."), node, "must name mappings by their aliases")
                return {}
            merged = self.build(part, path, depth + 1) | merged
        return merged

    def _sequence(self, node: yaml.Node, path: str, depth: int) -> list[Any]:
        for item in node.value:
            if isinstance(item, yaml.ScalarNode):
                self.places.setdefault(f"{path}.{item.value}", _place(item))
        return [self.build(item, path, depth + 1) for item in node.value]

    def _scalar(self, node: yaml.Node, path: str) -> Any:
        text, kind = str(node.value), node.tag.removeprefix(_TAG)
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._problem(path, node, "must be valid text, without half a surrogate pair")
            return None
        if self.old is not None:
            return self.old.construct_object(node)
        if kind in {"str", "!"}:
            return text
        if kind not in _CORE or not _CORE[kind].match(text):
            self._problem(path, node, f"{text[:40]!r} is not understood as {node.tag[:60]}")
            return None
        if kind == "int" and len(text) > MAX_DIGITS:
            self._problem(path, node, f"must be a number of fewer digits than {len(text)}")
            return None
        return _value(kind, text)

    def _problem(self, key: str, node: yaml.Node, rule: str, remedy: str = "") -> None:
        self.problems.append(Problem(key or "(file)", rule, "", remedy, _place(node)))


def _value(kind: str, text: str) -> Any:
    """The value of a plain scalar of a kind other than text."""
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return int(text[2:], {"0o": 8, "0x": 16}[text[:2]]) if text[:2] in {"0o", "0x"} else int(text)


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def keys_of(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every (dotted key, value) of plain data, parents first; the items of a list stand under the list's own key."""
    items = (
        data.items() if isinstance(data, dict) else ((None, item) for item in data) if isinstance(data, list) else ()
    )
    for name, value in items:
        key = path if name is None else f"{path}.{name}" if path else str(name)
        yield key, value
        yield from keys_of(value, key)
