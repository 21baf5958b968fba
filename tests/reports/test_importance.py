"""Importances in tables and figures, and what their words say."""

from __future__ import annotations

import pytest

from reports import figures, frames, tables
from reports.content import scenario_section
from reports.names import parameter_label
from reports.styles import method_styles
from tests.reports.conftest import RecordBuilder


def test_shares_by_method(builder: RecordBuilder):
    builder.importances = {"random": {"sure": {"lr": 0.75, "alpha": 0.25}, "finetune": None}}
    builder.trial("search", "sure", value=1.0)
    builder.trial("search", "finetune", value=1.0)
    record = builder.record()
    frame = frames.importances(record, "random")
    assert frame.to_numpy().tolist() == [["sure", "lr", 0.75, 1], ["sure", "alpha", 0.25, 1]]
    table = tables.importance_table(record, "random")
    assert table is not None
    assert [c.text for c in table.columns] == ["Method", "lr", "α", "Trials"]
    assert [c.text for c in table.rows[0].cells] == ["SURE", "75", "25", "1"]
    assert "FineTune" in table.notes[0]
    drawing = figures.importance_bars(record, "random", method_styles(["sure", "finetune"]))
    assert drawing is not None
    assert [t.x[0] for t in figures.figure_of(drawing.wide()).data] == pytest.approx([75, 25])


def test_too_few_trials_are_said(builder: RecordBuilder):
    builder.importances = {"random": {"sure": None}}
    builder.trial("search", "sure", value=1.0)
    record = builder.record()
    blocks = {b.title: b for b in scenario_section(record, "random", method_styles(["sure"])).blocks}
    assert "too few completed trials" in blocks["Importance of the hyperparameters"].missing


def test_an_alpha_that_is_no_retain_weight_says_so(builder: RecordBuilder):
    assert parameter_label("alpha", "l1_sparse") == "α (L1 weight)"
    assert parameter_label("alpha", "sure") == "α"
    builder.spec["methods"] = ["sure", "ssd"]
    builder.best = {"random": {"sure": {"alpha": 0.5}, "ssd": {"alpha": 12.0}}}
    for method in ("sure", "ssd"):
        builder.trial("search", method, value=1.0, hp=builder.best["random"][method])
    table = tables.hyperparameter_table(builder.record(), "random")
    assert table is not None
    row = next(r for r in table.rows if r.cells[0].text == "α")
    assert [c.text for c in row.cells[1:]] == ["0.5", "12‡"]
    assert "SSD's α (selection weight)" in table.notes[0]
