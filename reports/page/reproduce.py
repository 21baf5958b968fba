"""The commands that make a sweep and its report again, with every option that was typed."""

from __future__ import annotations

import shlex

from sweeps.record import ONCE, SweepRecord, options_among, typed_runs, without_options

__all__ = ["steps"]

_RUNS = {
    "run": "the whole sweep; run again, it resumes",
    "search": "the searches; run again, they resume",
    "evaluate": "the evaluation; run again, it resumes",
    "sensitivity": "the sensitivity grids; run again, they resume",
}
#: Options by which a sweep is found again.
_PLACE = ("--runs", "--storage")


def steps(record: SweepRecord) -> list[tuple[str, str]]:
    """(command, what it does), in order."""
    name, commit = record.name, record.provenance.get("commit")
    found = [(f"git checkout {shlex.quote(str(commit))}", "the code that ran it last")] if commit else []
    typed = typed_runs(record) or [["run", name]]
    found += [(_line(words), _RUNS[words[0]]) for words in typed]
    last = typed[-1]
    place = options_among(last, _PLACE)
    runs = place[place.index("--runs") + 1] if "--runs" in place else "runs"
    again = ["evaluate", *without_options(last[1:], ONCE), "--params", f"{runs.rstrip('/')}/{name}/best_params.yaml"]
    found.append((_line(again), "the evaluation of these winners alone"))
    found.append((_line(["report", name, *place]), "this report, from the storage"))
    return found


def _line(words: list[str]) -> str:
    return shlex.join(["sweeps", *words])
