"""The commands that ran a sweep, as they were typed, and those that go on from there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sweeps.record.record import SweepRecord
from sweeps.secrets import mask

__all__ = [
    "extending",
    "last_command",
    "looked_at",
    "options_among",
    "place_of",
    "typed_runs",
    "with_setting",
    "without_options",
]

STAGES = ("run", "search", "evaluate", "sensitivity")
EVALUATING = ("run", "evaluate")
#: Options that say where a sweep lies, and whether a value follows.
PLACE = {"--runs": True, "--storage": True}
#: Those that speak of one run alone, likewise.
ONCE = {"--dry-run": False, "--retry-failed": False, "--params": True}


def typed_runs(record: SweepRecord) -> list[list[str]]:
    """The commands that ran stages of this sweep, as words after `sweeps`, oldest first; none where it was run from Python."""
    stored = record.provenance.get("commands") or [record.provenance.get("command")]
    words = []
    for command in stored:
        try:
            parts = shlex.split(str(command))
        except ValueError:
            continue
        if len(parts) > 1 and parts[0] == "sweeps" and parts[1] in STAGES:
            words.append([parts[1], *without_options(parts[2:], {"--retry-failed": False})])
    return list(map(list, dict.fromkeys(map(tuple, words))))


def extending(record: SweepRecord, key: str, value: int) -> str:
    """The command that runs more evaluations than there are: as last typed, with `key` set to `value`.

    Parameters that were given are given again: without them it would evaluate others, or none.
    """
    stage, *last = last_command(record)
    if stage not in EVALUATING:
        evaluated = [words for words in typed_runs(record) if words[0] in EVALUATING]
        given = options_among(evaluated[-1], ["--params"]) if evaluated else []
        last = [*without_options(last, {"--params": True}), *given]
    return shlex.join(["sweeps", "evaluate", *with_setting(last, key, value)])


def last_command(record: SweepRecord) -> list[str]:
    """The command that last ran stages, as words after `sweeps`: as it was typed, but for where the sweep is now."""
    last = (typed_runs(record) or [["run", record.name]])[-1]
    return last if record.place is None else [*without_options(last, PLACE), *record.place]


def looked_at(record: SweepRecord, place: Sequence[str]) -> SweepRecord:
    """The record of a sweep that was moved, or is looked at from elsewhere: the commands that go on lead to where it is now.

    Args:
        place: see `place_of`.
    """
    return replace(record, place=tuple(place))


def place_of(runs: Path, storage: str | None) -> list[str]:
    """The options that say where a sweep lies, as far as that is not the default's; without passwords."""
    words = ["--runs", str(runs)] if runs != Path("runs") else []
    return [*words, "--storage", mask(storage)] if storage else words


def with_setting(words: Sequence[str], key: str, value: object) -> list[str]:
    """Words with `--set key=value`, and no other value for that key."""
    return [*_without_setting(words, key), "--set", f"{key}={value}"]


def without_options(words: Sequence[str], options: dict[str, bool]) -> list[str]:
    """Words less the options named, and their values where these follow."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        if name not in options:
            kept.append(word)
        elif options[name] and not value:
            next(rest, None)
    return kept


def options_among(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """The named options among the words, each followed by its value."""
    found: list[str] = []
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            found += [name, value] if equals else [name, *words[i + 1 : i + 2]]
    return found


def _without_setting(words: Sequence[str], key: str) -> list[str]:
    """Words less every `--set key=…`."""
    kept: list[str] = []
    for word in words:
        if word.startswith(f"{key}=") and kept and kept[-1] == "--set":
            kept.pop()
        elif not word.startswith(f"--set={key}="):
            kept.append(word)
    return kept
