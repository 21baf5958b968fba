"""What limits a sweep's answer: each remark where its fact holds, and nowhere else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reports import tables
from reports.summary import verdict
from sweeps.cli.answers import answers
from sweeps.record import Remark, SweepRecord, Winner, in_common, remarks
from sweeps.record.best_params import best_params
from sweeps.requests.choice import Configuration
from sweeps.requests.likeness import changed_code
from tests.reports.conftest import RecordBuilder, new_builder
from unlearn.gaps import Measures

LR = {"low": 0.001, "high": 0.1, "scale": "log"}
ALPHA = {"low": 0.1, "high": 0.999, "scale": "log_complement"}
BATCH = {"low": 8, "high": 256, "scale": "power_of_two"}
DECAY = {"low": 2, "high": 9, "scale": "linear"}
K = {"low": 1, "high": 8, "scale": "linear"}


def won(name: str, entry: dict[str, Any], value: float, **winner: Any) -> SweepRecord:
    builder = new_builder()
    builder.spec |= {"methods": {"sure": {name: entry}}, "unlearning": {"epochs": 10}, "dataset": {"name": "digits"}}
    builder.planned = {("search", "random", "sure"): 1}
    builder.trial("search", "sure", value=1.0, hp={name: value})
    builder.winners = {"random": {"sure": Winner({name: value}, **winner)}}
    return builder.record()


@pytest.mark.parametrize(
    ("name", "entry", "value", "remedy"),
    [
        ("lr", LR, 0.1, "raise methods.sure.lr.high"),
        ("lr", LR, 0.099, "raise methods.sure.lr.high"),
        ("lr", LR, 0.09, None),
        ("lr", LR, 0.001, "lower methods.sure.lr.low"),
        ("lr", LR, 0.01, None),
        ("alpha", ALPHA, 0.999, "raise methods.sure.alpha.high"),
        ("alpha", ALPHA, 0.99, None),
        ("alpha", ALPHA, 0.1, "lower methods.sure.alpha.low"),
        ("forget_batch_size", BATCH, 256, "raise methods.sure.forget_batch_size.high"),
        ("forget_batch_size", BATCH, 128, None),
        ("lr_decay_epoch", DECAY, 9, None),  # the last epoch but one of ten: no later decay has an effect
        ("lr_decay_epoch", DECAY, 2, "lower methods.sure.lr_decay_epoch.low"),
        ("k", K, 1, None),  # fewer than one layer there is not
        ("k", K, 8, "raise methods.sure.k.high"),
        ("lr_decay_epoch", {"low": 2, "high": 3, "scale": "linear"}, 2, None),  # of two values each is an end
        ("alpha", {"low": 0.0, "high": 1.0, "scale": "linear"}, 1.0, None),
        ("alpha", {"low": 0.0, "high": 1.0, "scale": "linear"}, 0.0, None),
        ("lr", {"low": 0.1, "high": 0.1, "scale": "log"}, 0.1, None),
    ],
)
def test_a_winner_at_the_end_of_its_range(name: str, entry: dict[str, Any], value: float, remedy: str | None) -> None:
    found = remarks(won(name, entry, value))
    assert [r.remedy for r in found] == ([remedy] if remedy else [])
    assert all(f"{name} = {value:.4g} is at the" in r.fact for r in found)


def test_given_parameters_are_nobodys_edge() -> None:
    assert remarks(won("lr", LR, 0.1, source="given")) == []


@pytest.mark.parametrize(("stop", "said"), [(10, True), (9, False), (None, False)])
def test_a_stop_at_the_last_epoch(stop: int | None, said: bool) -> None:
    found = remarks(won("lr", LR, 0.01, stop_epoch=stop))
    assert [r.remedy for r in found] == (["raise unlearning.epochs"] if said else [])


def test_epochs_of_a_method_s_own_are_raised_in_its_section() -> None:
    record = won("lr", LR, 0.01, stop_epoch=10)
    record.spec["methods"]["sure"]["epochs"] = 10
    assert [r.remedy for r in remarks(record)] == ["raise methods.sure.epochs"]


def test_an_edge_is_said_everywhere() -> None:
    record = won("lr", LR, 0.1)
    said = "lr = 0.1 is at the upper end of its range (0.001 … 0.1): raise methods.sure.lr.high"
    (limit,) = verdict(record, "random").limits
    assert limit.startswith("Winners at the end of a range (widen methods.<method>.<name>.low or .high;")
    assert limit.endswith("): SURE: lr = 0.1 (0.001 … 0.1).")
    assert best_params(record)["remarks"] == {"random/sure": [said]}
    assert f"note: random/sure: {said}" in list(answers(record, whole=True))
    assert "note: random: winners at the end of a range: sure lr; how to widen it: -v" in list(
        answers(record, whole=False)
    )
    table = tables.hyperparameter_table(record, "random")
    assert table is not None
    assert table.rows[0].cells[1].text == "0.1*"
    assert "* at the end of its range: what is better may lie beyond." in table.notes


def test_before_a_search_has_ended_there_are_no_winners() -> None:
    record = won("lr", LR, 0.1)
    record = replace(record, planned={**record.planned, ("search", "random", "sure"): 9})
    said = "note: random: the best so far lie at the end of a range: sure lr; how to widen it: -v"
    assert said in list(answers(record, whole=False))
    (limit,) = verdict(record, "random").limits
    assert limit.startswith("The best so far lie at the end of a range (widen")


def kinds(record: SweepRecord) -> list[tuple[str, str | None]]:
    return [(r.kind, r.method) for r in remarks(record)]


@pytest.fixture
def builder() -> RecordBuilder:
    return new_builder()


@pytest.fixture
def searched(builder: RecordBuilder) -> RecordBuilder:
    builder.spec["methods"] = {"sure": {}, "finetune": {}, "oracle": {}}
    for method in ("sure", "finetune"):
        builder.planned["search", "random", method] = 2
    builder.trial("search", "sure", value=0.5, hp={"lr": 1})
    builder.trial("search", "sure", value=3.0, hp={"lr": 2})
    builder.trial("search", "finetune", value=2.0, hp={"lr": 1})
    return builder


def test_a_least_of_several_trials_is_not_held_against_the_mean_of_the_noise_floor(searched: RecordBuilder) -> None:
    """Of eight trials that each score by a standard deviation worse, the least is below it in three searches of four."""
    for seed, value in enumerate((0.4, 0.8)):
        searched.trial("evaluation", "oracle", value=value, forget_seed=seed)
    assert remarks(searched.record()) == []
    assert not any("noise floor" in line for line in answers(searched.record(), whole=False))


def test_searches_of_unequal_budgets(searched: RecordBuilder) -> None:
    """One that is not done yet is no such thing, nor are two that both had more trials than are planned now."""
    assert remarks(searched.record()) == []
    searched.trial("search", "sure", value=4.0, hp={"lr": 3})
    record = searched.record()
    assert kinds(record) == [("uneven", None)]
    said = (
        "searches had budgets that are not equal (trials: sure 3, finetune 1), and more trials find better scores: "
        "give all of them as many (--set search.trials=3)"
    )
    assert str(remarks(record)[0]) == said
    assert f"note: random: {said}" in list(answers(record, whole=False))
    assert f"{said[0].upper()}{said[1:]}." in verdict(record, "random").limits
    searched.trial("search", "finetune", value=4.0, hp={"lr": 2})
    searched.trial("search", "finetune", state="FAIL", hp={"lr": 3})
    assert remarks(searched.record()) == []


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.8, 0.6), ("70 %", "18 %")),
        ((0.5, 0.5), ("50 %", "11 %")),
        ((0.4, 0.4), None),
        ((math.nan, math.nan), None),
        ((0.3,) * 4, ("30 %", "13 %")),  # of more sets already where they have less in common
        ((0.8,), None),  # two sets tell nothing apart
    ],
)
@pytest.mark.parametrize("scenario", ["random", "full_class"])
def test_forget_sets_that_mostly_repeat_each_other(
    builder: RecordBuilder, shares: tuple[float, ...], said: tuple[str, str] | None, scenario: str
) -> None:
    builder.planned = {("evaluation", scenario, "sure"): 3, ("evaluation", scenario, "scrub"): 3}
    for method in ("sure", "scrub"):
        for seed, share in enumerate((math.nan, *shares)):
            builder.trial("evaluation", method, value=1.0, scenario=scenario, forget_seed=seed, in_first=share)
    record = builder.record()
    found = [r for r in remarks(record) if r.kind == "alike"]
    expected = said is not None and scenario == "random"
    share, level = said or ("", "")
    for r in found:
        assert f"first forget set of 100 and another have {share} in common on average" in r.fact
        assert (
            f"two methods that are equal on all samples are told apart in up to {level} of such evaluations" in r.fact
        )
    assert len(found) == expected
    assert [f"note: random: {r}" in list(answers(record, whole=False)) for r in found] == [True] * expected
    seen = verdict(record, scenario)
    assert sum("and another have" in sentence for sentence in seen.sentences) == expected
    assert not any("in common" in limit for limit in seen.limits)
    assert in_common(record, "random", 30) is None


def test_a_group_that_repeats_itself_more_than_its_sets_do_is_what_misleads(builder: RecordBuilder) -> None:
    builder.planned = {("evaluation", "canary", "sure"): 8}
    for seed in range(8):
        shares = {} if seed == 0 else {"in_first": 0.25, "in_first_of": {"ood": 0.5, "in": 0.1}}
        builder.trial("evaluation", "sure", value=1.0, scenario="canary", forget_seed=seed, **shares)
    (found,) = (r for r in remarks(builder.record()) if r.kind == "alike")
    assert "have 25 % in common on average, and 50 % of the group ood, so that two methods" in found.fact
    assert "are told apart in up to 33 % of such evaluations" in found.fact
    assert found.remedy == "fewer samples of that group, or more to draw them from (canaries, pool, sizes)"


def test_where_it_is_not_known_how_far_groups_repeat_themselves_more_may_be_misled(builder: RecordBuilder) -> None:
    builder.planned = {("evaluation", "canary", "sure"): 8}
    for seed in range(8):
        metrics = {"forget_gap": 1.0, "forget_ood_accuracy_gap": 1.0}
        builder.trial(
            "evaluation", "sure", value=1.0, scenario="canary", forget_seed=seed, in_first=0.25, metrics=metrics
        )
    (found,) = (r for r in remarks(builder.record()) if r.kind == "alike")
    assert (
        "in up to 17 % of such evaluations, or in more where they differ on a group of the samples alone, not 5 %"
        in found.fact
    )


def test_sets_that_half_repeat_each_other_vary_by_a_fifth_less_than_others() -> None:
    """What `ALIKE` says: sets that are half of a half, and sets that are a quarter of everything."""
    rng, size = np.random.default_rng(0), 20
    within, between = [], []
    for _ in range(400):
        values = rng.normal(size=4 * size)
        half = rng.permutation(values)[: 2 * size]
        within.append(np.var([rng.permutation(half)[:size].mean() for _ in range(30)], ddof=1))
        between.append(np.var([rng.permutation(values)[:size].mean() for _ in range(30)], ddof=1))
    assert math.sqrt(np.mean(within) / np.mean(between)) == pytest.approx(0.82, abs=0.02)


@pytest.mark.parametrize(("second", "coarse"), [(1.05, True), (1.5, False)])
def test_an_objective_coarser_than_the_differences_that_it_ranks(
    builder: RecordBuilder, second: float, coarse: bool
) -> None:
    """An image is worth 0.7 points of accuracy, and 0.35 of the mean of two gaps."""
    builder.spec["objective"] = {"name": "average_gap", "gaps": ["utility_gap", "retain_gap"]}
    builder.planned = {("search", "random", "sure"): 2}
    accuracies = [{"heldout_accuracy": 90.0 + 0.7 * i, "retain_accuracy": 99.0 + 0.01 * i} for i in range(3)]
    for lr, value in ((1, 1.0), (2, second)):
        builder.trial("search", "sure", value=value, hp={"lr": lr}, curve=list(accuracies))
    found = remarks(builder.record())
    assert [r.kind for r in found] == (["coarse"] if coarse else [])
    if coarse:
        assert "one image moves ΔUtility by 0.70 points and the score by 0.35" in found[0].fact
        assert "1 of 1 searches" in found[0].fact
        assert "dev" in found[0].remedy


def test_an_image_to_forget_is_worth_what_the_size_says_where_all_or_none_are_right(builder: RecordBuilder) -> None:
    builder.spec["objective"] = {"name": "average_gap", "gaps": ["forget_gap"]}
    builder.planned = {("search", "random", "sure"): 2}
    for lr, value in ((1, 40.0), (2, 40.0)):
        builder.trial(
            "search", "sure", value=value, hp={"lr": lr}, curve=[{"forget_accuracy": a} for a in (0.0, 100.0)]
        )
    (found,) = remarks(builder.record())
    assert "one image moves ΔUA by 1.0 points and the score by 1.0, which" in found.fact


def test_what_an_image_moves_the_score_by_counts_gaps_that_never_moved(builder: RecordBuilder) -> None:
    """All retain images right in every epoch, and an attack that is no accuracy: of the mean of three, a third is the image's."""
    builder.spec["objective"] = {"name": "average_gap", "gaps": ["utility_gap", "retain_gap", "mia_knn_forget_gap"]}
    builder.planned = {("search", "random", "sure"): 2}
    gaps = {"utility_gap": 0.0, "retain_gap": 0.0, "mia_knn_forget_gap": 0.0}
    curve = [{"heldout_accuracy": 90.0 + 0.75 * i, "retain_accuracy": 100.0, **gaps} for i in range(3)]
    for lr, value in ((1, 1.0), (2, 1.05)):
        builder.trial("search", "sure", value=value, hp={"lr": lr}, curve=list(curve))
    (found,) = remarks(builder.record())
    assert "one image moves ΔUtility by 0.75 points and the score by 0.25" in found.fact


