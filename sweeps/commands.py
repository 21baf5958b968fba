"""What each command does: reads its input, calls the library, prints. Data to stdout, progress and words to stderr."""

from __future__ import annotations

import functools
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import typer
import yaml
from optuna.exceptions import StorageInternalError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from sweeps.cost import estimate
from sweeps.dashboard import decorate, serve
from sweeps.driver import Interrupted
from sweeps.errors import SweepError
from sweeps.export import best_params, read_best_params, write_best_params
from sweeps.lease import holder
from sweeps.multiplexer import Multiplexer
from sweeps.oracles import cached_models, delete_models, untrained
from sweeps.plan import Stage, make_plan
from sweeps.presentation import compare, export_figures
from sweeps.progress import duration, watch
from sweeps.secrets import mask
from sweeps.spec import Spec, check_here, check_sizes, load_spec, read_yaml, shipped_sweeps
from sweeps.storage import open_storage
from sweeps.store import SweepRecord
from sweeps.studies import failed_trials, no_trial
from sweeps.sweep import Sweep, own_storage, run_sweep
from unlearn.errors import UnlearnError
from unlearn.registry import find, keys

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
RETRY = "--retry-failed"
#: How `sweeps oracles` shows a model that is not in this machine's own cache.
SHOWN = {"shared": "shared, not read", "missing": "missing", "damaged": "damaged"}
STAGE_COMMANDS = ("run", "search", "evaluate", "sensitivity")


@dataclass(frozen=True)
class Options:
    """What the options of a command say."""

    sweep: str
    runs: Path
    storage: str | None = None
    overrides: list[str] | None = None
    methods: str | None = None
    scenarios: str | None = None
    workers: int | None = None
    gpus_per_trial: float | None = None
    ray_address: str | None = None
    verbose: bool = False

    def load(self) -> Sweep:
        """The sweep as asked for: of a shipped name or a file, else as it was last run under this name."""
        known = self.sweep in shipped_sweeps() or Path(self.sweep).is_file()
        return self._load(self._frozen if not known and self._frozen.is_file() else None)

    def find(self) -> Sweep:
        """The sweep as it was last run, from its own folder; else as its file says."""
        if self._frozen.is_file():
            return self._load(self._frozen)
        sweep = self.load()
        if (self.runs / sweep.spec.name / "spec.yaml").is_file() and sweep.spec.name != self.sweep:
            return Options(sweep.spec.name, self.runs, self.storage).find()
        return sweep

    @property
    def _frozen(self) -> Path:
        return self.runs / self.sweep / "spec.yaml"

    def _load(self, frozen: Path | None) -> Sweep:
        overrides = list(self.overrides or [])
        if self.workers is not None:
            overrides.append(f"resources.workers={self.workers}")
        if self.gpus_per_trial is not None:
            overrides.append(f"resources.gpus_per_trial={self.gpus_per_trial}")
        source = self.sweep if frozen is None else str(frozen)
        spec = load_spec(source, overrides, methods=_names(self.methods), scenarios=_names(self.scenarios))
        return Sweep.at(spec, self.runs, self.storage or (None if frozen is None else _storage_of(frozen)))

    @property
    def tail(self) -> str:
        """The options that a follow-up command needs too, as one would type them."""
        words = []
        if self.runs != Path("runs"):
            words += ["--runs", str(self.runs)]
        if self.storage:
            words += ["--storage", mask(self.storage)]
        return "".join(f" {shlex.quote(word)}" for word in words)


def _storage_of(frozen: Path) -> str | None:
    """Where a sweep was last run; None where that has a password, which is not kept."""
    url = read_yaml(frozen).get("storage") or own_storage(frozen.parent)
    return None if "***" in url else str(url)


def told(command: Callable[..., int]) -> Callable[..., int]:
    """Bad input becomes its message on stderr and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> int:
        try:
            return command(*args, **kwargs)
        except (SweepError, UnlearnError) as error:
            say(mask(str(error)))
            return BAD_INPUT

    return wrapped


def _console() -> Console:
    """Of stdout; a pipe has no width, and nothing is cut in it."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def say(text: str) -> None:
    """A line for the user, on stderr."""
    print(text, file=sys.stderr, flush=True)


