"""What methods and scenarios are called in reports, as the sweep file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports import write_report
from reports.names import BASELINE_LABELS, labelled, method_label, row_label, scenario_label
from sweeps.errors import SpecError
from sweeps.spec import load_spec
from sweeps.spec.compatibility import check_compatible
from tests.reports.conftest import new_builder


def test_a_label_stands_in_the_methods_own_section_or_is_set() -> None:
    spec = load_spec("smoke", ["methods.finetune.label=Plain", "scenarios.random.label=Any image"])
    assert spec.labels == {"finetune": "Plain"}
    assert "label" not in spec.methods["finetune"]
    assert spec.scenarios["random"].label == "Any image"
    assert load_spec("smoke", ["labels={finetune: Plain}"]).labels == {"finetune": "Plain"}
    assert load_spec("smoke").labels is None
    narrowed = load_spec("smoke", ["labels={finetune: Plain}"], methods=["sure"])
    assert not narrowed.labels


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["labels={finetun: Plain}"], "labels.finetun: must be one of the sweep's methods — did you mean 'finetune'?"),
        (
            ["methods.finetune.label=sure"],
            "methods.finetune.label: must be this one's alone, got 'sure' — choose another",
        ),
        (["methods.finetune.label=3"], "labels.finetune: must be text, got 3"),
        (["methods.finetune.label=''"], "labels.finetune: must not be empty"),
        (["scenarios.random.label=partial_class"], "scenarios.random.label: must be this one's alone"),
        (
            ["methods.sure.label=' '"],
            "methods.sure.label: must be one line, with single spaces between its words, got ' '",
        ),
        (
            ['scenarios.random.label="Any\\nimage "'],
            r"must be one line, with single spaces between its words, got 'Any\nimage ' — write 'Any image'",
        ),
        (
            ["methods.sure.label='Ours %{y}'"],
            "methods.sure.label: must not hold %{, in whose place figures write a value, got 'Ours %{y}'",
        ),
    ],
)
def test_labels_that_cannot_be(overrides: list[str], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec("smoke", overrides)
    assert any(told in str(problem) for problem in caught.value.problems), caught.value.problems


def test_a_label_may_change_between_two_runs() -> None:
    before = load_spec("smoke").dump()
    check_compatible(before, load_spec("smoke", ["methods.sure.label=Ours", "scenarios.random.label=Any"]).dump())


def test_reports_say_the_label(tmp_path: Path) -> None:
    builder = new_builder()
    builder.spec["labels"] = {"finetune": "Plain <b>"}
    builder.spec["scenarios"]["random"]["label"] = "Any image"
    for method in ("sure", "finetune"):
        for seed in range(3):
            builder.trial("evaluation", method, value=1.0 + seed, metrics={"forget_gap": 1.0 + seed}, forget_seed=seed)
    page = write_report(builder.record(), tmp_path, partial=False)
    text = page.read_text(encoding="utf-8")
    assert "Any image: no method can be told apart" in text
    assert "Plain &lt;b&gt;" in text
    assert "FineTune" not in text.split("plotly.js v", maxsplit=1)[0]
    assert "| Plain &lt;b> |" in (tmp_path / "tables" / "random-gaps.md").read_text(encoding="utf-8")
    assert (method_label("finetune"), scenario_label("random")) == ("FineTune", "Random")


def test_a_label_that_another_method_bears_has_its_key_beside_it() -> None:
    builder = new_builder()
    builder.spec["labels"] = {"finetune": "SURE"}
    with labelled(builder.record()):
        assert (method_label("sure"), method_label("finetune")) == ("SURE", "SURE (finetune)")


def test_a_baseline_bears_its_label_beside_what_it_is() -> None:
    builder = new_builder()
    builder.spec["labels"] = {"oracle": "Retrain"}
    with labelled(builder.record()):
        assert [row_label(m) for m in ("oracle", "original", "sure")] == [
            "Retrain (Oracle, retrained: the noise floor)",
            BASELINE_LABELS["original"],
            "SURE",
        ]


@pytest.mark.parametrize(
    ("scenarios", "labels"),
    [
        ({"random": {}, "other": {"label": "Random"}}, ["Random", "Random (other)"]),
        ({"random": {}, "Random": {}}, ["Random (random)", "Random"]),
        ({"one": {"label": "SURE"}}, ["SURE"]),  # a method's label is no scenario's
    ],
)
def test_no_two_scenarios_of_a_report_are_called_alike(scenarios: dict[str, dict[str, str]], labels: list[str]) -> None:
    builder = new_builder()
    builder.spec["scenarios"] = scenarios
    with labelled(builder.record()):
        assert [scenario_label(key) for key in scenarios] == labels


def test_labels_of_two_sweeps_side_by_side_stay_apart() -> None:
    one, two = new_builder(), new_builder()
    one.spec["labels"], two.spec["labels"] = {"sure": "Ours"}, {"finetune": "Ours"}
    with labelled(one.record(), two.record()):
        assert (method_label("sure"), method_label("finetune")) == ("Ours", "Ours (finetune)")
