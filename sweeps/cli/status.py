"""`sweeps status`: what is done, running and failed."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

import optuna
from rich.box import SIMPLE_HEAD
from rich.table import Table

from sweeps.cli.options import Options
from sweeps.cli.terminal import DONE, FAILED, RETRY, in_words, stdout_console, told
from sweeps.record import SweepRecord
from sweeps.record.progress import StudyProgress, progress
from sweeps.storage import open_storage
from sweeps.storage.lease import holder
from sweeps.sweep import Sweep

#: What the last column of the table holds.
SCORE = (
    "of a search its best trial's, on one forget set; else the winner's mean ± std over n forget sets; lower is better"
)
STAGE_COMMANDS = ("run", "search", "evaluate", "sensitivity")


@told
def show_status(options: Options) -> int:
    """A table of studies, and every failure with its reason."""
    sweep = options.find()
    record = sweep.record()
    console = stdout_console()
    title = f"{record.name} ({record.spec['protocol']} protocol)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("stage", "scenario", "method"):
        table.add_column(heading, overflow="fold")
    for heading in ("done", "planned", "running", "pruned", "failed", "score"):
        table.add_column(heading, justify="right", no_wrap=True)
    for study in progress(record):
        counts = (study.done, study.planned, study.running, study.pruned, study.failed)
        table.add_row(study.stage, study.scenario, study.method, *map(str, counts), _score(study))
    console.print(table)
    for scenario in record.classes:
        print(f"{scenario} forgets {record.named_classes(scenario)}")
    print(f"score: {SCORE}")
    if record.protocol_note:
        print(f"note: {record.protocol_note}")
    failures = print_failures(record, whole=options.verbose)
    again = _last_typed(record) or f"sweeps run {shlex.quote(options.sweep)}{options.tail}"
    if record.counted["outcome"].isin(["error", "died"]).any():
        print(f"once their cause is mended: {again} {RETRY}")
    _say_who_runs(sweep, record, again)
    return FAILED if failures else DONE


def _score(study: StudyProgress) -> str:
    """What a study comes to, with its spread over forget sets."""
    if math.isnan(study.score):
        return ""
    if study.stage == "search":
        return f"{study.score:.3g} (best)"
    spread = "" if math.isnan(study.spread) else f" ± {study.spread:.2g}"
    return f"{study.score:.3g}{spread} (n = {study.sets})"


def _last_typed(record: SweepRecord) -> str | None:
    """The command that last ran stages of a sweep, as it was typed."""
    command = str(record.provenance.get("command")).replace(f" {RETRY}", "")
    return command if command.startswith(tuple(f"sweeps {name} " for name in STAGE_COMMANDS)) else None


def print_failures(record: SweepRecord, *, whole: bool) -> int:
    """What failed for good, equal reasons of a study together: the last line of each, or the `whole`; returns how many trials."""
    failed = record.counted[record.counted["state"] == "FAIL"]
    reasons = failed["fail_reason"].fillna("unknown").astype(str).str.strip()
    for (study, reason), trials in failed.assign(reason=reasons).groupby(["study", "reason"], sort=False):
        numbers = ", ".join(str(number) for number in trials["number"])
        print(f"failed: {study} trial {numbers}: {reason if whole else str(reason).splitlines()[-1]}")
    return len(failed)


def driver_of(sweep: Sweep) -> Mapping[str, Any] | None:
    """Who runs a sweep now; None where nobody does, or nobody ever did."""
    if not sweep.exists:
        return None
    try:
        return holder(optuna.load_study(study_name=sweep.spec.name, storage=open_storage(sweep.url)).user_attrs)
    except KeyError:
        return None


def _say_who_runs(sweep: Sweep, record: SweepRecord, again: str) -> None:
    held = driver_of(sweep)
    left = sum(study.left for study in progress(record))
    if held:
        print(f"running: process {held['pid']} on {held['host']}; {in_words(left)} left")
    elif left:
        print(f"not running; {in_words(left)} left; continue with: {again}")
    else:
        print("all is done")
