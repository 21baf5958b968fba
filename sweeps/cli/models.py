"""`sweeps models SWEEP`: the unlearned models that its evaluation has kept."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import typer
from rich.filesize import decimal

from sweeps.cli.as_json import print_json
from sweeps.cli.options import Options
from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import DONE, count_of, errors_to_exit_code, stdout_console, tell
from sweeps.errors import SweepError
from sweeps.kept import KeptModel, delete_kept_models, kept_models
from sweeps.record import significant
from sweeps.secrets import mask
from sweeps.sweep import Sweep

NAMES, VALUES = ("scenario", "method", "forget size"), ("forget seed", "run", "epoch", "score", "on disk", "file")


@errors_to_exit_code
def show_kept(options: Options) -> int:
    """A table of the completed evaluation trials, each with its model's file; then which have none, and why."""
    sweep = options.find()
    models = kept_models(sweep)
    if any(model.key for model in models):
        print_rows(stdout_console(), Rows(NAMES, VALUES, [_row(model) for model in models if model.key]))
    for line in outcome(models, sweep, options):
        tell(line)
    return DONE


@errors_to_exit_code
def kept_json(options: Options) -> int:
    """The same for programs."""
    print_json([asdict(model) for model in kept_models(options.find())])
    return DONE


@errors_to_exit_code
def delete_kept(options: Options, *, sure: bool) -> int:
    """Delete the files of a sweep's unlearned models."""
    sweep = options.find()
    models = {model.key: model for model in kept_models(sweep) if model.there}
    size = decimal(sum(model.bytes or 0 for model in models.values()))
    what = f"{count_of(len(models), 'unlearned model')}, {size}, from {mask(sweep.cache.place)}"
    if models and not sure:
        if not sys.stdin.isatty():
            raise SweepError(f"this would delete {what}\n  remedy: say --yes")
        if not typer.confirm(f"delete {what}?", err=True):
            return DONE
    delete_kept_models(sweep, models.values())
    print(f"deleted {what}")
    return DONE


def _row(model: KeptModel) -> tuple[str, ...]:
    run = f"{model.run}" if not model.training else f"{model.run} of training {model.training}"
    size = "" if model.bytes is None else decimal(model.bytes)
    file = model.state if model.place is None else model.place.rpartition("/")[2]
    named = (model.scenario, model.method, str(model.forget_size))
    older = " (of an earlier winner)" if model.superseded else ""
    return (*named, str(model.forget_seed), run, str(model.epoch), significant(model.score), size, f"{file}{older}")


def outcome(models: Sequence[KeptModel], sweep: Sweep, options: Options) -> Iterator[str]:
    """How many models there are and where; which completed trials of the evaluation have none, and what to do about it."""
    counted = [model for model in models if not model.superseded]
    if not counted:
        yield "no trial of the evaluation is complete yet, so that there are no unlearned models"
        return
    states = Counter(model.state for model in counted)
    there = states["kept"] + states["shared"]
    where = mask(str(sweep.cache.unlearned)) if not states["shared"] else mask(sweep.cache.place)
    yield f"unlearned models: {there} of {count_of(len(counted), 'completed evaluation trial')} kept" + (
        f", in {where}" if there else ""
    )
    if states["not asked for"]:
        yield f"{states['not asked for']} ran while evaluation.keep_models was off, and have none"
    if states["missing"]:
        yield f"{states['missing']} were kept and are no longer there"
    failed = [model for model in counted if model.state == "not written"]
    for reason, count in Counter(model.reason for model in failed).items():
        yield f"{count} could not be written ({mask(str(reason))})"
    if there < len(counted):
        yield f"to run the evaluation again, and keep them:  {_again(sweep, options)}"


def _again(sweep: Sweep, options: Options) -> str:
    """The command that runs an evaluation once more, with its models kept."""
    name, best = sweep.spec.name, sweep.folder.best_params
    words = ["sweeps", "evaluate", str(sweep.folder.spec), "--params", str(best), "--set", f"name={name}-models"]
    words += ["--set", "evaluation.keep_models=true"]
    return f"{shlex.join(words)}{options.tail}"