@told
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
    if dry_run:
        print_plan(sweep, stages)
        return DONE
    given = read_best_params(params, sweep.spec) if params else None
    studies = _run(sweep, stages, options, params=given, retry=failed_trials if retry_failed else no_trial)
    if studies is None:
        return INTERRUPTED
    partial = not studies.done or not {"search", "evaluation", "sensitivity"} <= set(stages)
    best, page = sweep.outputs
    if studies.finished_now or not (best.exists() and page.exists()):
        best, page = sweep.write_outputs(partial=partial)
        decorate_storage(sweep)
    print(best)
    print(page)
    return last_words(studies, options)


def _run(sweep: Sweep, stages: Iterable[Stage], options: Options, **choices: Any) -> Multiplexer | None:
    """Run stages; None where the user stopped it, who is then told how to resume."""
    try:
        return run_sweep(
            sweep, stages, ray_address=options.ray_address, verbose=options.verbose, watch=watch, **choices
        )
    except Interrupted as stopped:
        say(f"stopped by {stopped}; nothing finished is lost. Resume with:\n  {_typed()}")
        return None


def _typed() -> str:
    """The command as it was typed, without passwords."""
    return f"sweeps {' '.join(shlex.quote(mask(word)) for word in sys.argv[1:])}"


def in_words(count: int, noun: str = "trial") -> str:
    """So many of something."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def last_words(studies: Multiplexer, options: Options) -> int:
    """How it ended, what failed, and the commands that come next; returns the exit code."""
    name = options.sweep
    failed = sum(state.failed for state in studies.states)
    missing = sum(max(0, state.planned - state.final) for state in studies.states)
    if not failed and not missing:
        say(f"all {sum(s.planned for s in studies.states)} trials are done")
    if failed:
        say(f"{in_words(failed)} failed for good; reasons: sweeps status {name}{options.tail}")
    if missing:
        say(f"{in_words(missing)} could not be run: what they need failed")
    again = _typed().replace(f" {RETRY}", "")
    if any(state.may_be_retried for state in studies.states):
        say(f"retry:             {again} {RETRY}")
    say(f"resume or extend:  {again}")
    say(f"watch:             sweeps dashboard {name}{options.tail}")
    return FAILED if failed or missing else DONE


def print_plan(sweep: Sweep, stages: tuple[Stage, ...]) -> None:
    """The studies, their trials, and what they will cost."""
    plan = make_plan(sweep.spec, stages)
    table = Table(title=f"{sweep.spec.name}: the plan", title_justify="left")
    for heading in ("study", "trials"):
        table.add_column(heading, justify="right" if heading == "trials" else "left", no_wrap=True)
    for study in plan.studies:
        table.add_row(study.name, str(study.trials))
    table.add_section()
    table.add_row("all", str(sum(study.trials for study in plan.studies)))
    Console().print(table)
    cost = estimate(sweep, plan)
    print(f"samples to pass forward and backward: {cost.samples:.3g}")
    if cost.seconds is None:
        print("time: not known until a first model of this sweep has been trained here")
    else:
        print(
            f"time: about {duration(cost.seconds)} on {cost.workers} workers, from how fast the cached models were trained"
        )
    print(f"storage: {mask(sweep.url)}")


@told
def show_status(options: Options) -> int:
    """A table of studies, and every failure with its reason."""
    sweep = options.find()
    record = sweep.record()
    trials = record.counted
    console = _console()
    title = f"{record.name} ({record.spec['protocol']} protocol)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("stage", "scenario", "method"):
        table.add_column(heading, overflow="fold")
    for heading in ("done", "planned", "running", "pruned", "failed", "best"):
        table.add_column(heading, justify="right", no_wrap=True)
    for (stage, scenario, method), planned in record.planned.items():
        mine = trials[(trials["stage"] == stage) & (trials["scenario"] == scenario) & (trials["method"] == method)]
        states = mine["state"].value_counts()
        best = mine.loc[mine["state"] == "COMPLETE", "value"].min()
        counts = [str(states.get(state, 0)) for state in ("RUNNING", "PRUNED", "FAIL")]
        done = int(states.get("COMPLETE", 0)) + int(states.get("PRUNED", 0)) + int(states.get("FAIL", 0))
        shown = f"{best:.3g}" if stage != "reference" and best == best else ""  # noqa: PLR0124  # NaN
        table.add_row(stage, scenario, method, str(done), str(planned), *counts, shown)
    console.print(table)
    failures = print_failures(record, whole=options.verbose)
    again = _last_typed(record) or f"sweeps run {shlex.quote(options.sweep)}{options.tail}"
    if record.counted["outcome"].isin(["error", "died"]).any():
        print(f"once their cause is mended: {again} {RETRY}")
    _say_who_runs(sweep, record, again)
    return FAILED if failures else DONE


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


def _driver(sweep: Sweep) -> dict[str, Any] | None:
    """Who runs a sweep now; None where nobody does, or nobody ever did."""
    if not sweep.exists:
        return None
    try:
        return holder(optuna.load_study(study_name=sweep.spec.name, storage=open_storage(sweep.url)).user_attrs)
    except KeyError:
        return None


def _say_who_runs(sweep: Sweep, record: SweepRecord, again: str) -> None:
    held = _driver(sweep)
    ended = record.counted[record.counted["state"].isin(["COMPLETE", "PRUNED", "FAIL"])]
    done = Counter(zip(ended["stage"], ended["scenario"], ended["method"], strict=True))
    left = sum(max(0, planned - done[key]) for key, planned in record.planned.items())
    if held:
        print(f"running: process {held['pid']} on {held['host']}; {in_words(left)} left")
    elif left:
        print(f"not running; {in_words(left)} left; continue with: {again}")
    else:
        print("all is done")


@told
def show_oracles(options: Options, *, train: bool, verify: bool) -> int:
    """The originals and oracles in the cache, trained or verified first as asked."""
    sweep, failed = _checked(options), 0
    models = cached_models(sweep, verify=verify)
    if train and any(model.state in {"missing", "damaged"} for model in models):
        studies = _run(sweep, ("reference",), options, retry=untrained(models))
        if studies is None:
            return INTERRUPTED
        failed = sum(state.failed for state in studies.states)
        models = cached_models(sweep)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("model", "scenario"):
        table.add_column(heading, overflow="fold")
    for heading in ("forget size", "seed", "trained in", "on disk"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("key", no_wrap=True)
    for model in models:
        draw = model.need.draw
        time = "" if model.seconds is None else duration(model.seconds)
        size = "" if model.bytes is None else decimal(model.bytes)
        key = f"{model.key[:12]}…" if model.state == "cached" else SHOWN[model.state]
        table.add_row(model.need.kind, draw.scenario, str(draw.size or ""), str(draw.seed), time, size, key)
    _console().print(table)
    states = Counter("cached" if m.state == "shared" else m.state for m in {m.key: m for m in models}.values())
    total = decimal(sum({model.key: model.bytes or 0 for model in models}.values()))
    print(f"{states['cached']} of {states.total()} models cached, {total}, in {mask(sweep.cache.place)}")
    if states["damaged"]:
        print(f"{states['damaged']} damaged: they are trained again when they are needed")
    if states["cached"] < states.total() and not train:
        say(f"train them now:  {_typed()} --train")
    return FAILED if failed or states["damaged"] else DONE


def _checked(options: Options) -> Sweep:
    """The sweep as asked for, its data and its cache there."""
    sweep = options.load()
    check_here(sweep.spec)
    sweep.cache.prepare()
    check_sizes(sweep.spec, sweep.cache.folder)
    return sweep


@told
def delete_oracles(options: Options, *, sure: bool) -> int:
    """Delete a sweep's models from the cache."""
    sweep = _checked(options)
    held = _driver(sweep)
    if held:
        raise SweepError(
            f"sweep {sweep.spec.name!r} is being run by process {held['pid']} on {held['host']}: wait for it, or stop it"
        )
    every = cached_models(sweep)
    models = {model.key: model for model in every if model.state != "missing"}
    size = decimal(sum(model.bytes or 0 for model in models.values()))
    time = duration(sum(model.seconds or 0 for model in models.values()))
    what = f"{in_words(len(models), 'model')}, {size}, trained in {time}, from {mask(sweep.cache.place)}"
    if models and not sure:
        if not sys.stdin.isatty():
            raise SweepError(f"this would delete {what}\n  remedy: say --yes")
        if not typer.confirm(f"delete {what}?", err=True):
            return DONE
    delete_models(sweep, every)
    print(f"deleted {what}")
    say(f"before it is run again:  sweeps oracles {shlex.quote(options.sweep)}{options.tail} --train")
    return DONE


