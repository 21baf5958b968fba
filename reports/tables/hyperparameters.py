"""Which hyperparameters were found, which of them matter, and what moving them does."""

from __future__ import annotations

import pandas as pd

from reports import frames
from reports.caveats import own_rule_note
from reports.format import Cell, Row, Table
from reports.names import method_label, metric, parameter_label, scenario_label
from sweeps.record import MISSING, SweepRecord, number, signed

FIXED = "¶ fixed in the sweep file, and not searched."


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
    edges, fixed = frames.edges(record, scenario), frame.attrs["fixed"]
    rows = []
    for name, values in frame.iterrows():
        cells = [Cell(parameter_label(str(name)))]
        for method, value in values.items():
            mark = "†" if name == "forget_batch_size" and method in marked else ""
            mark += "‡" if name == "alpha" and method in others else ""
            mark += "*" if (str(method), str(name)) in edges else ""
            mark += "§" if name == "stop_epoch" and method in unconfirmed else ""
            mark += "¶" if (method, name) in fixed else ""
            cells.append(Cell(number(value) + mark, method=str(method)))
        rows.append(Row(tuple(cells)))
    columns = (Cell("Parameter"), *(Cell(method_label(m), method=m) for m in frame.columns))
    notes = ["† retain batch size: this method has no forget batch."] if marked else []
    if others:
        meanings = ", ".join(f"{method_label(m)}'s {label}" for m, label in others.items())
        notes.append(f"‡ not the retain weight that other methods call α: {meanings}.")
    if edges:
        notes.append("* at the end of its range: what is better may lie beyond.")
    if fixed:
        notes.append(FIXED)
    notes += _origin_notes(record, scenario, unconfirmed)
    sources = {w.source for w in record.winners.get(scenario, {}).values()}
    title = f"{scenario_label(scenario)}: {'given' if sources == {'given'} else 'best'} hyperparameters"
    return Table(
        f"{scenario}-hyperparameters", title, columns, tuple(rows), _own_rows(frame, marked), notes, sortable=False
    )


def _own_rows(frame: pd.DataFrame, marked: list[str]) -> pd.DataFrame:
    """For the CSV, which has no †: a retain batch that stands in the row of forget batches in one of its own name."""
    rows = {name: values.to_dict() for name, values in frame.iterrows()}
    for method in marked:
        rows.setdefault("retain_batch_size", {})[method] = rows["forget_batch_size"].pop(method)
    lines = [(name, *(values.get(method) for method in frame.columns)) for name, values in rows.items()]
    return pd.DataFrame(lines, columns=["hyperparameter", *frame.columns], dtype=object)


def _origin_notes(record: SweepRecord, scenario: str, unconfirmed: list[str]) -> list[str]:
    """Where the hyperparameters and their stop epochs come from."""
    winners = record.winners.get(scenario, {})
    notes = []
    if unconfirmed:
        notes.append("§ rests on one draw: the forget set of the search alone, not confirmed on further ones.")
    given = [method_label(m) for m, w in winners.items() if w.source == "given" and w.hyperparameters]
    if given:
        notes.append(f"Given, not found by a search of this sweep: {', '.join(given)}.")
    own = "" if record.in_hindsight else own_rule_note(record, [scenario], winners)  # in hindsight no method has one
    return [*notes, *filter(None, [own])]


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
    why = "too few completed trials, one hyperparameter, or scores too much alike"
    notes = [f"Not known ({why}): {', '.join(without)}."] if without else []
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
                *(Cell(signed(v, 2), float(v)) for v in (r.largest_rise, r.largest_fall, r.mean_absolute)),
                *_noise_cells(r.noise, r.beyond_noise),
                Cell(f"{r.points - r.failed} of {r.points}", float(r.points - r.failed)),
            ),
            r.method,
        )
        for r in frames.iterate(frame)
    ]
    columns = ("Method", "Gap", "Largest rise", "Largest fall", "Mean |change|", "Noise", "Beyond it", "Grid points")
    title = f"{scenario_label(scenario)}: change of the gaps over the sensitivity grid, percentage points"
    notes = [
        "Mean |change|: of the points round the centre.",
        "Noise: how far from the centre one more run of it lies in 95 of 100 cases, by its repeats, or by rounding alone where "
        "that is more; –: it was run once.",
    ]
    data = frame.assign(beyond_noise=frame["beyond_noise"].astype("Int64").mask(frame["beyond_noise"] < 0))
    return Table(f"{scenario}-sensitivity", title, tuple(map(Cell, columns)), tuple(rows), data, notes)


def _noise_cells(noise: float, beyond: int) -> tuple[Cell, Cell]:
    if beyond < 0:
        return Cell(MISSING), Cell(MISSING)
    return Cell(f"± {noise:.2f}", noise), Cell(str(beyond), float(beyond))
