"""Figures hold what their tables say."""

from __future__ import annotations

import pytest

from reports import figures, frames
from reports.styles import method_styles
from sweeps.record import SweepRecord

ALL = [
    figures.gap_bars,
    figures.attack_bars,
    figures.search_history,
    figures.accuracy_curves,
    figures.gaps_by_size,
    figures.trade_off,
    figures.normalised_comparison,
    figures.mean_ranks,
    figures.weight_distance,
    figures.importance_bars,
]


@pytest.mark.parametrize("draw", ALL)
def test_every_figure_is_titled_explained_and_has_one_colour_per_method(draw, full_record: SweepRecord):
    styles = method_styles(frames.methods(full_record))
    drawing = draw(full_record, "partial_class", styles)
    assert drawing.title.startswith("Partial class: ")
    assert drawing.note
    figure = drawing.printed()
    shown = {trace.meta["method"] for trace in figure.data if trace.meta and "method" in trace.meta}
    assert shown == set(styles)
    for trace in figure.data:
        if trace.meta and "method" in trace.meta and trace.type in ("scatter", "scatterpolar"):
            assert styles[trace.meta["method"]].colour in (trace.line.color, trace.marker.color) or trace.fill
    assert all("<script" not in (t.name or "") for t in figure.data)
    assert len(drawing.wide.data) == len(drawing.narrow.data)


@pytest.mark.parametrize("draw", ALL)
def test_without_trials_there_is_no_figure(draw, builder):
    assert draw(builder.record(), "random", method_styles(["sure"])) is None


def test_bars_are_the_tables_means(full_record: SweepRecord):
    styles = method_styles(frames.methods(full_record))
    drawing = figures.gap_bars(full_record, "random", styles)
    assert drawing is not None
    frame = frames.metric_summary(full_record, "random", ["forget_gap"]).query(
        "forget_size == 100 and method == 'sure'"
    )
    bar = next(t for t in drawing.wide.data if t.meta == {"method": "sure"})
    assert bar.x[0] == pytest.approx(frame["mean"].iloc[0])
    assert bar.error_x.array[0] == pytest.approx(frame["std"].iloc[0])


def test_attack_figure_draws_the_oracle(full_record: SweepRecord):
    drawing = figures.attack_bars(full_record, "random", method_styles(frames.methods(full_record)))
    assert drawing is not None
    line = next(t for t in drawing.wide.data if t.name == "Oracle")
    assert list(line.x) == pytest.approx([90, 90])


def test_heatmap_scale_is_shared_and_symmetrical(full_record: SweepRecord):
    drawing = figures.sensitivity_heatmap(full_record, "partial_class", "sure")
    assert drawing is not None
    figure = drawing.wide
    changes = frames.sensitivity(full_record, "partial_class", "sure")["change"]
    heatmaps = [t for t in figure.data if t.type == "heatmap"]
    assert len(heatmaps) == 4
    assert all(t.coloraxis == "coloraxis" for t in heatmaps)
    assert figure.layout.coloraxis.cmax == -figure.layout.coloraxis.cmin == pytest.approx(changes.abs().max())
    assert heatmaps[0].text[1][1] == "0"


def test_a_failed_grid_point_is_marked(builder):
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    builder.trial("sensitivity", "sure", hp={"lr": 0.01, "alpha": 0.5}, metrics={"forget_gap": 1.0})
    builder.trial("sensitivity", "sure", hp={"lr": 0.012, "alpha": 0.5}, state="FAIL", reason="diverged at epoch 1")
    drawing = figures.sensitivity_heatmap(builder.record(), "random", "sure")
    assert drawing is not None
    heatmap, crosses = drawing.wide.data
    assert [list(row) for row in heatmap.text] == [["0", ""]]
    assert [x.split("<")[0] for x in crosses.x] == ["0.012"]
    assert "Failed grid points (✕): 1" in drawing.note
