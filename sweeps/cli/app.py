"""The command line: thin commands over the library. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.cli.complete import method_names, scenario_names, sweep_names
from sweeps.cli.parameters import (
    DryRun,
    Json,
    Params,
    RefusedParams,
    Retry,
    Runs,
    Set,
    Storage,
    SweepArgument,
    Tracebacks,
    Watch,
    Yes,
    runs_a_sweep,
)

#: New objects between two searches for cycles: Python's own 700 takes an eighth of what imports and reading a storage take.
COLLECT_EVERY = 100_000

app = typer.Typer(
    name="sweeps",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Fair hyperparameter sweeps for machine unlearning. SWEEP is a YAML file, the name of a sweep that was run here, or a "
    "shipped name (digits, smoke, …).",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"unlearn-sweeps {version('unlearn-sweeps')}")
        except PackageNotFoundError:  # run from a checkout that is not installed
            print("unlearn-sweeps, not installed")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the program itself."""


def _options(**values: Any) -> Any:
    from sweeps.cli.options import Options

    return Options(**values)


def _stage_command(name: str, stages: tuple[str, ...], about: str) -> None:
    """Register a command that runs stages of a sweep; all of them take the same options."""

    @app.command(name, help=about)
    @runs_a_sweep
    def command(options: Any, params: Params = None, retry_failed: Retry = False, dry_run: DryRun = False) -> None:
        from sweeps.cli.run import run_stages

        raise typer.Exit(run_stages(options, stages, dry_run=dry_run, params=params, retry_failed=retry_failed))


_stage_command(
    "run",
    ("search", "confirmation", "evaluation", "sensitivity"),
    "Prepare, search, evaluate, measure sensitivity, export and report; run again, it resumes.",
)


@app.command()
@runs_a_sweep
def search(options: Any, params: RefusedParams = None, retry_failed: Retry = False, dry_run: DryRun = False) -> None:
    """Search only: find each method's best hyperparameters."""
    from sweeps.cli.run import run_stages

    stages = ("search", "confirmation")
    raise typer.Exit(run_stages(options, stages, dry_run=dry_run, params=params, retry_failed=retry_failed))


_stage_command(
    "evaluate", ("evaluation",), "Evaluate the winners (or --params FILE) over fresh forget sets and forget-set sizes."
)
_stage_command(
    "sensitivity", ("sensitivity",), "Run a grid (of lr and alpha by default) round each winner (or --params FILE)."
)


@app.command()
def status(  # noqa: PLR0917  # typer makes options of them
    sweep: SweepArgument,
    runs: Runs = Path("runs"),
    storage: Storage = None,
    json: Json = False,
    verbose: Tracebacks = False,
    watch: Watch = False,
) -> None:
    """What is done, running and failed (with reasons), and the best so far."""
    from sweeps.cli.status import show_status, status_json

    options = _options(sweep=sweep, runs=runs, storage=storage, verbose=verbose)
    if watch:
        if json or verbose:
            raise typer.BadParameter(f"--watch shows one screen; take {'--json' if json else '-v'} without it")
        from sweeps.cli.watch import watch_status

        raise typer.Exit(watch_status(options))
    raise typer.Exit((status_json if json else show_status)(options))


@app.command("list")
def list_(runs: Runs = Path("runs"), json: Json = False) -> None:
    """List every sweep that was run here, how far it is, and what it takes on disk."""
    from sweeps.cli.manage import list_sweeps, sweeps_json

    raise typer.Exit((sweeps_json if json else list_sweeps)(runs))


@app.command()
def remove(sweep: SweepArgument, yes: Yes = False, runs: Runs = Path("runs"), storage: Storage = None) -> None:
    """Delete a sweep: its studies and its outputs. Its models stay in the cache, where other sweeps may use them."""
    from sweeps.cli.manage import remove_sweep

    raise typer.Exit(remove_sweep(_options(sweep=sweep, runs=runs, storage=storage), sure=yes))


