"""The canary scenario's stacked gaps."""

from __future__ import annotations

import pytest

from reports import figures
from reports.content import scenario_section
from reports.styles import method_styles
from tests.reports.conftest import RecordBuilder


@pytest.mark.parametrize("word", ["", "_accuracy"])
def test_segments_are_the_means(builder: RecordBuilder, word: str):
    builder.spec["scenarios"] = {"canary": {"tune_size": 100}}
    names = [f"forget_in{word}_gap", f"forget_ood{word}_gap", "retain_gap", "utility_gap"]
    for seed in (0, 1):
        for method, base in (("sure", 1.0), ("oracle", 0.1)):
            metrics = {name: base * (i + 1) + seed for i, name in enumerate(names)}
            builder.trial("evaluation", method, value=1.0, metrics=metrics, scenario="canary", forget_seed=seed)
    record = builder.record()
    styles = method_styles(["sure"])
    drawing = figures.stacked_gaps(record, "canary", styles)
    assert drawing is not None
    assert [t.x[0] for t in figures.figure_of(drawing.wide()).data] == pytest.approx(
        [1.5, 2.5, 3.5, 4.5, 0.6, 0.7, 0.8, 0.9]
    )
    assert [t.y[0] for t in figures.figure_of(drawing.wide()).data[::4]] == ["SURE", "Noise floor"]
    assert "n = 2" in drawing.note
    block = scenario_section(record, "canary", styles).blocks[0]
    assert "canary-stacked" in [getattr(part, "key", "") for part in block.parts]


def test_without_scrambled_samples_there_is_none(builder: RecordBuilder):
    builder.trial("evaluation", "sure", value=1.0, metrics={"forget_gap": 1.0})
    assert figures.stacked_gaps(builder.record(), "random", method_styles(["sure"])) is None
