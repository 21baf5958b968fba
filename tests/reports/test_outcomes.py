"""Progress, failures, winners and what the summary says of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports import frames, tables
from reports.names import method_label
from reports.summary import missing_work, protocol_sentence, verdict
from sweeps.record import STAGES, Winner
from tests.reports.conftest import new_builder


def test_progress_leaves_out_what_was_queued_again(builder):
    builder.planned = {("search", "random", "sure"): 4}
    builder.trial("search", "sure", state="FAIL", reason="worker lost", requeued=True)
    builder.trial("search", "sure", value=1.0)
    builder.trial("search", "sure", value=2.0, state="PRUNED")
    builder.trial("search", "sure", state="FAIL", reason="diverged at epoch 2")
    builder.trial("search", "sure", state="RUNNING")
    row = frames.progress(builder.record()).query("method == 'sure' and stage == 'search'").iloc[0]
    counts = row[["planned", "complete", "pruned", "failed", "running", "missing"]].tolist()
    assert counts == [4, 1, 1, 1, 1, 1]


def test_failures_are_grouped_by_reason(builder):
    for reason in ("diverged at epoch 2", "diverged at epoch 2", None):
        builder.trial("search", "sure", state="FAIL", reason=reason)
    out = frames.failures(builder.record())
    assert out[["reason", "trials", "numbers"]].to_numpy().tolist() == [
        ["diverged at epoch 2", 2, "0, 1"],
        ["no reason stored", 1, "2"],
    ]


def test_the_winner_is_evaluated_at_the_tuned_size(builder):
    for seed in range(3):
        builder.trial("evaluation", "sure", value=1.0 + 0.01 * seed, forget_seed=seed)
        builder.trial("evaluation", "finetune", value=9.0 + 0.02 * seed, forget_seed=seed)
        builder.trial("evaluation", "sure", value=99.0, size=10, forget_seed=seed)
    won = frames.standing(builder.record(), "random")
    assert (won.method, won.source, won.forget_size, won.equals) == ("sure", "evaluation", 100, [])
    answer = verdict(builder.record(), "random")
    assert answer.headline == "Random: SURE wins"
    assert (
        "Least mean score: SURE, 1.010 ± 0.010 points over 3 fresh forget sets of 100 (lower is better)."
        in answer.sentences
    )


@pytest.mark.parametrize("seeds", [1, 2])
def test_below_three_forget_sets_no_method_can_be_told_apart(builder, seeds):
    for seed in range(seeds):  # two equal differences would be p = 0
        builder.trial("evaluation", "sure", value=1.0 + seed, forget_seed=seed)
        builder.trial("evaluation", "finetune", value=9.0 + seed, forget_seed=seed)
    answer = verdict(builder.record(), "random")
    assert answer.headline == "Random: no method can be told apart"
    assert answer.method is None
    assert "Not told apart from it: FineTune." in answer.sentences
    shared = f"They share {seeds} forget {'set' if seeds == 1 else 'sets'}: below 3 nothing is told apart."
    assert shared in answer.sentences
    needed = f"At least {3 - seeds} more forget {'set is' if seeds == 2 else 'sets are'} needed"
    assert f"{needed}: sweeps evaluate tiny --set evaluation.seeds=3" in answer.sentences


def test_one_method_alone_wins_nothing(builder):
    for seed in range(5):
        builder.trial("evaluation", "sure", value=1.0 + 0.01 * seed, forget_seed=seed)
    answer = verdict(builder.record(), "random")
    assert answer.headline == "Random: SURE is the only method evaluated"
    assert answer.sentences[0].startswith("SURE is the only method evaluated: score 1.020 ± 0.016 points over 5")


def test_some_apart_and_some_not(builder):
    scores = {"sure": (1.0, 1.1, 0.9, 1.0), "scrub": (1.2, 0.9, 1.3, 0.9), "finetune": (9.0, 9.2, 8.9, 9.1)}
    for method, values in scores.items():
        for seed, value in enumerate(values):
            builder.trial("evaluation", method, value=value, forget_seed=seed)
    answer = verdict(builder.record(), "random")
    assert answer.headline == "Random: SURE is ahead of FineTune"
    assert "Not told apart from it: SCRUB. Told apart, and worse: FineTune." in answer.sentences


def test_a_method_that_failed_on_hard_sets_is_not_ahead_by_that(builder):
    for seed in range(6):
        builder.trial("evaluation", "sure", value=(5.0, 5.1, 5.2, 20.0, 20.0, 20.0)[seed], forget_seed=seed)
        if seed < 3:  # worse on each set that both share; its mean is less for want of the others
            builder.trial("evaluation", "finetune", value=6.0 + seed / 10, forget_seed=seed)
    answer = verdict(builder.record(), "random")
    assert answer.headline == "Random: no method can be told apart"
    assert "Evaluated fewer than 6 times: FineTune 3." in answer.sentences


@settings(max_examples=40)
@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 8)), min_size=6, max_size=6), max_size=5))
def test_no_headline_says_more_than_the_numbers(columns):
    names = ["sure", "finetune", "scrub", "neg_grad", "ssd"][: len(columns)]
    builder = new_builder()
    builder.spec["methods"] = names
    for method, values in zip(names, columns, strict=True):
        for seed, value in enumerate(values):
            if value is not None:
                builder.trial("evaluation", method, value=float(value), forget_seed=seed)
    answer = verdict(builder.record(), "random")
    means = {
        m: np.mean([v for v in c if v is not None]) for m, c in zip(names, columns, strict=True) if set(c) != {None}
    }
    if not means:
        assert answer.headline == ("Random: nothing known yet" if names else "Random: no method to compare")
        return
    first = min(m for m in means if means[m] == min(means.values()))
    apart = told_apart(first, {m: c for m, c in zip(names, columns, strict=True) if m in means})
    if len(means) == 1:
        assert answer.headline == f"Random: {method_label(first)} is the only method evaluated"
    elif not apart:
        assert answer.headline == "Random: no method can be told apart"
        assert answer.method is None
    elif len(apart) == len(means) - 1:
        assert answer.headline == f"Random: {method_label(first)} wins"
    else:
        said = " and ".join(map(method_label, apart)) if len(apart) < 3 else f"{len(apart)} of {len(means) - 1} others"
        assert answer.headline == f"Random: {method_label(first)} is ahead of {said}"


def told_apart(first: str, scores: dict[str, list[int | None]]) -> list[str]:
    """Those worse than the first, least mean first: paired t-tests of all pairs, Holm's rule, a step of spread at least."""
    known = sorted({v for column in scores.values() for v in column if v is not None})
    step = min((b - a for a, b in itertools.pairwise(known)), default=0)
    p, worse = {}, {}
    for pair in itertools.combinations(sorted(scores, key=lambda m: m != first), 2):
        shared = [(b, a) for a, b in zip(*(scores[m] for m in pair), strict=True) if a is not None and b is not None]
        if len(shared) >= 3:
            d = np.array([b - a for b, a in shared], float)
            worse[pair] = d.mean() > 0
            spread = max(d.std(ddof=1), step / math.sqrt(6))
            p[pair] = float(2 * stats.t.sf(abs(d.mean()) / spread * math.sqrt(len(d)), len(d) - 1)) if d.any() else 1.0
    rejected = []
    for rank, pair in enumerate(sorted(p, key=p.__getitem__)):
        if p[pair] * (len(p) - rank) >= 0.05:
            break
        rejected.append(pair)
    mean = {m: np.mean([v for v in c if v is not None]) for m, c in scores.items()}
    found = [m for one, m in rejected if one == first and worse[one, m] and abs(mean[m] - mean[first]) > 1e-9]
    return sorted(found, key=lambda m: (mean[m], m))