@pytest.mark.parametrize(
    ("accuracy", "where", "remedy"),
    [
        ("forget_accuracy", ("random", 0.1, "strict"), "a larger forget set (tune_size), or "),
        ("forget_accuracy", ("random", 0.9, "strict"), ""),  # larger sets would have even more in common
        ("forget_accuracy", ("full_class", 0.1, "strict"), ""),  # which fixes its size
        ("retain_accuracy", ("random", 0.1, "strict"), ""),
        ("heldout_accuracy", ("random", 0.1, "strict"), "more dev images (dev, held_out), or "),
        ("class_accuracy", ("full_class", 0.1, "strict"), "more dev images (dev, held_out), or "),
        ("class_accuracy", ("full_class", 0.1, "paper"), ""),  # whose search is scored on test images
    ],
)
def test_what_is_advised_against_a_coarse_score_is_of_the_images_that_make_it_so(
    accuracy: str, where: tuple[str, float, str], remedy: str, builder: RecordBuilder
) -> None:
    scenario, share, protocol = where
    builder.spec["scenarios"]["full_class"] = {"target_class": 1}
    builder.spec |= {
        "objective": {"name": "average_gap", "gaps": [Measures().gap_name(accuracy)]},
        "protocol": protocol,
    }
    builder.planned = {("search", scenario, "sure"): 2}
    for lr, value in ((1, 1.0), (2, 1.05)):
        curve = [{accuracy: 90.0}, {accuracy: 91.0}]
        builder.trial("search", "sure", value=value, hp={"lr": lr}, curve=curve, scenario=scenario)
    for seed, common in enumerate((math.nan, share, share)):
        builder.trial("evaluation", "sure", value=1.0, forget_seed=seed, in_first=common, scenario=scenario)
    found = {remark.kind: remark.remedy for remark in remarks(builder.record())}
    assert (
        found["coarse"]
        == f"{remedy}more {'runs' if scenario == 'full_class' else 'sets'} to confirm on (search.confirm)"
    )
    assert ("fewer samples" in found.get("alike", "")) == (share > 0.5)


