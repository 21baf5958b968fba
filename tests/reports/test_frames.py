"""Tables computed from hand-made records."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports import figures, frames, tables
from reports.frames.sensitivity import _noise
from sweeps.objective import Objective
from sweeps.record import Winner


def evaluate(builder, method, values, size=100, **more):
    for seed, value in enumerate(values):
        metrics = {"forget_gap": 2 * value, "relative_run_time": 0.5}
        builder.trial("evaluation", method, value=value, metrics=metrics, size=size, forget_seed=seed, **more)


def test_metric_summary_by_size(builder):
    evaluate(builder, "sure", [1.0, 2.0, 3.0])
    evaluate(builder, "finetune", [11.0, 12.0, 13.5])
    evaluate(builder, "sure", [4.0], size=10)
    out = frames.metric_summary(builder.record(), "random", ["score", "forget_gap", "absent"])
    assert list(out["forget_size"].unique()) == [100, 10]
    row = out.query("forget_size == 100 and method == 'sure' and metric == 'forget_gap'").iloc[0]
    assert (row["mean"], row["std"], row["n"], row["best"]) == (4.0, 2.0, 3, True)
    single = out.query("forget_size == 10").iloc[0]
    assert single["n"] == 1
    assert math.isnan(single["std"])
    assert not single["best"]


def test_without_a_comparison_the_numbers_stay_and_nothing_is_best(builder):
    evaluate(builder, "sure", [1.0, 2.0, 3.0])
    evaluate(builder, "finetune", [11.0, 12.0, 13.5])
    evaluate(builder, "sure", [4.0], size=10)
    asked = (builder.record(), "random", ["score", "forget_gap"])
    compared, alone = frames.metric_summary(*asked), frames.metric_summary(*asked, compared=False)
    assert compared["best"].any()
    numbers = ["scenario", "forget_size", "method", "metric", "mean", "std", "n"]
    assert alone[numbers].equals(compared[numbers])
    assert not alone[["best", "tied", "pairs"]].any(axis=None)
    assert alone["p"].isna().all()


def test_a_method_whose_evaluations_failed_has_no_row(builder):
    evaluate(builder, "sure", [1.0, 2.0])
    builder.trial("evaluation", "finetune", state="FAIL", reason="diverged at epoch 1")
    assert set(frames.metric_summary(builder.record(), "random", ["score"])["method"]) == {"sure"}


def test_a_repeated_evaluation_counts_once(builder):
    builder.trial("evaluation", "sure", value=5.0, forget_seed=1)
    builder.trial("evaluation", "sure", value=7.0, forget_seed=1)
    assert frames.evaluations(builder.record(), "random")["score"].tolist() == [7.0]


def test_evaluations_of_a_superseded_winner_do_not_count(builder):
    builder.trial("evaluation", "sure", value=5.0, superseded=True)
    builder.trial("evaluation", "sure", value=7.0, forget_seed=1)
    assert frames.evaluations(builder.record(), "random")["score"].tolist() == [7.0]


def test_top5_reads_its_own_columns(builder):
    builder.trial("evaluation", "sure", value=1.0, metrics={"forget_gap": 1.0}, top5={"forget_gap": 4.0})
    out = frames.metric_summary(builder.record(), "random", ["forget_gap"], epochs="top5")
    assert out["mean"].tolist() == [4.0]


def test_hyperparameters_have_the_papers_layout(builder):
    builder.best = {
        "random": {
            "finetune": {"lr": 0.0043, "retain_batch_size": 256, "lr_decay_epoch": 8},
            "sure": {"lr": 0.045, "alpha": 0.807, "forget_batch_size": 128, "lr_decay_epoch": 10},
        }
    }
    out = frames.best_hyperparameters(builder.record(), "random")
    assert list(out.index) == ["lr", "alpha", "forget_batch_size", "lr_decay_epoch"]
    assert list(out.columns) == ["sure", "finetune"]
    assert out["finetune"].tolist() == [0.0043, None, 256, 8]
    assert out.attrs["retain_batch"] == ["finetune"]


def test_fixed_hyperparameters_stay_out_of_the_table(builder):
    builder.best = {"random": {"sure": {"lr": 0.1, "alpha": 0.5, "momentum": 0.9, "k": 3}}}
    for k in (3, 5):
        builder.trial("search", "sure", value=1.0, hp={"lr": 0.1, "alpha": 0.5, "momentum": 0.9, "k": k})
    out = frames.best_hyperparameters(builder.record(), "random")
    assert list(out.index) == ["lr", "alpha", "forget_batch_size", "lr_decay_epoch", "k"]


def test_hyperparameters_that_were_given_are_all_in_the_table(builder):
    ranges = {name: {"low": 0.1, "high": 0.9} for name in ("lr", "sparsity")}
    builder.spec["methods"] = {"salun": {**ranges, "momentum": 0.9}}
    builder.best = {"random": {"salun": {"lr": 0.1, "sparsity": 0.5, "momentum": 0.9}}}
    builder.trial("evaluation", "salun", value=1.0, hp={"lr": 0.1, "sparsity": 0.5, "momentum": 0.9})
    out = frames.best_hyperparameters(builder.record(), "random")
    assert list(out.index) == ["lr", "alpha", "forget_batch_size", "lr_decay_epoch", "sparsity"]
    assert out.loc["sparsity", "salun"] == 0.5


def test_what_the_sweep_file_fixes_stands_in_the_rows_of_others_and_is_marked(builder):
    builder.spec["methods"] = {
        "sure": {"lr": 0.02, "forget_batch_size": 32, "label": "Ours"},
        "finetune": {"lr": {"low": 0.1}},
        "neg_grad": {"lr": 0.5},
    }
    builder.planned = {("search", "random", m): 2 for m in ("sure", "finetune")} | {
        ("evaluation", "random", "neg_grad"): 1
    }
    builder.winners = {
        "random": {"sure": Winner({"alpha": 0.5, "retain_batch_size": 64}), "finetune": Winner({"lr": 0.3})}
    }
    for method, hp in (("sure", {"retain_batch_size": 64}), ("finetune", {"lr": 0.3})):
        for value in (1, 2):
            builder.trial("search", method, value=1.0, hp={name: value * v for name, v in hp.items()})
    record = builder.record()
    out = frames.best_hyperparameters(record, "random")
    assert out.loc[["lr", "alpha", "forget_batch_size"], "sure"].tolist() == [0.02, 0.5, 32]
    assert out.loc["retain_batch_size", "sure"] == 64  # it has a forget batch
    table = tables.hyperparameter_table(record, "random")
    assert [cell.text for cell in table.rows[0].cells] == ["lr", "0.02¶", "0.3", "0.5¶"]
    assert "¶ fixed in the sweep file, and not searched." in table.notes
    assert [cell.text for cell in table.rows[2].cells] == ["fbatch size", "32¶", "–", "–"]


def test_history_is_of_completed_trials_only(builder):
    for value, state in [(5.0, "COMPLETE"), (1.0, "PRUNED"), (math.nan, "FAIL"), (3.0, "COMPLETE"), (4.0, "COMPLETE")]:
        builder.trial("search", "sure", value=value, state=state)
    out = frames.search_history(builder.record(), "random")
    assert out["best_so_far"].tolist() == [5.0, 5.0, 5.0, 3.0, 3.0]


def test_a_pruned_only_study_has_no_best(builder):
    builder.trial("search", "sure", value=5.0, state="PRUNED")
    record = builder.record()
    assert frames.search_history(record, "random")["best_so_far"].isna().all()
    assert frames.standing(record, "random").method is None


def grid(builder, method="sure", alphas=(0.4, 0.5, 0.6)):
    for lr in (0.008, 0.01, 0.012):
        for alpha in alphas:
            hp = {"lr": lr} | ({"alpha": alpha} if alpha else {})
            gap = 1000 * lr + 10 * (alpha or 0)
            failed = (lr, alpha) == (0.012, 0.6)
            metrics = {} if failed else {"forget_gap": gap}
            builder.trial("sensitivity", method, hp=hp, metrics=metrics, state="FAIL" if failed else "COMPLETE")


def test_sensitivity_is_the_change_against_the_centre(builder):
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    grid(builder)
    frame = frames.sensitivity(builder.record(), "random", "sure")
    out = frames.sensitivity_grid(frame, "forget_gap")
    assert list(out.index) == [0.4, 0.5, 0.6]
    assert list(out.columns) == [0.008, 0.01, 0.012]
    expected = [[-3, -1, 1], [-2, 0, 2], [-1, 1, math.nan]]
    assert out.to_numpy().tolist() == [pytest.approx(row, nan_ok=True) for row in expected]
    assert frame["failed"].sum() == 1
    centre = frame.query("lr_factor == 1 and alpha_factor == 1")
    assert centre["change"].tolist() == [0.0]
    summary = frames.sensitivity_summary(builder.record(), "random", ["sure"]).iloc[0]
    assert (summary["largest_rise"], summary["largest_fall"]) == (pytest.approx(2), pytest.approx(-3))
    assert (summary["points"], summary["failed"]) == (9, 1)


def test_repeats_of_the_centre_tell_a_change_from_noise(builder):
    """Repeats 10, 12, 14: mean 12, std 2, t(2) at 97.5 % is 4.303, so one more run lies within 4.303 × 2 × √(4/3) = 9.94."""
    builder.winners = {"random": {"sure": Winner({"lr": 0.01, "alpha": 0.5}, stop_epoch=2)}}
    for run, gap in enumerate((10.0, 12.0, 14.0)):
        builder.trial("sensitivity", "sure", hp={"lr": 0.01, "alpha": 0.5}, metrics={"forget_gap": gap}, run=run)
    for lr, gap in ((0.008, 20.0), (0.012, 25.0)):
        builder.trial("sensitivity", "sure", hp={"lr": lr, "alpha": 0.5}, metrics={"forget_gap": gap})
    frame = frames.sensitivity(builder.record(), "random", "sure")
    assert frame["change"].tolist() == [8.0, 0.0, 13.0]
    assert frame["repeats"].tolist() == [3, 3, 3]
    assert frame["noise"].tolist() == [pytest.approx(9.937, abs=1e-3)] * 3
    drawing = figures.sensitivity_heatmap(builder.record(), "random", "sure")
    assert drawing is not None
    assert figures.figure_of(drawing.wide()).data[0].text == (["(+8.0)", "0", "+13.0"],)
    table = tables.sensitivity_table(builder.record(), "random")
    assert table is not None
    assert [c.text for c in table.rows[0].cells][2:] == ["13.00", "0.00", "10.50", "± 9.94", "1", "3 of 3"]
    assert "Mean |change|: of the points round the centre." in table.notes
    assert "one run each, 3 at the centre, at the stop epoch" in drawing.note
    assert "In brackets: no farther from the centre than one more run" in drawing.note


def test_one_image_is_what_equal_repeats_may_differ_by(builder):
    """Of 40 images one is 2.5 points: t(1) at 97.5 % is 12.706, so 12.706 × 2.5/√6 × √1.5; by the values ten times that."""
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    for run, (lr, gap) in enumerate(((0.01, 0.0), (0.01, 0.0), (0.008, 25.0), (0.012, 50.0))):
        metrics = {"forget_accuracy": 100 - gap, "forget_gap": gap}
        builder.trial("sensitivity", "sure", hp={"lr": lr, "alpha": 0.5}, metrics=metrics, run=run, size=40)
    frame = frames.sensitivity(builder.record(), "random", "sure")
    assert frame["noise"].tolist() == [pytest.approx(12.706 * 2.5 / math.sqrt(6) * math.sqrt(1.5), rel=1e-4)] * 3
    assert frames.sensitivity_summary(builder.record(), "random", ["sure"])["beyond_noise"].tolist() == [2]


def test_the_rounding_of_a_mean_is_no_change(builder):
    """Of three equal repeats the mean may differ from them in its last digit."""
    gap = next(g for g in (100 * k / 361 for k in range(1, 361)) if pd.Series([g] * 3).groupby([0] * 3).mean()[0] != g)
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    for run, lr in enumerate((0.01, 0.01, 0.01, 0.008, 0.012)):
        builder.trial("sensitivity", "sure", hp={"lr": lr, "alpha": 0.5}, metrics={"forget_gap": gap}, run=run)
    record = builder.record()
    assert figures.unmoved(record, "random", "sure") == 3
    assert figures.sensitivity_heatmap(record, "random", "sure") is None
    table = tables.sensitivity_table(record, "random")
    assert table is not None
    assert [c.text for c in table.rows[0].cells][2:] == ["0.00", "0.00", "0.00", "± 0.00", "0", "3 of 3"]


def test_a_small_fall_is_no_negative_zero(builder):
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    for lr, gap in ((0.008, 2.0), (0.01, 2.001), (0.012, 2.5)):
        builder.trial("sensitivity", "sure", hp={"lr": lr, "alpha": 0.5}, metrics={"forget_gap": gap})
    table = tables.sensitivity_table(builder.record(), "random")
    assert table is not None
    assert [c.text for c in table.rows[0].cells][2:5] == ["0.50", "0.00", "0.25"]


def test_a_prediction_interval_holds_what_it_says():
    """Of equal points 95 of 100 lie within the noise of three repeats."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(4000):
        x = rng.normal(size=4)
        inside += abs(x[3] - x[:3].mean()) <= _noise(x[:3], 0.0)
    assert inside / 4000 == pytest.approx(0.95, abs=0.012)


