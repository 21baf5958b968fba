"""The arguments and options that commands share, each written once. Nothing heavy is imported."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.cli.complete import method_names, scenario_names, sweep_names
from unlearn.files import expanded

SweepArgument = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP", help="A YAML file, a sweep that was run here, or a shipped name.", autocompletion=sweep_names
    ),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any key, e.g. search.trials=100.")
]
Methods = Annotated[
    str | None,
    typer.Option(help="Only these methods of the sweep, separated by commas.", autocompletion=method_names),
]
Scenarios = Annotated[
    str | None,
    typer.Option(help="Only these scenarios of the sweep, separated by commas.", autocompletion=scenario_names),
]
Runs = Annotated[Path, typer.Option(help="Folder under which each sweep has its own.", callback=expanded)]
Storage = Annotated[
    str | None, typer.Option(metavar="URL", help="sqlite:///PATH, journal:PATH or another database URL.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Trials at once; one per core by default.")]
Gpus = Annotated[float | None, typer.Option(min=0, help="GPUs per trial; fractions share one.")]
Address = Annotated[str | None, typer.Option(metavar="ADDRESS", help="A running Ray cluster, e.g. auto.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what Ray says, and tracebacks.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but where the outputs are, and what failed.")]
Tracebacks = Annotated[bool, typer.Option("--verbose", "-v", help="Every remark in full, and whole tracebacks.")]
Watch = Annotated[
    bool, typer.Option("--watch", "-w", help="Follow it until all is done or its driver has stopped; Ctrl-C ends it.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and its cost; start nothing.")]
Retry = Annotated[
    bool, typer.Option("--retry-failed", help="Run again, too, what failed for good, unless it diverged.")
]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before deleting.")]
Params = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Best parameters to use instead of searching for them.")
]
#: Of a command that searches: it is refused, with what to use instead.
RefusedParams = Annotated[Path | None, typer.Option("--params", metavar="FILE", hidden=True)]


def options_of_a_run(  # noqa: PLR0917  # typer makes options of them
    sweep: SweepArgument,
    set_: Set = None,
    methods: Methods = None,
    scenarios: Scenarios = None,
    runs: Runs = Path("runs"),
    storage: Storage = None,
    workers: Workers = None,
    gpus_per_trial: Gpus = None,
    ray_address: Address = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> Any:
    """Which sweep is meant, what of it, and on what it runs."""
    from sweeps.cli.options import Options  # noqa: PLC0415  # it imports the library

    return Options(
        sweep=sweep,
        overrides=set_,
        methods=methods,
        scenarios=scenarios,
        runs=runs,
        storage=storage,
        workers=workers,
        gpus_per_trial=gpus_per_trial,
        ray_address=ray_address,
        verbose=verbose,
        quiet=quiet,
    )


def runs_a_sweep(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the arguments of `options_of_a_run` in the place of its first, before and after those of its own."""
    shared = inspect.signature(options_of_a_run, eval_str=True).parameters
    (_, *own), (sweep, *others) = inspect.signature(command, eval_str=True).parameters.values(), shared.values()

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in shared}
        command(options_of_a_run(**chosen), **values)

    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (sweep, *own, *others)]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it, as inspect does
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapped
