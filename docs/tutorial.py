"""Runs docs/tutorial.md from its first line to its last, and writes what its commands print into it: `python -m docs.tutorial`.

A block that follows a line such as "`net.py`:" is that file. In a `console` block each line that begins with `$` is a command,
and what follows is what it prints. `…` stands for lines left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).with_name("tutorial.md")
ROOT = PAGE.parents[1]
_BLOCK = re.compile(
    r"(?:^`(?P<file>\w+\.\w+)`[^\n]*:\n\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
#: Lines that differ from run to run: progress, and what Ray says of itself.
_PASSING = re.compile(r"^ *\d+:[\d:]+  |^\s*$|Ray|ray\b")
_COLUMNS = "110"
_MOST_LINES = 24


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the page, what the page says that it prints, and where in the page that stands."""

    line: str
    printed: str
    span: tuple[int, int]


def commands(text: str) -> Iterator[Command | tuple[str, str]]:
    """What a reader does, in order: commands to type, and (name, content) of files to write."""
    for block in _BLOCK.finditer(text):
        if block["file"]:
            yield block["file"], block["body"]
        elif block["kind"] == "console":
            at = block.start("body")
            for line, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block["body"], re.MULTILINE):
                at = text.index(f"$ {line}\n", at) + len(line) + 3
                yield Command(line, printed, (at, at + len(printed)))


def follow(text: str, folder: Path, cache: Path) -> Iterator[tuple[Command, str]]:
    """Do all of it in `folder`; each command with what it printed.

    Raises:
        RuntimeError: a command failed; the message has what it printed.
    """
    program = folder / "bin" / "sweeps"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\nfrom sweeps.cli import main\n\nmain()\n")  # as it is installed
    program.chmod(0o755)
    paths = {"PATH": f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    settings = {"UNLEARN_SWEEPS_CACHE": str(cache), "COLUMNS": _COLUMNS, "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    settings["PYTHONUNBUFFERED"] = "1"  # both streams in the order in which a terminal shows them
    work = folder / "work"
    work.mkdir()
    for step in commands(text):
        if isinstance(step, tuple):
            (work / step[0]).write_text(step[1])
            continue
        done = subprocess.run(
            step.line,
            shell=True,
            cwd=work,
            env=os.environ | paths | settings,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        printed = done.stdout.replace(str(work), "/home/me")
        if done.returncode:
            raise RuntimeError(f"$ {step.line}\n{printed}")
        yield step, printed


def lasting(printed: str) -> list[str]:
    """The lines that are the same in every run."""
    return [line.rstrip() for line in printed.splitlines() if not _PASSING.search(line)]


def is_remark(line: str) -> bool:
    """Whether a line says what came out of a scenario: processors round differently, and not each result has the same remarks."""
    return line.startswith(("random: ", "note: random: "))


def shape(line: str) -> str:
    """A line without its numbers, durations, rules and spaces, whichever method it is of: machines round differently, and are not
    equally fast."""
    line = re.sub(r"^( random +)?(finetune|neg_grad_plus|shake:Shake)\b", r"\1METHOD", line)
    line = re.sub(r"\) +(least|no|yes)\b", ") told", line)
    line = re.sub(r"about \d[\d.]* (s|min|h)\b", "about #", line)
    return re.sub(r"[\s─━-]+", " ", re.sub(r"[0-9a-f]{8,}|±|[\d.,]*\d(e[+-]?\d+)?", "#", line)).strip()


def main() -> None:
    """Write what the commands print into the page."""
    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as place:
        printed = list(follow(text, Path(place), Path(place) / "cache"))
    for command, output in reversed(printed):
        lines = lasting(output)
        if len(lines) > _MOST_LINES:
            lines = [*lines[: _MOST_LINES // 2], "…", *lines[-_MOST_LINES // 2 :]]
        first, last = command.span
        text = text[:first] + "".join(f"{line}\n" for line in lines) + text[last:]
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