def test_an_image_is_worth_what_it_is_among_all_retain_samples(builder: RecordBuilder) -> None:
    """Of curves on a part, the epochs that count: between 98.5 (of 200) and 98.6 (of 500) lies no image."""
    builder.spec["objective"] = {"name": "average_gap", "gaps": ["retain_gap"]}
    builder.planned = {("search", "random", "sure"): 2}
    part = {"retain_accuracy": 98.5, "retain_samples": 200}
    for lr, value, accuracy in ((1, 1.0, 98.6), (2, 1.15, 98.8)):
        curve = [part, {"retain_accuracy": accuracy, "retain_samples": 500}]
        builder.trial("search", "sure", value=value, hp={"lr": lr}, curve=curve)
    (found,) = remarks(builder.record())
    assert "one image moves ΔRA by 0.20 points" in found.fact


def referred(builder: RecordBuilder, oracles: list[tuple[float, float]], **more: float) -> SweepRecord:
    """An original of 99 % on what is retained and 90 % on test images, and such oracles."""
    builder.planned = {("reference", "random", "oracle"): len(oracles)}
    builder.trial("search", "sure", value=1.0, hp={"lr": 0.01})
    builder.trial("reference", "original", metrics={"retain_accuracy": 99.0, "heldout_accuracy": 90.0, **more})
    for seed, (retain, test) in enumerate(oracles):
        values = {"retain_accuracy": retain, "heldout_accuracy": test, **more}
        builder.trial("reference", "oracle", metrics=values, forget_seed=seed)
    return builder.record()