def test_one_minus_alpha_is_what_a_grid_near_one_varies(builder):
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.95}}}
    for alpha in (0.94, 0.95, 0.96):
        builder.trial("sensitivity", "sure", hp={"lr": 0.01, "alpha": alpha}, metrics={"forget_gap": alpha})
    frame = frames.sensitivity(builder.record(), "random", "sure")
    assert frame["alpha_factor"].tolist() == pytest.approx([1.2, 1.0, 0.8])
    drawing = figures.sensitivity_heatmap(builder.record(), "random", "sure")
    assert drawing is not None
    assert figures.figure_of(drawing.wide()).data[0].y == (
        "0.94<br>1 − α +20 %",
        "<b>0.95<br>0 %</b>",
        "0.96<br>1 − α −20 %",
    )
    assert "The centre was run once" in drawing.note


def test_sensitivity_without_alpha_is_one_row(builder):
    builder.best = {"random": {"finetune": {"lr": 0.01}}}
    grid(builder, "finetune", alphas=(None,))
    out = frames.sensitivity_grid(frames.sensitivity(builder.record(), "random", "finetune"), "forget_gap")
    assert out.to_numpy().tolist() == [pytest.approx([-2, 0, 2])]


def test_sensitivity_without_its_centre_knows_no_change(builder):
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}}}
    builder.trial("sensitivity", "sure", hp={"lr": 0.01, "alpha": 0.5}, state="FAIL")
    builder.trial("sensitivity", "sure", hp={"lr": 0.012, "alpha": 0.5}, metrics={"forget_gap": 1.0})
    frame = frames.sensitivity(builder.record(), "random", "sure")
    assert frame["change"].isna().all()


