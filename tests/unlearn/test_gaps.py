"""The facts of measures: names, labels, order, sides, and metrics that bring their own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import pytest

from tests.unlearn.metrics.metric_samples import outputs
from unlearn.gaps import MEASURES, Measure, Measures, declared, declares, pareto_front
from unlearn.metrics import measure
from unlearn.registry import find, keys

OWN = Measure("mia_shadow", "MIA-S", "MIA-S: shadow models", gap_title="MIA-S gap", side="forgetting", family="attack")


@pytest.mark.parametrize(
    ("key", "short", "unit"),
    [
        ("forget_gap", "ΔUA", "percentage points"),
        ("forget_accuracy", "UA", "%"),
        ("fgt_error_retain_gap", "ΔFGT Retain", "count"),
        ("ic_error_heldout_gap", "ΔIC Test", "fraction"),
        ("retain_error_gap", "ΔRetain Err", "percentage points"),
        ("forget_ood_accuracy", "UA OOD", "%"),
        ("forget_ood_accuracy_gap", "ΔUA OOD", "percentage points"),
        ("forget_left_half_accuracy_gap", "ΔUA LEFT HALF", "percentage points"),
        ("forget_ood_gap", "ΔUA OOD", "percentage points"),
        ("forget_entropy_gap", "forget entropy gap", ""),  # no accuracy
        ("my_metric_gap", "my metric gap", ""),
        ("my_metric", "my metric", ""),
        ("score", "score", ""),
    ],
)
def test_labels(key: str, short: str, unit: str) -> None:
    label = Measures().label(key)
    assert (label.short, label.unit) == (short, unit)


def test_every_value_of_the_shipped_metrics_has_a_label_of_its_own() -> None:
    known = {m.name for m in MEASURES} | {m["name"] for m in declared(find("metrics", k) for k in keys("metrics"))}
    values = measure(outputs(confused=(0, 1)), [k for k in keys("metrics") if k != "weight_distance"])
    assert values.keys() <= known
    assert len({m.short for m in MEASURES}) == len({m.gap_name for m in MEASURES}) == len(MEASURES)


def test_gaps_stand_in_the_papers_order_and_errors_are_left_out() -> None:
    names = [
        "zeta_gap",
        "mia_loss_gap",
        "retain_error_gap",
        "forget_gap",
        "alpha_gap",
        "average_gap",
        "lr",
        "utility_gap",
    ]
    assert Measures().gaps(names) == ["forget_gap", "utility_gap", "mia_loss_gap", "alpha_gap", "zeta_gap"]


def test_a_metric_brings_its_own_facts() -> None:
    @declares(OWN)
    def mia_shadow(outputs: object) -> dict[str, float]:
        return {"mia_shadow": 50.0}

    facts = Measures(declared([mia_shadow, len]))
    assert facts.label("mia_shadow_gap").title == "MIA-S gap"
    assert facts.side("forgetting")[-1] == "mia_shadow_gap"
    assert facts.family("attack", ["mia_shadow", "mia_loss"]) == ["mia_loss", "mia_shadow"]
    assert "mia_shadow_gap" not in Measures().side("forgetting")


def test_no_two_values_are_called_alike() -> None:
    own = (Measure("ece_forget", "ECE", "Calibration"), Measure("ece_retain", "ECE", "Calibration"))
    measures = Measures(
        [asdict(m) for m in (*own, Measure("mine", "UA", "Own"), Measure("forget_accuracy", "UA", "Own UA"))]
    )
    labels = [measures.label(key) for key in ("ece_forget", "ece_retain", "mine", "forget_accuracy")]
    assert [label.short for label in labels] == ["ECE", "ECE (ece_retain)", "UA (mine)", "UA"]
    assert [label.title for label in labels] == ["Calibration", "Calibration (ece_retain)", "Own", "Own UA"]
    assert measures.label("mine_gap").short == "ΔUA (mine)"


def test_a_gap_of_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="gap must be left empty"):
        declares(Measure("x", "X", "X", gap="y_gap"))


def test_the_front_keeps_equal_points() -> None:
    assert pareto_front([(0, 3), (1, 1), (1, 1), (2, 2), (3, 0)]) == [0, 1, 2, 4]


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = "import sys, unlearn.gaps; print([m for m in ('torch', 'numpy', 'scipy') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
