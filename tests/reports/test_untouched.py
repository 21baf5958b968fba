"""The original as it is, evaluated beside the methods: what they have to improve on, never one of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from reports import comparison, figures, frames, tables
from reports.names import BASELINE_LABELS
from reports.styles import method_styles
from reports.summary import NONE_BETTER, verdict
from reports.told import original_sentence
from sweeps.cli.answers import answers
from sweeps.record import SweepRecord, Winner, beside_original, compare, remarks, told_apart
from sweeps.record.best_params import best_params
from sweeps.record.statistics import Pairs, holm
from tests.reports.conftest import RecordBuilder

NOISE = np.random.default_rng(3).normal(0, 0.2, (8, 4))
#: Gaps of five forget sets: one method that is better than the original, one that is like it, one that is worse.
GAPS = {
    "oracle": 0.5 + NOISE[:, 3] / 4,
    "original": 3 + NOISE[:, 0],
    "sure": 1 + NOISE[:, 1],
    "finetune": 3.02 + NOISE[:, 2],
    "neg_grad": 9 + NOISE[:, 3],
}


def build(builder: RecordBuilder, gaps: dict[str, np.ndarray], sets: int = 5) -> SweepRecord:
    builder.spec |= {"methods": list(gaps), "dataset": {"name": "digits"}}
    for method, values in gaps.items():
        for seed, gap in enumerate(values[:sets]):
            metrics = {"forget_gap": gap, "utility_gap": gap}
            builder.trial("evaluation", method, value=gap, metrics=metrics, forget_seed=seed)
        builder.planned["evaluation", "random", method] = sets
    return builder.record()


@pytest.fixture
def record(builder: RecordBuilder) -> SweepRecord:
    builder.planned = {("search", "random", method): 4 for method in ("sure", "finetune", "neg_grad")}
    return build(builder, GAPS)


def test_it_is_no_rival_and_changes_no_comparison(record: SweepRecord, builder: RecordBuilder) -> None:
    rivals = {"sure", "finetune", "neg_grad"}
    assert set(frames.methods(record, "random")) == rivals
    assert set(frames.standing(record, "random").scores["method"]) == rivals
    assert set(frames.mean_ranks(record, "random")["method"]) == rivals
    without = build(RecordBuilder(), {m: g for m, g in GAPS.items() if m != "original"})
    assert told_apart(record, "random") == told_apart(without, "random")
    pd.testing.assert_frame_equal(
        frames.metric_summary(record, "random", ["score", "forget_gap"]),
        frames.metric_summary(without, "random", ["score", "forget_gap"]),
    )


def test_each_method_is_tested_against_it_and_the_tests_are_corrected_for_each_other_alone() -> None:
    samples = pd.DataFrame({m: g[:5] for m, g in GAPS.items() if m != "oracle"})
    against = Pairs.of(samples, only="original").against("original")
    raw = [ttest_rel(samples[m], samples["original"]).pvalue for m in against.index]
    assert list(against.index) == ["sure", "finetune", "neg_grad"]
    assert against["p"].tolist() == pytest.approx(holm(raw).tolist())
    assert against["difference"].tolist() == pytest.approx(
        [(samples[m] - samples["original"]).mean() for m in against.index]
    )
    every = Pairs.of(samples).against("original")["p"]
    assert (against["p"] <= every).all()
    assert against.loc["finetune", "p"] == pytest.approx(raw[1])


def test_more_trials_are_no_remedy_where_nothing_was_searched(builder: RecordBuilder) -> None:
    builder.planned["search", "random", "neg_grad"] = 4
    builder.winners = {"random": {"neg_grad": Winner({"lr": 0.1}, 1, "given")}}
    told = {r.method: r.remedy for r in remarks(build(builder, GAPS)) if r.kind == "no_better"}
    other = "other hyperparameters (methods, or --params)"
    assert told == {"finetune": f"{other}, or more forget sets (evaluation.seeds)", "neg_grad": other}


def test_who_is_told_from_it(record: SweepRecord) -> None:
    found = beside_original(record, "random")
    assert found is not None
    assert (found.better, found.worse, found.not_apart) == (("sure",), ("neg_grad",), ("finetune",))
    assert (found.runs, found.units, found.unit, found.size) == (5, 5, "forget set", 100)
    assert found.mean == pytest.approx(GAPS["original"][:5].mean())
    assert found.spread == pytest.approx(GAPS["original"][:5].std(ddof=1))
    mean, spread = found.mean, found.spread
    said = (
        f"No unlearning (the original) scores {mean:.1f} ± {spread:.1f} points; told to be better: SURE; told to be worse: "
        "NegGrad; not told apart from it: FineTune (5 %, Holm-corrected)."
    )
    assert said in verdict(record, "random").sentences
    line = (
        f"random: no unlearning (the original) scores {mean:.1f} ± {spread:.1f}; told to be better: sure; told to be worse: "
        "neg_grad; not told apart from it: finetune (5 % level)"
    )
    assert line in list(answers(record, whole=False))
    told = [(r.method, str(r)) for r in remarks(record) if r.kind == "no_better"]
    trials = "more trials (search.trials)"
    remedy = f"{trials}, or more forget sets (evaluation.seeds)"
    assert told == [
        (
            "finetune",
            f"it is not told to be better than no unlearning, which scores {mean:.1f} ± {spread:.1f}: {remedy}",
        ),
        ("neg_grad", f"it is told to be worse than no unlearning, which scores {mean:.1f} ± {spread:.1f}: {trials}"),
    ]
    assert best_params(record)["remarks"]["random/finetune"] == [told[0][1]]
    assert not [s for s in verdict(record, "random").limits if "no unlearning" in s]  # it is among the answers


def test_where_none_is_better_the_headline_says_so(builder: RecordBuilder) -> None:
    gaps = {m: GAPS[m] for m in ("original", "finetune", "neg_grad")}
    record = build(builder, gaps)
    assert frames.standing(record, "random").behind == ["neg_grad"]
    assert verdict(record, "random").headline.endswith(f": {NONE_BETTER}")


def test_a_sole_method_is_not_said_to_be_like_others(builder: RecordBuilder) -> None:
    alone = verdict(build(builder, {"sure": GAPS["sure"]}), "random").headline
    assert alone.endswith(": SURE is the only method evaluated")
    for sets, told in ((5, "is told to be better than no unlearning"), (2, "is the only method evaluated")):
        gaps = {m: GAPS[m] for m in ("original", "sure")}
        assert verdict(build(RecordBuilder(), gaps, sets=sets), "random").headline.endswith(f": SURE {told}")


def test_on_two_forget_sets_nothing_is_told(builder: RecordBuilder) -> None:
    record = build(builder, GAPS, sets=2)
    why = "; no method is tested against it: on fewer than 3 forget sets nothing is told apart"
    assert original_sentence(record, "random").endswith(f"{why}.")
    assert not verdict(record, "random").headline.endswith(NONE_BETTER)
    (line,) = [line for line in answers(record, whole=False) if "the original" in line]
    assert line.endswith(why)


def test_a_method_with_fewer_results_keeps_no_other_from_being_tested(builder: RecordBuilder) -> None:
    record = build(builder, {**GAPS, "finetune": GAPS["sure"][:2]})
    found = beside_original(record, "random")
    assert found is not None
    assert (found.untested, found.units, found.better, found.not_apart) == ("", 5, ("sure",), ("finetune",))


def test_scores_in_hindsight_are_not_tested_against_the_one_that_has_no_choice(builder: RecordBuilder) -> None:
    builder.in_hindsight = True
    record = build(builder, GAPS)
    found = beside_original(record, "random")
    assert found is not None
    assert (found.better, found.worse, set(found.not_apart)) == ((), (), {"sure", "finetune", "neg_grad"})
    why = "; no method is tested against it: it has no epochs to choose from in hindsight, as the methods' scores have"
    assert original_sentence(record, "random").endswith(f"{why}.")
    assert not verdict(record, "random").headline.endswith(NONE_BETTER)


def test_where_it_would_not_be_tested_nobody_is_told_to_add_it(builder: RecordBuilder) -> None:
    without = build(builder, {m: GAPS[m] for m in ("sure", "finetune")})
    assert [r for r in remarks(without) if r.kind == "baseline"]
    assert not [r for r in remarks(replace(without, in_hindsight=True)) if r.kind == "baseline"]


def test_where_the_last_run_left_it_out_it_is_not_said_that_it_was_not_evaluated(builder: RecordBuilder) -> None:
    without = replace(build(builder, {m: GAPS[m] for m in ("sure", "finetune")}), left_out={"random": ["original"]})
    told = [r for r in remarks(without) if "original" in str(r)]
    assert [r.kind for r in told] == ["narrowed"]


def test_without_it_nothing_is_said_of_it(builder: RecordBuilder) -> None:
    record = build(builder, {m: GAPS[m] for m in ("oracle", "sure", "finetune")})
    assert beside_original(record, "random") is None
    found = verdict(record, "random")
    assert not [s for s in found.sentences if "original" in s]
    (told,) = [s for s in found.limits if "original" in s]
    assert told == (
        "The original as it is was not evaluated, so that it is not known which methods are better than no unlearning: add "
        "original to methods; what is done is not repeated."
    )
    builder.planned["evaluation", "random", "original"] = 3  # what is missing is said elsewhere
    assert not [s for s in verdict(builder.record(), "random").limits if "original" in s]
    alone = build(RecordBuilder(), {"original": GAPS["original"]})
    assert beside_original(alone, "random") is None


def test_runs_on_the_one_forget_set_are_paired_by_run_though_some_are_missing(builder: RecordBuilder) -> None:
    builder.spec |= {"scenarios": {"full_class": {"target_class": 1}}, "methods": ["sure", "original"]}
    for seed in range(3):
        for run in range(2):
            value = seed + run / 10
            builder.trial("evaluation", "sure", value=value, scenario="full_class", forget_seed=seed, run=run)
            if run == 0:
                builder.trial(
                    "evaluation", "original", value=value + 5, scenario="full_class", forget_seed=seed, run=run
                )
    found = beside_original(builder.record(), "full_class")
    assert found is not None
    assert (found.units, found.unit, found.better) == (3, "run", ("sure",))  # each is 5 better than its own


def test_its_row_is_the_last_and_unmarked(record: SweepRecord) -> None:
    label = BASELINE_LABELS["original"]
    for table in (
        tables.metric_table(record, "random", ["score", "forget_gap"], key="k", title="t"),
        tables.stability_table(record, "random"),
        tables.score_table(record),
    ):
        assert table is not None
        row = table.rows[-1]
        assert label in [cell.text for cell in row.cells]
        assert row.last
        assert row.method is None
        assert not any(cell.best or cell.tied for cell in row.cells)
        assert original_sentence(record, "random", sized="stability" in table.key) in table.notes
    gaps_alone = tables.metric_table(record, "random", ["forget_gap"], key="k", title="t")
    assert gaps_alone is not None
    assert not [note for note in gaps_alone.notes if "scores" in note]
    side_by_side = comparison.compared({"a": record, "b": record}, "random")
    assert (side_by_side["method"] == "original").sum() == 2 * len(set(side_by_side["metric"]))


@pytest.mark.parametrize(("times", "cut"), [(1, False), (20, True)])
def test_its_bar_is_hatched_and_cut_where_it_would_dwarf_the_others(
    builder: RecordBuilder, times: float, cut: bool
) -> None:
    record = build(builder, {**GAPS, "original": times * GAPS["original"]})
    drawing = figures.gap_bars(record, "random", method_styles(frames.methods(record)))
    assert drawing is not None
    drawn = figures.figure_of(drawing.wide())
    (bar,) = [t for t in drawn.data if t.name == BASELINE_LABELS["original"] and t.xaxis == "x"]
    assert bar.marker.pattern.shape == "/"
    assert list(bar.x) == pytest.approx([times * GAPS["original"][:5].mean()])
    assert ("→" in drawing.note) == cut
    if cut:
        assert bar.text[0].endswith("→")
        assert drawn.layout.xaxis.range[1] == pytest.approx(1.05 * GAPS["neg_grad"][:5].max())
    else:
        assert bar.text is None
        assert drawn.layout.xaxis.range is None


def test_the_cut_axis_holds_every_run_of_the_noise_floor(builder: RecordBuilder) -> None:
    far = {"original": np.full(5, 50.0), "sure": np.full(5, 1.0), "oracle": np.array([0.1, 0.1, 0.1, 0.1, 3.0])}
    drawing = figures.gap_bars(build(builder, far), "random", method_styles(["sure"]))
    assert drawing is not None
    assert figures.figure_of(drawing.wide()).layout.xaxis.range[1] == pytest.approx(1.05 * 3)


def test_beside_other_sizes_and_scenarios_it_says_of_which_it_speaks(builder: RecordBuilder) -> None:
    builder.spec["scenarios"]["partial_class"] = {"tune_size": 50, "sizes": [50]}
    for seed in range(3):
        for method, score in (("sure", 1.0), ("original", 3.0)):
            of = {"metrics": {"forget_gap": score}, "forget_seed": seed}
            builder.trial("evaluation", method, value=score + seed, **of)
            builder.trial("evaluation", method, value=9 * score + seed, size=10, **of)
        builder.trial("evaluation", "sure", value=1.0, scenario="partial_class", size=50, forget_seed=seed)
    record = builder.record()
    sizes, scenarios = tables.stability_table(record, "random"), tables.score_table(record)
    assert sizes is not None
    assert scenarios is not None
    said = "No unlearning (the original) scores 4.0 ± 1.0 points"
    told = "; told to be better: SURE (5 %, Holm-corrected)."
    assert f"{said} at forget size 100{told}" in sizes.notes
    assert f"Random: {said}{told}" in scenarios.notes  # the other's was not evaluated


def test_equal_methods_are_told_from_it_in_five_per_cent_at_most() -> None:
    rng, told, rounds = np.random.default_rng(0), 0, 2000
    for _ in range(rounds):
        samples = pd.DataFrame(rng.normal(2, 1, (5, 5)) + rng.normal(0, 1, (5, 1)), columns=["original", *"abcd"])
        told += (Pairs.of(samples, only="original").against("original")["p"] < 0.05).any()
    assert told / rounds < 0.05 + 3 * (0.05 * 0.95 / rounds) ** 0.5
    assert not compare(samples)["best"].isna().any()
