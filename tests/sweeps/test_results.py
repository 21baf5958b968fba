"""The table that a run ends with."""

from __future__ import annotations

import pytest
from rich.console import Console

from reports.tables import score_table
from sweeps.cli import results
from sweeps.cli.status import study_table
from sweeps.record import Winner
from sweeps.record.best_params import best_params
from sweeps.record.progress import progress
from tests.reports.conftest import RecordBuilder, new_builder


def evaluated() -> RecordBuilder:
    builder = new_builder()
    scores = {"finetune": (9.0, 9.2, 8.9, 9.1), "sure": (1.0, 1.1, 0.9, 1.0), "scrub": (1.2, 0.9, 1.3, 0.9)}
    for method, values in {**scores, "oracle": (0.5, 0.7)}.items():
        for seed, value in enumerate(values):
            builder.trial("evaluation", method, value=value, metrics={"forget_gap": value}, forget_seed=seed)
    builder.winners["random"] = {"sure": Winner({"lr": 0.1}, stop_epoch=3)}
    return builder


@pytest.mark.parametrize("width", [200, 80, 34])
def test_methods_by_their_means_with_what_is_told(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(results, "stderr_console", lambda: Console(stderr=True, width=width))
    results.print_results(evaluated().record())
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert all(len(line) <= width for line in lines)
    places = [
        next(i for i, line in enumerate(lines) if f"{name} " in f"{line} ") for name in ("sure", "scrub", "finetune")
    ]
    assert places == sorted(places)
    text = " ".join(captured.err.split())
    for said in ("1.00 ± 0.08 (4)", "9.05 ± 0.13 (4)", "0.60 ± 0.14 (2)", "least", "worse", "noise floor", "points"):
        assert said in text


def test_terminal_and_page_print_a_score_alike() -> None:
    builder = evaluated()
    builder.planned = {("evaluation", "random", m): 4 for m in ("finetune", "sure", "scrub", "oracle")}
    record = builder.record()
    page = score_table(record)
    assert page is not None
    printed = {row.cells[1].text.partition(" (")[0] for row in page.rows}
    assert printed == {cell.partition(" (")[0] for *_, cell in study_table(list(progress(record))).rows}
    assert printed == {row[2].partition(" (")[0] for row in results._rows(record, "random")}


def test_before_an_evaluation_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    builder = new_builder()
    builder.trial("search", "sure", value=1.0)
    results.print_results(builder.record())
    assert capsys.readouterr().err == ""


def test_runs_on_one_forget_set_are_no_further_sets() -> None:
    builder = new_builder()
    builder.spec |= {"methods": {"sure": {"lr": {}}}, "dataset": {"name": "digits"}}
    builder.planned = {("evaluation", "random", "sure"): 8}
    places = [(training, draw, run) for training in (0, 1) for draw in (0, 1) for run in (0, 1)]
    for value, (training, draw, run) in enumerate(places):
        where = {"training": training, "forget_seed": 1000 * training + draw, "run": run}
        builder.trial("evaluation", "sure", value=value, hp={"lr": 0.1}, hindsight_score=0.0, **where)
    builder.winners["random"] = {"sure": Winner({"lr": 0.1})}
    record = builder.record()
    (study,) = progress(record)
    assert (study.score, study.runs, study.sets) == (3.5, 8, 4)
    scores = best_params(record)["scores"]["random"]["sure"]
    assert (scores["evaluation_seeds"], scores["evaluation_runs"]) == (4, 8)


@pytest.mark.parametrize(("method", "stop", "known"), [("sure", 2, True), ("scrub", None, False)])
def test_a_method_with_a_rule_of_its_own_has_no_score_in_hindsight(method: str, stop: int | None, known: bool) -> None:
    """It would be that of the evaluation once more, and not the least of its epochs."""
    builder = new_builder()
    builder.spec |= {"methods": {method: {"lr": {}}}, "dataset": {"name": "digits"}}
    for seed, value in enumerate((3.0, 5.0)):
        facts = {"stop_epoch": stop, "hindsight_score": value - (1.0 if known else 0.0)}
        builder.trial("evaluation", method, value=value, hp={"lr": 0.1}, forget_seed=seed, **facts)
    builder.winners["random"] = {method: Winner({"lr": 0.1}, stop_epoch=stop)}
    scores = best_params(builder.record())["scores"]["random"][method]
    assert scores["evaluation"] == 4.0
    assert scores.get("evaluation_hindsight") == (3.0 if known else None)
