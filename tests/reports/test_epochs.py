"""Which epoch numbers are of, where hyperparameters come from, at which size: labels and numbers from the same trials."""

from __future__ import annotations

import pytest

from reports import figures, frames, tables, write_report
from reports.notes import study_note
from reports.styles import method_styles
from reports.summary import cost_sentence, one_draw_sentence, protocol_sentence
from sweeps.record import Winner
from tests.reports.conftest import RecordBuilder

CURVES = {"sure": ([5.0, 3.0, 4.0], [6.0, 5.0, 1.0]), "scrub": ([2.0, 2.5, 9.0], [4.0, 4.0, 4.0])}


@pytest.fixture
def stopped(builder: RecordBuilder) -> RecordBuilder:
    """SURE stops after epoch 2, SCRUB chooses its epoch itself (here the first)."""
    builder.spec["methods"] = list(CURVES)
    builder.winners = {
        "random": {
            "sure": Winner({"lr": 0.1}, stop_epoch=2, source="search"),
            "scrub": Winner({"lr": 0.2}, source="confirmation", sets=3),
        }
    }
    for method, curves in CURVES.items():
        for seed, scores in enumerate(curves):
            at = 1 if method == "sure" else 0
            builder.trial(
                "evaluation",
                method,
                value=scores[at],
                metrics={"forget_gap": scores[at]},
                hindsight={"forget_gap": min(scores) if method == "sure" else scores[0]},
                hindsight_score=min(scores) if method == "sure" else scores[0],
                stop_epoch=2 if method == "sure" else None,
                curve=[{"score": s, "forget_gap": s} for s in scores],
                hp={"lr": 0.1},
                forget_seed=seed,
            )
    return builder


def rows(table) -> list[list[str]]:
    assert table is not None
    return [[c.text for c in table.columns], *([c.text for c in row.cells] for row in table.rows)]


def test_the_cost_of_not_knowing_is_the_mean_difference_run_by_run(stopped: RecordBuilder):
    assert rows(tables.hindsight_table(stopped.record(), "random")) == [
        [
            "Method",
            "Stop epoch",
            "Average gap",
            "Average gap, hindsight",
            "Cost of not knowing",
            "ΔUA, hindsight",
            "n",
        ],
        ["SURE", "2", "4.0 ± 1.4", "2.0 ± 1.4", "2 ± 3", "2.0 ± 1.4", "2"],
        ["SCRUB", "–", "3.0 ± 1.4", "3.0 ± 1.4", "–", "3.0 ± 1.4", "2"],
    ]
    assert "would be 2.00 instead of 4.00" in cost_sentence(stopped.record())


def test_a_cost_of_nothing_is_no_difference(builder: RecordBuilder):
    for seed in range(2):
        builder.trial("evaluation", "sure", value=2.0, forget_seed=seed, stop_epoch=1, hindsight_score=2.0)
    assert cost_sentence(builder.record()).endswith("with a stop epoch would be the same, 2.00.")


def test_the_stop_epoch_stands_beside_the_hyperparameters(stopped: RecordBuilder):
    table = tables.hyperparameter_table(stopped.record(), "random")
    assert rows(table)[-1] == ["stop epoch", "2§", "–"]
    assert table is not None
    assert any(note.startswith("§ rests on one draw") for note in table.notes)
    assert "chooses it in each run itself: SCRUB." in " ".join(table.notes)
    assert one_draw_sentence(stopped.record()).endswith("Random: SURE.")


def test_a_confirmed_stop_epoch_rests_on_more(stopped: RecordBuilder):
    stopped.winners["random"]["sure"] = Winner({"lr": 0.1}, stop_epoch=2, source="confirmation", sets=3)
    assert rows(tables.hyperparameter_table(stopped.record(), "random"))[-1] == ["stop epoch", "2", "–"]
    assert one_draw_sentence(stopped.record()) == ""


def test_headline_tables_say_at_which_epoch(stopped: RecordBuilder):
    table = tables.score_table(stopped.record())
    assert table is not None
    assert "at the stop epoch" in table.title
    assert rows(table)[1] == ["SURE", "4.0 ± 1.4"]
    assert "In hindsight" not in " ".join(table.notes)
    assert "At the stop epoch, which was known before the evaluation." in table.notes
    assert "No stop epoch, for the method chooses it in each run itself: SCRUB." in table.notes


