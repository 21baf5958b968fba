"""Several sweeps on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from reports import write_comparison
from reports.comparison import compared, labels_of
from reports.comparison import scenario_section as scenario_of
from reports.figures import Drawing, figure_of
from reports.format import Table
from reports.styles import method_styles
from sweeps.record import SweepRecord
from sweeps.studies.winners import Winner
from tests.reports.conftest import new_builder


def small(
    name: str, gap: float, seeds: int, size: int = 100, methods: tuple[str, ...] = ("sure", "oracle")
) -> SweepRecord:
    builder = new_builder()
    builder.name = name
    builder.spec["model"] = {"name": "small_resnet", "width": size}
    builder.spec["scenarios"] = {"random": {"tune_size": size}}
    builder.best = {"random": {"sure": {"lr": gap}}}
    for method in methods:
        for seed in range(seeds):
            value = 0.1 if method == "oracle" else gap + seed
            builder.trial("evaluation", method, value=value, metrics={"forget_gap": value}, size=size, forget_seed=seed)
    return builder.record()


def test_each_sweep_at_its_own_size_with_its_n():
    named = {"a": small("a", 1.0, 3), "b": small("b", 2.0, 2, size=50)}
    frame = compared(named, "random").query("metric == 'score'").set_index(["sweep", "method"])
    assert frame.loc[("a", "sure"), ["forget_size", "mean", "n"]].tolist() == [100, 2.0, 3]
    assert frame.loc[("b", "sure"), ["forget_size", "mean", "n"]].tolist() == [50, 2.5, 2]
    assert frame.loc[("b", "oracle"), "mean"] == pytest.approx(0.1)


def test_the_page_and_its_tables(tmp_path: Path):
    page = write_comparison([small("a", 1.0, 3), small("b", 2.0, 2, size=50)], tmp_path).read_text(encoding="utf-8")
    for words in (
        "<title>a, b: unlearning sweeps compared",
        "model.width",
        "forget sizes: a 100, b 50",
        "n = 2 to 3",
        "3 / 2",
    ):
        assert words in page
    assert page.count('<details class="block"') == page.count("open><summary><h3>")  # its first screen shows numbers
    assert page.index("<h2>Random</h2>") < page.index("<h2>What differs</h2>")
    header, *rows = (tmp_path / "tables" / "settings.csv").read_text(encoding="utf-8").splitlines()
    assert header == "setting,a,b"
    assert sorted(rows) == ["model.width,100,50", "scenarios.random.tune_size,100,50"]
    table = (tmp_path / "tables" / "random-compared.md").read_text(encoding="utf-8")
    assert "| SURE | 2.0 ± 1.0 | 2.5 ± 0.7 |" in table
    assert "noise floor" in table.splitlines()[5]
    assert "hyperparameters-compared.csv" in {p.name for p in (tmp_path / "tables").iterdir()}


def test_a_second_page_removes_tables_that_it_lacks(tmp_path: Path):
    for records in (
        [small("a", 1.0, 3), small("b", 2.0, 2)],
        [small("a", 1.0, 3, methods=()), small("b", 2.0, 2, methods=())],
    ):
        write_comparison(records, tmp_path)
        (tmp_path / "tables" / "mine.tex").write_text("of one's own", encoding="utf-8")
    assert not (tmp_path / "tables" / "random-compared.csv").exists()
    assert (tmp_path / "tables" / "mine.tex").exists()


def test_a_retain_batch_is_not_called_a_forget_batch(tmp_path: Path):
    a, b = small("a", 1.0, 3, methods=("finetune",)), small("b", 2.0, 3, methods=("finetune",))
    for record, size in ((a, 32), (b, 64)):
        record.winners["random"] = {"finetune": Winner({"lr": 0.1, "retain_batch_size": size}, 1)}
    write_comparison([a, b], tmp_path)
    table = (tmp_path / "tables" / "hyperparameters-compared.md").read_text(encoding="utf-8")
    assert "| Random | FineTune | retain\\_batch\\_size | 32 | 64 |" in table
    assert "forget" not in table


def test_scores_of_different_objectives_share_no_label(tmp_path: Path):
    a, b = small("a", 1.0, 3), small("b", 2.0, 3)
    b = replace(b, spec={**b.spec, "objective": {"name": "tow", "gaps": None}}, in_hindsight=True)
    page = write_comparison([a, b], tmp_path).read_text(encoding="utf-8")
    header = (tmp_path / "tables" / "random-compared.md").read_text(encoding="utf-8").splitlines()[2]
    assert "Average gap, a" in header
    assert "Tug-of-war, b" in header
    assert "The scores are not the same measure: a: mean of the gaps present; b: tug-of-war of" in page
    assert "The epochs are not chosen alike: a: at the stop epoch; b: in hindsight." in page
    assert "The sweeps differ in objective.name." in page
    titles = [annotation.text for annotation in _figure(a, b).layout.annotations]
    assert titles[:2] == ["Average gap: a", "Tug-of-war: b"]
    shown = {(trace.xaxis, trace.name.split(", ")[1]) for trace in _figure(a, b).data}
    assert shown == {("x", "a"), ("x2", "b"), ("x3", "a"), ("x3", "b")}


@pytest.mark.parametrize(
    ("key", "theirs"),
    [
        ("references", {"oracles": 3}),
        ("seed", 20261127),
        ("search", {"trials": 50}),
        ("precision", "bfloat16"),
        ("rules", 1),
        ("files", {"scenarios.random.forget": "2e"}),
        ("files", {"original.weights": "2e"}),
    ],
)
def test_what_decides_the_numbers_is_said_to_differ(tmp_path: Path, key: str, theirs: Any):
    a, b = small("a", 1.0, 3), small("b", 2.0, 3)
    a, b = replace(a, spec={"seed": 20261128, **a.spec}), replace(b, spec={"seed": 20261128, **b.spec, key: theirs})
    page = write_comparison([a, b], tmp_path).read_text(encoding="utf-8")
    inner = f".{next(iter(theirs))}" if isinstance(theirs, dict) else ""
    assert f"The sweeps differ in {key}{inner}." in page


def test_data_that_lay_in_the_same_place_are_told_apart(tmp_path: Path):
    a, b = small("a", 1.0, 3), small("b", 2.0, 3)
    for ours, theirs, told in (("1f", "2e", True), ("1f", "1f", False), ("1f", "", False)):
        records = [replace(a, data_digest=ours), replace(b, data_digest=theirs)]
        page = write_comparison(records, tmp_path).read_text(encoding="utf-8")
        assert ("The sweeps differ in data." in page) == told
        settings = (tmp_path / "tables" / "settings.md").read_text(encoding="utf-8")
        assert ("| data | 1f | 2e |" in settings) == told


def _figure(*records: SweepRecord) -> go.Figure:
    named = {record.name: record for record in records}
    section = scenario_of(named, "random", method_styles(["sure"]))
    drawing = section.blocks[0].parts[0]
    assert isinstance(drawing, Drawing)
    return figure_of(drawing.wide())


def test_gaps_that_enter_the_score_are_told_apart():
    a, b = small("a", 1.0, 3), small("b", 2.0, 3)
    specs = [
        {**r.spec, "objective": {"name": "average_gap", "gaps": gaps}}
        for r, gaps in ((a, ["forget_gap"]), (b, ["retain_gap"]))
    ]
    a, b = replace(a, spec=specs[0]), replace(b, spec=specs[1])
    titles = [annotation.text for annotation in _figure(a, b).layout.annotations]
    assert titles[:2] == ["Average gap: a", "Average gap: b"]


def test_a_metric_of_ones_own_is_called_as_the_sweep_that_has_it_says():
    a, b = small("a", 1.0, 3), small("b", 2.0, 3)
    own = {"name": "calibration", "short": "Cal", "title": "Calibration", "unit": "nats"}
    trials = b.trials.assign(**{"metric.calibration_gap": 1.0})
    for unit in ("nats", "bits"):  # in which the third sweep measures it
        c = replace(b, name="c", trials=trials, measures=[{**own, "unit": unit}])
        records = (a, replace(b, trials=trials, measures=[own]), c)
        layout = _figure(*records).layout
        axes = [layout[f"xaxis{k}"].title.text for k in (3, 4) if f"xaxis{k}" in layout]
        assert axes == (["ΔCal (nats)"] if unit == "nats" else ["ΔCal (nats)", "ΔCal (bits)"])
    section = scenario_of({r.name: r for r in records}, "random", method_styles(["sure"]))
    table = section.blocks[0].parts[1]
    assert isinstance(table, Table)
    assert [c.text for c in table.columns][7:10] == ["ΔCal, a", "ΔCal, b", "ΔCal, c"]


def test_hyperparameters_that_no_search_found_are_marked(tmp_path: Path):
    a, b, c = (small(name, 1.0, 3) for name in "abc")
    a.spec["methods"] = {"sure": {"lr": 0.1}}
    for record, source in ((a, "confirmation"), (b, "confirmation"), (c, "given")):
        record.winners["random"] = {"sure": Winner({"lr": 0.1}, 1, source)}
    write_comparison([a, b, c], tmp_path)
    table = (tmp_path / "tables" / "hyperparameters-compared.md").read_text(encoding="utf-8")
    assert "| Random | SURE | lr | 0.1¶ | 0.1 | 0.1 |" in table
    assert "¶ fixed in the sweep file" in table
    assert "Given, not found by a search: SURE of Random in c." in table


def test_a_sweep_without_a_scenario_or_evaluation_is_named(tmp_path: Path):
    bare = replace(small("b", 1.0, 1, methods=()), spec={"scenarios": {"canary": {}}})
    page = write_comparison([small("a", 1.0, 3), bare], tmp_path).read_text(encoding="utf-8")
    assert "Not evaluated in: b." in page
    assert "Not evaluated in: a, b." in page


def test_one_name_twice_is_numbered():
    record = small("a", 1.0, 1)
    assert labels_of([record, record]) == ["a (1)", "a (2)"]


def test_sizes_of_several_sweeps_lie_in_one_plot():
    named = {"a": small("a", 1.0, 3), "b": small("b", 2.0, 2, size=50)}
    section = scenario_of(named, "random", method_styles(["sure"]))
    block = next(b for b in section.blocks if b.title == "Stability over forget sizes")
    drawing = block.parts[0]
    assert isinstance(drawing, Drawing)
    points = {(trace.name, trace.line.dash): (list(trace.x), list(trace.y)) for trace in figure_of(drawing.wide()).data}
    assert points == {("SURE, a", "solid"): ([100], [2.0]), ("SURE, b", "dash"): ([50], [2.5])}
    assert drawing.note == (
        "Means over forget sets, of every size evaluated. Solid line and circle: a, dash line and square: b."
    )
    many = {f"s{i}": small(f"s{i}", 1.0, 1, size=10 + i) for i in range(12)}
    drawing = scenario_of(many, "random", method_styles(["sure"])).blocks[1].parts[0]
    assert isinstance(drawing, Drawing)
    assert len({(trace["line"]["dash"], trace["marker"]["symbol"]) for trace in drawing.wide()["data"]}) == 12
    alone = scenario_of({"a": small("a", 1.0, 3)}, "random", method_styles(["sure"]))
    assert [b.title for b in alone.blocks] == ["Gaps to the oracle"]
