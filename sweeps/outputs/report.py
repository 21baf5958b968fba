"""What a sweep leaves behind: best parameters, the report, its figures as files, and pages of several sweeps."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from sweeps.errors import SweepError
from sweeps.record import SweepRecord
from sweeps.record.best_params import fingerprint_of, write_best_params
from sweeps.record.progress import unfinished

ENDINGS = ("svg", "pdf", "png")


def write_outputs(record: SweepRecord, outputs: tuple[Path, Path], maps: Path | None = None) -> None:
    """Write best parameters and the report to where a sweep's `outputs` are.

    Args:
        maps: the folder of t-SNE maps; by default `embeddings` beside the report's.
    """
    from reports import write_report  # noqa: PLC0415  # plotly takes a second

    best, page = outputs
    write_best_params(record, best)
    write_report(record, page.parent, partial=unfinished(record), maps=maps)


def are_current(outputs: tuple[Path, Path], fingerprint: str) -> bool:
    """Whether best parameters and the page are there, and made from what has this fingerprint: state and code."""
    best, page = outputs
    try:
        told = f'content="{fingerprint}"' in page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return told and fingerprint_of(best) == fingerprint


def check_figures(ending: str) -> None:
    """Refuse, before any work, figures that could not be written.

    Raises:
        SweepError: an unknown ending, or what exports figures is not installed.
    """
    if ending not in ENDINGS:
        raise SweepError(f"--figures must be one of {', '.join(ENDINGS)}, got {ending!r}")
    if importlib.util.find_spec("kaleido") is None:
        raise SweepError("--figures needs the package kaleido — pip install 'unlearn-sweeps[figures]'")


def export_figures(record: SweepRecord, folder: Path, ending: str, maps: Path) -> Path:
    """Every figure of a report as `folder/<figure>.<ending>`, t-SNE maps from the folder `maps`; returns the folder.

    Raises:
        SweepError: an unknown ending, or what exports figures is not installed.
    """
    from reports import write_figures  # noqa: PLC0415  # plotly takes a second

    check_figures(ending)
    try:
        write_figures(record, folder, cast(Literal["svg", "pdf", "png"], ending), maps=maps)
    except RuntimeError as error:
        raise SweepError(str(error)) from error
    return folder


def compare(records: Sequence[SweepRecord], folder: Path) -> Path:
    """The page of several sweeps side by side; returns its path."""
    from reports import write_comparison  # noqa: PLC0415  # plotly takes a second

    return write_comparison(records, folder)