@pytest.mark.parametrize(
    ("oracles", "told"),
    [
        ([(99.0, 90.0), (98.5, 89.0)], None),
        ([(99.0, 87.5)], None),
        (
            [(90.0, 89.0), (91.0, 90.0)],
            "classify 90.5 % of the training images to retain (the original that was given: 99.0 %), so",
        ),
        (
            [(90.0, 80.0), (91.0, 80.0)],
            "classify 90.5 % of the training images to retain (the original that was given: 99.0 %) and 80.0 % of the test "
            "images (the original that was given: 90.0 %), so that gaps are of two recipes",
        ),
        ([(99.0, 94.0), (99.0, 94.2)], "classify 94.1 % of the test images (the original that was given: 90.0 %), so"),
        ([(99.0, 76.0), (99.0, 96.0)], None),  # oracles differ as much from each other
        ([], None),
    ],
)
def test_oracles_of_another_recipe_than_the_originals(
    oracles: list[tuple[float, float]], told: str | None, builder: RecordBuilder
) -> None:
    builder.spec["original"] = {"weights": "model.pt"}
    builder.spec["dataset"] = {"name": "digits"}
    record = referred(builder, oracles)
    assert kinds(record) == ([("recipe", None)] if told else [])
    if told:
        (remark,) = remarks(record)
        assert told in remark.fact
        assert remark.remedy == "write under training how the original was trained, augment too"
        for whole in (True, False):
            assert f"note: random: {remark}" in list(answers(record, whole=whole))
        assert best_params(record)["remarks"] == {"random": [str(remark)]}
        assert any(
            limit == f"{str(remark)[:1].upper()}{str(remark)[1:]}." for limit in verdict(record, "random").limits
        )


