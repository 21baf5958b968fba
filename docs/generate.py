"""Writes the pages that are made from the code: `python -m docs.generate`. A test fails where they are not up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from docs.messages import messages
from sweeps.cli.app import app
from sweeps.spec.json_schema import json_schema, sections
from unlearn.facts import component_facts
from unlearn.registry import keys

FOLDER = Path(__file__).parent
Node = dict[str, Any]
#: The short forms of sections whose schema lists every component.
FORMS = {
    "dataset": "a name or a [section](#data-sets)",
    "model": "a name or a [section](#models)",
    "scenarios": "a list of names, or a [section](#scenarios) for each",
    "methods": "a list of names, or a [section](#methods) for each",
    "search.confirm": "`none` or a list of [rounds](#searchconfirm)",
}
TITLES = {
    "": "The file itself",
    "model": "`dataset` and `model`",
    "methods": "`methods`: the range of a hyperparameter",
}
#: What stands in a sweep file for each key, where the default is no example.
EXAMPLES = {
    "name": "`my-sweep`",
    "dataset": "`{name: image_folder, root: /data/birds}`",
    "dataset.name": "`digits`",
    "model": "`{name: resnet18, width: 64}`",
    "model.name": "`resnet18`",
    "model.head": "`layers.fc`",
    "model.normalise": "`{mean: [0.5], std: [0.25]}`",
    "model.normalise.mean": "`[0.5]`",
    "model.normalise.std": "`[0.25]`",
    "original": "`{weights: /models/birds.pt}`",
    "original.weights": "`/models/birds.pt`",
    "files": "written by a run",
    "code": "written by a run",
    "scenarios": "`{random: {tune_size: 5000, sizes: [5000, 1000]}}`",
    "scenarios.scenario": "`confusion`",
    "scenarios.tune_size": "`5000`",
    "scenarios.sizes": "`[5000, 1000]`",
    "methods": "`[sure, scrub, {finetune: {lr: {low: 1e-4, high: 1e-2}}}]`",
    "methods.low": "`1e-4`",
    "methods.high": "`1e-2`",
    "search.confirm": "`[{leaders: 4, sets: 1}, {leaders: 2, sets: 2}]`",
    "search.confirm.leaders": "`4`",
    "search.confirm.sets": "`1`",
    "search.samples": "`2e7`",
    "search.startup_trials": "`10`",
    "sensitivity.methods": "`[sure, scrub]`",
    "labels": "`{'my_package:Mine': Mine}`",
    "scenarios.label": "`One bird species`",
    "resources.workers": "`8`",
    "resources.custom": "`{fast_disk: 1}`",
    "resources.trial_timeout": "`3600`",
    "logging.mlflow": "`http://localhost:5000`",
    "storage": "`sqlite:////data/study.db`",
    "cache": "`/data/models`",
}


def printed_messages() -> str:
    """Every message that a command can print."""
    lines = [
        "# Messages",
        "",
        "Every error, note and remedy of the commands, made from the code by `python -m docs.generate`; … stands for what is",
        "filled in. An error of a sweep file names its line and key first, then the rule, what it got, and what to do. By",
        "symptom: [troubleshooting.md](troubleshooting.md).",
    ]
    for room, those in messages().items():
        lines += ["", f"## {room}", "", "```text", *those, "```"]
    return "\n".join([*lines, ""])


def sweep_file() -> str:
    """Every key of a sweep file, and every component with its options."""
    schema = json_schema()
    lines = [
        "# The sweep file, key by key",
        "",
        "Made from the code by `python -m docs.generate`. `sweeps init` writes a file to begin with, `sweeps validate FILE` says",
        "everything that is wrong with one, and `sweeps schema` prints the JSON schema for an editor:",
        "`# yaml-language-server: $schema=unlearn-sweeps.schema.json` in the first line. Any key can be given on the command",
        "line: `--set search.trials=100`.",
        "",
    ]
    for name, section in sections():
        if name == "dataset":
            continue  # as `model`
        definition = schema if not name else schema["$defs"][section.__name__]
        title = TITLES.get(name, f"`{name}`")
        lines += [f"## {title}", "", definition["description"], ""]
        lines += ["| key | value | default or example | meaning |", "| --- | --- | --- | --- |"]
        lines += [_row(name, key, node, schema) for key, node in definition["properties"].items()]
        lines.append("")
    for folder, title in (
        ("data", "Data sets"),
        ("models", "Models"),
        ("scenarios", "Scenarios"),
        ("methods", "Methods"),
    ):
        lines += [f"## {title}", "", "| key | what it is | options |", "| --- | --- | --- |", *_components(folder), ""]
    return "\n".join(lines)


def _row(section: str, key: str, node: Node, schema: Node) -> str:
    dotted = f"{section}.{key}" if section else key
    if dotted in FORMS:
        return f"| `{key}` | {FORMS[dotted]} | {EXAMPLES[dotted]} | {node['description']} |"
    if isinstance(node.get("default"), dict) and "$ref" in node:
        return f"| `{key}` | a section, [below](#{key}) | | {node['description']} |"
    default = EXAMPLES.get(dotted) or (f"`{_yaml(node['default'])}`" if "default" in node else "")
    return f"| `{key}` | {_value(node, schema)} | {default} | {node['description']} |"


def _value(node: Node, schema: Node) -> str:
    """A node of the schema in words."""
    if "$ref" in node:
        return "a section"
    if "anyOf" in node or "oneOf" in node:
        parts = node.get("anyOf") or node["oneOf"]
        words = [_value(part, schema) for part in parts if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if "const" in node:
        return f"`{_yaml(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in node["enum"])
    kind = node.get("type")
    if kind == "array":
        return f"a list: {_value(node['items'], schema)}"
    names = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "`true` or `false`"}
    return names.get(str(kind), "a section") + _bounds(node)


def _bounds(node: Node) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {_yaml(node[key])}" for key, sign in signs.items() if key in node and abs(node[key]) < 2**53]
    return f" {', '.join(found)}" if found else ""


def _yaml(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {_yaml(v)}' for k, v in value.items())}}}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _components(folder: str) -> Iterator[str]:
    for key in keys(folder):
        facts = component_facts(folder, key)
        ours = {"cache", "image_shape", "num_classes"}
        names = [
            f"`{name}`{'' if name not in facts.required else ' (needed)'}" for name in facts.options if name not in ours
        ]
        yield f"| `{key}` | {facts.about} | {', '.join(names) or '–'} |"


def commands() -> str:
    """Every command with its arguments and options."""
    lines = [
        "# Commands",
        "",
        "Made from the code by `python -m docs.generate`. Exit codes: 0 done, 1 some trials failed for good, 2 bad input,",
        "130 interrupted.",
        "",
    ]
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        lines += [f"## `sweeps {name}{_arguments(command)}`", "", str(command.help), ""]
        options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
        if options:
            lines += ["| option | default | meaning |", "| --- | --- | --- |", *map(_option, options), ""]
    return "\n".join(lines)


def _arguments(command: Any) -> str:
    found = [p for p in command.params if p.param_type_name == "argument"]
    return "".join(
        f" {p.metavar or p.name.upper()}" if p.required else f" [{p.metavar or p.name.upper()}]" for p in found
    )


def _option(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    metavar = f" {option.metavar}".replace("|", " or ") if option.metavar else ""
    default = "" if option.default in (None, False) else f"`{option.default}`"
    return f"| {names}{metavar} | {default} | {option.help or ''} |"


#: Each page's name, and what makes its text.
PAGES: dict[str, Callable[[], str]] = {
    "sweep-file.md": sweep_file,
    "commands.md": commands,
    "messages.md": printed_messages,
}

if __name__ == "__main__":
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")
