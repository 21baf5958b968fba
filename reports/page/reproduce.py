"""The commands that make a sweep and its report again, with every option that was typed."""

from __future__ import annotations

import shlex

from sweeps.record import SweepRecord

__all__ = ["steps"]

_RUNS = {
    "run": "the whole sweep; run again, it resumes",
    "search": "the searches; run again, they resume",
    "evaluate": "the evaluation; run again, it resumes",
    "sensitivity": "the sensitivity grids; run again, they resume",
}
#: Options that speak of one run alone, and whether a value follows.
_ONCE = {"--dry-run": False, "--retry-failed": False, "--params": True}
#: Options by which a sweep is found again.
_PLACE = ("--runs", "--storage")


def steps(record: SweepRecord) -> list[tuple[str, str]]:
    """(command, what it does), in order."""
    name, commit = record.name, record.provenance.get("commit")
    found = [(f"git checkout {shlex.quote(str(commit))}", "the code that ran it last")] if commit else []
    typed = _typed(record) or [["run", name]]
    found += [(_line(words), _RUNS[words[0]]) for words in typed]
    last = typed[-1]
    place = _options(last, _PLACE)
    runs = place[place.index("--runs") + 1] if "--runs" in place else "runs"
    again = ["evaluate", *_without(last[1:], _ONCE), "--params", f"{runs.rstrip('/')}/{name}/best_params.yaml"]
    found.append((_line(again), "the winners only, on fresh forget sets"))
    found.append((_line(["report", name, *place]), "this report, from the storage"))
    return found


def _typed(record: SweepRecord) -> list[list[str]]:
    """The commands that ran stages of this sweep, as words after `sweeps`, oldest first; none where it was run from Python."""
    stored = record.provenance.get("commands") or [record.provenance.get("command")]
    words = []
    for command in stored:
        try:
            parts = shlex.split(str(command))
        except ValueError:
            continue
        if len(parts) > 1 and parts[0] == "sweeps" and parts[1] in _RUNS:
            words.append([parts[1], *_without(parts[2:], {"--retry-failed": False})])
    return list(map(list, dict.fromkeys(map(tuple, words))))


def _without(words: list[str], options: dict[str, bool]) -> list[str]:
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        if name not in options:
            kept.append(word)
        elif options[name] and not value:
            next(rest, None)
    return kept


def _options(words: list[str], names: tuple[str, ...]) -> list[str]:
    """The named options among the words, each followed by its value."""
    found: list[str] = []
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            found += [name, value] if equals else [name, *words[i + 1 : i + 2]]
    return found


def _line(words: list[str]) -> str:
    return shlex.join(["sweeps", *words])
