"""`sweeps report`, `embeddings`, `export` and `dashboard`: what a sweep shows."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from errno import EADDRNOTAVAIL
from pathlib import Path
from socket import gaierror

from sweeps.cli.as_json import print_json
from sweeps.cli.options import Options
from sweeps.cli.terminal import DONE, echo, errors_to_exit_code
from sweeps.errors import SweepError
from sweeps.outputs.dashboard import decorate, server
from sweeps.outputs.report import check_figures, compare, export_figures, write_outputs
from sweeps.record import SweepRecord
from sweeps.record.best_params import best_params, is_best_params, write_best_params
from sweeps.record.commands import looked_at
from sweeps.secrets import mask
from sweeps.spec import dump_yaml
from sweeps.storage import open_storage
from sweeps.storage.open import STORAGE_ERRORS, reason_of
from sweeps.sweep import Sweep

_PAGE = re.compile(rb"<title>[^<]*: unlearning sweeps?( compared)?</title>")


@errors_to_exit_code
def make_report(options: Options, figures: str | None = None, output: Path | None = None) -> int:
    """The report of what is there now, with each figure as a file where asked for.

    Args:
        output: folder for all of it; nothing is then written elsewhere, notes for optuna-dashboard neither.
    """
    if figures is not None:
        check_figures(figures)
    _check_output(output)
    sweep = options.find()
    record = looked_at(sweep.record(), options.place)
    best, page = sweep.outputs if output is None else (output / "best_params.yaml", output / "index.html")
    write_outputs(record, (best, page), sweep.folder.embeddings)
    if output is None:
        decorate_storage(sweep, record)
    print(page)
    if figures is not None:
        print(export_figures(record, page.parent / "figures", figures, sweep.folder.embeddings))
    return DONE


def _check_output(folder: Path | None) -> None:
    """Refuse a folder whose page, or best parameters, are of another origin than a report."""
    if folder is None:
        return
    best, page = folder / "best_params.yaml", folder / "index.html"
    foreign = [best] if best.is_file() and best.stat().st_size and not is_best_params(best) else []
    if page.is_file() and not _PAGE.search(page.read_bytes()[:100_000]):
        foreign.append(page)
    if foreign:
        rule = "--output must be a folder whose page and best parameters are a report's, so that nothing else is overwritten"
        raise SweepError(f"{rule}, got {' and '.join(map(str, foreign))}")


@errors_to_exit_code
def compare_sweeps(all_options: Sequence[Options], output: Path | None = None) -> int:
    """One page of several sweeps, in the folder `output` or beside the first of them."""
    _check_output(output)
    sweeps = [options.find() for options in all_options]
    twice = [name for name, n in Counter(f"{s.spec.name} ({s.url})" for s in sweeps).items() if n > 1]
    if twice:
        raise SweepError(f"each sweep of a page must be named once; several times is named: {mask(', '.join(twice))}")
    name = "-".join(dict.fromkeys(sweep.spec.name for sweep in sweeps))
    folder = output or all_options[0].runs / f"compare-{name}"
    print(compare([sweep.record() for sweep in sweeps], folder))
    return DONE


@errors_to_exit_code
def embed(options: Options, max_samples: int) -> int:
    """t-SNE maps of the winners' features."""
    from sweeps.outputs.embeddings import write_embeddings  # noqa: PLC0415  # scikit-learn's t-SNE takes a second

    sweep = options.find()
    storage = sweep.prepare()
    folder = sweep.folder.embeddings
    paths = write_embeddings(
        sweep.spec, sweep.cache, storage, sweep.record(), folder, max_samples=max_samples, progress=echo
    )
    print(*paths, sep="\n")
    echo(f"draw them:  sweeps report {options.word}{options.tail}")
    return DONE


@errors_to_exit_code
def export_params(options: Options, output: Path | None) -> int:
    """Best parameters to a file or stdout."""
    record = options.find().record()
    if not record.best:
        raise SweepError(f"no search of {record.name!r} has a finished trial yet")
    if output is not None:
        if output.is_file() and output.stat().st_size and not is_best_params(output):
            rule = "--output must be a new file, or one of best parameters, so that nothing else is overwritten"
            raise SweepError(f"{rule}, got {output}")
        write_best_params(record, output)
        print(output)
    else:
        print(dump_yaml(best_params(record)), end="")
    return DONE


@errors_to_exit_code
def serve_dashboard(options: Options, host: str, port: int) -> int:
    """optuna-dashboard until interrupted."""
    host = host.strip("[]") or "0.0.0.0"  # an IPv6 address as in a URL, and what an empty host means
    sweep = options.find()
    record = looked_at(sweep.record(), options.place)
    echo("writing notes and figures into the storage …")
    decorate_storage(sweep, record)
    where = f"[{host}]" if ":" in host else host
    try:
        listening = server(open_storage(sweep.url), record.name, sweep.folder.artifacts, host, port)
    except OSError as error:
        remedy = "--host" if isinstance(error, gaierror) or error.errno == EADDRNOTAVAIL else "--port"
        raise SweepError(f"cannot serve on {where}:{port}: {error.strerror}; choose another with {remedy}") from error
    echo(f"optuna-dashboard on http://{where}:{listening.server_port}/ — stop with Ctrl-C")
    if host not in {"127.0.0.1", "localhost", "::1"}:
        echo("warning: it has no password, and whoever reaches it can delete studies")
    with listening, contextlib.suppress(KeyboardInterrupt):
        listening.serve_forever()
    return DONE


def decorate_storage(sweep: Sweep, record: SweepRecord) -> None:
    """Notes and figures for optuna-dashboard; a storage that takes none is no reason to fail."""
    try:
        decorate(open_storage(sweep.url), record, sweep.folder.artifacts)
    except (SweepError, *STORAGE_ERRORS, OSError) as error:
        echo(f"warning: optuna-dashboard will lack notes and figures: {reason_of(error)}")


@errors_to_exit_code
def export_json(options: Options) -> int:
    """`sweeps export`."""
    print_json(best_params(options.find().record()))
    return DONE
