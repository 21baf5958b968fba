"""What a notebook uses: read a sweep, run or resume it, apply its winner to a request. The command line uses the same calls."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

from sweeps import spec as reading
from sweeps.errors import SweepError
from sweeps.folder import SweepFolder
from sweeps.outputs.report import are_current, write_outputs
from sweeps.plan import Stage
from sweeps.record import SweepRecord
from sweeps.record.commands import looked_at, place_of
from sweeps.requests import Answer, answer, check_empty, write_answer
from sweeps.spec import Spec, parse_spec
from sweeps.sweep import Sweep, run_sweep
from unlearn.data import IdsError, listed, read_ids

#: A sweep: checked, as plain data, as a file, or by its name.
Source = Spec | Mapping[str, Any] | str | Path

STAGES: tuple[Stage, ...] = ("search", "confirmation", "evaluation", "sensitivity")


def load_spec(source: Source, overrides: Iterable[str] = ()) -> Spec:
    """A checked sweep.

    Args:
        source: a dict with the keys of a sweep file, the path of a YAML file, or a shipped name (`digits`).
        overrides: of a file or a name, as `--set` takes them: `search.trials=100`.

    Raises:
        SweepError: everything that is wrong with it; or overrides of what is no file.
    """
    overrides = [overrides] if isinstance(overrides, str) else list(overrides)
    if overrides and isinstance(source, Spec | Mapping):
        raise SweepError(f"overrides are of a file or a name; change the keys themselves, got {', '.join(overrides)}")
    if isinstance(source, Spec):
        return source
    if isinstance(source, Mapping):
        return parse_spec(source, str(source.get("name", "sweep")))
    return reading.load_spec(os.fspath(source), overrides)


def run(
    sweep: Source,
    *,
    runs: str | Path = "runs",
    storage: str | None = None,
    stages: Iterable[Stage] = STAGES,
    ray_address: str | None = None,
    verbose: bool = False,
) -> SweepRecord:
    """Run whatever is missing of a sweep, and write its report; run again, it resumes. Returns its results as tables.

    Args:
        runs: folder under which each sweep has its own.
        storage: URL of the Optuna storage; by default a file in that folder.
        ray_address: of a running Ray cluster; by default Ray is started on this machine.

    Raises:
        SweepError: bad input, another driver at work, or not called in the main thread.
        Interrupted: on Ctrl-C; what is finished stays.
    """
    stages = tuple(stages)
    if unknown := [stage for stage in stages if stage not in {"reference", *STAGES}]:
        raise SweepError(f"stages must be among {', '.join(STAGES)}, got {', '.join(map(str, unknown))}")
    found = Sweep.at(load_spec(sweep), Path(runs), storage).continued()
    run_sweep(found, stages, ray_address=ray_address, verbose=verbose)
    record = looked_at(found.record(), place_of(Path(runs), storage))
    if not are_current(found.outputs, record.fingerprint):
        write_outputs(record, found.outputs)
    return record


def unlearn(
    sweep: Source,
    forget: Iterable[str | int] | Path,
    out: str | Path | None = None,
    *,
    runs: str | Path = "runs",
    storage: str | None = None,
    method: str | None = None,
    scenario: str | None = None,
    params: str | Path | None = None,
    with_oracle: bool = False,
) -> Answer:
    """Apply what a sweep has tuned to a list of images (see `sweeps unlearn`): the unlearned weights, and the record of them.

    Args:
        sweep: one that has run; its name is enough.
        forget: ids, or the `Path` of a file that lists them; row numbers may be whole numbers.
        out: a new folder for weights, record and page; nothing is written where it is left out.
        method: by default the one whose evaluation came out best.
        scenario: by default the one whose forget sets are most like the request, by their classes and size.
        params: a best-params file, instead of the sweep's own winners.
        with_oracle: train the oracle too, and say whether the gap is as expected.

    Raises:
        SweepError: the request cannot be served, or not by this sweep.
        UnlearnError: ids that cannot be forgotten, or a run that fails.
    """
    if out is not None:
        check_empty(Path(out))
    ids, source = (read_ids(forget), str(forget)) if isinstance(forget, Path) else (_listed(forget), "")
    given = None if params is None else Path(params)
    choices: dict[str, Any] = {"method": method, "scenario": scenario, "params": given, "with_oracle": with_oracle}
    made = answer(_found(sweep, Path(runs), storage), ids, source=source, **choices)
    if out is not None:
        write_answer(made, Path(out))
    return made


def _listed(forget: Iterable[str | int]) -> list[str]:
    """Ids as text.

    Raises:
        IdsError: there are none, or something else was given; a text or bytes would be read as the list of what is in it.
    """
    if isinstance(forget, str | bytes | bytearray):
        got = f"the {'text' if isinstance(forget, str) else 'bytes'} {forget!r}"
        raise IdsError([f"forget must be a list of ids, or the Path of a file that lists them, got {got}"])
    ids = list(forget)
    if not ids:
        raise IdsError(["forget must list at least one id, and it lists none"])
    wrong = [id_ for id_ in ids if isinstance(id_, bool) or not isinstance(id_, str | Integral)]
    if wrong:
        raise IdsError([f"ids must be text or whole numbers; these are none: {listed(wrong)}"])
    return [str(id_) for id_ in ids]


def _found(sweep: Source, runs: Path, storage: str | None) -> Sweep:
    """A sweep as it was last run, where it is given by its name; else as it is given."""
    if isinstance(sweep, str) and (folder := SweepFolder(runs / sweep)).spec.is_file():
        return Sweep.left(folder, runs, storage)
    return Sweep.at(load_spec(sweep), runs, storage).continued()


__all__ = ["load_spec", "run", "unlearn"]
