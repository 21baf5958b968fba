"""The sentences that reports, `status` and the dashboard's notes can print, as they stand in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from docs.messages import text_of

ROOT = Path(__file__).parent.parent
PRINTED = (
    *sorted((ROOT / "reports").rglob("*.py")),
    *(ROOT / "sweeps" / "cli" / name for name in ("answers.py", "status.py", "watch.py")),
    ROOT / "sweeps" / "record" / "apart.py",
    ROOT / "sweeps" / "record" / "remarks.py",
    ROOT / "sweeps" / "record" / "load.py",
)
#: Words of two letters or more that make a text a sentence; fewer are a label.
FEWEST_WORDS = 5
#: What a table or figure is called: it names, and claims nothing.
HEADING = re.compile(r"\{\}: [^.;]*")
_WORD = re.compile(r"[^\W\d_]{2,}")


def sentences(path: Path) -> Iterator[str]:
    """Every sentence that a module holds, {} for what is filled in; docstrings, errors and hover texts are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed = {id(part) for node in ast.walk(tree) for part in _passed_over(node)}
    for node in ast.walk(tree):
        text = None if id(node) in passed else text_of(node, "{}")
        if text is None or "%{" in text:
            continue
        plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)).strip()
        if len(_WORD.findall(plain.replace("{}", " "))) >= FEWEST_WORDS and not HEADING.fullmatch(plain):
            yield plain


def _passed_over(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings and what is raised; the pieces of a text that is filled in are not texts of their own."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from node.values
        yield from (spec for value in node.values if (spec := getattr(value, "format_spec", None)) is not None)
    elif isinstance(node, ast.Raise):
        yield from ast.walk(node)
