"""The JSON schema of sweep files as people write them, for editors; and what each key means."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import BaseModel

from sweeps.spec.components import OWN_ARGUMENTS
from sweeps.spec.schema import RangeSpec, Spec, plain_type
from unlearn.component import ComponentFacts
from unlearn.facts import component_facts
from unlearn.registry import keys

Node = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: Sections of which each component has a key, and where its components are.
FOLDERS = {"dataset": "data", "model": "models", "scenarios": "scenarios", "methods": "methods"}
#: `package.module:Name`
_OWN = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
_JSON_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
_NAMES = re.compile(r"^(\w+(?:, \w+)*): (.*)$")


def meanings(section: type[BaseModel]) -> dict[str, str]:
    """What each key of a section means, as the `Attributes` of its documentation, and of what it derives from, say."""
    ours = [of for of in reversed(section.__mro__) if of not in BaseModel.__mro__]
    return {key: text for of in ours for key, text in _attributes(of.__doc__ or "").items()}


def _attributes(documentation: str) -> dict[str, str]:
    _, _, text = inspect.cleandoc(documentation).partition("Attributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in text.splitlines():
        entry = _NAMES.match(line.strip()) if line.startswith("    ") and not line.startswith("     ") else None
        if entry:
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def sections(model: type[BaseModel] = Spec, prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section of a sweep file with the dotted name that stands before its keys, the file itself first."""
    yield prefix, model
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            yield from sections(inner, f"{prefix}.{name}".lstrip("."))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)


def json_schema() -> Node:
    """The schema of a sweep file with all its short forms, JSON Schema 2020-12.

    It knows the shipped components and their options. What holds between keys, and between the file and its data, only
    `sweeps validate` sees.
    """
    schema: Node = Spec.model_json_schema()
    for name, section in sections():
        definition = schema if not name else schema["$defs"][section.__name__]
        definition["description"] = inspect.cleandoc(section.__doc__ or "").partition("\n")[0]
        told = meanings(section)
        for key, node in definition.get("properties", {}).items():
            node.pop("title", None)
            if key in told:
                node["description"] = told[key]
    properties = schema["properties"]
    shared = {
        name: schema["$defs"][of.__name__]["properties"] for name, of in sections() if name in {"dataset", "model"}
    }
    forms = {name: _component(name, nodes) for name, nodes in shared.items()}
    scenario = schema["$defs"]["ScenarioSpec"]["properties"]
    forms |= {
        "scenarios": _listed("scenarios", scenario),
        "methods": _listed("methods", _LABEL),
    }
    for name, of_name in forms.items():
        told = {key: text for key, text in properties[name].items() if key == "description"}  # none under python -OO
        properties[name] = {**told, "anyOf": of_name}
    schema["$defs"][RangeSpec.__name__].pop("required")  # what is left out is as in the shipped range
    rounds = schema["$defs"]["Search"]["properties"]["confirm"]
    rounds["anyOf"] = [{"const": "none"}, {"type": "array", "items": rounds.pop("items")}, _OLD_ROUNDS]
    rounds.pop("type", None)
    schema["required"] = [key for key in schema["required"] if key != "format"]
    return {"$schema": DRAFT, "title": "unlearn-sweeps: a sweep file", **schema}


_LABEL: Node = {"label": {"type": "string", "description": "What the method is called in reports."}}
#: `{top: 3, seeds: 3}`, as rounds were written before there were several.
_OLD_ROUNDS: Node = {
    "type": "object",
    "properties": {"top": {"type": "integer"}, "seeds": {"type": "integer"}},
    "additionalProperties": False,
}


def _component(section: str, shared: Node) -> list[Node]:
    """A data set or model: its name alone, or a section with its options and those that all of them share."""
    folder = FOLDERS[section]
    ours = OWN_ARGUMENTS[folder]
    whole = [
        {
            "type": "object",
            "properties": {**shared, "name": {"const": key}, **_options(facts, ours)},
            "required": ["name", *(name for name in facts.required if name not in ours)],
            "description": facts.about,
            "additionalProperties": facts.open,
        }
        for key, facts in _known(folder)
    ]
    own = {"type": "object", "properties": {**shared, "name": {"pattern": _OWN}}, "required": ["name"]}
    return [{"enum": list(keys(folder))}, {"type": "string", "pattern": _OWN}, *whole, own]


def _listed(section: str, shared: Node) -> list[Node]:
    """Scenarios or methods: a mapping from names to bodies, or a list of names and of such mappings."""
    ranged = section == "methods"
    known = {
        key: {
            "description": facts.about,
            "type": ["object", "null"],
            "properties": {**shared, **_options(facts, facts.declared.get("unread", ()), ranged=ranged)},
            "additionalProperties": False,
        }
        for key, facts in _known(FOLDERS[section])
    }
    body: Node = {"type": ["object", "null"]}
    mapping: Node = {"type": "object", "properties": known, "minProperties": 1}
    if section == "scenarios":  # a name of one's own may stand before any of them, with `scenario:` to say which
        mapping["additionalProperties"] = body
    else:
        mapping |= {"patternProperties": {_OWN: body}, "additionalProperties": False}
    names = {"anyOf": [{"enum": list(keys(FOLDERS[section]))}, {"type": "string", "pattern": _OWN}]}
    return [mapping, {"type": "array", "items": {"anyOf": [names, mapping]}, "minItems": 1}]


def _known(folder: str) -> Iterator[tuple[str, ComponentFacts]]:
    return ((key, component_facts(folder, key)) for key in keys(folder))


def _options(facts: ComponentFacts, without: Collection[str] = (), *, ranged: bool = False) -> Node:
    """What a component takes of a sweep file, all but `without`; with `ranged` a range may stand for a number."""
    nodes: Node = {}
    for name, hint in facts.options.items():
        if name in without:
            continue
        kind = plain_type(hint)
        node: Node = {"type": _JSON_TYPES[kind]} if kind in _JSON_TYPES else {}
        number = node.get("type") in {"integer", "number"}
        nodes[name] = {"anyOf": [node, {"$ref": f"#/$defs/{RangeSpec.__name__}"}]} if ranged and number else node
    return nodes