@app.command()
@runs_a_sweep
def oracles(
    options: Any,
    train: Annotated[bool, typer.Option("--train", help="Train what is missing first.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every model in this machine's cache and see that it is intact.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete them; another sweep that shares them trains them again.")
    ] = False,
    yes: Yes = False,
) -> None:
    """List the original and oracle models that a sweep needs, and which of them the cache has."""
    from sweeps.cli.oracles import delete_oracles, show_oracles

    if prune and (train or verify):
        raise typer.BadParameter("--prune stands alone")
    code = delete_oracles(options, sure=yes) if prune else show_oracles(options, train=train, verify=verify)
    raise typer.Exit(code)


@app.command()
def report(
    sweeps: Annotated[
        list[str],
        typer.Argument(
            metavar="SWEEP...", help="YAML files, sweeps that were run here, or shipped names; several are compared."
        ),
    ],
    figures: Annotated[
        str | None, typer.Option(metavar="svg|pdf|png", help="Also write each figure as a file, through kaleido.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Write all of it there, and nothing elsewhere."),
    ] = None,
    runs: Runs = Path("runs"),
    storage: Storage = None,
) -> None:
    """Write the report page and its tables from what the storage holds now, or one page of several sweeps; prints its path."""
    from sweeps.cli.report import compare_sweeps, make_report

    if figures is not None and len(sweeps) > 1:
        raise typer.BadParameter("--figures writes the figures of one sweep")
    options = [_options(sweep=sweep, runs=runs, storage=storage) for sweep in sweeps]
    one = len(options) == 1
    raise typer.Exit(make_report(options[0], figures, output) if one else compare_sweeps(options, output))


@app.command()
def embeddings(
    sweep: SweepArgument,
    max_samples: Annotated[
        int, typer.Option("--max-samples", min=30, help="Training samples in a map, the same for every model.")
    ] = 1500,
    runs: Runs = Path("runs"),
    storage: Storage = None,
) -> None:
    """Map the training set's features by t-SNE for the original, the oracle and each winner; `sweeps report` draws them."""
    from sweeps.cli.report import embed

    raise typer.Exit(embed(_options(sweep=sweep, runs=runs, storage=storage), max_samples))


@app.command()
def unlearn(  # noqa: PLR0917  # typer makes options of them
    sweep: SweepArgument,
    forget: Annotated[
        Path, typer.Option("--forget", metavar="FILE", help="Ids of the images to forget: one a line, or a CSV column.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="A new folder for weights, record and page.")
    ],
    column: Annotated[str | None, typer.Option(help="The CSV column that holds the ids; id by default.")] = None,
    method: Annotated[
        str | None,
        typer.Option(help="By default the one whose evaluation came out best.", autocompletion=method_names),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            help="By default the one whose forget sets are most like the request.", autocompletion=scenario_names
        ),
    ] = None,
    params: Params = None,
    with_oracle: Annotated[
        bool, typer.Option("--with-oracle", help="Train the oracle too, and say whether the gap is as expected.")
    ] = False,
    runs: Runs = Path("runs"),
    storage: Storage = None,
) -> None:
    """Apply the tuned method to a list of images; leaves the unlearned weights, and a record of what was measured."""
    from sweeps.cli.unlearn import unlearn_request

    options = _options(sweep=sweep, runs=runs, storage=storage)
    choices = {"method": method, "scenario": scenario, "params": params, "with_oracle": with_oracle}
    raise typer.Exit(unlearn_request(options, forget, column, out, **choices))


@app.command()
def export(
    sweep: SweepArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; stdout by default.")] = None,
    runs: Runs = Path("runs"),
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Print the best parameters so far as YAML."""
    from sweeps.cli.report import export_json, export_params

    if json and output is not None:
        raise typer.BadParameter("--json prints; a file is written as YAML")
    options = _options(sweep=sweep, runs=runs, storage=storage)
    raise typer.Exit(export_json(options) if json else export_params(options, output))


@app.command()
def dashboard(
    sweep: SweepArgument,
    host: Annotated[
        str, typer.Option(help="It has no password and can delete: loopback unless you mean it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    runs: Runs = Path("runs"),
    storage: Storage = None,
) -> None:
    """Open optuna-dashboard on the sweep's storage, on this machine only."""
    from sweeps.cli.report import serve_dashboard

    raise typer.Exit(serve_dashboard(_options(sweep=sweep, runs=runs, storage=storage), host, port))


@app.command()
def validate(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A YAML file or a shipped name.", autocompletion=sweep_names)
    ],
    set_: Set = None,
    json: Json = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say what it will run, how long on this machine, and what it takes on disk."),
    ] = False,
) -> None:
    """Check a sweep file: every error at once."""
    from sweeps.cli.validate import validate_file, validate_json

    raise typer.Exit((validate_json if json else validate_file)(file, set_, explain=explain))