def test_before_evaluation_the_search_decides_and_says_so(builder):
    builder.trial("search", "finetune", value=2.5)
    builder.trial("search", "sure", value=3.0)
    won = frames.standing(builder.record(), "random")
    assert (won.method, won.source) == ("finetune", "search")
    assert verdict(builder.record(), "random").headline == "Random: not evaluated yet"


def test_nothing_completed(builder):
    builder.trial("search", "sure", state="FAIL", reason="diverged at epoch 1")
    answer = verdict(builder.record(), "random")
    assert answer.method is None
    assert answer.headline == "Random: nothing known yet"


def test_baselines_alone_are_not_compared(builder):
    builder.spec["methods"] = ["oracle", "original"]
    for seed in range(3):
        for method in ("oracle", "original"):
            builder.trial("evaluation", method, value=1.0 + seed, forget_seed=seed)
    answer = verdict(builder.record(), "random")
    assert (answer.method, answer.headline) == (None, "Random: no method to compare")


def test_optimism_is_evaluation_less_search(builder):
    builder.trial("search", "sure", value=1.0)
    builder.trial("search", "sure", value=3.0)
    for seed, value in enumerate((2.0, 4.0)):
        builder.trial("evaluation", "sure", value=value, forget_seed=seed)
    row = frames.optimism(builder.record(), "random").iloc[0]
    assert (row["search_score"], row["evaluation_mean"], row["optimism"], row["n"]) == (1.0, 3.0, 2.0, 2)
    assert row["evaluation_std"] == math.sqrt(2)


