"""Which methods are told apart, and what more forget sets could tell; where the spread of a score comes from."""

from __future__ import annotations

import math

import pandas as pd

from reports import frames
from reports.format import Cell, Row, Table
from reports.names import method_label, row_label, scenario_label, score_label, units
from reports.sampled import sampled
from reports.told import needed_sentence
from sweeps.record import MISSING, MOST_UNITS, Rival, SweepRecord, significant, told_apart, uncertain


def apart_table(record: SweepRecord, scenario: str) -> Table | None:
    """Every method beside the best: its difference, whether that is told, and what would be; None below two methods."""
    apart = told_apart(record, scenario)
    if apart is None or not apart.rivals:
        return None
    rows = tuple(_row(rival) for rival in apart.rivals)
    best, score = method_label(apart.best), f"{score_label(record).lower()}{units(record, ['score'])}"
    columns = ("Method", "Difference", "Told apart", "Could be told", f"More {apart.unit}s needed", "n")
    notes = [
        f"Difference: {score} less that of {best}, the least, over the {apart.unit}s that both have (n); ± is its standard "
        "deviation, or what rounding alone gives where that is more.",
        f"Could be told: the least true difference that n {apart.unit}s tell in 80 % of such evaluations, if the spread found is "
        "the true one, which n of them tell but roughly.",
        "Needed: for that, if the present difference is the true one too. It is mostly more, for the least of several means "
        "flatters.",
        *filter(None, [_together(record, scenario), needed_sentence(record, apart)]),  # that may end in a command
    ]
    title = f"{scenario_label(scenario)}: {best} and the others, {frames.size_label(record, scenario)}"
    data = pd.DataFrame([{**vars(rival), "best": apart.best, "unit": apart.unit} for rival in apart.rivals])
    return Table(f"{scenario}-told-apart", title, tuple(map(Cell, columns)), rows, data, notes)


def _together(record: SweepRecord, scenario: str) -> str:
    """What an evaluation varied at once, so that nobody can tell which of it the spread is from; empty where it can be told."""
    about = sampled(record, scenario)
    if about.trainings > 1 or about.runs > 1:
        return ""
    varied = "the forget set and the run, together" if about.varies else "the run"
    more = "evaluation.runs and evaluation.trainings tell" if about.varies else "evaluation.trainings tells"
    return f"What varied is {varied}, on one training; {more} what each adds."


def _row(rival: Rival) -> Row:
    label = method_label(rival.method)
    told = "yes" if rival.apart else "no"
    cells = (
        Cell(label, label),
        Cell(uncertain(rival.difference, rival.spread, rival.units), rival.difference),
        Cell(told, told),
        Cell(significant(rival.least, 2), rival.least if math.isfinite(rival.least) else None),
        _more(rival),
        Cell(str(rival.units), float(rival.units)),
    )
    return Row(cells, rival.method)


def _more(rival: Rival) -> Cell:
    if rival.apart or (rival.ahead and rival.needed is None):
        return Cell(MISSING)
    if rival.needed is None:
        return Cell(f"> {MOST_UNITS}", math.inf)
    more = max(rival.needed - rival.units, 1)
    return Cell(str(more), float(more))


def spread_table(record: SweepRecord, scenario: str) -> Table | None:
    """Methods down, what varies across: standard deviations of the score's components; None where no two can be told apart."""
    frame = frames.spread_by_axis(record, scenario)
    if not len(frame):
        return None
    axes = [c for c in ("training", "forget set", "run", "forget set and run") if c in frame and frame[c].notna().any()]
    if len(axes) < 2:
        return None
    rows = []
    for r in frame.to_dict("records"):
        floor = r["method"] == frames.FLOOR
        label = row_label(r["method"])
        cells = [Cell(significant(r[a], 2), r[a]) if math.isfinite(r[a]) else Cell(MISSING) for a in axes]
        n = Cell(str(r["n"]), float(r["n"]))
        rows.append(Row((Cell(label, label), *cells, n), None if floor else r["method"], last=floor))
    columns = ("Method", *(a.capitalize() for a in axes), "n")
    varies = f"what the {score_label(record).lower()} varies with"
    title = f"{scenario_label(scenario)}: {varies}, {frames.size_label(record, scenario)}"
    return Table(f"{scenario}-spread", title, tuple(map(Cell, columns)), tuple(rows), frame, _spread_notes(frame))


def _spread_notes(frame: pd.DataFrame) -> list[str]:
    notes = ["Standard deviations that each alone would give, by analysis of variance; 0: no more than chance gives."]
    if "forget set and run" in frame and frame["forget set and run"].notna().any():
        notes.append(
            "Each forget set was run once: what it and its run add cannot be told apart (evaluation.runs: 2 would)."
        )
    trainings = int(frame["trainings"].max())
    if trainings == 1:
        notes.append(
            "One training: what another original and other oracles would change is not known (evaluation.trainings)."
        )
    else:
        notes.append(f"The spread over trainings rests on {trainings} of them.")
    return notes
