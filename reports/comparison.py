"""Several sweeps side by side: two models, two data sets, two versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports import frames
from reports.content import Block, Section
from reports.figures.side_by_side import gaps_side_by_side
from reports.figures.sizes_side_by_side import sizes_side_by_side
from reports.format import Cell, Row, Table
from reports.names import labelled, method_label, metric, row_label, scenario_label, score_label
from reports.page.render import render_comparison
from reports.sampled import sampled_in
from reports.styles import MethodStyle, method_styles
from reports.tables.hyperparameters import FIXED
from reports.writers import write_page
from sweeps.record import MISSING, SweepRecord, number, plain_strings, uncertain

__all__ = ["compared", "labels_of", "scenario_section", "write_comparison"]

_NO_SETTING = ("name", "cache", "storage", "resources")
_DECISIVE = (
    "rules",
    "seed",
    "original",
    "precision",
    "references",
    "dataset",
    "data",
    "code",
    "model",
    "training",
    "unlearning",
    "protocol",
    "search",
    "objective",
    "metrics",
    "held_out",
    "dev",
    "evaluation",
)


def write_comparison(records: Sequence[SweepRecord], folder: Path) -> Path:
    """Write `folder/index.html` and its tables; return the page's path. See `write_page`."""
    with labelled(*records), plain_strings():
        return _write(dict(zip(labels_of(records), records, strict=True)), folder)


def _write(named: Mapping[str, SweepRecord], folder: Path) -> Path:
    records = list(named.values())
    styles = method_styles(m for record in records for m in frames.methods(record))
    sections = [
        scenario_section(named, s, styles) for s in dict.fromkeys(s for r in records for s in frames.scenarios(r))
    ]
    overview = Section("What differs", (Block("Settings", (_settings(named),)), *_hyperparameters(named)))
    sections.append(overview)
    printed = [p for s in sections for b in s.blocks for p in b.parts if isinstance(p, Table)]
    return write_page(folder, render_comparison(list(named), sections, styles), printed)


def labels_of(records: Sequence[SweepRecord]) -> list[str]:
    """Names of the sweeps; sweeps of one name are numbered."""
    names = [record.name for record in records]
    return [f"{n} ({names[: i + 1].count(n)})" if names.count(n) > 1 else n for i, n in enumerate(names)]


