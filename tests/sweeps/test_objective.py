"""Scores and the choice of an epoch, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from sweeps.objective import Objective, best_epoch, scrub_r_epoch, top_epochs
from unlearn.gaps import Measure, Measures

METRICS = {"forget_gap": 10.0, "retain_gap": 2.0, "utility_gap": 6.0, "mia_loss_gap": 4.0, "forget_accuracy": 90.0}


def test_average_gap_is_the_mean_of_those_present() -> None:
    assert Objective().score(METRICS) == 6.0
    assert Objective().score(METRICS | {"class_test_gap": 14.0}) == 8.0
    assert Objective(gaps=("forget_gap", "mia_loss_gap")).score(METRICS) == 7.0


def test_average_gap_needs_a_gap() -> None:
    with pytest.raises(ValueError, match="needs one of mia_knn_forget_gap"):
        Objective(gaps=("mia_knn_forget_gap",)).score(METRICS)


def test_tug_of_war() -> None:
    assert Objective("tow").score(METRICS) == pytest.approx(1 - 0.9 * 0.98 * 0.94)


def test_a_score_has_the_unit_of_all_gaps_in_it() -> None:
    own = Measures([asdict(Measure("speed", "S", "Speed", "m/s", side="utility"))])
    assert Objective().unit(METRICS) == "percentage points"
    assert Objective("tow").unit(METRICS) == ""
    assert Objective(gaps=("speed_gap",), measures=own).unit(["speed_gap"]) == "m/s"
    assert Objective("pareto", measures=own).unit([*METRICS, "speed_gap"]) == ""


def test_pareto_has_two_values_and_compares_by_their_mean() -> None:
    objective = Objective("pareto")
    assert objective.directions == ("minimize", "minimize")
    assert objective.values(METRICS) == (4.0, 7.0)
    assert objective.score(METRICS) == 5.5


def test_epochs() -> None:
    scores = [5.0, 1.0, 3.0, 1.0, 2.0, 9.0, 0.5]
    assert best_epoch([3.0, 1.0, 1.0]) == 2
    assert top_epochs(scores) == [7, 2, 4, 5, 3]
    assert top_epochs([2.0, 1.0]) == [2, 1]


def test_scrub_r_takes_the_forget_error_nearest_to_the_final_validation_error() -> None:
    forget, validation = [100.0, 97.0, 91.0, 89.0], [96.0, 95.0, 93.0, 92.0]
    curve = [{"forget_accuracy": f, "validation_accuracy": v} for f, v in zip(forget, validation, strict=True)]
    assert scrub_r_epoch(curve) == 2
    curve[0]["forget_accuracy"] = 92.0
    assert scrub_r_epoch(curve) == 0
