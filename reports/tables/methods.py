"""Tables that compare methods: by metric, by forget size, by attack, by cost, and by score over all scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from reports import frames
from reports.caveats import attack_chance_note, cost_notes
from reports.format import Cell, Row, Table
from reports.names import measures, method_label, scenario_label, score_label
from reports.tables._base import by_method, with_baselines
from sweeps.record import SweepRecord, uncertain


def score_table(record: SweepRecord) -> Table | None:
    """Methods down, scenarios across: the scores that decide the winners."""
    winners = [frames.standing(record, s) for s in frames.scenarios(record)]
    # A search's scores are single runs on one forget set: nothing is best among them that a comparison could stand for.
    parts = [
        w.scores.assign(scenario=w.scenario, decided_by=w.source, best=w.scores["best"] & (w.source == "evaluation"))
        for w in winners
        if w.method is not None
    ]
    if not parts:
        return None
    for w in winners:
        below = [frames.baseline_summary(record, w.scenario, baseline, ["score"]) for baseline in frames.BASELINES]
        parts += filter(len, (b[b["forget_size"] == w.forget_size] for b in below))
    frame = pd.concat(parts, ignore_index=True)
    names = {w.scenario: scenario_label(w.scenario) + (" (search)" if w.source == "search" else "") for w in winners}
    frame = frame.assign(column=frame["scenario"].map(names))
    title = f"{score_label(record)} by method and scenario"
    evaluated = any(w.source == "evaluation" for w in winners)
    title += f", {frames.epoch_convention(record)}" if evaluated else ""
    table = by_method(
        record, frame, key="scores", title=title, compared=True, columns=list(names.values()), counts=False
    )
    if table is not None and any(w.source == "search" for w in winners):
        about = table.notes if evaluated else table.notes[2:]  # no mean over forget sets, and no stop epoch yet
        note = "(search): not evaluated yet, the least score of each search, on its one forget set."
        table = replace(table, notes=(*about, note))
    return table


def metric_table(
    record: SweepRecord,
    scenario: str,
    metrics: Sequence[str],
    *,
    key: str,
    title: str,
    compared: bool = True,
    baselines: bool = True,
) -> Table | None:
    """Methods down, metrics across, at the tuned forget size; with `baselines`, those that were evaluated below them."""
    frame = frames.metric_summary(record, scenario, metrics, compared=compared)
    frame = with_baselines(record, scenario, frame, metrics) if baselines else frame
    size = record.shown_size(scenario)
    return by_method(
        record,
        frame[frame["forget_size"] == size],
        key=key,
        title=f"{title}, {frames.size_label(record, scenario)}",
        compared=compared,
    )


def stability_table(record: SweepRecord, scenario: str) -> Table | None:
    """Methods and forget sizes down, score and gaps across: one set of hyperparameters at every size."""
    metrics = ["score", *frames.gap_metrics(record, frames.evaluations(record, scenario))]
    frame = with_baselines(record, scenario, frames.metric_summary(record, scenario, metrics), metrics)
    title = f"{scenario_label(scenario)}: stability over forget sizes, {frames.tuning_label(record, scenario)}"
    table = by_method(record, frame, key=f"{scenario}-stability", title=title, compared=True, sizes=True)
    chance = attack_chance_note(record, scenario, map(int, frame["forget_size"]))
    return table and replace(table, notes=(*table.notes, *filter(None, [chance])))


def attack_table(record: SweepRecord, scenario: str) -> Table | None:
    """Accuracies of the membership attacks, with the oracle's: what an attack achieves where nothing was ever learnt."""
    known = frames.metrics_of(frames.evaluations(record, scenario))
    attacks = measures(record).family("attack", known)
    title = f"{scenario_label(scenario)}: accuracies of membership attacks (%)"
    table = metric_table(
        record, scenario, attacks, key=f"{scenario}-attacks", title=title, compared=False, baselines=False
    )
    if table is None:
        return None
    size = record.shown_size(scenario)
    values = [frames.oracle_values(record, scenario, size, m) for m in attacks]
    n = max(map(len, values))
    cells = [Cell(uncertain(v.mean(), v.std(), len(v), n), v.mean() if len(v) else None) for v in values]
    oracle = Row((Cell(method_label("oracle"), method_label("oracle")), *cells, Cell(str(n), float(n))), last=True)
    own = pd.DataFrame({"metric": attacks, "mean": [v.mean() for v in values], "std": [v.std() for v in values]})
    own = own.assign(scenario=scenario, forget_size=size, method="oracle", n=list(map(len, values))).query("n > 0")
    data = pd.concat([table.data, own.assign(best=False, tied=False, pairs=0)], ignore_index=True)
    chance = attack_chance_note(record, scenario, [] if size is None else [size])
    of = "The oracle's n are forget sets, each with the mean value of its oracles."
    notes = (*table.notes, "Nearer to the oracle's value is better.", of, *filter(None, [chance]))
    return replace(table, rows=(*table.rows, oracle), data=data, notes=notes)


def run_time_table(record: SweepRecord, scenario: str) -> Table | None:
    """Relative run time up to the epoch that counts, in seconds and in samples, forward-only passes apart."""
    title = f"{scenario_label(scenario)}: run time relative to training the oracle"
    metrics = ["relative_run_time", "relative_samples", "relative_forward_samples"]
    table = metric_table(record, scenario, metrics, key=f"{scenario}-run-time", title=title, baselines=False)
    return table and replace(table, notes=(*table.notes, *cost_notes(record, scenario)))
