"""Methods side by side at the tuned size: scores, gaps (the paper's Figures 8, 11), attacks with the oracle's line (9, 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from reports import frames
from reports.caveats import own_rule_note
from reports.figures._base import FEW, INK, Drawing, Panels, Trace, axis_title, bar, error_bars, least_to_most, scatter
from reports.names import POINTS, measures, metric, row_label, scenario_label, score_label, score_unit
from reports.sampled import sampled, sampled_over
from reports.styles import BASELINE_STYLES, MethodStyle
from sweeps.record import SweepRecord, significant, uncertain

__all__ = ["attack_bars", "gap_bars", "score_bars"]

#: How many times as long as all others the original's bar may be; a longer one is cut, so that the others can be seen.
LONGEST = 1.5
#: Beneath a bar that is cut, so that the number on it can be read in the dark too.
PAPER = "#ECEEF0"


@dataclass(frozen=True)
class _Panel:
    """One measure of one scenario.

    Attributes:
        summary: method, mean, std, n. values: method, value, one row a run.
        baselines, baseline_values: the same of the baselines that were evaluated.
        oracle: the value that an attack has on the oracle, drawn as a line.
    """

    title: str
    axis: str
    summary: pd.DataFrame
    values: pd.DataFrame
    baselines: pd.DataFrame
    baseline_values: pd.DataFrame
    oracle: float | None = None

    @property
    def end(self) -> float | None:
        """Where its axis ends, if the original's bar goes beyond."""
        of, runs_of = (frame["method"] == frames.UNTOUCHED for frame in (self.baselines, self.baseline_values))
        means = pd.concat([self.summary, self.baselines[~of]])
        runs = [*self.values["value"], *self.baseline_values.loc[~runs_of, "value"]]
        longest = max([0.0, *(means["mean"] + means["std"].fillna(0)), *runs])
        return 1.05 * longest if longest and (self.baselines.loc[of, "mean"] > LONGEST * longest).any() else None


def score_bars(record: SweepRecord, styles: Mapping[str, MethodStyle]) -> Drawing | None:
    """One panel per scenario that is evaluated, one bar per method: its mean score."""
    evaluated = [
        s for s in frames.scenarios(record) if len(frames.metric_summary(record, s, ["score"], compared=False))
    ]
    axis = f"{score_label(record).lower()}{' (points)' if score_unit(record) == POINTS else ''}"
    panels = [_panel(record, s, "score", scenario_label(s), axis) for s in evaluated]
    shown = {m for panel in panels for m in panel.summary["method"]}
    words = (_spread_words(panels, sampled_over(record, evaluated)), _baseline_words(panels))
    note = " ".join(filter(None, [*words, own_rule_note(record, evaluated, shown)]))
    title = f"{score_label(record)} of every method, {frames.epoch_convention(record)}"
    return _bars(panels, styles, key="scores", title=title, note=note)


def gap_bars(record: SweepRecord, scenario: str, styles: Mapping[str, MethodStyle]) -> Drawing | None:
    """One panel per gap, one bar per method: shorter is nearer to the oracle."""
    metrics = frames.gap_metrics(record, frames.evaluations(record, scenario))
    panels = [_panel(record, scenario, m, metric(record, m).title, metric(record, m).axis) for m in metrics]
    note = f"{_spread_words(panels, sampled(record, scenario).nouns)} {_baseline_words(panels)}"
    title = f"{scenario_label(scenario)}: gaps to the oracle, {frames.size_label(record, scenario)}"
    return _bars(panels, styles, key=f"{scenario}-gap-bars", title=title, note=note)


def attack_bars(record: SweepRecord, scenario: str, styles: Mapping[str, MethodStyle]) -> Drawing | None:
    """One panel per membership attack: points, for accuracies near 50 % differ by little, and the oracle's value as a line."""
    metrics = measures(record).family("attack", frames.metrics_of(frames.evaluations(record, scenario)))
    panels = [
        _panel(record, scenario, m, metric(record, m).title, metric(record, m).axis, oracle=True) for m in metrics
    ]
    note = f"{_spread_words(panels, sampled(record, scenario).nouns)}{_oracle_words(panels)}"
    title = f"{scenario_label(scenario)}: membership inference attacks, {frames.size_label(record, scenario)}"
    return _bars(panels, styles, key=f"{scenario}-attacks", title=title, note=note, reference=True)


def _panel(record: SweepRecord, scenario: str, m: str, title: str, axis: str, *, oracle: bool = False) -> _Panel:
    size = record.shown_size(scenario)

    def shown(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["forget_size"] == size]

    below = () if oracle else frames.BASELINES
    summary = frames.metric_summary(record, scenario, [m], compared=False)
    values = frames.metric_values(record, scenario, [m])
    return _Panel(
        title,
        axis,
        shown(summary),
        shown(values),
        shown(pd.concat([summary.head(0), *(frames.baseline_summary(record, scenario, b, [m]) for b in below)])),
        shown(pd.concat([values.head(0), *(frames.metric_values(record, scenario, [m], b) for b in below)])),
        frames.oracle_values(record, scenario, size, m).mean() if oracle else None,
    )


