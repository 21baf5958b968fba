"""A sweep's record as files: the page and its tables."""

from __future__ import annotations

from pathlib import Path

from reports import frames, tables
from reports.content import scenario_section
from reports.format import Table
from reports.names import labelled
from reports.page.render import render_page
from reports.styles import method_styles
from reports.writers import write_page
from sweeps.record import SweepRecord, plain_strings

__all__ = ["write_report"]

EMBEDDINGS = "embeddings"


def write_report(record: SweepRecord, folder: Path, *, partial: bool, maps: Path | None = None) -> Path:
    """Write `folder/index.html` and `folder/tables/*.csv|md|tex`; return the page's path.

    t-SNE maps are taken from the folder `maps`, by default `embeddings` beside `folder`. See `write_page`.
    """
    with labelled(record), plain_strings():
        return _write(record, folder, partial=partial, maps=maps or folder.parent / EMBEDDINGS)


def _write(record: SweepRecord, folder: Path, *, partial: bool, maps: Path) -> Path:
    styles = method_styles(frames.methods(record))
    sections = [scenario_section(record, s, styles, maps) for s in frames.scenarios(record)]
    page = render_page(record, sections, styles, partial=partial)
    scores = tables.score_table(record)
    printed = [p for s in sections for b in s.blocks for p in b.parts if isinstance(p, Table)]
    printed += [tables.progress_table(record), *([scores] if scores is not None else [])]
    return write_page(folder, page, printed)
