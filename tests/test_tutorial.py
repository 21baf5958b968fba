"""The tutorial, command by command as a reader types it, prints what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.tutorial import PAGE, commands, follow, is_remark, lasting, shape

pytestmark = pytest.mark.ray


def test_the_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for command, printed in follow(text, tmp_path, tmp_path / "cache"):
        if command.line.startswith("sweeps validate"):  # which measures nothing
            assert lasting(printed) == command.printed.splitlines(), "remedy: python -m docs.tutorial"
        found = {shape(line) for line in lasting(printed)}
        for line in command.printed.splitlines():
            assert line == "…" or is_remark(line) or shape(line) in found, (
                f"$ {command.line}\n{line}\nremedy: python -m docs.tutorial"
            )


def test_files_and_commands_are_found_in_their_order() -> None:
    text = "`a.py`, ours:\n\n```python\nx = 1\n```\n\n```console\n$ python a.py\none\n$ ls\n```\n"
    text += "\n`word`, no file, but a command:\n\n```console\n$ pwd\n```\n"
    name, first, second, third = commands(text)
    assert name == ("a.py", "x = 1\n")
    assert [(c.line, c.printed, text[slice(*c.span)]) for c in (first, second)] == [
        ("python a.py", "one\n", "one\n"),
        ("ls", "", ""),
    ]
    assert third.line == "pwd"


@pytest.mark.parametrize(
    ("said", "printed", "same"),
    [
        ("score 1.04 ± 1 (n = 3)", "score  0.9 ± 0.83 (n = 3)", True),
        ("──────", "────", True),
        ("all 83 trials are done", "all 12 trials are done", True),
        ("finetune, tuned on random", "shake:Shake, tuned on random", True),
        (" random   finetune   4.4 ± 1 (3)   least   1", " random   shake:Shake   5 ± 2 (3)   no   3", True),
        (" random   oracle (noise floor)   2 ± 1 (3)", " random   finetune   2 ± 1 (3)", False),
        ("a sweep wins", "a trial wins", False),
    ],
)
def test_numbers_may_differ_and_words_may_not(said: str, printed: str, same: bool) -> None:
    assert (shape(said) == shape(printed)) is same
