"""The lists of methods, scenarios, data sets, models and metrics."""

from __future__ import annotations

from typing import Any

from sweeps.cli.as_json import print_json
from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import DONE, errors_to_exit_code, stdout_console
from unlearn.facts import component_facts
from unlearn.registry import keys


@errors_to_exit_code
def list_folder(folder: str) -> int:
    """The keys of one kind, each with its first line of documentation."""
    texts = ("what it is", "searches") if folder == "methods" else ("what it is",)
    rows = []
    for key in keys(folder):
        facts = component_facts(folder, key)
        searched = ", ".join(facts.declared["searched"]) or "–" if folder == "methods" else ""
        rows.append((key, facts.about, searched)[: 1 + len(texts)])
    print_rows(stdout_console(), Rows(("key",), texts, rows, frozenset(texts)))
    return DONE


@errors_to_exit_code
def list_json(folder: str) -> int:
    """The keys of one kind: what each is, and of a method what it searches."""
    print_json([{"key": key, **_facts(folder, key)} for key in keys(folder)])
    return DONE


def _facts(folder: str, key: str) -> dict[str, Any]:
    facts = component_facts(folder, key)
    searched = {"searched": list(facts.declared["searched"])} if folder == "methods" else {}
    return {"about": facts.about, **searched}
