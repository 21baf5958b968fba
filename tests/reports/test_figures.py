"""Figures hold what their tables say."""

from __future__ import annotations

import colorsys
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from reports import figures, frames
from reports.content import scenario_section
from reports.names import labelled
from reports.styles import method_styles
from sweeps.record import SweepRecord
from unlearn.gaps import MEASURES

ALL = [
    figures.gap_bars,
    figures.attack_bars,
    figures.search_history,
    figures.accuracy_curves,
    figures.gaps_by_size,
    figures.trade_off,
    figures.dot_plot,
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
    figure = figures.figure_of(drawing.printed())
    shown = {trace.meta["method"] for trace in figure.data if trace.meta and "method" in trace.meta}
    assert shown == set(styles)
    for trace in figure.data:
        if trace.meta and "method" in trace.meta and trace.name:
            if trace.type != "scatter":
                continue
            assert styles[trace.meta["method"]].colour in (trace.line.color, trace.marker.color) or trace.fill
    assert all("<script" not in (t.name or "") for t in figure.data)
    assert len(figures.figure_of(drawing.wide()).data) == len(figures.figure_of(drawing.narrow()).data)


@pytest.mark.parametrize("draw", ALL)
def test_without_trials_there_is_no_figure(draw, builder):
    assert draw(builder.record(), "random", method_styles(["sure"])) is None


def test_a_logarithmic_axis_has_whole_numbers(builder):
    for value in (0.4, 3.0, 40.0):
        builder.trial("search", "sure", value=value)
    drawing = figures.search_history(builder.record(), "random", method_styles(["sure"]))
    assert drawing is not None
    axis = drawing.wide()["layout"]["yaxis"]
    assert axis["type"] == "log"
    assert " ".join(axis["ticktext"]) == "0.1 0.2 0.5 1 2 5 10 20 50 100 200 500"
    assert [float(text) for text in axis["ticktext"]] == pytest.approx(axis["tickvals"])


def test_bars_are_the_tables_means(full_record: SweepRecord):
    styles = method_styles(frames.methods(full_record))
    drawing = figures.gap_bars(full_record, "random", styles)
    assert drawing is not None
    frame = frames.metric_summary(full_record, "random", ["forget_gap"]).query(
        "forget_size == 100 and method == 'sure'"
    )
    bar = next(t for t in figures.figure_of(drawing.wide()).data if t.type == "bar" and t.meta["method"] == "sure")
    assert bar.x[0] == pytest.approx(frame["mean"].iloc[0])
    runs = next(
        t for t in figures.figure_of(drawing.wide()).data if t.type == "scatter" and t.meta.get("method") == "sure"
    )
    assert len(runs.x) == frame["n"].iloc[0]
    assert np.mean(runs.x) == pytest.approx(frame["mean"].iloc[0])
    assert np.std(runs.x, ddof=1) == pytest.approx(frame["std"].iloc[0])


def test_no_bar_of_many_runs_goes_below_zero(builder):
    for seed in range(12):
        value = 0.01 if seed else 9.0
        gaps = {"forget_gap": value, "utility_gap": value}
        for size in (100, 10):
            one = {"metrics": gaps, "curve": [gaps], "size": size, "forget_seed": seed}
            builder.trial("evaluation", "sure", value=value, **one)
    drawing = figures.gap_bars(builder.record(), "random", method_styles(["sure"]))
    assert drawing is not None
    assert drawing.note.startswith("Mean ± std, cut at 0, over n = 12 forget sets.")
    bar, _ = figures.figure_of(drawing.wide()).data
    assert bar.error_x.array[0] > bar.x[0]
    assert bar.error_x.arrayminus[0] == pytest.approx(bar.x[0])
    for draw, axis in ((figures.gaps_by_size, "error_y"), (figures.trade_off, "error_x")):
        other = draw(builder.record(), "random", method_styles(["sure"]))
        assert other is not None
        assert "ean ± std, cut at 0, over" in other.note
        (line, *_) = figures.figure_of(other.wide()).data
        assert line[axis].arrayminus[0] < line[axis].array[0]
    builder.trial("evaluation", "scrub", value=1.0, metrics=gaps, curve=[gaps])
    drawing = figures.gap_bars(builder.record(), "random", method_styles(["sure", "scrub"]))
    assert drawing is not None
    assert "; rings: single runs, where n ≤ 10, else ± std." in drawing.note


@pytest.mark.parametrize("runs", [1, 3, 12])
def test_the_distance_of_few_runs_is_shown_run_by_run_and_of_many_with_bars_that_end_at_zero(builder, runs):
    distances = [9.0, *[0.01] * (runs - 1)]
    for seed, distance in enumerate(distances):
        builder.trial("evaluation", "sure", value=distance / 2, metrics={"weight_distance": distance}, forget_seed=seed)
    drawing = figures.weight_distance(builder.record(), "random", method_styles(["sure"]))
    assert drawing is not None
    mean, *single = figures.figure_of(drawing.wide()).data
    assert mean.x[0] == pytest.approx(np.mean(distances))
    assert mean.y[0] == pytest.approx(np.mean(distances) / 2)
    if runs == 12:
        assert drawing.note.startswith("Mean ± std (cut at 0) over ")
        assert single == []
        for bars, at in ((mean.error_x, mean.x[0]), (mean.error_y, mean.y[0])):
            assert bars.array[0] > at
            assert bars.arrayminus[0] == pytest.approx(at)
        return
    assert drawing.note.startswith("Mean over ")
    assert ("single runs" in drawing.note) == bool(single) == (runs > 1)
    assert mean.error_x.array is None
    for trace in single:
        assert list(trace.x) == distances
        assert list(trace.y) == [distance / 2 for distance in distances]


def test_distances_beside_nothing_are_not_drawn(builder):
    for seed in range(3):
        builder.trial("evaluation", "sure", metrics={"weight_distance": 1.0 + seed}, forget_seed=seed)
    assert figures.weight_distance(builder.record(), "random", method_styles(["sure"])) is None


def test_attack_figure_draws_the_oracle(full_record: SweepRecord):
    drawing = figures.attack_bars(full_record, "random", method_styles(frames.methods(full_record)))
    assert drawing is not None
    line = next(t for t in figures.figure_of(drawing.wide()).data if t.name == "Oracle")
    assert list(line.x) == pytest.approx([90, 90])


def test_an_oracle_that_is_not_known_of_every_forget_set_has_no_line(builder):
    attacks = {"mia_loss": 50.0, "mia_loss_gap": 0.0}
    for seed, gap in enumerate((0.0, 12.0, 20.0)):  # known of the first set alone: there it is at the oracle
        metrics = {**attacks, "mia_confidence": 30.0, "mia_confidence_gap": gap}
        builder.trial("evaluation", "sure", value=1.0, forget_seed=seed, metrics=metrics)
    drawing = figures.attack_bars(builder.record(), "random", method_styles(["sure"]))
    assert [t["xaxis"] for t in drawing.wide()["data"] if t.get("name") == "Oracle"] == ["x"]
    assert drawing.note.endswith(" Dashed, where it is known of every forget set: the oracle; nearer to it is better.")


def test_the_first_methods_contrast():
    for pair in (["sure", "scrub"], ["sure", "finetune"], ["my.a:A", "my.b:B"], ["sure", "my.a:A"]):
        hues = [
            colorsys.rgb_to_hsv(*(int(s.colour[i : i + 2], 16) for i in (1, 3, 5)))[0]
            for s in method_styles(pair).values()
        ]
        distance = abs(hues[0] - hues[1])
        assert min(distance, 1 - distance) > 0.25, pair


def test_a_grid_that_moves_nothing_is_a_sentence(builder):
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    for lr in (0.008, 0.01, 0.012):
        builder.trial("sensitivity", "sure", hp={"lr": lr, "alpha": 0.5}, metrics={"forget_gap": 1.0})
    record = builder.record()
    assert figures.sensitivity_heatmap(record, "random", "sure") is None
    assert figures.unmoved(record, "random", "sure") == 3
    section = scenario_section(record, "random", method_styles(["sure"]))
    block = next(b for b in section.blocks if b.title == "Sensitivity")
    assert "No gap moved on any of the 3 grid points of SURE." in block.missing


def test_heatmap_scale_is_shared_and_symmetrical(full_record: SweepRecord):
    drawing = figures.sensitivity_heatmap(full_record, "partial_class", "sure")
    assert drawing is not None
    figure = figures.figure_of(drawing.wide())
    changes = frames.sensitivity(full_record, "partial_class", "sure")["change"]
    heatmaps = [t for t in figure.data if t.type == "heatmap"]
    assert len(heatmaps) == 4
    assert all(t.coloraxis == "coloraxis" for t in heatmaps)
    assert figure.layout.coloraxis.cmax == -figure.layout.coloraxis.cmin == pytest.approx(changes.abs().max())
    assert heatmaps[0].text[1][1] == "0"


def test_labels_of_a_heatmap_are_not_written_over_its_neighbour(full_record: SweepRecord):
    drawing = figures.sensitivity_heatmap(full_record, "partial_class", "sure")
    assert drawing is not None
    for laid_out, columns in ((drawing.wide(), drawing.columns), (drawing.narrow(), 1)):
        sides = [laid_out["layout"][f"yaxis{i}"] for i in ("", 2, 3, 4)]
        assert ["title" in side for side in sides] == [panel % columns == 0 for panel in range(4)]
        assert [side.get("showticklabels", True) for side in sides] == ["title" in side for side in sides]


def test_a_failed_grid_point_is_marked(builder):
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    builder.trial("sensitivity", "sure", hp={"lr": 0.01, "alpha": 0.5}, metrics={"forget_gap": 1.0})
    builder.trial("sensitivity", "sure", hp={"lr": 0.012, "alpha": 0.5}, state="FAIL", reason="diverged at epoch 1")
    drawing = figures.sensitivity_heatmap(builder.record(), "random", "sure")
    assert drawing is not None
    heatmap, crosses = figures.figure_of(drawing.wide()).data
    assert [list(row) for row in heatmap.text] == [["0", ""]]
    assert [x.split("<")[0] for x in crosses.x] == ["0.012"]
    assert "Failed grid points (✕): 1" in drawing.note


def test_points_of_a_narrow_grid_are_no_centres(builder):
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    for i, factor in enumerate((0.99, 0.995, 1, 1.005, 1.01)):
        builder.trial("sensitivity", "sure", hp={"lr": 0.01 * factor, "alpha": 0.5}, metrics={"forget_gap": float(i)})
    drawing = figures.sensitivity_heatmap(builder.record(), "random", "sure")
    assert drawing is not None
    labels = [label.split("<br>") for label in drawing.wide()["data"][0]["x"]]
    assert [of for _, of in labels] == ["−1 %", "−0.5 %", "0 %</b>", "+0.5 %", "+1 %"]


def test_plotly_knows_whatever_a_page_draws(full_record: SweepRecord):
    styles = method_styles(frames.methods(full_record))
    for scenario in frames.scenarios(full_record):
        section = scenario_section(full_record, scenario, styles)
        drawings = [part for block in section.blocks for part in block.parts if isinstance(part, figures.Drawing)]
        assert len(drawings) > 5
        for drawing in drawings:
            for plain in (drawing.wide(), drawing.narrow(), drawing.printed(), drawing.for_paper()):
                drawn = figures.figure_of(plain)
                axes = {name for name in plain["layout"] if name[1:5] == "axis"}
                assert {f"{t.xaxis[0]}axis{t.xaxis[1:]}" for t in drawn.data} <= axes, drawing.key
    with pytest.raises(ValueError, match="titel"):
        figures.figure_of({"data": [], "layout": {"xaxis": {"titel": "epoch"}}})


@pytest.mark.parametrize("draw", [figures.trade_off, figures.gaps_by_size, figures.accuracy_curves])
def test_titles_stand_over_the_middle_of_their_panels(draw, full_record: SweepRecord):
    drawing = draw(full_record, "partial_class", method_styles(frames.methods(full_record)))
    for plain in (drawing.wide(), drawing.narrow(), drawing.for_paper()):
        layout = plain["layout"]
        count = len(layout["annotations"])
        assert count > 1
        for i, title in enumerate(layout["annotations"]):
            x, y = (layout[f"{side}axis{i + 1 if i else ''}"]["domain"] for side in "xy")
            assert title["x"] == pytest.approx(sum(x) / 2)
            assert title["y"] == y[1]
        assert f"xaxis{count + 1}" not in layout  # no empty panel fills the last row


def test_a_mean_curve_counts_the_runs_that_reach_each_epoch(builder):
    for seed, epochs in enumerate((3, 3, 1)):  # the last one ended at its stop epoch
        curve = [{"epoch": e + 1, "score": 1.0, "forget_accuracy": 90.0 - seed - e} for e in range(epochs)]
        builder.trial("evaluation", "sure", value=1.0, forget_seed=seed, curve=curve)
    drawing = figures.accuracy_curves(builder.record(), "random", method_styles(["sure"]))
    assert drawing is not None
    assert drawing.note.startswith("Mean over n = 2 to 3 forget sets")


def test_no_label_of_ones_own_is_read_as_markup(full_record: SweepRecord):
    odd = "<i>less & more"
    methods = [*full_record.spec["methods"], *frames.BASELINES]
    bodies = {key: {**body, "label": key + odd} for key, body in full_record.spec["scenarios"].items()}
    spec = {**full_record.spec, "labels": dict.fromkeys(methods, odd), "scenarios": bodies}
    own = [asdict(replace(m, short=m.short + odd, title=m.title + odd, gap_title=m.gap_title + odd)) for m in MEASURES]
    record = replace(full_record, spec=spec, measures=own)
    with labelled(record):
        section = scenario_section(record, "partial_class", method_styles(frames.methods(record)))
    drawn = [part for block in section.blocks for part in block.parts if isinstance(part, figures.Drawing)]
    texts = json.dumps([drawing.wide() for drawing in drawn], default=str)
    assert texts.count("&lt;i&gt;less &amp; more") > 100
    assert odd not in texts
