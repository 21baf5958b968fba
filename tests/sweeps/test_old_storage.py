"""A finished sweep of the version before stop epochs (`tests/data/before_stop_epoch`): it opens, and shows what it showed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from optuna.storages import BaseStorage
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.cli.status import NAMES, VALUES
from sweeps.plan import STAGES, make_plan
from sweeps.record import SweepRecord, load_sweep
from sweeps.record.best_params import best_params
from sweeps.spec import continued, load_spec, read_yaml, stored_spec
from sweeps.storage import open_storage
from sweeps.studies.given import last_epochs, read_best_params
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import frozen_spec
from tests.sweeps.conftest import OLD
from tests.sweeps.conftest import OLD_NAME as NAME


@pytest.fixture
def storage(runs: Path) -> BaseStorage:
    return open_storage(f"sqlite:///{runs / NAME / 'study.db'}")


@pytest.fixture
def record(storage: BaseStorage) -> SweepRecord:
    return load_sweep(storage, NAME)


def counts(status: str) -> list[tuple[str, ...]]:
    """(stage, scenario, method, done, planned, running, pruned, failed) of each line of the table; a column left out is of 0s."""
    rows = [re.split(r"\s+", line.strip()) for line in status.splitlines()]
    (names,) = (row for row in rows if {"stage", "done", "planned"} <= set(row))
    found = [dict(zip(names, row, strict=False)) for row in rows if row[0] in STAGES and row[3].isdigit()]
    return [tuple(row.get(name, "0") for name in (*NAMES, *VALUES[:-1])) for row in found]


def test_status_counts_what_it_counted_and_says_that_it_is_in_hindsight(
    runs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs.parent)
    result = CliRunner().invoke(app, ["status", NAME])
    assert result.exit_code == 0, result.output
    assert counts(result.stdout) == counts((OLD / "status.txt").read_text(encoding="utf-8"))
    assert "its numbers are in hindsight: an older version evaluated it" in result.stdout
    assert "all is done" in result.stdout


@pytest.mark.parametrize("scenario", ["random", "partial_class"])
def test_its_headline_is_what_it_was(record: SweepRecord, scenario: str) -> None:
    """Against the tables that the old version wrote, for the epoch that counts as for hindsight: they were the same."""
    trials = record.counted.query("stage == 'evaluation' and scenario == @scenario")
    was = pd.read_csv(OLD / f"{scenario}-gaps.csv")
    was = was[was["mean"].notna() & (was["method"] != "oracle")]
    assert len(was) >= 18
    for row in was.itertuples():
        own = trials[(trials["method"] == row.method) & (trials["forget_size"] == row.forget_size)]
        columns = (
            ("value", "hindsight_score")
            if row.metric == "score"
            else (f"metric.{row.metric}", f"hindsight.{row.metric}")
        )
        for column in columns:
            assert own[column].mean() == pytest.approx(row.mean), (row, column)
    assert (trials["epoch"] == trials["hindsight_epoch"]).all()
    assert trials["stop_epoch"].isna().all()


def test_its_winners_and_their_scores_are_what_they_were(record: SweepRecord) -> None:
    was, now = read_yaml(OLD / "best_params.yaml"), best_params(record)
    assert now["params"] == was["params"]
    assert now["note"] == record.protocol_note
    assert record.in_hindsight
    for scenario, methods in was["scores"].items():
        confirmed = pd.read_csv(OLD / f"{scenario}-optimism.csv").set_index("method")
        for method, scores in methods.items():
            mine = now["scores"][scenario][method]
            assert {name: mine[name] for name in scores} == pytest.approx(scores)
            assert mine["evaluation_hindsight"] == pytest.approx(mine["evaluation"])
            assert mine["confirmation"] == pytest.approx(confirmed.loc[method, "confirmed_mean"])
            assert "stop_epoch_rests_on" not in mine
            winner = record.winners[scenario][method]
            assert (winner.stop_epoch, winner.source, winner.sets) == (None, "confirmation", 2)


def test_facts_of_its_references_are_no_metrics(record: SweepRecord) -> None:
    metrics = {column.removeprefix("metric.") for column in record.trials if column.startswith("metric.")}
    assert {"forget_accuracy", "forget_gap", "mia_knn_forget_gap"} <= metrics
    assert not metrics & {"training_seconds", "training_samples", "loaded", "key", "forget_size", "samples"}


def test_run_again_it_is_evaluated_at_stop_epochs(storage: BaseStorage) -> None:
    """By its file, with `{top: 2, seeds: 2}`: search and confirmation stay, what was evaluated in hindsight counts no more."""
    frozen = frozen_spec(storage, NAME)
    assert frozen is not None
    spec = continued(load_spec(str(OLD / "old.yaml")), frozen)
    assert [(part.leaders, part.sets) for part in spec.search.confirm] == [(2, 2)]
    studies = Multiplexer(make_plan(spec), storage)
    left = Counter((s.plan.stage, s.plan.method) for s in studies.open_studies if not s.done)
    assert {stage for stage, _ in left} == {"evaluation", "sensitivity"}
    assert left["evaluation", "scrub"] == 0  # its rule is its own, then as now
    assert left["evaluation", "sure"] == left["evaluation", "finetune"] == left["evaluation", "oracle"] == 2
    for scenario in spec.scenarios:
        winner = studies.selection.winner(scenario, "sure")
        assert winner is not None
        assert winner.source == "confirmation"
        assert winner.sets == 2
        assert winner.stop_epoch in {1, 2, 3}

    record = load_sweep(storage, NAME)
    assert not record.in_hindsight
    assert record.protocol_note == ""
    evaluated = record.counted.query("stage == 'evaluation'")
    assert set(evaluated["method"]) == {"scrub"}
    assert record.winners["random"]["sure"].stop_epoch is not None


def test_its_own_spec_is_read_as_it_was(record: SweepRecord) -> None:
    assert record.spec["search"]["confirm"] == {"top": 2, "seeds": 2}
    without = {**record.spec, "search": {k: v for k, v in record.spec["search"].items() if k != "confirm"}}
    assert stored_spec(without).search.confirm == []  # it was off unless asked for


def test_its_best_params_are_read_and_stop_at_the_last_epoch() -> None:
    spec = load_spec(str(OLD / "old.yaml"))
    given = read_best_params(OLD / "best_params.yaml", spec)
    assert given["random"]["sure"] == yaml.safe_load((OLD / "best_params.yaml").read_text())["params"]["random"]["sure"]
    assert last_epochs(given, spec) == [f"{s}/{m}" for s in ("random", "partial_class") for m in ("sure", "finetune")]
