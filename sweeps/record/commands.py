"""The commands that ran a sweep, as they were typed, and those that go on from there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from sweeps.record.record import SweepRecord

__all__ = ["extending", "looked_at", "options_among", "typed_runs", "with_setting", "without_options"]

STAGES = ("run", "search", "evaluate", "sensitivity")
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
    _, *last = (typed_runs(record) or [["run", record.name]])[-1]
    return shlex.join(["sweeps", "evaluate", *with_setting(last, key, value)])


def looked_at(record: SweepRecord, place: Sequence[str]) -> SweepRecord:
    """The record of a sweep that was moved, or is looked at from elsewhere: its commands lead to where it is now.

    Args:
        place: --runs and --storage with their values, as far as they are not the default's.
    """
    typed = typed_runs(record) or [["run", record.name]]
    commands = [shlex.join(["sweeps", *without_options(words, PLACE), *place]) for words in typed]
    return replace(record, provenance=record.provenance | {"commands": commands, "command": commands[-1]})


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
