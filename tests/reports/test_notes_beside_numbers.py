"""Notes of figures, tables and summaries: each is printed where it is true, of the numbers drawn or tabulated beside it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports import figures, frames, tables
from reports.comparison import _settings
from reports.comparison import scenario_section as compared_section
from reports.content import scenario_section
from reports.figures import Drawing
from reports.format import Table
from reports.frames.ranks import critical_difference
from reports.names import POINTS, score_unit
from reports.notes import study_note
from reports.styles import method_styles
from reports.summary import verdict
from sweeps.cli.answers import answers
from sweeps.objective import Objective
from sweeps.record import SweepRecord, Winner
from tests.reports.conftest import RecordBuilder

STYLES = method_styles(["sure", "finetune", "neg_grad_plus"])


def test_what_the_figures_of_evaluations_are_means_of(full_record: SweepRecord) -> None:
    drawn = (full_record, "random", method_styles(frames.methods(full_record)))
    starts = {
        figures.gap_bars: "Mean over n = 3 forget sets; rings: single runs. Shorter is nearer to the oracle. Grey: one more",
        figures.attack_bars: "Mean over n = 3 forget sets; rings: single runs. Dashed: the oracle; nearer to it is better.",
        figures.gaps_by_size: "Mean over n = 3 forget sets a size (small: single runs). Lower is nearer to the oracle",
        figures.accuracy_curves: "Mean over n = 3 forget sets",
        figures.mean_ranks: "Ranks of the score, forget size 100, over n = 3 forget sets on which every method was evaluated.",
        figures.weight_distance: "Mean over forget sets (small: single runs); distance of the penultimate layer to the oracle's",
    }
    for draw, start in starts.items():
        drawing = draw(*drawn)
        assert drawing is not None
        assert drawing.note.startswith(start), drawing.note
        assert len(frames.evaluations(full_record, "random").query("method == 'sure' and forget_size == 100")) == 3


def test_the_dots_are_the_means_in_their_own_units(full_record: SweepRecord) -> None:
    drawing = figures.dot_plot(full_record, "random", method_styles(frames.methods(full_record)))
    assert drawing is not None
    assert drawing.note.endswith("Nearer to the left is nearer to the oracle (and quicker).")
    gaps, times = (t for t in figures.figure_of(drawing.wide()).data if t.meta["method"] == "sure")
    known = frames.metric_summary(full_record, "random", ["forget_gap", "relative_run_time"])
    means = known[(known["forget_size"] == 100) & (known["method"] == "sure")].set_index("metric")["mean"]
    assert gaps.x[list(gaps.customdata).index("ΔUA")] == pytest.approx(means["forget_gap"])
    assert list(times.x) == pytest.approx([means["relative_run_time"]])
    layout = drawing.wide()["layout"]
    assert [layout[axis]["title"]["text"] for axis in ("xaxis", "xaxis2")] == [
        "percentage points",
        "× oracle",
    ]


@pytest.mark.parametrize(("objective", "gaps"), [("pareto", None), ("average_gap", ["forget_gap", "minus_gap"])])
def test_a_score_in_which_a_gap_of_another_unit_is_has_no_unit(
    builder: RecordBuilder, objective: str, gaps: list[str] | None
) -> None:
    builder.measures = [{"name": "minus", "short": "Minus", "title": "Minus", "unit": "nats", "side": "forgetting"}]
    builder.spec["objective"] = {"name": objective, "gaps": gaps}
    gap = {"forget_gap": 1.0, "utility_gap": 1.0}
    builder.trial("evaluation", "sure", value=1.0, metrics=gap, curve=[gap])
    assert objective != "pareto" or score_unit(builder.record()) == POINTS
    gap |= {"minus_gap": 1.0}
    builder.trial("evaluation", "sure", value=1.0, metrics=gap, curve=[gap], forget_seed=1)
    assert score_unit(builder.record()) == ""


def test_the_dots_say_of_how_many_sets_each_is(builder: RecordBuilder) -> None:
    for method, seeds in (("sure", 3), ("finetune", 1)):
        for seed in range(seeds):
            metrics = {"forget_gap": 1.0, "retain_gap": 1.0, "utility_gap": 1.0, "relative_run_time": 0.1}
            builder.trial("evaluation", method, value=1.0, metrics=metrics, forget_seed=seed)
    drawing = figures.dot_plot(builder.record(), "random", STYLES)
    assert drawing is not None
    assert drawing.note.startswith("Means over n = 1 to 3 forget sets.")


def test_the_ring_is_at_the_stop_epoch(full_record: SweepRecord) -> None:
    drawing = figures.accuracy_curves(full_record, "random", STYLES)
    assert drawing is not None
    assert "Ringed: the stop epoch, at which the other numbers stand." in drawing.note
    rings = [list(t.x) for t in figures.figure_of(drawing.wide()).data if t.mode == "markers"]
    assert rings
    assert all(ring == [2] for ring in rings)


def test_the_lines_of_a_study_are_its_completed_trials(full_record: SweepRecord) -> None:
    drawing = figures.gap_curves(full_record, "search", "random", "finetune")
    assert drawing is not None
    assert "Thin: the n = 3 completed trials" in drawing.note
    assert drawing.note.endswith("thick: the best trial.")
    drawing = figures.gap_curves(full_record, "evaluation", "random", "finetune")
    assert drawing is not None
    assert "thick: the mean at forget size 100" in drawing.note


def test_the_mean_of_many_trials_is_of_all_and_not_of_those_drawn(builder: RecordBuilder) -> None:
    for seed in range(60):
        gap = {"forget_gap": float(seed)}
        builder.trial("evaluation", "sure", value=seed, metrics=gap, forget_seed=seed, curve=[gap])
    drawing = figures.gap_curves(builder.record(), "evaluation", "random", "sure")
    assert drawing is not None
    thin, thick = drawing.wide()["data"]
    assert thick["y"] == [29.5]
    assert [y for y in thin["y"] if y is not None] == list(range(40))


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_band_of_mean_ranks_holds_equal_methods(n: int) -> None:
    """Nemenyi's band and Friedman's p of nine equal methods: each errs in 5 % at most (but for chance of the simulation)."""
    rng, repeats = np.random.default_rng(n), 400
    outside = rejected = 0
    band = critical_difference(9, n)
    for _ in range(repeats):
        x = rng.normal(size=(n, 9))
        ranks = pd.DataFrame(x).rank(axis=1).mean()
        outside += ranks.max() - ranks.min() > band
        rejected += stats.friedmanchisquare(*x.T).pvalue < 0.05
    most = stats.binom.ppf(0.999, repeats, 0.05)
    assert outside <= most
    assert rejected <= most


def test_two_methods_have_no_band_of_mean_ranks(builder: RecordBuilder) -> None:
    """Of two equal methods one is ahead on all of four forget sets in an eighth of cases, which the band would call told."""
    assert critical_difference(2, 4) < 1  # by as much their ranks then differ
    for method, value in (("sure", 1.0), ("finetune", 2.0), ("neg_grad_plus", 3.0)):
        drawing = figures.mean_ranks(builder.record(), "random", STYLES)
        assert drawing is None or (
            "Nemenyi" not in drawing.note and not figures.figure_of(drawing.wide()).layout.shapes
        )
        for seed in range(4):
            builder.trial("evaluation", method, value=value + 0.1 * seed, forget_seed=seed)
    drawing = figures.mean_ranks(builder.record(), "random", STYLES)
    assert drawing is not None
    assert "Nemenyi" in drawing.note
    assert len(figures.figure_of(drawing.wide()).layout.shapes) == 1


def test_the_sides_that_a_trade_off_names(full_record: SweepRecord) -> None:
    drawing = figures.trade_off(full_record, "random", STYLES)
    assert drawing is not None
    assert "the utility gap is the mean of ΔUtility, ΔRA" in drawing.note
    assert "the forgetting gap is the mean of ΔUA, ΔMIA-I" in drawing.note
    assert "Winners: means and, small, the single runs: forget sets, forget size 100." in drawing.note
    assert frames.sides(full_record, ["forget_gap", "mia_loss_gap", "retain_gap", "utility_gap"]) == {
        "utility": ["utility_gap", "retain_gap"],
        "forgetting": ["forget_gap", "mia_loss_gap"],
    }


def test_top5_of_runs_with_fewer_epochs_is_the_mean_of_all(full_record: SweepRecord) -> None:
    table = tables.top5_table(full_record, "random")
    assert table is not None
    assert any("Runs have 3 epochs: top-5 is the mean of all of them." in note for note in table.notes)


def test_what_is_told_better_in_a_measure_is_told_there(builder: RecordBuilder) -> None:
    for seed in range(4):
        noise = 0.01 * seed**2
        for method, score, gap in (("sure", 1.0, 9.0), ("finetune", 5.0, 2.0)):
            metrics = {"forget_gap": gap + noise * (method == "sure"), "utility_gap": 1.0}
            builder.trial("evaluation", method, value=score + noise, metrics=metrics, forget_seed=seed)
    sentences = verdict(builder.record(), "random").sentences
    assert "Better than it in a single measure, each told apart at 5 %: ΔUA: FineTune (2.00 ± 0)." in sentences
    assert "Told apart from every other method." in sentences


def test_of_two_that_are_best_elsewhere_the_one_that_was_compared_is_told(builder: RecordBuilder) -> None:
    """SCRUB's mean is FineTune's, yet it is not told apart from SURE."""
    for seed, wild in enumerate((0.0, 0.0, 0.0, 8.0)):
        noise = 0.01 * seed**2
        for method, score, gap in (("sure", 1.0, 9.0 + noise), ("scrub", 5.0, wild), ("finetune", 5.0, 2.0)):
            metrics = {"forget_gap": gap, "utility_gap": 1.0}
            builder.trial("evaluation", method, value=score + noise, metrics=metrics, forget_seed=seed)
    sentences = verdict(builder.record(), "random").sentences
    assert "Better than it in a single measure, each told apart at 5 %: ΔUA: FineTune (2.00 ± 0)." in sentences


def test_a_search_alone_tells_no_methods_apart(builder: RecordBuilder) -> None:
    builder.trial("search", "sure", value=1.5)
    builder.trial("search", "finetune", value=9.0)
    answer = verdict(builder.record(), "random")
    assert answer.method is None
    assert answer.sentences == (
        "Least score of a search: SURE, 1.50 points, of one forget set: it flatters, and tells no methods apart.",
    )


def test_status_says_what_is_told_apart_and_what_is_needed(builder: RecordBuilder) -> None:
    scores = {"sure": (1.0, 1.1, 0.9, 1.0), "scrub": (1.2, 0.9, 1.3, 0.9), "finetune": (9.0, 9.2, 8.9, 9.1)}
    for method, values in scores.items():
        builder.planned["evaluation", "random", method] = 4
        for seed, value in enumerate(values):
            builder.trial("evaluation", method, value=value, forget_seed=seed)
    told, needed = answers(builder.record(), whole=False)
    assert told.startswith("random: sure is told apart from finetune (5 % level), not from scrub; 4 forget sets tell")
    assert told.endswith("at 80 % power")
    assert needed.startswith("random: about ")
    assert (
        "more forget sets would tell scrub from sure, if the present difference is the true one: "
        "sweeps evaluate tiny --set evaluation.seeds="
    ) in needed
    assert "4 forget sets tell differences of about 0." in told


def test_status_where_nothing_can_be_told(builder: RecordBuilder) -> None:
    for method in ("sure", "finetune"):
        builder.planned["evaluation", "random", method] = 4
        for seed in range(2):
            builder.trial("evaluation", method, value=1.0 + seed, forget_seed=seed)
    (line,) = answers(builder.record(), whole=False)
    assert line == (
        "random: nothing is told apart on 2 forget sets, at least 3 are needed: sweeps evaluate tiny --set evaluation.seeds=3"
    )


def test_what_is_needed_of_given_parameters_gives_them_again(builder: RecordBuilder) -> None:
    """Without them it would evaluate what was searched, or nothing."""
    for method in ("sure", "finetune"):
        builder.planned["evaluation", "random", method] = 2
        for seed in range(2):
            builder.trial("evaluation", method, value=1.0 + seed, forget_seed=seed)
    typed = ["sweeps evaluate tiny --params p.yaml --set evaluation.seeds=2 --retry-failed"]
    (line,) = answers(replace(builder.record(), provenance={"commands": typed}), whole=False)
    assert line.endswith("are needed: sweeps evaluate tiny --params p.yaml --set evaluation.seeds=3")


def test_status_where_all_is_told_and_where_nothing_is(builder: RecordBuilder) -> None:
    for method, level in (("sure", 1.0), ("finetune", 9.0)):
        builder.planned["evaluation", "random", method] = 4
        for seed in range(4):
            builder.trial("evaluation", method, value=level + 0.01 * seed, forget_seed=seed)
    (line,) = answers(builder.record(), whole=False)
    assert line.startswith("random: sure is told apart from finetune (5 % level), so from every other method; ")
    for seed, value in enumerate((9.0, -7.0, 9.0, -7.0)):
        builder.trial("evaluation", "scrub", value=1.0 + value, forget_seed=seed)
        builder.trial("evaluation", "finetune", value=1.0 + 0.02 * (-1) ** seed, forget_seed=seed)
    assert next(iter(answers(builder.record(), whole=False))).startswith(
        "random: no method is told apart (5 % level); "
    )


@pytest.mark.parametrize(
    ("winner", "origin"),
    [
        (Winner({"lr": 0.1}, 2, "search"), "as the search found them; it rests on one draw"),
        (Winner({"lr": 0.1}, 2, "confirmation", 3), "as they were confirmed on further tuning forget sets"),
        (Winner({"lr": 0.1}, None, "given"), "as they were given"),
    ],
)
def test_a_studys_note_says_where_its_parameters_come_from(builder: RecordBuilder, winner: Winner, origin: str) -> None:
    assert "No trial is complete yet." in study_note(builder.record(), ("search", "random", "sure"))
    builder.trial("search", "sure", value=1.25, hp={"lr": 0.1})
    builder.winners = {"random": {"sure": winner}}
    note = study_note(builder.record(), ("search", "random", "sure"))
    assert "Best average gap of the search: 1.25 (trial 0)." in note
    assert f"Evaluated are, {origin}:" in note


def test_a_studys_note_says_over_what_it_averages(builder: RecordBuilder) -> None:
    for seed, value in enumerate((1.0, 3.0)):
        builder.trial("evaluation", "sure", value=value, metrics={"forget_gap": value}, forget_seed=seed, stop_epoch=2)
    note = study_note(builder.record(), ("evaluation", "random", "sure"))
    assert "Mean ± std over forget sets, at the stop epoch; lower is nearer to the oracle." in note
    assert f"| 100 | 2.0 ± {math.sqrt(2):.1f} | 2.0 ± 1.4 | 2 |" in note


def test_runs_repeated_on_each_forget_set_are_counted_so(builder: RecordBuilder) -> None:
    for seed in range(2):
        for run in range(3):
            builder.trial("evaluation", "sure", value=1.0 + seed + run, forget_seed=seed, run=run)
    table = tables.stability_table(builder.record(), "random")
    assert table is not None
    assert table.notes[0] == "Mean ± std over runs, 3 on each forget set (n)."
    assert [c.text for c in table.rows[0].cells][-1] == "6"


def test_an_unfinished_search_is_no_evaluation(builder: RecordBuilder) -> None:
    builder.trial("search", "sure", value=1.0, hp={"lr": 1})
    for seed in range(3):
        builder.trial("evaluation", "sure", value=2.0, forget_seed=seed, overlap=0.25)
    table = tables.optimism_table(builder.record(), "random")
    assert table is not None
    assert table.notes[-2:] == [
        "Evaluated: on forget sets, test images, at the stop epoch; it decides nothing.",
        "On average 25 % of these forget sets' samples are in tuning sets too.",
    ]


def test_an_evaluation_in_hindsight_decides_the_epochs(builder: RecordBuilder) -> None:
    builder.spec["protocol"] = "paper"
    builder.in_hindsight = True
    builder.trial("search", "sure", value=1.0, hp={"lr": 1})
    builder.trial("evaluation", "sure", value=2.0)
    table = tables.optimism_table(builder.record(), "random")
    assert table is not None
    assert "Evaluated: on forget sets, test images, in hindsight; it decides each run's epoch." in table.notes


def test_a_block_without_its_measure_says_why(builder: RecordBuilder) -> None:
    builder.best = {"random": {"sure": {"lr": 0.01, "alpha": 0.5}, "finetune": {"lr": 0.01}}}
    builder.trial("evaluation", "sure", value=1.0, metrics={"forget_gap": 1.0})
    builder.planned["evaluation", "random", "sure"] = 1
    for lr in (0.01, 0.012):
        builder.trial("sensitivity", "sure", hp={"lr": lr, "alpha": 0.5}, metrics={"forget_gap": 100 * lr})
    blocks = {b.title: b for b in scenario_section(builder.record(), "random", STYLES).blocks}
    attacks = blocks["Membership inference attacks"]
    assert (attacks.parts, attacks.missing) == ((), "The evaluation trials of this scenario do not hold this measure.")
    assert blocks["Told apart"].missing == "Nothing to compare: one method alone is evaluated."
    absent = "No grid round the tuned values was planned or completed for: FineTune."
    assert blocks["Sensitivity"].missing == absent


def test_a_scenario_without_sizes_is_called_so(builder: RecordBuilder) -> None:
    builder.spec["scenarios"] = {"full_class": {}}
    assert frames.size_label(builder.record(), "full_class") == "all that the scenario forgets"


def test_equal_sweeps_differ_in_nothing(builder: RecordBuilder) -> None:
    builder.trial("evaluation", "sure", value=1.0, metrics={"forget_gap": 1.0})
    table = _settings({"a": builder.record(), "b": builder.record()})
    assert table.rows == ()
    assert list(table.notes) == ["Nothing: the sweeps are equal in every setting."]


def test_scenarios_that_repeat_different_things_are_named_with_them(builder: RecordBuilder) -> None:
    builder.spec["scenarios"] = {"random": {"tune_size": 100}, "full_class": {"tune_size": 100}}
    for scenario in builder.spec["scenarios"]:
        for number in range(2):
            builder.trial("evaluation", "sure", value=1.0, scenario=scenario, forget_seed=number, run=number)
    table = tables.score_table(builder.record())
    assert table is not None
    assert (
        "Mean ± std over evaluations (Random: forget sets; Full class: runs on the one forget set) (n = 2)."
        in table.notes
    )
    builder.trial("evaluation", "sure", value=1.0, forget_seed=2)
    table = tables.score_table(builder.record())
    assert table is not None
    assert table.notes[0].endswith(" (n: Random 3, Full class 2).")


def test_several_sweeps_say_what_their_n_counts(builder: RecordBuilder) -> None:
    builder.spec["scenarios"] = {"full_class": {"tune_size": 100}}
    for run in range(2):
        builder.trial("evaluation", "sure", value=1.0, metrics={"forget_gap": 1.0}, scenario="full_class", run=run)
    record = builder.record()
    (block,) = compared_section({"a": record, "b": record}, "full_class", STYLES).blocks
    drawing, table = block.parts
    assert isinstance(table, Table)
    assert isinstance(drawing, Drawing)
    assert table.notes[0].startswith("Mean ± std over n runs on the one forget set, in the order a, b;")
    assert drawing.note.startswith(
        "Mean ± std (cut at 0) over n = 2 runs on the one forget set, each sweep at its own size."
    )


def test_a_score_of_two_directions_names_both(builder: RecordBuilder) -> None:
    builder.spec["objective"] = {"name": "pareto"}
    gaps = {"forget_gap": 1.0, "utility_gap": 2.0, "retain_gap": 3.0}
    builder.trial("search", "sure", value=1.75, metrics=gaps, curve=[gaps])
    said = "mean of the utility gap (ΔUtility, ΔRA) and the forgetting gap (ΔUA)"
    assert frames.score_definition(builder.record(), "random") == said
    assert Objective("pareto").score(gaps) == 1.75
