"""The paper's convention, best epochs in hindsight, beside what could be known beforehand."""

from __future__ import annotations

import pandas as pd

from reports import frames
from reports.format import Cell, Row, Table
from reports.names import measures, method_label, metric, scenario_label, score_label
from reports.sampled import sampled
from reports.tables._base import by_method, statistic_cell
from sweeps.record import MISSING, SweepRecord, uncertain

#: Epochs behind a top-5 column.
TOP = 5


def top5_table(record: SweepRecord, scenario: str) -> Table | None:
    """Each accuracy gap at the best epoch and as the mean over the five best, both in hindsight (the paper's Table 1).

    None where runs ended at their stop epoch.
    """
    size = record.shown_size(scenario)
    attacks = measures(record).family_gaps("attack", frames.metrics_of(frames.evaluations(record, scenario)))
    gaps = [m for m in frames.gap_metrics(record, frames.evaluations(record, scenario)) if m not in attacks]
    if not record.in_hindsight and not frames.hindsight_gaps(record, scenario):
        return None
    best: frames.Epochs = "metric" if record.in_hindsight else "hindsight"
    kinds: tuple[tuple[frames.Epochs, str], ...] = ((best, "top-1"), ("top5", "top-5"))
    parts = [frames.metric_summary(record, scenario, gaps, epochs=e).assign(epochs=name) for e, name in kinds]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[frame["forget_size"] == size]
    if not len(frame):
        return None
    frame = frame.assign(
        column=[f"{metric(record, m).short} {e}" for m, e in zip(frame["metric"], frame["epochs"], strict=True)]
    )
    order = [f"{metric(record, m).short} {e}" for m in gaps for e in ("top-1", "top-5")]
    at = frames.size_label(record, scenario)
    title = f"{scenario_label(scenario)}: best epoch (top-1) against the mean of the five best (top-5), {at}"
    said = "In hindsight: the least score on the very forget set and images that are reported, as the paper does."
    if own := [m for m in frames.own_rule(record, scenario) if m in set(frame["method"])]:
        said += f" Top-1 of a method with a rule of its own is the epoch of that: {', '.join(map(method_label, own))}."
    said += _short_runs(record, scenario)
    return by_method(record, frame, key=f"{scenario}-top5", title=title, compared=True, columns=order, convention=said)


def _short_runs(record: SweepRecord, scenario: str) -> str:
    """Whether runs have fewer epochs than a top-5 column is the mean of; empty where none has."""
    curves = frames.evaluation_curves(record, scenario, record.shown_size(scenario))
    epochs = curves.groupby("method", sort=False)["epoch"].nunique()
    short = epochs[epochs < TOP]
    if not len(short):
        return ""
    if len(short) == len(epochs) and short.nunique() == 1:
        one = short.iloc[0] == 1
        return f" Runs have {short.iloc[0]} epoch{'' if one else 's'}: top-5 is {'that' if one else 'the mean of all of them'}."
    named = ", ".join(method_label(str(m)) for m in short.index)
    return f" Fewer than {TOP} epochs, of all of which top-5 is the mean: {named}."


def hindsight_table(record: SweepRecord, scenario: str) -> Table | None:
    """The paper's convention beside the headline: score in hindsight, what not knowing it beforehand cost, and the gaps there."""
    frame = frames.cost_of_not_knowing(record, scenario)
    if not len(frame):
        return None
    gaps = frames.hindsight_gaps(record, scenario)
    size = record.shown_size(scenario)
    there = frames.metric_summary(record, scenario, gaps, epochs="hindsight", compared=False)
    there = there[there["forget_size"] == size]
    cells = {(r.method, r.metric): r for r in frames.iterate(there)}
    rows = []
    for r in frames.iterate(frame):
        label = method_label(r.method)
        stop = Cell(MISSING) if pd.isna(r.stop_epoch) else Cell(str(int(r.stop_epoch)), float(r.stop_epoch))
        kinds = ((r.score_mean, r.score_std), (r.hindsight_mean, r.hindsight_std), (r.cost_mean, r.cost_std))
        numbers = [Cell(uncertain(mean, std, r.n), mean) for mean, std in kinds]
        body = [statistic_cell(cells.get((r.method, g)), r.n) for g in gaps]
        rows.append(Row((Cell(label, label), stop, *numbers, *body, Cell(str(r.n), float(r.n))), r.method))
    score = score_label(record)
    heads = ("Method", "Stop epoch", score, f"{score}, hindsight", "Cost of not knowing")
    columns = (*heads, *(f"{metric(record, g).short}, hindsight" for g in gaps), "n")
    title = f"{scenario_label(scenario)}: in hindsight (the paper's convention), {frames.size_label(record, scenario)}"
    notes = [
        "In hindsight: the epoch of the least score on the very forget set and test images that are reported; nobody without "
        "the oracle can know it, and the least of noisy numbers flatters.",
        "Cost of not knowing: what stopping at the epoch chosen beforehand loses against it, run by run.",
        f"Mean ± std over {sampled(record, scenario).nouns} (n).",
    ]
    if any(pd.isna(s) for s in frame["stop_epoch"]):
        notes.append("No stop epoch: the method chooses its epoch in each run itself, here and in the paper.")
    data = (
        frame.merge(
            there.pivot(index="method", columns="metric", values="mean").add_prefix("hindsight_").reset_index(),
            how="left",
        )
        if len(there)
        else frame
    )
    return Table(f"{scenario}-hindsight", title, tuple(map(Cell, columns)), tuple(rows), data, notes)
