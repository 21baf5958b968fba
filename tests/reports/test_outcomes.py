"""Progress, failures, winners and what the summary says of them."""

from __future__ import annotations

import math

from reports import frames, tables
from reports.summary import missing_work, protocol_sentence, verdict


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
    won = frames.winner(builder.record(), "random")
    assert (won.method, won.source, won.forget_size, won.equals) == ("sure", "evaluation", 100, [])
    answer = verdict(builder.record(), "random")
    assert answer.headline == "Random: SURE wins"
    assert "Score 1.010 ± 0.010 points over 3 fresh forget sets of 100 (lower is better)." in answer.sentences


def test_a_winner_that_cannot_be_told_apart_only_leads(builder):
    builder.trial("evaluation", "sure", value=1.0)
    builder.trial("evaluation", "finetune", value=2.0)
    answer = verdict(builder.record(), "random")
    assert answer.headline == "Random: SURE leads"
    assert "Not distinguishable from it: FineTune." in answer.sentences


def test_before_evaluation_the_search_decides_and_says_so(builder):
    builder.trial("search", "finetune", value=2.5)
    builder.trial("search", "sure", value=3.0)
    won = frames.winner(builder.record(), "random")
    assert (won.method, won.source) == ("finetune", "search")
    assert verdict(builder.record(), "random").headline == "Random: FineTune leads the search"


def test_nothing_completed(builder):
    builder.trial("search", "sure", state="FAIL", reason="diverged at epoch 1")
    answer = verdict(builder.record(), "random")
    assert answer.method is None
    assert answer.headline == "Random: no winner yet"


def test_optimism_is_evaluation_less_search(builder):
    builder.trial("search", "sure", value=1.0)
    builder.trial("search", "sure", value=3.0)
    for seed, value in enumerate((2.0, 4.0)):
        builder.trial("evaluation", "sure", value=value, forget_seed=seed)
    row = frames.optimism(builder.record(), "random").iloc[0]
    assert (row["search_score"], row["evaluation_mean"], row["optimism"], row["n"]) == (1.0, 3.0, 2.0, 2)
    assert row["evaluation_std"] == math.sqrt(2)


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


def test_the_protocol_is_stated(builder):
    assert "held-out dev images" in protocol_sentence(builder.record())
    builder.spec["protocol"] = "paper"
    assert "scored on the test set" in protocol_sentence(builder.record())