def test_oracle_value_is_the_candidate_that_fits_every_epoch(builder):
    curve = [{"mia_loss": v, "mia_loss_gap": abs(v - 52.0)} for v in (50.0, 57.0)]
    builder.trial("evaluation", "sure", value=1.0, forget_seed=0, curve=curve)
    out = frames.oracle_values(builder.record(), "random", 100, "mia_loss")
    assert out.to_dict() == {(0, 0): 52.0}
    builder.trial("evaluation", "sure", value=1.0, forget_seed=1, curve=curve[:1])  # 48 or 52: not known
    assert not len(frames.oracle_values(builder.record(), "random", 100, "mia_loss"))


def test_a_baseline_settles_the_oracle_too(builder):
    for method, value in (("sure", 40.0), ("original", 50.0)):
        builder.trial("evaluation", method, metrics={"mia_confidence": value, "mia_confidence_gap": 5.0})
    builder.trial("evaluation", "oracle", forget_seed=1, metrics={"mia_confidence": 9.0, "mia_confidence_gap": 0.0})
    assert frames.oracle_values(builder.record(), "random", 100, "mia_confidence").to_dict() == {(0, 0): 45.0}


def test_two_methods_on_one_forget_set_settle_the_oracle(builder):
    builder.trial("evaluation", "sure", value=1.0, metrics={"mia_confidence": 40.0, "mia_confidence_gap": 5.0})
    builder.trial("evaluation", "finetune", value=1.0, metrics={"mia_confidence": 50.0, "mia_confidence_gap": 5.0})
    assert frames.oracle_values(builder.record(), "random", 100, "mia_confidence").to_dict() == {(0, 0): 45.0}