def test_figures_and_searches_say_which_methods_have_no_stop_epoch(stopped: RecordBuilder):
    said = "No stop epoch, for the method chooses it in each run itself: SCRUB."
    for method in CURVES:
        found = stopped.winners["random"][method].hyperparameters
        stopped.trial("search", method, value=1.0, hp=found)
        stopped.trial("confirmation", method, value=1.5, hp=found, curve=[{"score": 1.5}] * 3, forget_seed=7)
    record, styles = stopped.record(), method_styles(list(CURVES))
    bars = figures.score_bars(record, styles)
    assert bars is not None
    assert "at the stop epoch" in bars.title
    assert said in bars.note
    table = tables.optimism_table(record, "random")
    assert table is not None
    assert said in table.notes
    for row in stopped.curves:
        row["forget_accuracy"] = 90.0
    curves = figures.accuracy_curves(stopped.record(), "random", styles)
    assert curves is not None
    assert f"Ringed: the stop epoch, at which the other numbers stand. {said}" in curves.note
    del stopped.winners["random"]["scrub"]  # of given values nothing is searched, and there is no winner
    assert frames.own_rule(stopped.record(), "random") == []
    stopped.curves += [{**row, "epoch": 0} for row in stopped.curves if row["method"] == "scrub" and row["epoch"] == 1]
    assert frames.own_rule(stopped.record(), "random") == ["scrub"]
    stopped.trials = [t for t in stopped.trials if t["method"] != "scrub"]
    bars = figures.score_bars(stopped.record(), styles)
    assert bars is not None
    assert "No stop epoch" not in bars.note


def test_numbers_of_one_method_say_at_which_epoch_they_are(stopped: RecordBuilder):
    record = stopped.record()
    assert frames.epoch_of(record, "random", "sure") == "at the stop epoch"
    assert frames.epoch_of(record, "random", "scrub") == "at the epoch that its own rule chose"
    assert "at the epoch that its own rule chose" in study_note(record, ("evaluation", "random", "scrub"))
    for baseline in ("oracle", "original"):
        stopped.trial("evaluation", baseline, value=1.0, metrics={"forget_gap": 1.0})
        said = "Mean ± std over forget sets, at its only epoch; lower is nearer to the oracle."
        assert said in study_note(stopped.record(), ("evaluation", "random", baseline))
    stopped.trial("confirmation", "oracle", value=1.0)
    assert frames.epoch_of(stopped.record(), "random", "oracle") == "at the stop epoch"


def test_top1_of_a_method_with_a_rule_of_its_own_is_not_called_the_best_epoch(stopped: RecordBuilder):
    """SCRUB's rule takes the first epoch (3.0 on average), and the mean of all of its epochs is 4.25: top-1 is no least score."""
    scores = [curve for curves in CURVES.values() for curve in curves]
    for trial, curve in zip(stopped.trials, scores, strict=True):
        trial["top5.forget_gap"] = sum(curve) / len(curve)
    table = tables.top5_table(stopped.record(), "random")
    assert table is not None
    said = "Top-1 of a method with a rule of its own is the epoch of that: SCRUB. Runs have 3 epochs: top-5 is the mean of all"
    assert said in " ".join(table.notes)
    stopped.curves = [c for c in stopped.curves if c["method"] == "scrub" or c["epoch"] == 1]
    table = tables.top5_table(stopped.record(), "random")
    assert table is not None
    assert "Fewer than 5 epochs, of all of which top-5 is the mean: SURE, SCRUB." in " ".join(table.notes)
    stopped.curves = [c for c in stopped.curves if c["epoch"] == 1]
    table = tables.top5_table(stopped.record(), "random")
    assert table is not None
    assert table.notes[1].endswith("SCRUB. Runs have 1 epoch: top-5 is that.")


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_numbers_in_hindsight_are_called_so(stopped: RecordBuilder, tmp_path, protocol: str):
    stopped.in_hindsight, stopped.protocol_note = True, "its numbers are in hindsight: an older version made them"
    stopped.spec["protocol"] = protocol
    record = stopped.record()
    said = protocol_sentence(record)
    assert "its numbers are in hindsight: an older version made them." in said
    assert tables.hindsight_table(record, "random") is None
    table = tables.score_table(record)
    assert table is not None
    assert "in hindsight" in table.title
    assert any(n.startswith("In hindsight: each run at the epoch of its least score") for n in table.notes)
    stopped.curves += [{**row, "epoch": 0} for row in stopped.curves if row["method"] == "scrub" and row["epoch"] == 1]
    own = "Not in hindsight, but at the epoch that its own rule chose in each run: SCRUB."
    table, found = (
        show(stopped.record()) for show in (tables.score_table, lambda r: tables.hyperparameter_table(r, "random"))
    )
    assert table is not None
    assert found is not None
    assert own in table.notes
    assert not any("No stop epoch" in note for note in [*table.notes, *found.notes])
    assert "at the stop epoch" not in write_report(record, tmp_path, partial=False).read_text(encoding="utf-8")


