"""The messages that commands can print, read from the code: errors, problems of a sweep file, notes and warnings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Words of two letters or more that make a text a message; fewer are a label or a key.
FEWEST_WORDS = 4
#: Arguments that explain a command or a figure and are no message of their own.
_EXPLAINING = {"help", "epilog", "description", "metavar", "rich_help_panel", "short_help"}
_WORD = re.compile(r"(?<!\S)[^\w\s]*[^\W\d_]{2,}[^\s_]*(?!\S)")
_STYLE = re.compile(r"\w+ \{ ")
#: Where each message may come up, by folder.
ROOMS = {
    "sweeps/spec": "Reading a sweep file",
    "sweeps/cli": "Commands",
    "sweeps/storage": "The storage",
    "sweeps/requests": "Requests to forget",
    "sweeps/jobs": "Trials",
    "sweeps/studies": "Trials",
    "sweeps/ray_tune": "Ray",
    "sweeps/outputs": "Report and export",
    "sweeps/record": "Report and export",
    "sweeps": "Sweeps",
    "unlearn/data": "Data",
    "unlearn/models": "Models and weights",
    "unlearn": "Methods, scenarios, metrics",
}


def messages() -> dict[str, list[str]]:
    """Each room's messages in the order of the alphabet, … for what is filled in."""
    found: dict[str, set[str]] = {room: set() for room in ROOMS.values()}
    for folder in ("sweeps", "unlearn"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if not place.startswith("unlearn/testing"):
                found[next(room for start, room in ROOMS.items() if place.startswith(f"{start}/"))] |= set(texts(path))
    return {room: sorted(those, key=str.lower) for room, those in found.items() if those}


def texts(path: Path) -> Iterator[str]:
    """Every message that a module holds, one line each; docstrings, help, HTML and its styles are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed = {id(part) for node in ast.walk(tree) for part in _passed_over(node)}
    for node in ast.walk(tree):
        text = None if id(node) in passed else text_of(node, "…")
        plain = re.sub(r"\s+", " ", text or "").strip(" —,;:")
        if len(_WORD.findall(plain)) >= FEWEST_WORDS and not plain.startswith("<") and not _STYLE.match(plain):
            yield plain


def text_of(node: ast.AST, gap: str) -> str | None:
    """The text that a node of the code is, with `gap` for what is filled in; None if it is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else gap for v in node.values)
    return None


def _passed_over(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from node.values
    elif isinstance(node, ast.keyword) and node.arg in _EXPLAINING:
        yield from ast.walk(node.value)
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", None) in {"Option", "Argument", "Typer", "command"}:
        yield from ast.walk(node)