def test_the_oracles_own_trial_comes_first(builder):
    builder.trial("evaluation", "sure", value=1.0, forget_seed=7, metrics={"mia_loss": 40.0, "mia_loss_gap": 5.0})
    builder.trial("reference", "oracle", forget_seed=7, metrics={"mia_loss": 45.0})
    builder.trial("reference", "oracle", forget_seed=8, metrics={"mia_loss": 99.0})  # of another stage's forget set
    record = builder.record()
    assert frames.oracle_values(record, "random", 100, "mia_loss").to_dict() == {(0, 7): 45.0}
    assert frames.methods(record) == ["sure", "finetune"]


def test_of_two_candidates_for_the_oracle_the_percentage_is_it(builder):
    for method in ("sure", "finetune"):
        builder.trial("evaluation", method, metrics={"mia_confidence": 100.0, "mia_confidence_gap": 16.0})
    assert frames.oracle_values(builder.record(), "random", 100, "mia_confidence").to_dict() == {(0, 0): 84.0}


def test_mean_ranks_by_hand(builder):
    scores = {"sure": (1.0, 1.0, 2.0), "finetune": (2.0, 1.0, 1.0), "scrub": (3.0, 3.0, 3.0)}
    for method, values in scores.items():
        evaluate(builder, method, values)
    evaluate(builder, "sure", [0.0], size=10)  # no other method there: not a block
    out = frames.mean_ranks(builder.record(), "random")
    assert dict(zip(out["method"], out["rank"], strict=True)) == {"sure": 1.5, "finetune": 1.5, "scrub": 3.0}
    assert set(out["blocks"]) == {3}
    assert out["friedman"].iloc[0] == pytest.approx(stats.friedmanchisquare(*scores.values()).pvalue)


