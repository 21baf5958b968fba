"""Grids of other hyperparameters than lr and alpha."""

from __future__ import annotations

import pytest

from reports import figures, frames
from sweeps.errors import SpecError
from sweeps.plan import make_plan, sensitivity_grid
from sweeps.spec import load_spec
from tests.reports.conftest import new_builder

SALUN = "methods=[sure, salun]"


def test_the_default_is_lr_by_alpha() -> None:
    spec = load_spec("smoke", [SALUN])
    assert spec.axes == ("lr", "alpha")
    assert {s.method for s in make_plan(spec).studies if s.stage == "sensitivity"} == {"sure"}


def test_another_grid_is_of_the_methods_that_search_it() -> None:
    spec = load_spec("smoke", [SALUN, "sensitivity.y=sparsity"])
    assert {s.method for s in make_plan(spec).studies if s.stage == "sensitivity"} == {"salun"}
    centre = {"lr": 0.01, "sparsity": 0.5, "forget_batch_size": 32}
    grid = sensitivity_grid(spec, "salun", centre)
    assert [point["lr"] for point in grid[::3]] == pytest.approx([0.008, 0.01, 0.012])
    assert [point["sparsity"] for point in grid[:3]] == pytest.approx([0.4, 0.5, 0.6])
    assert centre in grid
    assert all(point["forget_batch_size"] == 32 for point in grid)


def test_a_value_that_the_method_would_refuse_is_moved_to_the_end() -> None:
    spec = load_spec("smoke", [SALUN, "sensitivity.y=sparsity"])
    high = max(point["sparsity"] for point in sensitivity_grid(spec, "salun", {"lr": 0.01, "sparsity": 0.9}))
    assert high <= 1.0


def test_an_alpha_that_is_no_weight_is_not_cut_at_one() -> None:
    spec = load_spec("smoke", ["methods=[ssd]", "sensitivity.x=alpha", "sensitivity.y=dampening"])
    grid = sensitivity_grid(spec, "ssd", {"alpha": 10.0, "dampening": 1.0})
    assert [point["alpha"] for point in grid[::3]] == pytest.approx([8, 10, 12])
    whole = sensitivity_grid(
        load_spec("smoke", ["methods=[l1_sparse]"]), "l1_sparse", {"lr": 0.01, "alpha": 0.9, "retain_batch_size": 64}
    )
    assert max(point["alpha"] for point in whole) == 0.9999


def test_the_middle_of_a_grid_is_the_winner_at_the_end_of_a_weight_too() -> None:
    spec = load_spec("smoke", ["methods=[sure]", "methods.sure.alpha.high=1.0"])
    centre = {"lr": 0.01, "alpha": 1.0, "forget_batch_size": 32}
    grid = sensitivity_grid(spec, "sure", centre)
    assert grid[len(grid) // 2] == centre
    assert sorted({point["alpha"] for point in grid})[-1] == 1.0  # what lies above it is not moved below


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["sensitivity.y=sparsty"],
            "sensitivity.y: must be a hyperparameter that a method of the sweep searches, got 'sparsty'",
        ),
        (["sensitivity.y=lr"], "sensitivity.y: must be another hyperparameter than x, got lr"),
        (
            ["sensitivity.y=lr_decay_epoch"],
            "sensitivity.y: must be a hyperparameter with real values, got lr_decay_epoch",
        ),
        (
            ["sensitivity.x=alpha", "sensitivity.y=sparsity"],
            "sensitivity.y: must be searched together with x by a method",
        ),
        (
            ["sensitivity.y=sparsity", "sensitivity.methods=[sure]"],
            "sensitivity.methods.sure: must search both lr and sparsity to have a grid of them",
        ),
    ],
)
def test_grids_that_cannot_be_are_refused_before_anything_runs(overrides: list[str], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec("smoke", [SALUN, *overrides])
    assert any(told in str(problem) for problem in caught.value.problems), caught.value.problems


def test_the_report_draws_the_grid_that_was_asked_for() -> None:
    builder = new_builder()
    builder.spec |= {"sensitivity": {"x": "lr", "y": "beta"}, "methods": ["mine"]}
    builder.best = {"random": {"mine": {"lr": 0.01, "beta": 2.0}}}
    for lr in (0.008, 0.01, 0.012):
        for beta in (1.6, 2.0, 2.4):
            gap = 1.0 + 100 * (lr - 0.01) + (beta - 2.0)
            builder.trial("sensitivity", "mine", hp={"lr": lr, "beta": beta}, metrics={"forget_gap": gap})
    record = builder.record()
    frame = frames.sensitivity(record, "random", "mine")
    assert frames.sensitivity_grid(frame, "forget_gap").loc[2.4, 0.012] == pytest.approx(0.6)
    assert sorted(set(frame["beta_factor"].round(6))) == [0.8, 1.0, 1.2]
    drawing = figures.sensitivity_heatmap(record, "random", "mine")
    assert drawing is not None
    assert figures.figure_of(drawing.wide()).data[0].y == ("1.6<br>−20 %", "<b>2<br>0 %</b>", "2.4<br>+20 %")
    assert figures.figure_of(drawing.wide()).layout.yaxis.title.text == "beta"
    assert "α" not in drawing.note
