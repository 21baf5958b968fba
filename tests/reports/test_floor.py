"""The retrained oracle: shown beside the methods, never one of them."""

from __future__ import annotations

import pytest

from reports import figures, frames, tables
from reports.caveats import floor_note
from reports.content import scenario_section
from reports.names import BASELINE_LABELS
from reports.styles import method_styles
from reports.summary import verdict
from sweeps.record import SweepRecord
from tests.reports.conftest import RecordBuilder


@pytest.fixture
def record(builder: RecordBuilder) -> SweepRecord:
    builder.spec["methods"] = ["oracle", "sure", "finetune"]
    for seed in range(3):
        for method, gap in (("oracle", 0.1), ("sure", 1.0 + seed), ("finetune", 1.5 + seed)):
            metrics = {"forget_gap": gap, "utility_gap": gap}
            builder.trial("evaluation", method, value=gap, metrics=metrics, forget_seed=seed)
            builder.planned["evaluation", "random", method] = 3
    return builder.record()


def test_it_is_no_rival(record: SweepRecord):
    won = frames.standing(record, "random")
    assert won.method == "sure"
    assert set(won.scores["method"]) == {"sure", "finetune"}
    assert set(frames.mean_ranks(record, "random")["method"]) == {"sure", "finetune"}
    summary = frames.metric_summary(record, "random", ["score", "forget_gap"])
    assert set(summary["method"]) == {"sure", "finetune"}
    assert set(summary.loc[summary["best"], "method"]) == {"sure"}
    assert "oracle" not in frames.methods(record, "random")


def test_its_gaps_are_the_last_row_unmarked(record: SweepRecord):
    for table in (
        tables.metric_table(record, "random", ["forget_gap"], key="k", title="t"),
        tables.stability_table(record, "random"),
        tables.score_table(record),
    ):
        assert table is not None
        names = [cell.text for row in table.rows for cell in row.cells if cell.text == BASELINE_LABELS["oracle"]]
        row = table.rows[-1]
        assert names == [BASELINE_LABELS["oracle"]]
        assert BASELINE_LABELS["oracle"] in [cell.text for cell in row.cells]
        assert row.last
        assert "0.10 ± 0" in [cell.text for cell in row.cells]
        assert not any(cell.best or cell.tied for cell in row.cells)
        assert (table.data["method"] == "oracle").any()


def test_its_bar_is_grey_and_last(record: SweepRecord):
    drawing = figures.gap_bars(record, "random", method_styles(frames.methods(record)))
    assert drawing is not None
    first = [t for t in figures.figure_of(drawing.wide()).data if t.xaxis == "x"]
    *_, bar, runs = first
    assert bar.name == BASELINE_LABELS["oracle"]
    assert list(bar.x) == pytest.approx([0.1])
    assert list(runs.x) == pytest.approx([0.1] * 3)
    assert "noise floor" in drawing.note


def test_the_summary_names_the_floor_and_progress_counts_it(record: SweepRecord):
    said = "Noise floor: 0.10 ± 0, the score of one more oracle; a method can lie below it."
    assert any(s == said for s in verdict(record, "random").sentences)
    rows = frames.progress(record).query("method == 'oracle'")
    assert rows[["stage", "planned", "complete"]].to_numpy().tolist() == [["evaluation", 3, 3]]


def test_below_a_floor_of_zero_nothing_lies(builder: RecordBuilder) -> None:
    for method, value in (("oracle", 0.0), ("sure", 1.0), ("scrub", 2.0)):
        builder.trial("evaluation", method, value=value, metrics={"forget_gap": value})
    record = builder.record()
    (said,) = [s for s in verdict(record, "random").sentences if s.startswith("Noise floor")]
    assert said == "Noise floor: 0.00, the score of one more oracle."
    assert floor_note(record, "random") == "Noise floor: the gaps of one more oracle, of another seed."


def test_alone_it_makes_a_section(builder: RecordBuilder):
    builder.trial("evaluation", "oracle", value=0.1, metrics={"forget_gap": 0.1})
    record = builder.record()
    assert frames.standing(record, "random").method is None
    assert scenario_section(record, "random", method_styles(frames.methods(record))).blocks
