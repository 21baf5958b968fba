"""Every figure of a report as a file for print."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from plotly.io import write_images

from reports import figures, frames
from reports.content import scenario_section
from reports.figures import Drawing, figure_of
from reports.names import labelled
from reports.styles import method_styles
from reports.writers import slug
from sweeps.record import SweepRecord, plain_strings

__all__ = ["write_figures"]

REMEDY = (
    "figures are exported through kaleido and a Chromium browser: python3 -m pip install kaleido, "
    "and set BROWSER_PATH where the browser is not on the PATH"
)


def write_figures(
    record: SweepRecord,
    folder: Path,
    ending: Literal["svg", "pdf", "png"] = "svg",
    *,
    maps: Path | None = None,
    only: Collection[str] | None = None,
    scale: float = 2,
) -> list[Path]:
    """Write `folder/<figure>.<ending>` for every figure, on white; return the paths.

    PDF and SVG are for papers: as wide as a column, or as two, with the legend and without the title. PNG are for screens.

    Args:
        maps: folder of t-SNE maps, if there are any.
        only: keys of the figures wanted; those that the sweep lacks are passed over.
        scale: pixels of a PNG per point.

    Raises:
        RuntimeError: kaleido, through which plotly exports, or its browser is missing; the message has the remedy.
    """
    if find_spec("kaleido") is None:
        raise RuntimeError(f"kaleido is not installed; {REMEDY}")
    with labelled(record), plain_strings():
        drawings = _drawings(record, maps)
    folder.mkdir(parents=True, exist_ok=True)
    drawings = [d for d in drawings if only is None or d.key in only]
    paths = [folder / f"{slug(drawing.key)}.{ending}" for drawing in drawings]
    try:  # all at once: each call starts a browser
        with labelled(record), plain_strings():
            printed = [figure_of(d.printed() if ending == "png" else d.for_paper()) for d in drawings]
        sizes = {side: [figure.layout[side] for figure in printed] for side in ("width", "height")}
        write_images(printed, paths, scale=scale if ending == "png" else 1, **sizes)
    except Exception as error:  # kaleido's own kinds: no browser, or one that does not start
        raise RuntimeError(f"no figure could be exported: {error}; {REMEDY}") from error
    return paths


def _drawings(record: SweepRecord, maps: Path | None) -> list[Drawing]:
    styles = method_styles(frames.methods(record))
    sections = [scenario_section(record, s, styles, maps) for s in frames.scenarios(record)]
    parts = [figures.score_bars(record, styles), *(p for s in sections for b in s.blocks for p in b.parts)]
    return [d for d in parts if isinstance(d, Drawing)]
