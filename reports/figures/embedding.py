"""t-SNE panels of the training set's features (the paper's Figure 6)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from reports.figures._base import Drawing, Panels, scatter
from reports.names import method_label, scenario_label
from sweeps.record import SweepRecord

__all__ = ["embedding_panels"]

#: Number in the file, name, colour, marker: the forget set last, so that it lies on top.
_GROUPS = (
    (0, "other retain", "#BFC3C7", "circle"),
    (1, "retain of the class", "#0072B2", "circle"),
    (2, "forget", "#D55E00", "diamond"),
)


def embedding_panels(record: SweepRecord, scenario: str, folder: Path | None) -> Drawing | None:
    """One panel per model from `folder/<scenario>.npz`; None without the file. Maps of a winner since superseded are left out."""
    found = _read(folder / f"{scenario}.npz") if folder is not None else None
    if found is None:
        return None
    current = record.counted
    current = current[(current["stage"] == "evaluation") & (current["scenario"] == scenario)]
    known = set(zip(current["method"], current["number"], strict=True))
    names, numbers = found["names"].tolist(), found["numbers"].tolist()
    shown = [i for i, (m, n) in enumerate(zip(names, numbers, strict=True)) if n < 0 or (m, n) in known]
    group = found["group"]
    several = "es" if len(np.unique(found["label"][group == 1])) > 1 else ""
    groups = ((g, name + several * (g == 1), colour, symbol) for g, name, colour, symbol in _GROUPS)
    present = [g for g in groups if (group == g[0]).any()]

    panels = Panels([method_label(names[i]) for i in shown], 230, x_gap=16, y_gap=34)
    nothing = {"showticklabels": False, "showgrid": False, "zeroline": False}
    for panel, i in enumerate(shown):
        for number, name, colour, symbol in present:
            xy = found["coordinates"][i][group == number].round(1)
            points = scatter(
                x=xy[:, 0].tolist(),
                y=xy[:, 1].tolist(),
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 4 if number else 3},
                name=name,
                legendgroup=name,
                showlegend=panel == 0,
                hoverinfo="skip",
            )
            panels.add(panel, points)
        panels.axes(panel, x=nothing, y=nothing)

    counts = ", ".join(f"{name} ({word}, n = {int((group == g).sum())})" for g, name, word in _words(present))
    note = f"Penultimate features of the same {len(group)} training samples in every panel: {counts}. "
    size, seed = int(found["forget_size"]), int(found["forget_seed"])
    note += f"Forget set of {size}, seed {seed}; distances between clusters say nothing."
    title = f"{scenario_label(scenario)}: t-SNE of the training set's features"
    return Drawing(f"{scenario}-embedding", title, note, panels, columns=min(4, len(shown)), named=True)


def _words(present: list[tuple[int, str, str, str]]) -> list[tuple[int, str, str]]:
    words = {0: "grey", 1: "blue", 2: "vermillion diamonds"}
    return [(number, name, words[number]) for number, name, _, _ in present]


def _read(path: Path) -> dict[str, Any] | None:
    """The file's arrays; None where there is none, or it is not whole."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {
                name: file[name]
                for name in ("names", "numbers", "coordinates", "group", "label", "forget_size", "forget_seed")
            }
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
