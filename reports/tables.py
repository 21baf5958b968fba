"""DataFrames laid out for print: one function a table of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from reports import frames
from reports.format import MISSING, Cell, Row, Table, number, significant, uncertain
from reports.names import FLOOR_LABEL, measures, method_label, metric, parameter_label, scenario_label, score_label
from sweeps.record import SweepRecord

#: Epochs behind a top-5 column.
TOP = 5

__all__ = [
    "attack_table",
    "hyperparameter_table",
    "importance_table",
    "metric_table",
    "optimism_table",
    "progress_table",
    "run_time_table",
    "score_table",
    "sensitivity_table",
    "stability_table",
    "top5_table",
]


def metric_table(
    record: SweepRecord,
    scenario: str,
    metrics: Sequence[str],
    *,
    key: str,
    title: str,
    compared: bool = True,
    floor: bool = True,
) -> Table | None:
    """Methods down, metrics across, at the tuned forget size; with `floor`, the retrained oracle below them."""
    frame = frames.metric_summary(record, scenario, metrics, compared=compared)
    frame = _with_floor(record, scenario, frame, metrics) if floor else frame
    size = record.shown_size(scenario)
    return _by_method(
        record,
        frame[frame["forget_size"] == size],
        key=key,
        title=f"{title}, {frames.size_label(record, scenario)}",
        compared=compared,
    )


def stability_table(record: SweepRecord, scenario: str) -> Table | None:
    """Methods and forget sizes down, score and gaps across: one set of hyperparameters at every size."""
    metrics = ["score", *frames.gap_metrics(record, frames.evaluations(record, scenario))]
    frame = _with_floor(record, scenario, frames.metric_summary(record, scenario, metrics), metrics)
    title = f"{scenario_label(scenario)}: stability over forget sizes, {frames.tuning_label(record, scenario)}"
    return _by_method(record, frame, key=f"{scenario}-stability", title=title, compared=True, sizes=True)


def attack_table(record: SweepRecord, scenario: str) -> Table | None:
    """Accuracies of the membership attacks, with the oracle's: what an attack achieves where nothing was ever learnt."""
    known = frames.metrics_of(frames.evaluations(record, scenario))
    attacks = measures(record).family("attack", known)
    title = f"{scenario_label(scenario)}: accuracies of membership attacks (%)"
    table = metric_table(record, scenario, attacks, key=f"{scenario}-attacks", title=title, compared=False, floor=False)
    if table is None:
        return None
    size = record.shown_size(scenario)
    values = [frames.oracle_values(record, scenario, size, m) for m in attacks]
    cells = [Cell(uncertain(v.mean(), v.std(), len(v)), v.mean() if len(v) else None) for v in values]
    n = max(map(len, values))
    oracle = Row((Cell(method_label("oracle"), method_label("oracle")), *cells, Cell(str(n), float(n))), last=True)
    return replace(table, rows=(*table.rows, oracle), notes=(*table.notes, "Nearer to the oracle's value is better."))


