"""`sweeps status`: what is done, running and failed."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import optuna
from optuna.storages import BaseStorage

from sweeps.cli.answers import answers
from sweeps.cli.as_json import print_json
from sweeps.cli.options import Options
from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import DONE, FAILED, RETRY, count_of, errors_to_exit_code, stdout_console, tell
from sweeps.record import STAGES, SweepRecord, beside_original, load_sweep, remarks, significant, told_apart, uncertain
from sweeps.record.commands import last_command, looked_at, options_among
from sweeps.record.progress import StudyProgress, progress, wait_in_vain
from sweeps.storage.lease import holder
from sweeps.text import BRIEF, in_brief, shortened

#: What the last column of the table holds.
SCORE = "of a search its best trial's, on one forget set; else the winner's mean ± std (n forget sets or runs); lower is better"
NAMES, VALUES = ("stage", "scenario", "method"), ("done", "planned", "running", "pruned", "failed", "score")
#: Columns that are shown where one of their counts is not 0.
RARE = ("running", "pruned", "failed")
#: What is shown of failures: reasons of all studies without -v, lines of a reason with it, trial numbers.
MOST_REASONS, MOST_LINES, MOST_NUMBERS = 20, 40, 20


#: The stages that a command runs which runs not all of them; of `given` parameters `sweeps run` leaves the search out.
OF_STAGE = {
    "search": ("search", "confirmation"),
    "evaluate": ("evaluation",),
    "sensitivity": ("sensitivity",),
    "given": ("evaluation", "sensitivity"),
}


@errors_to_exit_code
def show_status(options: Options) -> int:
    """A table of studies, and every failure with its reason."""
    sweep = options.find()
    storage = sweep.open_to_read()
    record = load_sweep(storage, sweep.spec.name, importances=False)
    held = driver_of(storage, record.name)
    studies = _studies(record, held)
    print_rows(stdout_console(), study_table(studies), title=f"{record.name} ({record.spec['protocol']} protocol)")
    for scenario in record.classes:
        tell(f"{scenario} forgets {record.named_classes(scenario)}")
    tell(f"score: {SCORE}")
    if record.protocol_note:
        tell(f"note: {record.protocol_note}")
    for line in answers(looked_at(record, options.place), whole=options.verbose):
        tell(line)
    failures = print_failures(record, whole=options.verbose)
    again = continuing(record, options)
    if record.counted["outcome"].isin(["error", "died"]).any():
        tell(f"once their cause is fixed: {again} {RETRY}")
    tell(who_runs(held, sum(study.left for study in studies), going_on(record, options)))
    return FAILED if failures else DONE


def _studies(record: SweepRecord, held: Mapping[str, Any] | None) -> list[StudyProgress]:
    """How far each study is; what was in progress when a run was stopped is not running, whatever the storage says."""
    return [study if held else replace(study, running=0) for study in progress(record)]


def study_table(studies: Sequence[StudyProgress]) -> Rows:
    """A row for each study."""
    values = [value for value in VALUES if value not in RARE or any(getattr(study, value) for study in studies)]
    return Rows(NAMES, values, [_row(study, values) for study in studies])


def _row(study: StudyProgress, values: Sequence[str]) -> tuple[str, ...]:
    shown = (_score(study) if value == "score" else str(getattr(study, value)) for value in values)
    return (study.stage, study.scenario, study.method, *shown)


def _score(study: StudyProgress) -> str:
    """What a study comes to, with its spread over forget sets or runs."""
    if math.isnan(study.score):
        return ""
    if study.stage == "search":
        return f"{significant(study.score)} (best)"
    return f"{uncertain(study.score, study.spread, study.runs)} (n = {study.runs})"


def continuing(record: SweepRecord, options: Options) -> str:
    """The command that goes on with a sweep: the one that last ran stages of it, as it was typed but for where it is now.

    Where that was for some of the stages and nothing is left of these, it is `sweeps run` with its options.
    """
    stage, *words = last_command(looked_at(record, options.place))
    own, left = OF_STAGE.get(stage, ()), {study.stage for study in progress(record) if study.left}
    runs = OF_STAGE["given"] if options_among(words, ["--params"]) else STAGES
    more = bool(own) and left.isdisjoint(own) and not left.isdisjoint(runs)
    return shlex.join(["sweeps", "run" if more else stage, *words])


def going_on(record: SweepRecord, options: Options) -> str:
    """What is to be done about the trials that are left: a command, or why none would run them."""
    studies, command = list(progress(record)), continuing(record, options)
    left = {study.stage for study in studies if study.left}
    if options_among(shlex.split(command), ["--params"]) and left.isdisjoint(OF_STAGE["given"]):
        return ", of the search that given parameters do without"
    if left and wait_in_vain(studies):
        return ", and what they need has failed"
    return f"; continue with: {command}"


def print_failures(record: SweepRecord, *, whole: bool) -> int:
    """What failed for good, equal reasons of a study together, a screenful of each at most; returns how many trials."""
    failed = record.counted[record.counted["state"] == "FAIL"]
    reasons = failed["fail_reason"].fillna("unknown").astype(str).str.strip().replace("", "unknown")
    groups = list(failed.assign(reason=reasons).groupby(["study", "reason"], sort=False))
    shown = groups if whole else groups[:MOST_REASONS]
    for (study, reason), trials in shown:
        tell(f"failed: {study} trial {_listed(list(trials['number']))}: {_of_reason(str(reason), whole=whole)}")
    if left := len(groups) - len(shown):
        tell(f"failed: {count_of(left, 'more reason')}; all of them: -v")
    return len(failed)


def _of_reason(reason: str, *, whole: bool) -> str:
    """A reason in brief, or as much of the whole as a screen holds: its end says most."""
    if not whole:
        return in_brief(reason)
    lines = [shortened(line, BRIEF) for line in reason.splitlines()]
    left_out = len(lines) - MOST_LINES
    head = MOST_LINES // 4
    return "\n".join(
        lines if left_out <= 0 else [*lines[:head], f"… {left_out} lines left out …", *lines[head + left_out :]]
    )


def _listed(numbers: list[int]) -> str:
    more = len(numbers) - MOST_NUMBERS
    first = ", ".join(map(str, numbers[:MOST_NUMBERS]))
    return f"{first} and {more} more" if more > 0 else first


def driver_of(storage: BaseStorage, name: str) -> Mapping[str, Any] | None:
    """Who runs a sweep now; None where nobody does, or nobody ever did."""
    try:
        return holder(optuna.load_study(study_name=name, storage=storage).user_attrs)
    except KeyError:
        return None


def who_runs(held: Mapping[str, Any] | None, left: int, further: str) -> str:
    """Who is at work, and what is left to do.

    Args:
        further: as `going_on` gives it.
    """
    if held:
        return f"running: process {held['pid']} on {held['host']}; {count_of(left)} left"
    return f"not running; {count_of(left)} left{further}" if left else "all is done"


@errors_to_exit_code
def status_json(options: Options) -> int:
    """`sweeps status`."""
    sweep = options.find()
    storage = sweep.open_to_read()
    record = load_sweep(storage, sweep.spec.name, importances=False)
    held = driver_of(storage, record.name)
    studies = [asdict(study) | {"left": study.left} for study in _studies(record, held)]
    failures = _failures(record)
    left = any(study["left"] for study in studies)
    print_json(
        {
            "name": record.name,
            "protocol": record.spec["protocol"],
            "state": "running" if held else "unfinished" if left else "done",
            "driver": held and {key: held[key] for key in ("host", "pid")},
            "note": record.protocol_note or None,
            "studies": studies,
            "failures": failures,
            "told_apart": [asdict(apart) for s in record.spec["scenarios"] if (apart := told_apart(record, s))],
            "beside_original": [asdict(b) for s in record.spec["scenarios"] if (b := beside_original(record, s))],
            "remarks": [asdict(remark) | {"text": str(remark)} for remark in remarks(record)],
            "winners": {s: {m: w.dump() for m, w in methods.items()} for s, methods in record.winners.items()},
        }
    )
    return FAILED if failures else DONE


def _failures(record: SweepRecord) -> list[dict[str, Any]]:
    failed = record.counted[record.counted["state"] == "FAIL"]
    columns = {"study": "study", "number": "trial", "outcome": "outcome", "fail_reason": "reason"}
    return [dict(zip(columns.values(), row, strict=True)) for row in failed[list(columns)].itertuples(index=False)]