def test_runs_that_end_at_their_stop_epoch_have_no_hindsight(stopped: RecordBuilder, tmp_path):
    stopped.spec["evaluation"] = {"seeds": 2, "epochs": "stop"}
    stopped.curves = [c for c in stopped.curves if c["method"] == "sure" and c["epoch"] <= 2]
    for trial in stopped.trials:
        trial.pop("hindsight.forget_gap", None)
        trial["hindsight_score"] = float("nan")
    record = stopped.record()
    assert tables.hindsight_table(record, "random") is None
    assert tables.top5_table(record, "random") is None
    page = write_report(record, tmp_path, partial=False).read_text(encoding="utf-8")
    assert "evaluation runs end at their stop epoch (evaluation.epochs: stop)" in page


def tuned_elsewhere(builder: RecordBuilder) -> RecordBuilder:
    builder.spec["scenarios"] = {"random": {"tune_size": 100, "sizes": [50, 20]}}
    builder.winners = {"random": {"sure": Winner({"lr": 0.1}, stop_epoch=1, source="search")}}
    builder.trial("search", "sure", value=1.0, hp={"lr": 0.1}, size=100)
    for size in (50, 20):
        for seed in range(2):
            builder.trial("evaluation", "sure", value=2.0, metrics={"forget_gap": 2.0}, size=size, forget_seed=seed)
    return builder


def test_a_size_that_was_not_tuned_at_is_not_called_so(builder: RecordBuilder):
    record = tuned_elsewhere(builder).record()
    assert (record.tuned_size("random"), record.shown_size("random")) == (100, 50)
    gaps = tables.metric_table(record, "random", ["forget_gap"], key="k", title="Gaps")
    stability = tables.stability_table(record, "random")
    assert gaps is not None
    assert stability is not None
    assert gaps.title == "Gaps, forget size 50, tuned at 100"
    assert stability.title.endswith("hyperparameters tuned at 100")
    drawing = figures.gaps_by_size(record, "random", method_styles(["sure"]))
    assert drawing is not None
    assert drawing.title.endswith("hyperparameters tuned at 100")
    assert "(tuned)" not in figures.figure_of(drawing.wide()).to_json()
    assert tables.optimism_table(record, "random") is None  # the size would be told as optimism


def test_given_parameters_were_not_tuned_here(builder: RecordBuilder):
    tuned_elsewhere(builder)
    builder.winners["random"]["sure"] = Winner({"lr": 50.0}, stop_epoch=1, source="given")
    record = builder.record()
    stability = tables.stability_table(record, "random")
    assert stability is not None
    assert stability.title.endswith("hyperparameters as given")
    table = tables.hyperparameter_table(record, "random")
    assert rows(table)[1] == ["lr", "50", "–"]
    assert table is not None
    assert "Given, not found by a search of this sweep: SURE." in table.notes
    assert tables.optimism_table(record, "random") is None


def test_a_confirmed_score_stands_at_the_stop_epoch(builder: RecordBuilder):
    builder.winners = {"random": {"sure": Winner({"lr": 0.1}, stop_epoch=2, source="confirmation", sets=2)}}
    builder.trial("search", "sure", value=1.0, hp={"lr": 0.1})
    for seed, scores in enumerate(([1.0, 4.0], [1.5, 6.0])):
        curve = [{"score": s} for s in scores]
        builder.trial("confirmation", "sure", value=min(scores), hp={"lr": 0.1}, curve=curve, forget_seed=seed)
    row = frames.optimism(builder.record(), "random").iloc[0]
    assert (row["confirmed_mean"], row["confirmed_n"], row["confirmed_optimism"], row["n"]) == (5.0, 2, 4.0, 0)
