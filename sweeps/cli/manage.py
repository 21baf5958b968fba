"""`sweeps list` and `sweeps remove`: the sweeps in a folder of runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import optuna
import typer
from optuna.storages import BaseStorage
from rich.filesize import decimal

from sweeps.cli.as_json import print_json
from sweeps.cli.options import Options
from sweeps.cli.status import driver_of
from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import DONE, count_of, echo, errors_to_exit_code, stdout_console, tell
from sweeps.errors import SweepError
from sweeps.folder import SweepFolder
from sweeps.kept import kept_count
from sweeps.record import load_sweep
from sweeps.record.progress import progress, unfinished
from sweeps.secrets import mask
from sweeps.storage import open_storage, storage_errors
from sweeps.storage.lease import Lease
from sweeps.storage.urls import local_file
from sweeps.sweep import Sweep
from sweeps.text import shortened

NAMES, VALUES = ("sweep",), ("state", "done", "planned", "failed", "on disk", "last run")
MOST_CHARACTERS = 60


@dataclass(frozen=True)
class Listed:
    """A sweep as `sweeps list` shows it.

    Attributes:
        state: `running`, `done`, `unfinished`, or why it cannot be read.
        updated: when its driver last started, ISO 8601; empty where that is not known.
    """

    name: str
    state: str
    done: int = 0
    planned: int = 0
    failed: int = 0
    bytes: int = 0
    updated: str = ""


@errors_to_exit_code
def list_sweeps(runs: Path) -> int:
    """Every sweep under `runs`, how far it is, and what it takes on disk."""
    found = list(sweeps_under(runs))
    if not found:
        echo(f"no sweep in {runs}; start one with: sweeps run digits")
        return DONE
    print_rows(stdout_console(), Rows(NAMES, VALUES, [_row(listed) for listed in found], frozenset({"state"})))
    return DONE


@errors_to_exit_code
def sweeps_json(runs: Path) -> int:
    """The same for programs."""
    print_json([asdict(listed) for listed in sweeps_under(runs)])
    return DONE


def _row(listed: Listed) -> tuple[str, ...]:
    counts = (str(listed.done), str(listed.planned), str(listed.failed)) if listed.planned else ("", "", "")
    return (listed.name, listed.state, *counts, decimal(listed.bytes), listed.updated[:16].replace("T", " "))


def sweeps_under(runs: Path) -> Iterator[Listed]:
    """The sweeps of a folder of runs, by name; one that cannot be read says why."""
    for frozen in sorted(runs.glob("*/spec.yaml")):
        folder = SweepFolder(frozen.parent)
        try:
            with storage_errors():
                listed = _listed(folder, Sweep.left(folder, runs))
            yield listed
        except (SweepError, OSError) as error:
            reason = shortened(mask(str(error).splitlines()[0]), MOST_CHARACTERS)
            yield Listed(folder.path.name, f"cannot be read: {reason}", bytes=folder.bytes)


def _listed(folder: SweepFolder, sweep: Sweep) -> Listed:
    storage = sweep.open_to_read()
    record = load_sweep(storage, sweep.spec.name, importances=False)
    studies = list(progress(record))
    held = driver_of(storage, record.name)
    return Listed(
        folder.path.name,
        "running" if held else "unfinished" if unfinished(record) else "done",
        done=sum(study.done for study in studies),
        planned=sum(study.planned for study in studies),
        failed=sum(study.failed for study in studies),
        bytes=folder.bytes,
        updated=str(record.provenance.get("last_started", "")),
    )


@errors_to_exit_code
def remove_sweep(options: Options, *, sure: bool) -> int:
    """Delete a sweep's studies and what it left in its folder; models in the cache stay, and so does what is not the sweep's."""
    sweep = options.find()
    sweep.check_storage(may_be_gone=True)
    storage = open_storage(sweep.url) if sweep.exists else None
    studies = [] if storage is None else _studies(storage, sweep.spec.name)
    if storage is not None:
        sweep.check_study(storage)
    if not studies and not sweep.folder.left:
        raise SweepError(f"nothing has been run of {sweep.spec.name!r} in {sweep.folder.path}")
    kept = kept_count(sweep) if studies else 0
    what = f"{count_of(len(studies), 'study', 'studies')} in {mask(sweep.url)}"
    what += f", {decimal(sweep.folder.bytes)} in {sweep.folder.path}"
    if not sure:
        if not sys.stdin.isatty():
            raise SweepError(f"this would delete {what}\n  remedy: say --yes")
        if not typer.confirm(f"delete {what}?", err=True):
            return DONE
    if storage is not None and studies:
        _delete_studies(storage, sweep.spec.name, studies)
    holds_more = not _is_its_own(sweep) or (storage is not None and storage.get_all_studies())
    sweep.folder.delete(sweep.folder.database_files if holds_more else ())
    tell(f"deleted {what}")
    if sweep.folder.path.exists():
        echo(f"what is not the sweep's stays in {sweep.folder.path}")
    echo(f"its models stay in {mask(sweep.cache.place)}, where other sweeps may use them")
    if kept:
        where = f"{mask(sweep.cache.place)}/unlearned"
        echo(
            f"so do {count_of(kept, 'unlearned model')} of its evaluation, in {where}: the header of each file says what it is"
        )
    return DONE


def _is_its_own(sweep: Sweep) -> bool:
    """Whether a `study.db` in the sweep's folder is what it lies in; else that may be a copy of it."""
    own, file = sweep.folder.database, local_file(sweep.url)
    return not own.exists() or (file is not None and file.exists() and file.samefile(own))


def _studies(storage: BaseStorage, sweep: str) -> list[str]:
    """All studies of a sweep in a storage, its own one last, without which others of such names are not the sweep's."""
    names = [study.study_name for study in storage.get_all_studies()]
    return (
        []
        if sweep not in names
        else [*(n for n in names if n.startswith(f"{sweep}/")), *(n for n in names if n == sweep)]
    )


def _delete_studies(storage: BaseStorage, sweep: str, studies: list[str]) -> None:
    """Delete a sweep's studies.

    Raises:
        SweepError: it is being run.
    """
    with storage_errors():
        with Lease(storage, sweep):
            for name in studies:
                if name != sweep:
                    optuna.delete_study(study_name=name, storage=storage)
        optuna.delete_study(study_name=sweep, storage=storage)
