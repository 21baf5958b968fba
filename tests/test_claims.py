"""docs/claims.md lists every sentence that can be printed, once, with tests that there are."""

from __future__ import annotations

import ast
import re

from tests.claims import PRINTED, ROOT, sentences

LISTED = ROOT / "docs" / "claims.md"


def listed() -> dict[str, list[str]]:
    rows = re.findall(r"^\| (.+) \| (`.+`) \|$", LISTED.read_text(encoding="utf-8"), re.MULTILINE)
    assert len({sentence for sentence, _ in rows}) == len(rows)
    return {sentence.replace("&#124;", "|"): re.findall(r"`([^`]+)`", tests) for sentence, tests in rows}


def test_every_sentence_that_can_be_printed_is_listed_and_no_other() -> None:
    printed = {sentence for path in PRINTED for sentence in sentences(path)}
    assert printed - listed().keys() == set()
    assert listed().keys() - printed == set()


def test_every_test_that_is_named_exists() -> None:
    named = {name for tests in listed().values() for name in tests}
    known = {
        f"{path.relative_to(ROOT / 'tests').as_posix()}::{node.name}"
        for path in {ROOT / "tests" / name.partition("::")[0] for name in named}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert named - known == set()


def test_a_sentence_is_found_however_it_is_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    module = tmp_path / "module.py"
    module.write_text(
        '"""A docstring is no sentence that anybody prints."""\n'
        "def f(n):\n"
        "    a = f'There are {n:.2f} of them, one after ' 'the other.'\n"
        "    b = '<p>Nothing at all was found here.</p>'\n"
        "    c = f'{n}: a heading names what lies below'\n"
        "    raise ValueError('an error is no claim of a report')\n",
        encoding="utf-8",
    )
    assert list(sentences(module)) == [
        "There are {} of them, one after the other.",
        "Nothing at all was found here.",
    ]
