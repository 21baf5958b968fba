"""What a number is: each sentence where it is true, with the numbers that it names, and not where it is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from reports import figures, tables
from reports.caveats import (
    attack_chance_note,
    canary_sentence,
    cost_notes,
    cost_words,
    first_trials_sentence,
    floor_note,
    oracles_note,
    part_note,
    score_note,
)
from reports.format import Table
from reports.summary import verdict
from tests.reports.conftest import RecordBuilder
from unlearn.metrics.mia_loss import holdout_accuracy


def notes(table: Table | None) -> str:
    assert table is not None
    return " ".join(table.notes)


def evaluate(builder: RecordBuilder, method: str = "sure", **more: Any) -> None:
    for seed in range(3):
        metrics = {"forget_gap": 1.0, "relative_samples": 0.2, "relative_run_time": 0.3}
        builder.trial("evaluation", method, value=1.0, metrics=metrics, forget_seed=seed, **more)


@pytest.mark.parametrize(
    ("oracles", "said"),
    [
        (3, "Gaps are to the mean of 3 oracles a forget set."),
        (1, "Gaps are to one oracle a forget set: its own seed is in them."),
        (math.nan, "Gaps are to one oracle a forget set: its own seed is in them."),
    ],
)
def test_to_how_many_oracles(builder: RecordBuilder, oracles: Any, said: str) -> None:
    evaluate(builder, oracles=oracles)
    assert oracles_note(builder.record(), "random") == said
    assert said in notes(tables.stability_table(builder.record(), "random"))


def test_of_mixed_evaluations_both_numbers_are_named(builder: RecordBuilder) -> None:
    evaluate(builder, oracles=1)
    evaluate(builder, "finetune", oracles=3)
    assert oracles_note(builder.record(), "random") == "Gaps are to the mean of 1 to 3 oracles a forget set."


def test_on_how_many_retain_samples_a_search_is(builder: RecordBuilder) -> None:
    def searched(retain_samples: float) -> str:
        curve = [{"forget_gap": 1.0}]
        builder.trial(
            "search", "sure", value=1.0, metrics=curve[0], hp={"lr": 1}, curve=curve, retain_samples=retain_samples
        )
        return part_note(builder.record(), "random")

    assert part_note(builder.record(), "random") == searched(math.nan) == ""
    evaluate(builder, retain_samples=7)
    assert searched(math.nan) == ""  # it holds for searches alone
    builder.trials.clear()
    evaluate(builder, hp={"lr": 1}, curve=[{"forget_gap": 1.0}])
    assert searched(5000).startswith("In searches each epoch is measured on 5,000 retain samples")
    assert "on 400 or 5,000 retain samples" in searched(400)
    said = searched(math.nan)  # a method of one epoch, or the sweep went on with another number
    assert "on 400 or 5,000 or all retain samples" in said
    record = builder.record()
    for stage, expected in (("search", True), ("evaluation", False)):
        drawing = figures.gap_curves(record, stage, "random", "sure")
        assert drawing is not None
        assert (said in drawing.note) == expected
    builder.best = {"random": {"sure": {"lr": 1}}}
    assert said in notes(tables.optimism_table(builder.record(), "random"))


def test_the_floor_is_one_more_oracle_and_no_bound(builder: RecordBuilder) -> None:
    evaluate(builder)
    assert floor_note(builder.record(), "random") == ""
    evaluate(builder, "oracle")
    said = floor_note(builder.record(), "random")
    assert said.startswith("Noise floor: the gaps of one more oracle, of another seed. A method can lie below it")
    assert said in notes(tables.stability_table(builder.record(), "random"))


def test_a_floor_that_stops_like_a_winner_says_so(builder: RecordBuilder) -> None:
    evaluate(builder, "oracle", stop_epoch=3)
    assert "at the stop epoch" not in floor_note(builder.record(), "random")  # its last, which nothing chose
    builder.trial("confirmation", "oracle", value=1.0)
    assert ", at the stop epoch that its tuning sets chose." in floor_note(builder.record(), "random")


UA, UTILITY, RA, CTA, MIARS = "forget_gap", "utility_gap", "retain_gap", "class_test_gap", "mia_knn_forget_gap"


@pytest.mark.parametrize(
    ("gaps", "measured", "said"),
    [
        (
            [UA, UTILITY, RA],
            [UA, UTILITY, RA],
            "of ΔUA, ΔUtility, ΔRA (not the paper's, which has ΔMIARS-I too).",
        ),
        (
            [UA, UTILITY, RA, MIARS],
            [UA, UTILITY, RA, MIARS],
            "the mean of ΔUA, ΔUtility, ΔRA, ΔMIARS-I (as in the paper).",
        ),
        # asked for, but measured at the chosen epoch only: it did not enter
        (
            [UA, UTILITY, RA, MIARS],
            [UA, UTILITY, RA],
            "of ΔUA, ΔUtility, ΔRA (not the paper's, which has ΔMIARS-I too).",
        ),
        # with a class the paper has the class's test accuracy too
        (
            [UA, UTILITY, RA, MIARS],
            [UA, UTILITY, RA, CTA, MIARS],
            "ΔUA, ΔUtility, ΔRA, ΔMIARS-I (not the paper's, which has ΔCTA too).",
        ),
        (
            [UA, UTILITY, RA, CTA, MIARS],
            [UA, UTILITY, RA, CTA, MIARS],
            "ΔUA, ΔUtility, ΔRA, ΔCTA, ΔMIARS-I (as in the paper).",
        ),
    ],
)
def test_which_gaps_an_average_gap_is_of(
    builder: RecordBuilder, gaps: list[str], measured: list[str], said: str
) -> None:
    builder.spec["objective"] = {"name": "average_gap", "gaps": gaps}
    builder.trial(
        "evaluation", "sure", value=1.0, metrics=dict.fromkeys(measured, 1.0), curve=[dict.fromkeys(measured, 1.0)]
    )
    assert score_note(builder.record(), "random").endswith(said)
    assert said in notes(tables.score_table(builder.record()))


def test_an_average_gap_of_fewer_gaps_at_a_small_size_says_so(builder: RecordBuilder) -> None:
    builder.spec["objective"] = {"name": "average_gap", "gaps": [UA, "mia_knn_forget_gap"]}
    for size, gaps in ((100, {UA: 1.0, "mia_knn_forget_gap": 9.0}), (4, {UA: 1.0})):
        builder.trial("evaluation", "sure", value=1.0, metrics=gaps, curve=[gaps], size=size)
    record = builder.record()
    said = "Average gap: at forget size 4 without ΔMIARS-I, which has no value there."
    assert said in notes(tables.stability_table(record, "random"))
    assert "which has no value there" not in notes(tables.score_table(record))  # of size 100 alone


def test_of_another_objective_nothing_is_said(builder: RecordBuilder) -> None:
    builder.spec["objective"] = {"name": "tow", "gaps": [UA]}
    builder.trial("evaluation", "sure", value=1.0, metrics={UA: 1.0}, curve=[{UA: 1.0}])
    assert score_note(builder.record(), "random") == ""


def test_what_run_times_count(builder: RecordBuilder) -> None:
    evaluate(builder)
    evaluate(builder, "scrub", cost_of="run")
    record = builder.record()
    assert cost_notes(record, "random") == [
        "Counted up to the stop epoch, which is known beforehand.",
        "Counted to the last epoch, for the epoch is chosen after the run: SCRUB.",
    ]
    assert "SCRUB." in notes(tables.run_time_table(record, "random"))
    assert (cost_words(record, "random", "sure"), cost_words(record, "random", "scrub")) == (
        "up to its stop epoch",
        "for the whole run",
    )
    assert "It took 0.30 ± 0 of the oracle's time, " in " ".join(verdict(record, "random").sentences)


@pytest.mark.parametrize("cost_of", ["epoch", None])
def test_what_run_times_of_older_versions_count(builder: RecordBuilder, cost_of: Any) -> None:
    evaluate(builder, cost_of=cost_of)
    (note,) = cost_notes(builder.record(), "random")
    assert note.startswith("Counted up to the epoch that the numbers are of, though it may have been chosen after")
    assert cost_words(builder.record(), "random", "sure") == "up to the epoch shown"


def test_a_time_that_is_left_out_is_explained(builder: RecordBuilder) -> None:
    said = "No time where the oracle was trained on another host or device, or by other resources.cuda_graphs."
    evaluate(builder)
    assert said not in cost_notes(builder.record(), "random")
    builder.trial("evaluation", "finetune", value=1.0, metrics={"relative_samples": 0.2})
    assert said in cost_notes(builder.record(), "random")


def test_what_chance_adds_to_attacks_on_few_samples(builder: RecordBuilder) -> None:
    """Half right: √(0.25 / 20) = 11 points from 20 decisions, √(0.25 / 10) = 16 from 10; from 200 and 100: 3.5 and 5."""
    for size in (100, 10):
        metrics = {"mia_loss": 50.0, "mia_loss_gap": 1.0, "mia_confidence": 50.0, "mia_confidence_gap": 1.0}
        builder.trial("evaluation", "sure", value=1.0, metrics=metrics, size=size)
    said = attack_chance_note(builder.record(), "random", [100, 10])
    assert said.endswith("at size 100 MIA-I ± 3.5, MIA-II ± 5; at size 10 MIA-I ± 11, MIA-II ± 16.")
    assert said in notes(tables.stability_table(builder.record(), "random"))
    assert "at size 100 MIA-I ± 3.5" in notes(tables.attack_table(builder.record(), "random"))


def test_chance_counts_no_more_unseen_images_than_there_are(builder: RecordBuilder) -> None:
    """Of a class with ten test images an attack takes ten of each kind: √(0.25 / 20) = 11 points, however many are forgotten."""
    builder.images, builder.class_images = {"test": 360}, {"random": {"dev": 4, "test": 10}}
    metrics = {"mia_loss": 50.0, "mia_loss_gap": 1.0, "mia_confidence": 50.0, "mia_confidence_gap": 1.0}
    builder.trial("evaluation", "sure", value=1.0, metrics=metrics, size=100)
    assert attack_chance_note(builder.record(), "random", [100]).endswith("at size 100 MIA-I ± 11, MIA-II ± 5.")
    builder.class_images = {}
    assert attack_chance_note(builder.record(), "random", [100]).endswith("at size 100 MIA-I ± 3.5, MIA-II ± 5.")


def test_that_chance_is_the_binomials() -> None:
    draws = np.random.default_rng(0).binomial(20, 0.5, 20_000) / 20
    assert 100 * draws.std() == pytest.approx(11.2, abs=0.2)


def test_of_an_attack_that_calls_most_samples_alike_it_is_less(builder: RecordBuilder) -> None:
    """Losses of 50 members and 50 others that are alike: normal ones, and ones of which a tenth of the others stand out."""
    rng = np.random.default_rng(0)

    def varies(outliers: float) -> float:
        found = []
        for _ in range(100):
            member, other = rng.normal(size=(2, 50)) * (0.01 if outliers else 1)
            found.append(holdout_accuracy(member, other + 3.0 * (rng.random(50) < outliers), rng))
        return float(np.std(found) / math.sqrt(np.mean(found) * (1 - np.mean(found)) / 100))

    assert varies(0) == pytest.approx(1, abs=0.2)
    assert varies(0.1) < 0.7
    metrics = {"mia_loss": 50.0, "mia_loss_gap": 1.0}
    builder.trial("evaluation", "sure", value=1.0, metrics=metrics, size=50)
    assert "roughly (binomial, points; less where" in attack_chance_note(builder.record(), "random", [50])


def test_an_attack_of_unknown_decisions_has_no_chance_named(builder: RecordBuilder) -> None:
    builder.measures = [{"name": "own", "short": "Own", "title": "Own attack", "family": "attack"}]
    builder.trial("evaluation", "sure", value=1.0, metrics={"own": 50.0, "own_gap": 1.0})
    assert attack_chance_note(builder.record(), "random", [100]) == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"canaries": 50}, "Tuning and evaluation forget the same 50 scrambled images."),
        ({"canaries": 50, "pool": 50}, "Tuning and evaluation forget the same 50 scrambled images."),
        ({"canaries": 50, "pool": 50, "rules": 2}, "Tuning and evaluation forget the same 50 scrambled images."),
        (
            {"canaries": 30, "rules": 2},
            "Of up to 120 scrambled images that the original was trained on, each set forgets 30, "
            "in the evaluation others than in tuning, as far as they reach.",
        ),
        (
            {"canaries": 30, "pool": 120},
            "Of 120 scrambled images that the original was trained on, each set forgets 30, "
            "in the evaluation others than in tuning, as far as they reach.",
        ),
    ],
)
def test_which_scrambled_images_are_forgotten(builder: RecordBuilder, settings: dict[str, int], said: str) -> None:
    builder.spec["rules"] = settings.get("rules", 1)
    builder.spec["scenarios"] = {"canary": {"tune_size": 100, **settings}, "random": {"tune_size": 100}}
    builder.trial("evaluation", "sure", value=1.0, scenario="canary")
    record = builder.record()
    assert canary_sentence(record, "canary") == said
    assert said in verdict(record, "canary").sentences
    assert canary_sentence(record, "random") == ""


def test_where_searches_began(builder: RecordBuilder) -> None:
    builder.spec |= {"search": {"warm_start": ["published"]}, "dataset": {"name": "cifar10"}}
    builder.trial("search", "sure", value=1.0)
    said = "The published values were no first trials, for they were chosen by the test set of cifar10."
    assert first_trials_sentence(builder.record(), "random") == said
    builder.spec["dataset"] = {"name": "digits"}
    assert first_trials_sentence(builder.record(), "random") == ""
    builder.trials[0]["origin"] = "warm start"
    builder.trial("evaluation", "sure", value=1.0)
    begun = "1 search trial was at values known beforehand (published), as far as the ranges hold them; the published values were"
    assert f"{begun} chosen by the test set of cifar10." in notes(tables.optimism_table(builder.record(), "random"))
    builder.spec["search"]["warm_start"] += ["mine.yaml"]  # which may have nothing of this scenario
    assert "at values known beforehand (published or mine.yaml), as" in first_trials_sentence(
        builder.record(), "random"
    )


def test_the_units_of_runs_are_counted_in_seeds(builder: RecordBuilder) -> None:
    builder.spec["scenarios"] = {"full_class": {"tune_size": 100}}
    builder.spec["evaluation"] = {"seeds": 1, "runs": 2}
    for method in ("sure", "finetune"):
        for run in range(2):
            builder.trial("evaluation", method, value=1.0 + run, scenario="full_class", run=run)
    sentences = verdict(builder.record(), "full_class").sentences
    assert "At least 1 more run is needed: sweeps evaluate tiny --set evaluation.seeds=2" in sentences