def compared(named: Mapping[str, SweepRecord], scenario: str) -> pd.DataFrame:
    """Long table of every sweep at its own tuned size: sweep, forget_size, method, metric, mean, std, n."""
    parts = []
    for label, record in named.items():
        metrics = ["score", *frames.gap_metrics(record, frames.evaluations(record, scenario))]
        rivals = frames.metric_summary(record, scenario, metrics, compared=False)
        below = [frames.baseline_summary(record, scenario, baseline, metrics) for baseline in frames.BASELINES]
        size = record.shown_size(scenario)
        parts += [p[p["forget_size"] == size].assign(sweep=label) for p in (rivals, *below) if len(p)]
    columns = ["sweep", "forget_size", "method", "metric", "mean", "std", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def scenario_section(named: Mapping[str, SweepRecord], scenario: str, styles: dict[str, MethodStyle]) -> Section:
    """A scenario's gaps, sweep by sweep."""
    frame = compared(named, scenario)
    label = scenario_label(scenario)
    absent = [name for name in named if not (frame["sweep"] == name).any()]
    missing = f"Not evaluated in: {', '.join(absent)}." if absent else ""
    if not len(frame):
        return Section(label, (Block("Gaps to the oracle", (), missing),))
    drawing = gaps_side_by_side(frame, named, scenario, styles)
    blocks = [Block("Gaps to the oracle", (drawing, _table(frame, named, scenario)), missing)]
    sizes = sizes_side_by_side(named, scenario, styles)
    return Section(label, (*blocks, *([Block("Stability over forget sizes", (sizes,))] if sizes is not None else [])))


def _table(frame: pd.DataFrame, named: Mapping[str, SweepRecord], scenario: str) -> Table:
    """Methods down; each metric across, a column per sweep."""
    metrics = list(dict.fromkeys(frame["metric"]))
    sweeps = [s for s in named if (frame["sweep"] == s).any()]
    cells = {(r.method, r.metric, r.sweep): r for r in frames.iterate(frame)}
    rows = []
    for method in _methods(frame):
        found = [cells.get((method, m, s)) for m in metrics for s in sweeps]
        counts = [max((r.n for r in found[i :: len(sweeps)] if r is not None), default=0) for i in range(len(sweeps))]
        body = [
            Cell(MISSING) if r is None else Cell(uncertain(r.mean, r.std, r.n, counts[i % len(sweeps)]), r.mean)
            for i, r in enumerate(found)
        ]
        below, label = method in frames.BASELINES, row_label(method)
        row = (Cell(label, label), *body, Cell(" / ".join(map(str, counts))))
        rows.append(Row(row, None if below else method, last=below))
    has = {m: dict.fromkeys(own) for m, own in frame.groupby("metric")["sweep"]}
    heads = [f"{_called(named[s if s in has[m] else next(iter(has[m]))], m)}, {s}" for m in metrics for s in sweeps]
    columns = tuple(map(Cell, ("Method", *heads, "n")))
    sizes = frame.drop_duplicates("sweep")[["sweep", "forget_size"]]
    over = sampled_in({s: named[s] for s in sweeps}, scenario)
    told = ", ".join(f"{r.sweep} {r.forget_size}" for r in frames.iterate(sizes))
    notes = [f"Mean ± std over n {over}, in the order {', '.join(sweeps)}; forget sizes: {told}."]
    notes += _caveats({s: named[s] for s in sweeps}, scenario)
    return Table(
        f"{scenario}-compared", f"{scenario_label(scenario)}: gaps side by side", columns, tuple(rows), frame, notes
    )


def _called(record: SweepRecord, m: str) -> str:
    return score_label(record) if m == "score" else metric(record, m).short


def _caveats(named: Mapping[str, SweepRecord], scenario: str) -> list[str]:
    """What keeps the sweeps' numbers from being compared with each other."""
    scores = {s: f"{s}: {frames.score_definition(r, scenario)}" for s, r in named.items()}
    conventions = {s: f"{s}: {frames.epoch_convention(r)}" for s, r in named.items()}
    notes = []
    if len({frames.score_definition(r, scenario) for r in named.values()}) > 1:
        notes.append(f"The scores are not the same measure: {'; '.join(scores.values())}.")
    if len({frames.epoch_convention(r) for r in named.values()}) > 1:
        notes.append(f"The epochs are not chosen alike: {'; '.join(conventions.values())}.")
    differing = [k for k in _differing(_own_settings(named)) if _matters(k, scenario)]
    if differing:
        notes.append(f"The sweeps differ in {', '.join(differing)}.")
    return [*notes, "No test is made across sweeps."]


def _matters(key: str, scenario: str) -> bool:
    """Whether a setting decides what the numbers of a scenario are of; the content of a file as the key that names it."""
    key = key.removeprefix("files.")
    return key.split(".", maxsplit=1)[0] in _DECISIVE or f"{key}.".startswith(f"scenarios.{scenario}.")


def _differing(flat: Mapping[str, Mapping[str, str]]) -> list[str]:
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    return [k for k in keys if len({settings.get(k, MISSING) for settings in flat.values()}) > 1]


def _methods(frame: pd.DataFrame) -> list[str]:
    known = list(dict.fromkeys(frame["method"]))
    return [m for m in known if m not in frames.BASELINES] + [m for m in frames.BASELINES if m in known]


def _settings(named: Mapping[str, SweepRecord]) -> Table:
    """Every setting in which the sweeps differ, one column each."""
    flat = _own_settings(named)
    rows = [(k, *(flat[label].get(k, MISSING) for label in flat)) for k in _differing(flat)]
    data = pd.DataFrame(rows, columns=["setting", *flat])
    printed = tuple(Row(tuple(map(Cell, row))) for row in rows)
    notes = [] if rows else ["Nothing: the sweeps are equal in every setting."]
    return Table(
        "settings", "Settings that differ", tuple(map(Cell, ("Setting", *flat))), printed, data, notes, sortable=False
    )


def _own_settings(named: Mapping[str, SweepRecord]) -> dict[str, dict[str, str]]:
    """Every setting of each sweep by its key, its data's content among them where it is known of all."""
    known = all(record.data_digest for record in named.values())
    found = {}
    for label, record in named.items():
        spec = {k: v for k, v in record.spec.items() if k not in _NO_SETTING}
        facts = {k: v for k, v in record.provenance.items() if k in ("commit", "versions", "machine")}
        found[label] = dict(_flat({**spec, **facts, **({"data": record.data_digest[:12]} if known else {})}))
    return found


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, str(value).removesuffix(".0") if isinstance(value, float) else str(value)  # whole: seeds are long


def _hyperparameters(named: Mapping[str, SweepRecord]) -> Iterator[Block]:
    """Best hyperparameters, one row per scenario, method and hyperparameter, a column per sweep."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    fixed, given = set(), []
    for label, record in named.items():
        for scenario in frames.scenarios(record):
            frame = frames.best_hyperparameters(record, scenario)
            for method in frame.columns:
                for row, value in frame[method].items():
                    if value is not None:
                        retain = row == "forget_batch_size" and method in frame.attrs["retain_batch"]
                        key = (scenario, str(method), "retain_batch_size" if retain else str(row))
                        found.setdefault(key, {})[label] = value
                        if (method, row) in frame.attrs["fixed"]:
                            fixed.add((*key, label))
            sources = record.winners.get(scenario, {}).items()
            given += [
                f"{method_label(m)} of {scenario_label(scenario)} in {label}" for m, w in sources if w.source == "given"
            ]
    if not found:
        return
    rows = []
    for key, values in found.items():
        scenario, method, name = key
        marks = {s: "¶" if (*key, s) in fixed else "" for s in named}
        cells = [Cell(number(values[s]) + marks[s]) if s in values else Cell(MISSING) for s in named]
        rows.append(Row((Cell(scenario_label(scenario)), Cell(method_label(method)), Cell(name), *cells), method))
    data = pd.DataFrame([(*key, *(values.get(s) for s in named)) for key, values in found.items()])
    data.columns = pd.Index(["scenario", "method", "hyperparameter", *named])
    columns = tuple(map(Cell, ("Scenario", "Method", "Hyperparameter", *named)))
    notes = [FIXED] if fixed else []
    notes += [f"Given, not found by a search: {', '.join(given)}."] if given else []
    table = Table("hyperparameters-compared", "Best hyperparameters", columns, tuple(rows), data, notes)
    yield Block("Best hyperparameters", (table,))