def test_critical_difference_is_demsars():
    # Demšar (2006), Section 3.2.2: four classifiers on 14 data sets, q = 2.569 (his Table 5 gives two decimals: 1.25)
    assert frames.critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert frames.critical_difference(2, 1) == pytest.approx(1.96, abs=0.001)


def test_ranks_need_a_rival(builder):
    evaluate(builder, "sure", [1.0, 2.0])
    assert not len(frames.mean_ranks(builder.record(), "random"))


def test_directions_and_front(builder):
    for forgetting, retain, utility in [(1.0, 4.0, 6.0), (2.0, 1.0, 1.0), (3.0, 1.0, 1.0), (0.5, 9.0, 9.0)]:
        metrics = {"forget_gap": forgetting, "retain_gap": retain, "utility_gap": utility}
        builder.trial("search", "sure", value=1.0, metrics=metrics | {"mia_knn_train_gap": 50.0}, curve=[metrics])
    record = builder.record()
    points = frames.directions(record, record.trials)
    assert points["utility"].tolist() == [5.0, 1.0, 1.0, 9.0]
    assert points["forgetting"].tolist() == [
        1.0,
        2.0,
        3.0,
        0.5,
    ]  # what is measured at the chosen epoch alone was not searched
    assert frames.pareto_front(points)["number"].tolist() == [3, 0, 1]


def test_the_drawn_directions_are_the_searched_ones(builder):
    objective = Objective("pareto")
    gaps = ("forget_gap", "class_test_gap", "mia_loss_gap", "mia_knn_train_gap", "retain_gap", "utility_gap")
    for k in range(4):
        metrics = {gap: float((7 * i + 3 * k) % 11) for i, gap in enumerate(gaps)}
        builder.trial("search", "sure", value=objective.score(metrics), metrics=metrics, curve=[metrics])
    record = builder.record()
    points = frames.directions(record, record.trials)
    searched = [objective.values({g: t[f"metric.{g}"] for g in gaps}) for _, t in record.trials.iterrows()]
    assert points[["utility", "forgetting"]].to_numpy().tolist() == [pytest.approx(list(v)) for v in searched]