def test_an_oracle_knows_less_of_the_classes_that_it_has_not_learnt(builder: RecordBuilder) -> None:
    builder.spec["original"] = {"weights": "model.pt"}
    assert kinds(referred(builder, [(99.0, 80.0)], class_accuracy=0.0)) == []


def test_an_original_of_the_sweeps_own_has_its_recipe(builder: RecordBuilder) -> None:
    assert kinds(referred(builder, [(50.0, 50.0)])) == []


@pytest.mark.parametrize(
    ("accuracies", "told"),
    [
        ([99.0, 98.0], None),
        (
            [13.7, 18.0],
            "1 of 2 originals and oracles is no better than guessing on the training images to retain (13.7 %), so",
        ),
        (
            [10.0, 12.0],
            "2 of 2 originals and oracles are no better than guessing on the training images to retain (11.0 %)",
        ),
    ],
)
@pytest.mark.parametrize("shared", [False, True])
def test_models_that_have_learnt_nothing(
    accuracies: list[float], told: str | None, shared: bool, builder: RecordBuilder
) -> None:
    builder.planned = {("reference", "random", "oracle"): 1}
    builder.trial("search", "sure", value=1.0, hp={"lr": 0.01})
    for kind, value in zip(("original", "oracle"), accuracies, strict=True):
        other = "first" if shared and kind == "original" else "random"
        builder.trial("reference", kind, metrics={"retain_accuracy": value}, scenario=other, guessing=13.7)
    record = builder.record()
    assert kinds(record) == ([("guessing", None)] if told else [])
    if told:
        (remark,) = remarks(record)
        assert told in remark.fact
        assert f"note: random: {remark}" in list(answers(record, whole=False))
        for evaluated in (False, True):
            if evaluated:
                builder.trial("evaluation", "sure", value=1.0)
            seen = verdict(builder.record(), "random")
            assert told[3:] in seen.sentences[0]
            assert not any("guessing" in limit for limit in seen.limits)