def run_time_table(record: SweepRecord, scenario: str) -> Table | None:
    """Relative run time up to the epoch that counts, in seconds and in samples, forward-only passes apart."""
    title = f"{scenario_label(scenario)}: run time relative to training the oracle"
    metrics = ["relative_run_time", "relative_samples", "relative_forward_samples"]
    return metric_table(record, scenario, metrics, key=f"{scenario}-run-time", title=title, floor=False)


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
    epochs = (record.spec.get("unlearning") or {}).get("epochs")
    if epochs is not None and epochs < TOP:
        said += f" Runs have {epochs} epochs: top-5 is the mean of all of them."
    return _by_method(record, frame, key=f"{scenario}-top5", title=title, compared=True, columns=order, convention=said)


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
        body = [_statistic_cell(cells.get((r.method, g))) for g in gaps]
        rows.append(Row((Cell(label, label), stop, *numbers, *body, Cell(str(r.n), float(r.n))), r.method))
    score = score_label(record)
    heads = ("Method", "Stop epoch", score, f"{score}, hindsight", "Cost of not knowing")
    columns = (*heads, *(f"{metric(record, g).short}, hindsight" for g in gaps), "n")
    title = f"{scenario_label(scenario)}: in hindsight (the paper's convention), {frames.size_label(record, scenario)}"
    notes = [
        "In hindsight: the epoch of the least score on the very forget set and test images that are reported; nobody without "
        "the oracle can know it, and the least of noisy numbers flatters.",
        "Cost of not knowing: what stopping at the epoch chosen beforehand loses against it, run by run.",
        "Mean ± std over forget sets (n).",
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
    floors = [frames.floor_summary(record, s, ["score"]) for s in frames.scenarios(record)]
    floors = [f[f["forget_size"] == w.forget_size] for f, w in zip(floors, winners, strict=True)]
    parts += [f for f in floors if len(f)]
    frame = pd.concat(parts, ignore_index=True)
    names = {w.scenario: scenario_label(w.scenario) + (" (search)" if w.source == "search" else "") for w in winners}
    frame = frame.assign(column=frame["scenario"].map(names))
    title = f"{score_label(record)} by method and scenario, {frames.epoch_convention(record)}"
    table = _by_method(
        record, frame, key="scores", title=title, compared=True, columns=list(names.values()), counts=False
    )
    if table is not None and any(w.source == "search" for w in winners):
        table = replace(table, notes=(*table.notes, "(search): not evaluated yet, the best score of each search."))
    return table


def hyperparameter_table(record: SweepRecord, scenario: str) -> Table | None:
    """The paper's Tables 3 and 4: hyperparameters down, methods across."""
    frame = frames.best_hyperparameters(record, scenario)
    if not len(frame.columns) or not frame.notna().any(axis=None):
        return None
    marked = frame.attrs["retain_batch"]
    known = [str(m) for m, value in frame.loc["alpha"].items() if value is not None]
    others = {m: parameter_label("alpha", m) for m in known}
    others = {m: label for m, label in others.items() if label != parameter_label("alpha")}
    unconfirmed = frames.on_one_draw(record, scenario)
    rows = []
    for name, values in frame.iterrows():
        cells = [Cell(parameter_label(str(name)))]
        for method, value in values.items():
            mark = "†" if name == "forget_batch_size" and method in marked else ""
            mark += "‡" if name == "alpha" and method in others else ""
            mark += "§" if name == "stop_epoch" and method in unconfirmed else ""
            cells.append(Cell(number(value) + mark, method=str(method)))
        rows.append(Row(tuple(cells)))
    columns = (Cell("Parameter"), *(Cell(method_label(m), method=m) for m in frame.columns))
    notes = ["† retain batch size: this method has no forget batch."] if marked else []
    if others:
        meanings = ", ".join(f"{method_label(m)}'s {label}" for m, label in others.items())
        notes.append(f"‡ not the retain weight that other methods call α: {meanings}.")
    notes += _origin_notes(record, scenario, unconfirmed)
    sources = {w.source for w in record.winners.get(scenario, {}).values()}
    title = f"{scenario_label(scenario)}: {'given' if sources == {'given'} else 'best'} hyperparameters"
    data = frame.reset_index()
    return Table(f"{scenario}-hyperparameters", title, columns, tuple(rows), data, notes, sortable=False)


def _origin_notes(record: SweepRecord, scenario: str, unconfirmed: list[str]) -> list[str]:
    """Where the hyperparameters and their stop epochs come from."""
    winners = record.winners.get(scenario, {})
    notes = []
    if unconfirmed:
        notes.append("§ rests on one draw: the forget set of the search alone, not confirmed on further ones.")
    given = [method_label(m) for m, w in winners.items() if w.source == "given" and w.hyperparameters]
    if given:
        notes.append(f"Given, not found by a search of this sweep: {', '.join(given)}.")
    own = [method_label(m) for m, w in winners.items() if w.stop_epoch is None]
    if own and not record.in_hindsight:
        notes.append(f"No stop epoch, for the method chooses it in each run itself: {', '.join(own)}.")
    return notes


def importance_table(record: SweepRecord, scenario: str) -> Table | None:
    """Methods down, hyperparameters across: shares in per cent."""
    frame = frames.importances(record, scenario)
    if not len(frame):
        return None
    names = list(dict.fromkeys(frame["hyperparameter"]))
    rows = []
    for method, part in frame.groupby("method", sort=False):
        share = dict(zip(part["hyperparameter"], part["share"], strict=True))
        cells = [Cell(f"{100 * share[n]:.0f}", share[n]) if n in share else Cell(MISSING) for n in names]
        trials = int(part["trials"].iloc[0])
        label = method_label(str(method))
        rows.append(Row((Cell(label, label), *cells, Cell(str(trials), float(trials))), str(method)))
    columns = ("Method", *map(parameter_label, names), "Trials")
    without = [method_label(m) for m in record.importances.get(scenario, {}) if not record.importances[scenario][m]]
    notes = [f"Not known (too few completed trials, or one hyperparameter): {', '.join(without)}."] if without else []
    title = f"{scenario_label(scenario)}: importance of the hyperparameters (PED-ANOVA, %)"
    return Table(f"{scenario}-importance", title, tuple(map(Cell, columns)), tuple(rows), frame, notes)


def sensitivity_table(record: SweepRecord, scenario: str, methods: list[str] | None = None) -> Table | None:
    """Per method and gap, how far the grid round the tuned values moves it; of all methods, or of some."""
    frame = frames.sensitivity_summary(record, scenario, methods or frames.methods(record, scenario))
    if not len(frame):
        return None
    rows = [
        Row(
            (
                Cell(method_label(r.method), method_label(r.method)),
                Cell(metric(record, r.metric).short, r.metric),
                *(
                    Cell(f"{v:.2f}".replace("-", "−"), float(v))
                    for v in (r.largest_rise, r.largest_fall, r.mean_absolute)
                ),
                Cell(f"{r.points - r.failed} of {r.points}", float(r.points - r.failed)),
            ),
            r.method,
        )
        for r in frames.iterate(frame)
    ]
    columns = ("Method", "Gap", "Largest rise", "Largest fall", "Mean |change|", "Grid points")
    title = f"{scenario_label(scenario)}: change of the gaps over the sensitivity grid, percentage points"
    return Table(f"{scenario}-sensitivity", title, tuple(map(Cell, columns)), tuple(rows), frame)


def optimism_table(record: SweepRecord, scenario: str) -> Table | None:
    """How much worse the winner of a search is when run again on other forget sets."""
    frame = frames.optimism(record, scenario)
    if not len(frame):
        return None
    confirmed = bool(frame["confirmed_n"].any())

    def again(mean: float, std: float, n: int, optimism: float) -> tuple[Cell, ...]:
        if not n:
            return (Cell("–"), Cell("0", 0.0), Cell("–"))
        return (
            Cell(uncertain(mean, std, n), mean),
            Cell(str(n), float(n)),
            Cell(significant(optimism, 2).replace("-", "−"), optimism),
        )

    rows = [
        Row(
            (
                Cell(method_label(r.method), method_label(r.method)),
                Cell(significant(r.search_score), r.search_score),
                Cell(str(r.trials), float(r.trials)),
                *(again(r.confirmed_mean, r.confirmed_std, r.confirmed_n, r.confirmed_optimism) if confirmed else ()),
                *again(r.evaluation_mean, r.evaluation_std, r.n, r.optimism),
            ),
            r.method,
        )
        for r in frames.iterate(frame)
    ]
    columns = (
        *("Method", "Winner in the search", "of trials"),
        *(("Confirmed", "n", "Optimism") if confirmed else ()),
        *("Evaluated", "n", "Optimism"),
    )
    title = f"{scenario_label(scenario)}: the winner's optimism, forget size {record.tuned_size(scenario)}"
    notes = _optimism_notes(record, confirmed)
    return Table(f"{scenario}-optimism", title, tuple(map(Cell, columns)), tuple(rows), frame, notes)


def _optimism_notes(record: SweepRecord, confirmed: bool) -> list[str]:
    searched, images = ("dev", "test") if record.spec.get("protocol") == "strict" else ("test", "test")
    at = "in hindsight" if record.in_hindsight else "at the stop epoch"
    notes = [
        "Optimism: how much worse than in its search the winner does on other forget sets; the least of noisy scores flatters.",
        f"Winner in the search: its best epoch on the one tuning forget set, {searched} images.",
    ]
    if confirmed:
        notes.append(
            f"Confirmed: on further tuning forget sets, {searched} images, {at}; chosen by it, and so still flattered."
        )
    return [*notes, f"Evaluated: on fresh forget sets, {images} images, {at}; it decides nothing."]


def progress_table(record: SweepRecord) -> Table:
    """Every study: planned, done, pruned, failed, missing."""
    frame = frames.progress(record)
    rows = [
        Row(
            (
                Cell(scenario_label(r.scenario)),
                Cell(method_label(r.method), method_label(r.method)),
                Cell(r.stage),
                *(Cell(str(v), float(v)) for v in (r.planned, r.complete, r.pruned, r.failed, r.missing)),
                Cell(significant(r.seconds / 60, 2), r.seconds),
            ),
            r.method,
        )
        for r in frames.iterate(frame)
    ]
    columns = ("Scenario", "Method", "Stage", "Planned", "Complete", "Pruned", "Failed", "Not run", "Minutes")
    return Table("progress", "Trials of every study", tuple(map(Cell, columns)), tuple(rows), frame)


def _by_method(
    record: SweepRecord,
    frame: pd.DataFrame,
    *,
    key: str,
    title: str,
    compared: bool,
    columns: Sequence[str] | None = None,
    sizes: bool = False,
    counts: bool = True,
    convention: str = "",
) -> Table | None:
    """Methods (and sizes) down; metrics, or the values of `column`, across."""
    if not len(frame):
        return None
    if "column" not in frame:
        score = score_label(record)
        frame = frame.assign(column=[score if m == "score" else metric(record, m).short for m in frame["metric"]])
    columns = [c for c in (columns or list(dict.fromkeys(frame["column"]))) if (frame["column"] == c).any()]
    rows = []
    for size in dict.fromkeys(frame["forget_size"]) if sizes else [None]:
        part = frame if size is None else frame[frame["forget_size"] == size]
        for method in [*frames.methods(record), frames.FLOOR]:
            cells = {r.column: r for r in frames.iterate(part[part["method"] == method])}
            if not cells:
                continue
            head = [Cell(str(size), float(size))] if size is not None else []
            n = int(max(r.n for r in cells.values()))
            tail = [Cell(str(n), float(n))] if counts else []
            body = (_statistic_cell(cells.get(c)) for c in columns)
            floor = method == frames.FLOOR
            label = FLOOR_LABEL if floor else method_label(method)
            rows.append(Row((*head, Cell(label, label), *body, *tail), None if floor else method, last=floor))
    headers = [*(["Forget size"] if sizes else []), "Method", *columns, *(["n"] if counts else [])]
    notes = ["Mean ± std over forget sets" + (" (n)." if counts else "."), convention or _convention(record)]
    if any(row.last for row in rows):
        notes.append(
            "Noise floor: the gaps between two oracles that differ in their seed only, which retraining itself cannot avoid."
        )
    marked = compared and any(c.best for row in rows for c in row.cells)
    return Table(
        key, title, tuple(map(Cell, headers)), tuple(rows), frame.drop(columns="column"), notes, compared=marked
    )


def _convention(record: SweepRecord) -> str:
    """At which epoch a table's numbers stand."""
    if record.in_hindsight:
        return "In hindsight: each run at the epoch of its least score on the very forget set and images that are reported."
    return "At the stop epoch, which was chosen before these forget sets were seen."


def _with_floor(record: SweepRecord, scenario: str, frame: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Methods, then the retrained oracle where it was evaluated."""
    floor = frames.floor_summary(record, scenario, metrics)
    return pd.concat([frame, floor], ignore_index=True) if len(frame) and len(floor) else frame


def _statistic_cell(row: Any) -> Cell:
    if row is None:
        return Cell(MISSING)
    return Cell(uncertain(row.mean, row.std, row.n), row.mean, row.best, row.tied)