@app.command()
def init(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Of the sweep; NAME.yaml is written here.")] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="A folder with train/CLASS/, test/CLASS/ and perhaps val/CLASS/, an .npz file, or a shipped data set."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="A shipped model; by default one that suits the data.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Look at the data and write a commented sweep file to begin with; asks for what is not given."""
    from sweeps.cli.init import init_sweep

    raise typer.Exit(init_sweep(name, data, model, force=force))


@app.command()
def schema() -> None:
    """Print the JSON schema of sweep files, for editors."""
    from sweeps.cli.init import write_schema

    raise typer.Exit(write_schema())


@app.command()
def models(  # noqa: PLR0917  # typer makes options of them
    sweep: Annotated[
        str | None,
        typer.Argument(metavar="[SWEEP]", help="A sweep that has run.", autocompletion=sweep_names),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete a sweep's unlearned models from the cache.")] = False,
    yes: Yes = False,
    runs: Runs = Path("runs"),
    storage: Storage = None,
    json: Json = False,
) -> None:
    """List the models that there are; of a SWEEP, the unlearned ones of its evaluation and where each lies."""
    if sweep is None:
        from sweeps.cli.lists import list_folder, list_json

        if prune:
            raise typer.BadParameter("--prune needs a SWEEP")
        raise typer.Exit((list_json if json else list_folder)("models"))
    from sweeps.cli.models import delete_kept, kept_json, show_kept

    options = _options(sweep=sweep, runs=runs, storage=storage)
    if prune:
        raise typer.Exit(delete_kept(options, sure=yes))
    raise typer.Exit((kept_json if json else show_kept)(options))


def _list_command(name: str, folder: str, about: str) -> None:
    @app.command(name, help=about)
    def command(json: Json = False) -> None:
        from sweeps.cli.lists import list_folder, list_json

        raise typer.Exit((list_json if json else list_folder)(folder))


_list_command("methods", "methods", "List the unlearning methods and what each of them searches.")
_list_command("scenarios", "scenarios", "List the scenarios.")
_list_command("datasets", "data", "List the data sets.")
_list_command("metrics", "metrics", "List the metric families.")


def main() -> None:
    """Entry point of the console script: exit codes 0 done, 1 trials failed for good, 2 bad input, 130 interrupted."""
    gc.set_threshold(COLLECT_EVERY)
    _find_code_here()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as by `>&-`
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  # for as long as the process lives
    for stream in (sys.stdout, sys.stderr):  # a terminal may lack α or ±
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        _answer()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # Else Python, as it ends, goes through everything that was imported: a second after a run. Triton, which some parts of
        # torch bring, then counts what is left of it, and says so.
        if "triton" not in sys.modules:
            gc.freeze()


def _answer() -> None:
    """Run the command; an answer that typer itself gives, such as its help, goes where those of commands would."""
    try:
        try:
            app()
        except SystemExit as end:
            unread = end.__context__
            if isinstance(unread, BrokenPipeError):  # rich and click end with 1 where nobody reads on
                if unread.__context__ is not None:  # a complaint of what was typed
                    sys.exit(2)
                raise unread from None
            sys.stdout.flush()
            raise
    except OSError as error:
        from sweeps.cli.terminal import errors_to_exit_code

        sys.exit(errors_to_exit_code(_fail)(error))


def _fail(error: OSError) -> int:
    raise error


def _find_code_here() -> None:
    """Let `package.module:Name` lie in the folder that one types in, as under `python -m`; last, so that it hides nothing."""
    with contextlib.suppress(OSError):  # a folder that is gone
        folder = str(Path.cwd())
        if not sys.flags.safe_path and not {"", folder} & set(sys.path):
            sys.path.append(folder)