def test_models_that_have_but_one_class_to_retain_are_not_told_to_guess(builder: RecordBuilder) -> None:
    builder.planned = {("reference", "random", "oracle"): 1}
    builder.trial("reference", "oracle", metrics={"retain_accuracy": 100.0}, guessing=100.0)
    assert kinds(builder.record()) == []


@pytest.mark.parametrize(
    ("codes", "before", "changed"),
    [
        (["m=1", "m=1", "m=1"], 0, ""),
        ([None, None, None], 0, ""),
        ([None, "m=1", "m=1"], 0, ""),  # an older version's
        (["m=1", "m=1 metric:a=1", "m=1"], 0, ""),  # one more metric changes no other number
        (["m=1", "m=2", "m=2"], 1, "m"),
        (["m=1", "m=2", "m=3"], 2, "m"),
        (["m=1 metric:a=1", "m=2 metric:a=1", "m=2 metric:a=2"], 2, "m and metric:a"),
        (["metric:a=1", "metric:a=2", None], 1, "metric:a"),
    ],
)
def test_code_of_ones_own_that_was_changed_between_trials(
    codes: list[str | None], before: int, changed: str, builder: RecordBuilder
) -> None:
    builder.planned = {("search", "random", "sure"): 3}
    for code in codes:
        builder.trial("search", "sure", value=1.0, hp={"lr": 0.01}, code=code)
    record = builder.record()
    assert kinds(record) == ([("code", "sure")] if before else [])
    if before:
        (remark,) = remarks(record)
        told = len([code for code in codes if code])
        assert remark.fact == (
            f"{before} of {told} trials ran before the code of {changed} was changed, and count beside the others"
        )
        assert f"note: random/sure: {remark}" in list(answers(record, whole=False))
        assert any(remark.fact in limit for limit in verdict(record, "random").limits)


def test_runs_that_left_the_original_as_it_was(builder: RecordBuilder) -> None:
    builder.planned = {("evaluation", "random", "scrub"): 3}
    for seed, epoch in enumerate((0, 2, 0)):
        builder.trial("evaluation", "scrub", value=1.0, forget_seed=seed)
        builder.trials[-1]["epoch"] = epoch
        builder.trial("evaluation", "sure", value=2.0, forget_seed=seed)
    record = builder.record()
    fact = "in 2 of 3 evaluation runs its own rule took the original itself, and nothing was unlearned"
    (remark,) = (r for r in remarks(record) if r.kind == "original")
    assert (remark.method, remark.fact) == ("scrub", fact)
    said = f"{fact}: the score of these is that of doing nothing"
    assert f"note: random/scrub: {said}" in list(answers(record, whole=False))
    assert f"SCRUB: {said}." in verdict(record, "random").limits


def test_a_request_by_other_code_than_the_sweeps(builder: RecordBuilder) -> None:
    chosen = Configuration("random", "sure", {"lr": 0.01}, 1, "search")
    builder.trial("search", "sure", value=1.0, code="m=1 metric:a=1")
    builder.trial("evaluation", "sure", value=1.0, code="m=1 metric:a=2")
    builder.trial("evaluation", "finetune", value=1.0, code="m=3")
    record = builder.record()
    assert changed_code(record, chosen, {"m": "1", "metric:a": "2"}) == ["metric:a"]
    assert changed_code(record, chosen, {"m": "3"}) == ["m"]
    assert changed_code(record, chosen, {"metric:b": "1"}) == []


def test_a_remark_reads_as_fact_and_remedy() -> None:
    assert str(Remark("edge", "random", "sure", "it is so", "do that")) == "it is so: do that"
