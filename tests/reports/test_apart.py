"""What is told apart, what could have been, what is needed; and what scores vary with."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from reports import figures, frames, tables
from reports.notes import study_note
from reports.sampled import counted, overlap_sentence, sampled
from reports.styles import method_styles
from reports.summary import verdict
from reports.told import needed_sentence, power_sentence, rivals_sentence
from sweeps.cli.answers import answers
from sweeps.cli.results import _rows
from sweeps.record import SweepRecord, Winner, compare, evaluations, score_rounding, told_apart
from sweeps.record.best_params import best_params
from sweeps.record.rounding import image_step, images_of
from sweeps.record.statistics import LEVEL, least_difference
from tests.reports.conftest import RecordBuilder, new_builder


def evaluate(builder: RecordBuilder, **scores: tuple[float, ...]) -> None:
    for method, values in scores.items():
        for seed, value in enumerate(values):
            builder.trial("evaluation", method, value=value, forget_seed=seed)


def test_a_near_rival_a_far_one_and_what_the_near_one_needs(builder: RecordBuilder) -> None:
    evaluate(builder, sure=(1.0, 1.1, 0.9, 1.0), scrub=(1.2, 0.9, 1.3, 0.9), finetune=(9.0, 9.2, 8.9, 9.1))
    found = told_apart(builder.record(), "random")
    assert found is not None
    assert (found.best, found.unit, found.units, found.apart, found.not_apart) == (
        "sure",
        "forget set",
        4,
        ["finetune"],
        ["scrub"],
    )
    near, far = found.rivals
    d = np.array([0.2, -0.2, 0.4, -0.1])
    assert (near.difference, near.spread) == (pytest.approx(d.mean()), pytest.approx(d.std(ddof=1)))
    # both other pairs are told, so this one is alone and must pass the whole level
    assert near.least == pytest.approx(least_difference(near.spread, 4, LEVEL))
    assert near.needed is not None
    assert least_difference(near.spread, near.needed, LEVEL) <= near.difference
    assert far.difference > far.least
    more = near.needed - 4
    command = f"sweeps evaluate tiny --set evaluation.seeds={near.needed}"
    said = (
        f"About {more} more forget sets would tell SCRUB from it, if the present difference is the true one: {command}"
    )
    assert said in verdict(builder.record(), "random").sentences
    table = tables.apart_table(builder.record(), "random")
    assert table is not None
    assert [[c.text for c in row.cells][2] for row in table.rows] == ["no", "yes"]
    assert [c.text for c in table.rows[0].cells][4:] == [str(more), "4"]
    assert said in table.notes


def test_one_image_more_on_each_of_three_forget_sets_is_no_proof(builder: RecordBuilder) -> None:
    """Of ten images one is 10 points: one step three times over is no proof, however little the fine gaps beside it vary."""
    builder.spec["scenarios"] = {"random": {"tune_size": 10, "sizes": [10]}}
    for method, missed in (("sure", 0), ("scrub", 1)):
        for seed, fine in enumerate((0.1, 0.2, 0.15)):
            metrics = {"forget_accuracy": 100.0 - 10 * missed, "forget_gap": 10.0 * missed}
            metrics |= {"retain_accuracy": 99 - fine * (1 + missed / 9), "retain_gap": fine * (1 + missed / 9)}
            value = (metrics["forget_gap"] + metrics["retain_gap"]) / 2
            builder.trial("evaluation", method, value=value, metrics=metrics, size=10, forget_seed=seed)
    record = builder.record()
    found = told_apart(record, "random")
    assert found is not None
    assert found.not_apart == ["scrub"]
    assert found.rivals[0].spread == pytest.approx(5 / math.sqrt(6), rel=1e-3)
    assert frames.metric_summary(record, "random", ["score"]).set_index("method").loc["scrub", "tied"]


@pytest.mark.parametrize(("size", "sets"), [(5, 3), (10, 3), (10, 4)])
def test_equal_methods_on_few_images_are_told_apart_in_five_per_cent_at_most(size: int, sets: int) -> None:
    """Nine methods of equal accuracies, the score the mean of a coarse gap and two fine ones."""
    rng, repeats, told = np.random.default_rng(size + sets), 120, 0
    record, seeds = new_builder().record(), np.repeat(range(sets), 9)
    for _ in range(repeats):
        rows = pd.DataFrame({"seed": seeds, "method": np.tile(range(9), sets), "forget_size": size})
        for name, images, share in (("forget", size, 0.8), ("heldout", 360, 0.97), ("retain", 1200, 0.999)):
            oracles = 100 * rng.binomial(images, share, sets)[seeds] / images
            rows[f"metric.{name}_accuracy"] = 100 * rng.binomial(images, share, len(rows)) / images
            gap = "utility" if name == "heldout" else name
            rows[f"metric.{gap}_gap"] = (rows[f"metric.{name}_accuracy"] - oracles).abs()
        rows["score"] = rows.filter(like="_gap").mean(axis=1)
        verdicts = compare(rows.pivot(index="seed", columns="method", values="score"), score_rounding(record, rows))
        told += bool((~verdicts["best"] & ~verdicts["tied"]).any())
    assert told / repeats <= LEVEL


def test_one_image_is_worth_no_more_than_it_is_where_few_values_are_seen(builder: RecordBuilder) -> None:
    """All right or all wrong on 80 images: one image is worth 1.25 points of it, not the 100 that lie between the values seen."""
    for method, accuracy in (("sure", 0.0), ("scrub", 100.0)):
        for seed in range(3):
            metrics = {"forget_accuracy": accuracy, "forget_gap": accuracy}
            builder.trial("evaluation", method, value=accuracy, metrics=metrics, forget_seed=seed, size=80)
    builder.spec["objective"] = {"name": "average_gap", "gaps": ["forget_gap"]}
    record = builder.record()
    rows = evaluations(record, "random")
    assert image_step("forget_accuracy", rows["metric.forget_accuracy"], 80) == 1.25
    assert score_rounding(record, rows) == pytest.approx(1.25 / math.sqrt(6))
    found = told_apart(record, "random")
    assert found is not None
    assert found.apart == ["scrub"]
    assert found.rivals[0].spread == pytest.approx(1.25 / math.sqrt(6))


def test_what_is_measured_at_one_epoch_alone_is_not_in_the_mean_that_an_image_moves(builder: RecordBuilder) -> None:
    builder.spec["objective"] = {"name": "average_gap", "gaps": ["forget_gap", "mia_knn_forget_gap"]}
    for seed in range(3):
        metrics = {
            "forget_accuracy": 50.0,
            "forget_gap": 50.0,
            "mia_knn_forget": 50.0,
            "mia_knn_forget_gap": 10.0 * seed,
        }
        curve = [{"forget_gap": 50.0}]
        builder.trial("evaluation", "sure", value=50.0, metrics=metrics, forget_seed=seed, size=80, curve=curve)
    record = builder.record()
    assert score_rounding(record, evaluations(record, "random")) == pytest.approx(1.25 / math.sqrt(6))


@pytest.mark.parametrize(("values", "step"), [([97.5, 97.5], 2.5), ([90.0, 95.0], 5.0), ([0.0, 100.0], 0.0), ([], 0.0)])
def test_right_and_wrong_on_all_images_are_values_too(values: list[float], step: float) -> None:
    assert image_step("heldout_accuracy", pd.Series(values, dtype=float), None) == pytest.approx(step)


@pytest.mark.parametrize(
    ("name", "part", "step"),
    [
        ("heldout_accuracy", "dev", 5.0),
        ("heldout_accuracy", "test", 2.0),
        ("class_accuracy", "dev", 12.5),
        ("class_accuracy", "test", 10.0),
        ("retain_accuracy", "test", 1.25),
        ("forget_accuracy", "test", 2.5),
    ],
)
def test_one_image_is_counted_by_how_many_there_are(
    builder: RecordBuilder, name: str, part: Literal["dev", "test"], step: float
) -> None:
    """Half right and all right: between the two values lie ten images of twenty, and not one."""
    builder.images = {"train": 120, "dev": 20, "test": 50}
    builder.class_images = {"random": {"dev": 8, "test": 10}}
    images = images_of(builder.record(), "random", name, 40, part)
    assert image_step(name, pd.Series([50.0, 100.0]), images) == pytest.approx(step)


def test_equal_scores_are_never_told(builder: RecordBuilder) -> None:
    evaluate(builder, sure=(1.0, 2.0, 3.0), finetune=(1.0, 2.0, 3.0))
    answer = verdict(builder.record(), "random")
    assert answer.method is None
    assert any(s.startswith("No 1000 forget sets or fewer would") for s in answer.sentences)
    assert "SURE has the same mean." in answer.sentences
    assert {row[1]: row[3] for row in _rows(builder.record(), "random")} == {"finetune": "least", "sure": "least"}
    evaluate(builder, scrub=(1.0, 3.0, 2.0), ssd=(1.0, 2.0, 3.1))
    assert "SCRUB and SURE have the same mean." in verdict(builder.record(), "random").sentences
    assert {row[3] for row in _rows(builder.record(), "random") if row[1] == "ssd"} == {"no"}


def test_several_trainings_are_the_observations(builder: RecordBuilder) -> None:
    rng = np.random.default_rng(0)
    for training in range(3):
        for seed in range(4):
            for method, level in (("sure", 1.0), ("finetune", 3.0)):
                value = level + training * (method == "sure") + 0.01 * float(rng.normal())
                builder.trial("evaluation", method, value=value, forget_seed=seed, training=training)
    record = builder.record()
    found = told_apart(record, "random")
    assert found is not None
    assert (found.unit, found.units, found.key) == ("training", 3, "evaluation.trainings")
    assert found.apart == []  # told by far on twelve forget sets, were each a witness of its own
    assert sampled(record, "random").nouns == "runs: 3 trainings, 4 forget sets each"
    assert (
        "12 runs (3 trainings, 4 forget sets each), fresh forget sets of 100" in verdict(record, "random").sentences[0]
    )


def test_full_class_repeats_runs_on_its_one_forget_set(builder: RecordBuilder) -> None:
    builder.spec["scenarios"] = {"full_class": {"tune_size": 100, "sizes": [100]}}
    for run in range(3):
        for method, level in (("sure", 1.0), ("finetune", 9.0)):
            builder.trial("evaluation", method, value=level + run / 10, scenario="full_class", run=run)
    record = builder.record()
    found = told_apart(record, "full_class")
    assert found is not None
    assert (found.unit, found.units, found.key) == ("run", 3, "evaluation.seeds")
    sentences = verdict(record, "full_class").sentences
    assert "over 3 runs on the one forget set of 100" in sentences[0]
    assert "fresh" not in " ".join(sentences)
    assert sentences[1] == "There is one forget set, and what varies is the run."
    builder.winners = {"full_class": {"sure": Winner({"lr": 0.1}, 2, "confirmation", 2)}}
    builder.trial("search", "sure", value=0.5, hp={"lr": 0.1}, scenario="full_class")
    for seed in (1, 2):
        scores = [{"score": 2.0}, {"score": 1.0}]
        builder.trial(
            "confirmation", "sure", hp={"lr": 0.1}, value=1.0, scenario="full_class", forget_seed=seed, curve=scores
        )
    record = builder.record()
    shared = "There is one forget set: search and evaluation share it and an oracle of it, and what varies is the run."
    again = "in further runs on the one forget set, against the same oracle"
    table = tables.optimism_table(record, "full_class")
    assert table is not None
    assert shared in table.notes
    assert any(note.startswith(f"Confirmed: {again}, dev images") for note in table.notes)
    assert f"Evaluated are, as they were confirmed {again}:" in study_note(record, ("search", "full_class", "sure"))
    builder.spec |= {"dataset": {"name": "digits"}, "methods": {"sure": {}, "finetune": {}}}
    told = best_params(builder.record())["scores"]["full_class"]["sure"]
    assert told["stop_epoch_rests_on"] == "2 runs on the one forget set"
    builder.trial("evaluation", "sure", value=1.0, scenario="full_class", training=1)
    assert overlap_sentence(builder.record(), "full_class").endswith("what varies is the run and the training.")


@pytest.mark.parametrize(
    ("overlap", "named"),
    [(0.0, "3 fresh forget sets of 100"), (0.125, "3 forget sets of 100"), (math.nan, "3 forget sets of 100")],
)
def test_fresh_is_what_no_tuning_set_holds(builder: RecordBuilder, overlap: float, named: str) -> None:
    for seed in range(3):
        builder.trial("evaluation", "sure", value=1.0, forget_seed=seed, overlap=overlap)
    record = builder.record()
    assert counted(record, "random", 3, 100) == named
    told = "On average 12 % of these forget sets' samples are in tuning sets too."
    assert overlap_sentence(record, "random") == (told if overlap > 0 else "")


def test_records_of_older_versions_have_none_of_the_new_columns(builder: RecordBuilder) -> None:
    evaluate(builder, sure=(1.0, 1.1, 0.9), finetune=(9.0, 9.2, 8.9))
    record = builder.record()
    new = ["training", "run", "oracles", "overlap", "in_first", "cost_of"]
    record = type(record)(**{**vars(record), "trials": record.trials.drop(columns=new)})
    found = told_apart(record, "random")
    assert found is not None
    assert (found.apart, found.units) == (["finetune"], 3)
    assert counted(record, "random", 3, None) == "3 forget sets"


@pytest.mark.parametrize("shape", [(60, 5, 2), (200, 4, 3)])
def test_variance_components_recover_what_was_put_in(shape: tuple[int, int, int]) -> None:
    truth = {"training": 4.0, "forget set": 1.0, "run": 0.25}
    rng = np.random.default_rng(0)
    trainings, sets, runs = shape
    index = pd.MultiIndex.from_product([range(trainings), range(sets), range(runs)])
    training, draw = (index.get_level_values(i).to_series(range(len(index))) for i in (0, 1))
    values = (
        math.sqrt(truth["training"]) * rng.normal(size=trainings)[:, None, None]
        + math.sqrt(truth["forget set"]) * rng.normal(size=(trainings, sets))[:, :, None]
        + math.sqrt(truth["run"]) * rng.normal(size=shape)
    )
    found = frames.components(training, draw, pd.Series(values.ravel()))
    for axis, variance in truth.items():
        assert found[axis] == pytest.approx(variance, rel=0.35)
    assert math.isnan(found["forget set and run"])


def test_variance_components_are_unbiased_at_three_trainings() -> None:
    rng, found = np.random.default_rng(1), []
    training, draw = pd.Series(np.repeat(range(3), 5)), pd.Series(np.tile(range(5), 3))
    for _ in range(300):
        values = 3 * rng.normal(size=3)[:, None] + rng.normal(size=(3, 5))
        found.append(frames.components(training, draw, pd.Series(values.ravel())))
    mean = pd.DataFrame(found).mean()
    assert mean["training"] == pytest.approx(9, rel=0.2)
    assert mean["forget set and run"] == pytest.approx(1, rel=0.1)


def test_what_the_design_cannot_tell_is_said(builder: RecordBuilder) -> None:
    evaluate(builder, sure=(1.0, 2.0, 3.0), finetune=(1.1, 2.0, 3.3), oracle=(0.1, 0.2, 0.3))
    record = builder.record()
    frame = frames.spread_by_axis(record, "random").set_index("method")
    assert frame.loc["sure", "forget set and run"] == pytest.approx(1.0)
    assert frame.loc["oracle", "forget set and run"] == pytest.approx(0.1)
    assert tables.spread_table(record, "random") is None
    table = tables.apart_table(record, "random")
    assert table is not None
    assert any(
        n.startswith("What varied is the forget set and the run, together, on one training;") for n in table.notes
    )
    assert table.notes[-1].endswith("evaluation.seeds=13")  # a command has no full stop: no sentence follows it


def test_on_several_trainings_run_once_the_two_inner_axes_stay_together(builder: RecordBuilder) -> None:
    for training in range(2):
        for seed in range(2):
            value = 10.0 * training + 4 * seed
            builder.trial("evaluation", "sure", value=value, forget_seed=seed, training=training)
    table = tables.spread_table(builder.record(), "random")
    assert table is not None
    assert [c.text for c in table.columns] == ["Method", "Training", "Forget set and run", "n"]
    assert [c.sort for c in table.rows[0].cells[1:3]] == [
        pytest.approx(math.sqrt(50 - 8 / 2)),
        pytest.approx(math.sqrt(8)),
    ]
    assert any("cannot be told apart (evaluation.runs: 2 would)" in note for note in table.notes)


def test_with_repeated_runs_it_tells_them(builder: RecordBuilder) -> None:
    for training in range(2):
        for seed in range(2):
            for run in range(2):
                value = 10.0 * training + 4 * seed + run
                builder.trial("evaluation", "sure", value=value, forget_seed=seed, run=run, training=training)
    table = tables.spread_table(builder.record(), "random")
    assert table is not None
    assert [c.text for c in table.columns] == ["Method", "Training", "Forget set", "Run", "n"]
    by_hand: dict[str, Any] = {"run": 0.5, "forget set": 8 - 0.25, "training": 50 - 8 / 2}
    assert [c.sort for c in table.rows[0].cells[1:4]] == [
        pytest.approx(math.sqrt(by_hand[axis])) for axis in ("training", "forget set", "run")
    ]
    assert table.notes[-1] == "The spread over trainings rests on 2 of them."


def failing(builder: RecordBuilder, *, seeds: int = 4) -> SweepRecord:
    """SURE and FineTune on all of the sets, SCRUB on the first alone: it failed on the others."""
    builder.spec["evaluation"] = {"seeds": seeds}
    for seed in range(seeds):
        for method, value in (("sure", 1.0), ("finetune", 5.0), ("scrub", 9.0)):
            builder.planned["evaluation", "random", method] = seeds
            ends = {"state": "FAIL"} if method == "scrub" and seed else {"value": value + 0.1 * seed}
            builder.trial("evaluation", method, forget_seed=seed, **ends)
    return builder.record()


def test_a_method_that_failed_on_some_sets_hides_nothing_of_the_others(builder: RecordBuilder) -> None:
    record = failing(builder)
    apart = told_apart(record, "random")
    assert apart is not None
    assert (apart.apart, apart.untested) == (["finetune"], ["scrub"])
    said = power_sentence(record, apart)
    assert said.startswith("Differences that 4 forget sets tell with 80 % probability")
    assert said.endswith("With SCRUB it shares fewer than 3 forget sets: nothing is told there.")
    lines = list(answers(record, whole=False))
    assert lines[0].startswith(
        "random: sure is told apart from finetune (5 % level), not from scrub; 4 forget sets tell"
    )
    assert lines[1] == "random: sure shares fewer than 3 forget sets with scrub: nothing is told there"


def test_sets_are_asked_for_beside_those_that_failed(builder: RecordBuilder) -> None:
    """Two more than the one that SCRUB shares are the seeds 4 and 5: on 1, 2 and 3 it has failed."""
    record = failing(builder)
    apart = told_apart(record, "random")
    assert apart is not None
    command = "sweeps evaluate tiny --set evaluation.seeds=6"
    assert needed_sentence(record, apart) == f"At least 2 more forget sets are needed to tell SCRUB from it: {command}"
    assert f"random: at least 2 more forget sets are needed to tell scrub from sure: {command}" in answers(
        record, whole=False
    )


def test_no_fewer_sets_are_asked_for_than_are_planned(builder: RecordBuilder) -> None:
    """Of eight sets that are planned two are done."""
    evaluate(builder, sure=(1.0, 2.0), finetune=(3.0, 5.0))
    builder.spec["evaluation"] = {"seeds": 8}
    record = builder.record()
    apart = told_apart(record, "random")
    assert apart is not None
    assert (
        needed_sentence(record, apart)
        == "At least 1 more forget set is needed: sweeps evaluate tiny --set evaluation.seeds=8"
    )


def lacking(builder: RecordBuilder) -> SweepRecord:
    """SURE has failed on the two hardest of five sets, and so has the least mean; FineTune is better wherever both ran."""
    builder.planned |= {("evaluation", "random", method): 5 for method in ("sure", "finetune", "scrub")}
    for seed, value in enumerate((1.0, 1.2, 1.1, 9.0, 9.3)):
        ends = {"state": "FAIL"} if seed > 2 else {"value": value + 0.5}
        builder.trial("evaluation", "sure", forget_seed=seed, **ends)
        builder.trial("evaluation", "finetune", value=value + 0.01 * seed, forget_seed=seed)
        builder.trial("evaluation", "scrub", value=value + 0.8 + 0.4 * (seed % 2), forget_seed=seed)
    return builder.record()


def test_a_least_mean_that_is_so_by_what_is_lacking_is_told(builder: RecordBuilder) -> None:
    record = lacking(builder)
    apart = told_apart(record, "random")
    assert apart is not None
    assert (apart.best, apart.ahead) == ("sure", ["finetune"])
    assert rivals_sentence(apart).endswith("On the forget sets that both have, these score less than it: FineTune.")
    line = "random: on the forget sets that both have, these score less than sure: finetune"
    assert line in answers(record, whole=False)
    table = tables.apart_table(record, "random")
    assert table is not None
    assert {row.method: row.cells[4].text == "–" for row in table.rows} == {"finetune": True, "scrub": False}
    scores = tables.score_table(record)
    assert scores is not None
    assert [row.cells[1].text for row in scores.rows] == ["1.60 ± 0.10 (n = 3)", "4 ± 4", "5 ± 4"]


def test_no_number_is_told_for_one_that_is_ahead(builder: RecordBuilder) -> None:
    """More sets would tell FineTune, the other way round: it is not true that no number of them would."""
    lacking(builder)
    builder.trials = [t for t in builder.trials if t["method"] != "scrub"]
    record = builder.record()
    apart = told_apart(record, "random")
    assert apart is not None
    assert apart.not_apart == apart.ahead == ["finetune"]
    assert needed_sentence(record, apart) == ""
    builder.trials = [t for t in builder.trials if t["method"] == "finetune" or t["forget_seed"] < 2]
    record = builder.record()
    apart = told_apart(record, "random")
    assert apart is not None
    assert (apart.ahead, apart.untested) == (["finetune"], ["finetune"])
    assert needed_sentence(record, apart).startswith("At least 1 more forget set is needed")


def test_runs_are_counted_with_all_that_they_repeat(builder: RecordBuilder) -> None:
    for training in range(2):
        for seed in range(3):
            for run in range(2):
                for method in ("sure", "finetune", "scrub"):
                    lost = method == "sure" and seed == 2
                    ends = {"state": "FAIL"} if lost else {"value": 1.0 + (method != "sure") + 0.1 * seed + 0.01 * run}
                    builder.trial("evaluation", method, forget_seed=seed, training=training, run=run, **ends)
    record = builder.record()
    assert sampled(record, "random").nouns == "runs: 2 trainings, 3 forget sets each, 2 on each"
    said = "8 of 12 runs (2 trainings, 3 forget sets each, 2 on each), fresh forget sets of 100"
    assert said in verdict(record, "random").sentences[0]
    builder.trials = [t for t in builder.trials if t["training"] == 0]
    record = builder.record()
    assert "4 of 6 runs (2 on each forget set)" in verdict(record, "random").sentences[0]
    ranks = figures.mean_ranks(record, "random", method_styles(["sure", "finetune", "scrub"]))
    assert ranks is not None
    assert "over n = 2 forget sets on which every method was evaluated." in ranks.note


def test_costs_that_are_known_exactly_are_told_apart(builder: RecordBuilder) -> None:
    """0.20, 0.23 and 0.63 of the oracle's samples in every run: nothing of that is chance; of 80 images one is 1.25 points."""
    for method, cost, accuracy in (("sure", 0.2, 90.0), ("finetune", 0.23, 80.0), ("scrub", 0.63, 70.0)):
        for seed in range(3):
            metrics = {"relative_samples": cost, "forget_accuracy": accuracy, "forget_gap": 95.0 - accuracy}
            builder.trial("evaluation", method, value=1.0, metrics=metrics, forget_seed=seed, size=80)
    frame = frames.metric_summary(builder.record(), "random", ["relative_samples", "forget_gap"])
    assert not frame["tied"].any()
    assert frame.loc[frame["best"], "method"].tolist() == ["sure", "sure"]