def _bars(
    panels: Sequence[_Panel],
    styles: Mapping[str, MethodStyle],
    *,
    key: str,
    title: str,
    note: str,
    reference: bool = False,
) -> Drawing | None:
    known = {m for panel in panels for m in panel.summary["method"]}
    shown = [s for m, s in styles.items() if m in known]
    if not shown:
        return None
    below = [s for m, s in BASELINE_STYLES.items() if any((panel.baselines["method"] == m).any() for panel in panels)]

    drawn = Panels([p.title for p in panels], 34 + 26 * (len(shown) + len(below)), x_gap=24, left_only=True)
    for i, panel in enumerate(panels):
        drawn.add(i, *_traces(panel, shown, first=i == 0, point=reference), *_baselines(panel, below))
        cut = {} if panel.end is None else {"range": [0, panel.end]}
        drawn.axes(
            i,
            x={"title": axis_title(panel.axis), "rangemode": "normal" if reference else "tozero"} | cut,
            y={"autorange": "reversed", "matches": "y" if i else None, "showgrid": False, "type": "category"},
        )
    return Drawing(key, title, note, drawn, len(panels) if len(panels) <= 4 else 3)


def _traces(panel: _Panel, shown: Sequence[MethodStyle], *, first: bool, point: bool) -> Iterator[Trace]:
    for style in shown:
        label = escape(style.label)
        own: dict[str, Any] = {"legendgroup": style.key, "meta": {"method": style.key}}
        rows = panel.summary[panel.summary["method"] == style.key]
        shape = {"symbol": style.symbol, "size": 10} if point else {"pattern": {"shape": style.pattern}}
        mark = {"color": style.colour, **shape}
        yield _mean(rows, label, own | {"showlegend": first}, mark, point)
        yield from _runs(panel.values[panel.values["method"] == style.key], label, own)
    if panel.oracle is not None and pd.notna(panel.oracle):
        yield _oracle_line(panel.oracle, [escape(shown[0].label), escape(shown[-1].label)], first)


def _baselines(panel: _Panel, shown: Sequence[MethodStyle]) -> Iterator[Trace]:
    for style in shown:
        rows = panel.baselines[panel.baselines["method"] == style.key]
        mark: dict[str, Any] = {"color": style.colour, "pattern": {"shape": style.pattern}}
        own = {"showlegend": False, "name": escape(row_label(style.key))}
        beyond = panel.end is not None and style.key == frames.UNTOUCHED
        if beyond:
            mark["pattern"]["bgcolor"] = PAPER
            own |= {
                "text": [f"{significant(rows['mean'].iloc[0])} →"],
                "textposition": "inside",
                "insidetextanchor": "start",
            }
        yield _mean(rows, style.label, own, mark, point=False)
        if not beyond:
            yield from _runs(panel.baseline_values[panel.baseline_values["method"] == style.key], style.label, {})


def _mean(rows: pd.DataFrame, label: str, own: dict[str, Any], mark: Mapping[str, Any], point: bool) -> Trace:
    """A method's mean; its standard deviation too where it has too many runs to show each."""
    mean, std, n = ([*rows[name], float("nan")][0] for name in ("mean", "std", "n"))
    told = f"{uncertain(mean, std, int(n))} (n = {n:.0f})" if len(rows) else ""
    common = {
        "x": [mean] if len(rows) else [None],
        "y": [label],
        "error_x": error_bars([mean], [std]) if n > FEW else None,
        "hovertemplate": f"{own.get('name', label)}: {told}<extra></extra>",
        **({"name": label} | own),
    }
    if point:
        return scatter(mode="markers", marker=mark, **common)
    return bar(orientation="h", marker=mark, width=0.7, offset=-0.35, **common)


def _runs(values: pd.DataFrame, label: str, own: dict[str, Any]) -> Iterator[Trace]:
    """Each run as a small ring, where there are few."""
    if 1 < len(values) <= FEW:
        yield scatter(
            x=values["value"].tolist(),
            y=[label] * len(values),
            mode="markers",
            marker={"symbol": "circle-open", "size": 6, "color": "#1f2328", "line": {"width": 1.2}},
            showlegend=False,
            hovertemplate=f"{label}, one run: %{{x:.4g}}<extra></extra>",
            **(own | {"meta": {**INK, **own.get("meta", {})}}),
        )


def _oracle_line(value: float, ends: Sequence[str], first: bool) -> Trace:
    return scatter(
        x=[value] * 2,
        y=list(ends),
        mode="lines+markers",
        marker={"opacity": 0, "size": 10},  # unseen; without it the axis would end on the line
        name="Oracle",
        legendgroup="oracle",
        showlegend=first,
        line={"dash": "dash", "width": 1.6, "color": "#1f2328"},
        meta=INK,
        hovertemplate=f"Oracle: {value:.4g}<extra></extra>",
    )


def _spread_words(panels: Sequence[_Panel], nouns: str) -> str:
    counts = [int(n) for panel in panels for n in panel.summary["n"]]
    low, high = min(counts, default=0), max(counts, default=0)
    n = f"n = {least_to_most(counts)}"
    if low > FEW:
        return f"Mean ± std, cut at 0, over {n} {nouns}."
    rings = (
        ""
        if high < 2
        else "; rings: single runs"
        if high <= FEW
        else f"; rings: single runs, where n ≤ {FEW}, else ± std"
    )
    return f"Mean over {n} {nouns}{rings}."


def _oracle_words(panels: Sequence[_Panel]) -> str:
    known = [panel.oracle is not None and pd.notna(panel.oracle) for panel in panels]
    where = "" if all(known) else ", where it is known of every forget set"
    return f" Dashed{where}: the oracle; nearer to it is better." if any(known) else ""


def _baseline_words(panels: Sequence[_Panel]) -> str:
    known = {m for panel in panels for m in panel.baselines["method"]}
    floor = " Grey: one more oracle, the noise floor." if frames.FLOOR in known else ""
    original = " Hatched in grey: the original, nothing unlearned." if frames.UNTOUCHED in known else ""
    cut = " →: it ends beyond the axis." if any(panel.end is not None for panel in panels) else ""
    return f"Shorter is nearer to the oracle.{floor}{original}{cut}"