@told
def make_report(options: Options, figures: str | None = None) -> int:
    """The report of what is there now, with each figure as a file where asked for."""
    sweep = options.find()
    record = sweep.record()
    finished = record.counted["state"].isin(["COMPLETE", "PRUNED", "FAIL"]).sum()
    _, page = sweep.write_outputs(partial=bool(finished < sum(record.planned.values())))
    decorate_storage(sweep, record)
    print(page)
    if figures is not None:
        print(export_figures(record, sweep.folder / "report" / "figures", figures))
    return DONE


@told
def compare_sweeps(all_options: Sequence[Options]) -> int:
    """One page of several sweeps."""
    sweeps = [options.find() for options in all_options]
    name = "-".join(dict.fromkeys(sweep.spec.name for sweep in sweeps))
    print(compare([sweep.record() for sweep in sweeps], all_options[0].runs / f"compare-{name}"))
    return DONE


@told
def embed(options: Options, most: int) -> int:
    """t-SNE maps of the winners' features."""
    from sweeps.embeddings import write_embeddings  # noqa: PLC0415  # scikit-learn's t-SNE takes a second

    sweep = options.find()
    storage = sweep.prepare()
    folder = sweep.folder / "embeddings"
    paths = write_embeddings(sweep.spec, sweep.cache, storage, sweep.record(), folder, most=most, told=say)
    print(*paths, sep="\n")
    say(f"draw them:  sweeps report {shlex.quote(options.sweep)}{options.tail}")
    return DONE


