"""`sweeps run` and its stages: run, then say how it ended and what comes next."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.cli.cost import first_line, print_plan
from sweeps.cli.models import outcome
from sweeps.cli.options import Options
from sweeps.cli.progress import unwatched, watch
from sweeps.cli.report import decorate_storage
from sweeps.cli.results import print_results
from sweeps.cli.terminal import (
    DONE,
    FAILED,
    INTERRUPTED,
    RETRY,
    count_of,
    echo,
    errors_to_exit_code,
    tell,
    typed_command,
)
from sweeps.errors import SweepError
from sweeps.jobs.speed import Measuring, is_known
from sweeps.kept import kept_models
from sweeps.outputs.report import are_current, write_outputs
from sweeps.plan import Stage, make_plan
from sweeps.record.commands import looked_at
from sweeps.record.fingerprint import fingerprint
from sweeps.secrets import mask
from sweeps.signals import Interrupted
from sweeps.spec import Facts, Spec, remarks
from sweeps.studies.given import Params, last_epochs, moved_first_points, read_best_params
from sweeps.studies.multiplexer import Multiplexer
from sweeps.studies.retries import failed_trials, no_trial
from sweeps.sweep import Sweep, run_sweep


@errors_to_exit_code
def run_stages(
    options: Options,
    stages: Iterable[Stage],
    *,
    dry_run: bool = False,
    params: Path | None = None,
    retry_failed: bool = False,
) -> int:
    """Run stages of a sweep, then export and report."""
    sweep = options.load()
    stages = tuple(stage for stage in stages if params is None or stage not in {"search", "confirmation"})
    if not stages:
        raise SweepError("--params gives what a search would find; use it with evaluate, sensitivity or run")
    if not options.quiet:
        moved = moved_first_points(sweep.spec) if "search" in stages else ()
        for remark in (*remarks(sweep.spec), *moved):
            echo(f"note: {remark}")
    given = _given(params, sweep.spec) if params else None
    if dry_run:
        sweep = sweep.checked_to_continue()
        print_plan(sweep.spec, make_plan(sweep.spec, stages))
        tell(f"storage: {mask(sweep.url)}")
        return DONE
    studies = run_watched(sweep, stages, options, params=given, retry=failed_trials if retry_failed else no_trial)
    if studies is None:
        return INTERRUPTED
    remade = bool(studies.finished_now) or not are_current(sweep.outputs, _fingerprint(studies))
    if remade:
        if not options.quiet:
            echo("writing the report …")
        record = looked_at(sweep.record(), options.place)
        write_outputs(record, sweep.outputs)
        decorate_storage(sweep, record)
        if not options.quiet:
            print_results(record)
    for path in sweep.outputs:
        print(path)
    if sweep.spec.evaluation.keep_models:
        for line in outcome(kept_models(sweep), sweep, options):
            echo(line)
    return print_outcome(studies, options, shown=remade)


def _fingerprint(studies: Multiplexer) -> str:
    return fingerprint(studies.storage, studies.spec.name, (state.study for state in studies.open_studies))


def _given(params: Path, spec: Spec) -> Params:
    """The configurations in a best-params file; of those that stop at their last epoch, the user is told."""
    given = read_best_params(params, spec)
    last = last_epochs(given, spec)
    if last:
        echo(f"note: {params} has no stop_epoch for {', '.join(last)}: the last epoch counts")
    return given


def run_watched(sweep: Sweep, stages: Iterable[Stage], options: Options, **choices: Any) -> Multiplexer | None:
    """Run stages; None where the user stopped it, who is then told how to resume."""
    try:
        with measuring_early(sweep, options) as measuring:
            return run_sweep(
                sweep,
                stages,
                ray_address=options.ray_address,
                verbose=options.verbose,
                watch=unwatched if options.quiet else watch,
                begins=partial(_begins, options, measuring),
                tell=_silent if options.quiet else echo,
                **choices,
            )
    except Interrupted as stopped:
        echo(f"stopped by {stopped}; nothing finished is lost. Resume with:\n  {typed_command()}")
        return None


@contextlib.contextmanager
def measuring_early(sweep: Sweep, options: Options) -> Iterator[Measuring | None]:
    """Of a sweep that is new here, what measures the network's speed where that is to be told and not known: it begins beside the
    checks."""
    told = not options.quiet and options.ray_address is None
    wanted = told and not sweep.folder.spec.exists() and not is_known(sweep.spec, sweep.cache.folder)
    measuring = Measuring.begun() if wanted else None
    try:
        yield measuring
    finally:
        if measuring is not None:
            measuring.close()


def _silent(text: str) -> None:
    """Says nothing."""


def _begins(options: Options, measuring: Measuring | None, studies: Multiplexer, data: Facts) -> None:
    """How well an original that is given does, and how long it will take; on a cluster that is not known here."""
    if options.quiet:
        return
    if data.original:
        echo(data.original)
    if options.ray_address is None:
        left: dict[tuple[str, str, str], int] = {
            study.plan.key: max(0, study.planned - study.final) for study in studies.open_studies
        }
        if any(left.values()):
            echo(first_line(studies.plan, data.sizes, left, measuring))


def print_outcome(studies: Multiplexer, options: Options, *, shown: bool = True) -> int:
    """How it ended, what failed, and the commands that come next; returns the exit code.

    Args:
        shown: whether the results were printed.
    """
    name = options.word
    failed = sum(study.failed for study in studies.open_studies)
    missing = sum(max(0, study.planned - study.final) for study in studies.open_studies)
    if not failed and not missing and options.quiet:
        return DONE
    if not failed and not missing:
        echo(f"all {sum(s.planned for s in studies.open_studies)} trials are done")
    if failed:
        echo(f"{count_of(failed)} failed for good; reasons: sweeps status {name}{options.tail}")
    if missing:
        echo(f"{count_of(missing)} could not be run: what they need failed, or was not run")
    again = typed_command().replace(f" {RETRY}", "")
    if not shown:
        echo(f"results:           sweeps status {name}{options.tail}")
    if any(study.may_be_retried for study in studies.open_studies):
        echo(f"retry:             {again} {RETRY}")
    echo(f"resume or extend:  {again}")
    echo(f"watch:             sweeps dashboard {name}{options.tail}")
    return FAILED if failed or missing else DONE