def test_equal_scores_have_no_optimism(builder):
    builder.trial("search", "sure", value=0.3)
    builder.trial("evaluation", "sure", value=0.1 + 0.2)
    assert [cell.text for cell in tables.optimism_table(builder.record(), "random").rows[0].cells][-1] == "0"


def test_optimism_of_a_confirmed_winner(builder):
    for lr, value in ((0.1, 1.0), (0.2, 2.0)):
        builder.trial("search", "sure", value=value, hp={"lr": lr})
    for seed, (lr, value) in enumerate([(0.1, 9.0), (0.1, 7.0), (0.2, 3.0), (0.2, 5.0)]):
        builder.trial("confirmation", "sure", value=value, hp={"lr": lr}, forget_seed=1001 + seed % 2)
    builder.trial("evaluation", "sure", value=6.0, hp={"lr": 0.2})
    builder.best = {"random": {"sure": {"lr": 0.2, "epochs": 8}}}
    row = frames.optimism(builder.record(), "random").iloc[0]
    assert (row["search_score"], row["trials"]) == (2.0, 2)  # of the point that was confirmed, not of the search's best
    assert (row["confirmed_mean"], row["confirmed_n"], row["confirmed_optimism"]) == (4.0, 2, 2.0)
    assert row["confirmed_std"] == math.sqrt(2)
    assert (row["evaluation_mean"], row["optimism"]) == (6.0, 4.0)
    shown = tables.optimism_table(builder.record(), "random")
    assert [cell.text for cell in shown.columns].count("Optimism") == 2
    assert [cell.text for cell in shown.rows[0].cells][-3:] == ["6.00", "1", "4.0"]


def test_missing_work_is_named(builder):
    builder.planned = {("search", "random", "sure"): 2, ("evaluation", "random", "sure"): 1}
    builder.trial("search", "sure", value=1.0)
    builder.trial("evaluation", "sure", value=1.0)
    assert missing_work(builder.record()) == [
        "Random, search: not run yet: SURE 1 of 2.",
        "Random, sensitivity: not planned, not run.",
    ]


def test_models_that_were_to_be_kept_and_were_not_are_missing(builder):
    builder.planned = dict.fromkeys([(stage, "random", "sure") for stage in STAGES], 0)
    for seed, facts in enumerate(
        ({"kept_model": "key"}, {"not_kept": "No space left on device"}, {"not_kept": "No space left on device"}, {})
    ):
        builder.trial("evaluation", "sure", value=1.0, forget_seed=seed)
        builder.trials[-1] |= facts
    builder.trial("evaluation", "sure", state="FAIL", forget_seed=9)
    builder.trial("search", "sure", value=1.0)
    said = "Random, evaluation: no unlearned model of 3 of 4 runs (2 × No space left on device; 1 × "
    for asked in (True, False):
        builder.spec["evaluation"] = {"keep_models": asked}
        about = [sentence for sentence in missing_work(builder.record()) if "unlearned model" in sentence]
        assert about == ([f"{said}they ran while evaluation.keep_models was off)."] if asked else [])
    builder.spec["evaluation"] = {"keep_models": True}
    for trial in builder.trials:
        trial["kept_model"] = "key"
    assert not [sentence for sentence in missing_work(builder.record()) if "unlearned model" in sentence]


def test_the_protocol_is_stated(builder):
    assert protocol_sentence(builder.record()).endswith("were chosen there. No trial has read the test set yet.")
    builder.trial("evaluation", "sure", value=1.0)
    assert "held-out dev images" in protocol_sentence(builder.record())
    assert protocol_sentence(builder.record()).endswith("Only the evaluation read the test set, and decided nothing.")
    builder.trial("sensitivity", "sure", value=1.0)
    both = "Only the evaluation and the sensitivity grids read the test set, and decided nothing."
    assert protocol_sentence(builder.record()).endswith(f"were chosen there. {both}")
    builder.winners = {"random": {"sure": Winner({"lr": 0.1}, 1, "given"), "scrub": Winner({"lr": 0.1}, 1, "search")}}
    assert "were chosen there, but for what was given." in protocol_sentence(builder.record())
    del builder.winners["random"]["scrub"]
    given = "Protocol strict: configurations and stop epochs were given, and nothing was searched for them here."
    assert protocol_sentence(builder.record()) == f"{given} {both}"
    builder.spec["protocol"] = "paper"
    assert "scored on the test set" in protocol_sentence(builder.record())
