"""`sweeps oracles`: the originals and oracles in the cache."""

from __future__ import annotations

import sys
from collections import Counter

import typer
from rich.filesize import decimal

from sweeps.cli.options import Options
from sweeps.cli.run import run_watched
from sweeps.cli.status import driver_of
from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import (
    DONE,
    FAILED,
    INTERRUPTED,
    count_of,
    duration,
    echo,
    errors_to_exit_code,
    stdout_console,
    typed_command,
)
from sweeps.errors import SweepError
from sweeps.kept import kept_count
from sweeps.oracles import CachedModel, cached_models, delete_models, retry_untrained
from sweeps.secrets import mask
from sweeps.spec import check_here, check_sizes
from sweeps.sweep import Sweep

NAMES, VALUES = ("model", "scenario"), ("forget size", "seed", "trained in", "on disk", "key")
#: How `sweeps oracles` shows a model that is not in this machine's own cache.
STATE_LABELS = {"shared": "shared, not read", "missing": "missing", "damaged": "damaged"}


@errors_to_exit_code
def show_oracles(options: Options, *, train: bool, verify: bool) -> int:
    """The originals and oracles in the cache, trained or verified first as asked."""
    sweep, failed = _checked(options, train=train), 0
    models = cached_models(sweep, verify=verify)
    if train and any(model.state in {"missing", "damaged"} for model in models):
        studies = run_watched(sweep, ("reference",), options, retry=retry_untrained(models))
        if studies is None:
            return INTERRUPTED
        failed = sum(study.failed for study in studies.open_studies)
        models = cached_models(sweep)
    print_rows(stdout_console(), Rows(NAMES, VALUES, [_row(model) for model in models]))
    states = Counter("cached" if m.state == "shared" else m.state for m in {m.key: m for m in models}.values())
    total = decimal(sum({model.key: model.bytes or 0 for model in models}.values()))
    print(f"{states['cached']} of {states.total()} models cached, {total}, in {mask(sweep.cache.place)}")
    if states["damaged"]:
        print(f"{states['damaged']} damaged: they are trained again when they are needed")
    if states["cached"] < states.total() and not train:
        echo(f"train them now:  {typed_command()} --train")
    return FAILED if failed or states["damaged"] else DONE


def _row(model: CachedModel) -> tuple[str, ...]:
    draw = model.need.draw
    time = "" if model.seconds is None else duration(model.seconds)
    size = "" if model.bytes is None else decimal(model.bytes)
    key = f"{model.key[:12]}…" if model.state == "cached" else STATE_LABELS[model.state]
    return model.need.kind, draw.scenario, str(draw.size or ""), str(draw.seed), time, size, key


def _checked(options: Options, *, train: bool = False) -> Sweep:
    """The sweep as asked for, its data and its cache there."""
    sweep = options.load()
    check_here(sweep.spec, options.ray_address, runs=train)
    sweep.cache.prepare()
    check_sizes(sweep.spec, sweep.cache.folder)
    return sweep


@errors_to_exit_code
def delete_oracles(options: Options, *, sure: bool) -> int:
    """Delete a sweep's models from the cache."""
    sweep = _checked(options)
    held = driver_of(sweep.open_to_read(), sweep.spec.name) if sweep.exists else None
    if held:
        raise SweepError(
            f"sweep {sweep.spec.name!r} is being run by process {held['pid']} on {held['host']}: wait for it, or stop it"
        )
    every = cached_models(sweep)
    models = {model.key: model for model in every if model.state != "missing"}
    size = decimal(sum(model.bytes or 0 for model in models.values()))
    time = duration(sum(model.seconds or 0 for model in models.values()))
    what = f"{count_of(len(models), 'model')}, {size}, trained in {time}, from {mask(sweep.cache.place)}"
    if models and not sure:
        if not sys.stdin.isatty():
            raise SweepError(f"this would delete {what}\n  remedy: say --yes")
        if not typer.confirm(f"delete {what}?", err=True):
            return DONE
    delete_models(sweep, every)
    print(f"deleted {what}")
    if kept := kept_count(sweep):
        echo(
            f"{count_of(kept, 'unlearned model')} that its evaluation kept stay:  sweeps models {sweep.spec.name}{options.tail}"
        )
    echo(f"before it is run again:  sweeps oracles {options.word}{options.tail} --train")
    return DONE