@told
def export_params(options: Options, output: Path | None) -> int:
    """Best parameters to a file or stdout."""
    record = options.find().record()
    if not record.best:
        raise SweepError(f"no search of {record.name!r} has a finished trial yet")
    if output is not None:
        write_best_params(record, output)
        print(output)
    else:
        print(yaml.safe_dump(best_params(record), sort_keys=False, allow_unicode=True), end="")
    return DONE


@told
def serve_dashboard(options: Options, host: str, port: int) -> int:
    """optuna-dashboard until interrupted."""
    sweep = options.find()
    record = sweep.record()
    say("writing notes and figures into the storage …")
    decorate_storage(sweep, record)
    say(f"optuna-dashboard on http://{host}:{port}/ — stop with Ctrl-C")
    if host not in {"127.0.0.1", "localhost", "::1"}:
        say("warning: it has no password, and whoever reaches it can delete studies")
    try:
        serve(open_storage(sweep.url), sweep.folder, host, port)
    except KeyboardInterrupt:
        return DONE
    except OSError as error:
        raise SweepError(f"cannot serve on {host}:{port}: {error.strerror}; choose another with --port") from error
    return DONE


def decorate_storage(sweep: Sweep, record: SweepRecord | None = None) -> None:
    """Notes and figures for optuna-dashboard; a storage that takes none is no reason to fail."""
    try:
        decorate(open_storage(sweep.url), record or sweep.record(), sweep.folder)
    except (SQLAlchemyError, StorageInternalError, OSError) as error:
        reason = str(error).splitlines()[0]
        say(f"warning: optuna-dashboard will lack notes and figures: {mask(reason)}")


@told
def validate_file(file: str, overrides: list[str] | None) -> int:
    """Every error of a sweep file, or that there is none."""
    spec: Spec = load_spec(file, overrides or [])
    check_here(spec)
    plan = make_plan(spec)
    print(f"{spec.name}: valid; {len(plan.studies)} studies, {sum(plan.trials.values())} trials")
    return DONE


@told
def list_folder(folder: str) -> int:
    """The keys of one kind, each with its first line of documentation."""
    table = Table(box=None, pad_edge=False)
    table.add_column("key", no_wrap=True)
    table.add_column("what it is")
    if folder == "methods":
        table.add_column("searches")
    for key in keys(folder):
        found = find(folder, key)
        about = (found.__doc__ or "").strip().splitlines()[0]
        row = [key, about]
        if folder == "methods":
            row.append(", ".join(found.searched) or "–")
        table.add_row(*row)
    Console().print(table)
    return DONE


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] if text else None
