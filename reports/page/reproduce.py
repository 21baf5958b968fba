"""The commands that make a sweep and its report again, with every option that was typed, and what was decided for it."""

from __future__ import annotations

import shlex

from sweeps.record import ONCE, SweepRecord, last_command, options_among, typed_runs, with_setting, without_options

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
    last, decided = last_command(record), _decided_precision(record)
    typed = typed_runs(record) or [last]
    if decided is not None:
        *typed, last = (with_setting(words, "precision", decided) for words in (*typed, last))
    as_decided = "" if decided is None else ", in the precision that was decided for it"
    found += [(_line(words), _RUNS[words[0]] + as_decided) for words in typed]
    place = options_among(last, _PLACE)
    runs = place[place.index("--runs") + 1] if "--runs" in place else "runs"
    again = ["evaluate", *without_options(last[1:], ONCE), "--params", f"{runs.rstrip('/')}/{name}/best_params.yaml"]
    found.append((_line(again), "the evaluation of these winners alone"))
    found.append((_line(["report", name, *place]), "this report, from the storage"))
    return found


def _decided_precision(record: SweepRecord) -> str | None:
    """What `precision: auto` came to where it ran: elsewhere, or another time, it might be decided otherwise."""
    decision = record.provenance.get("precision")
    return str(decision["chosen"]) if isinstance(decision, dict) and "chosen" in decision else None


def _line(words: list[str]) -> str:
    return shlex.join(["sweeps", *words])
