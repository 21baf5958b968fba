"""A sweep of the version before several trainings and oracles, half done (`tests/data/before_axes`): it goes on by its own rules.

That version then finished it: `finished.jsonl` has the points, seeds, models' keys and costs of all its trials.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.cli.options import Options
from sweeps.errors import SpecError
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.record import load_sweep
from sweeps.spec import load_spec, stored_spec
from sweeps.storage import open_storage
from sweeps.studies.given import warm_start
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep, frozen_spec
from tests.sweeps.conftest import serve

OLD = Path(__file__).parents[1] / "data" / "before_axes"
NAME = "before-axes"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / NAME
    folder.mkdir(parents=True)
    (folder / "study.db").write_bytes(lzma.decompress((OLD / "study.db.xz").read_bytes()))
    (folder / "spec.yaml").write_bytes((OLD / "spec.yaml").read_bytes())
    return tmp_path / "runs"


@pytest.fixture
def storage(runs: Path) -> BaseStorage:
    return open_storage(f"sqlite:///{runs / NAME / 'study.db'}")


def described(trial: dict[str, Any]) -> tuple[Any, ...]:
    """What tells what a trial was, whatever the machine; in older versions the first training's and run's had no number."""
    since = {"training", "run", "oracle"}
    params = tuple(sorted((k, round(v, 12)) for k, v in trial["params"].items() if v or k not in since))
    cost = trial.get("relative_samples")
    return trial["study"], params, trial["seed"], trial.get("stop_epoch"), trial.get("key"), cost and round(cost, 9)


def finished() -> list[tuple[Any, ...]]:
    return sorted(described(json.loads(line)) for line in (OLD / "finished.jsonl").read_text().splitlines())


def test_it_is_finished_as_the_old_version_did(runs: Path, storage: BaseStorage, cache: Path) -> None:
    sweep = Sweep.at(load_spec(str(OLD / "old.yaml")), runs).continued()
    assert (sweep.spec.rules, sweep.spec.references.oracles, sweep.spec.sensitivity.repeats) == (1, 1, 1)
    assert sweep.spec.scenarios["canary"].options == {"pool": 50}
    assert sweep.spec.search.retain_samples == "all"
    before = load_sweep(storage, NAME)
    sweep.freeze(storage)
    studies = Multiplexer(make_plan(sweep.spec), storage, warm_start=warm_start(sweep.spec))
    serve(studies, Worker(sweep.spec, sweep.cache))
    assert studies.done

    trials = [
        {
            **trial.user_attrs,
            "study": state.plan.name.removeprefix(f"{NAME}/"),
            "params": trial.params,
            "relative_samples": trial.user_attrs["metrics"].get("relative_samples"),
        }
        for state in studies.open_studies
        for trial in state.study.get_trials()
    ]
    assert sorted(map(described, trials)) == finished()
    record = load_sweep(storage, NAME)
    assert not record.trials["superseded"].any()
    assert record.planned == before.planned
    own = record.trials[record.trials["stage"] != "reference"]
    assert set(own["cost_of"]) == {"epoch"}
    assert set(own["oracles"]) == {1}
    assert set(record.trials["training"]) == set(own["run"]) == {0}
    assert own["overlap"].isna().all()


def test_by_its_name_it_is_the_same_sweep(runs: Path) -> None:
    by_name = Options(NAME, runs).load()
    by_file = Options(str(OLD / "old.yaml"), runs).load()
    assert make_plan(by_name.spec).studies == make_plan(by_file.spec).studies
    elsewhere = Options(str(OLD / "old.yaml"), runs.parent / "others").load()  # begun now
    assert (elsewhere.spec.rules, elsewhere.spec.references.oracles) == (2, 3)
    assert by_name.spec.search.retain_samples == by_file.spec.search.retain_samples == "all"
    assert elsewhere.spec.search.retain_samples == 5000


def test_on_how_many_retain_samples_a_search_is_may_change(runs: Path, storage: BaseStorage) -> None:
    """A file that says nothing goes on as it was last run."""
    for given, expected in (([], "all"), (["search.retain_samples=300"], 300), ([], 300)):
        sweep = Sweep.at(load_spec(str(OLD / "old.yaml"), given), runs).continued()
        assert sweep.spec.search.retain_samples == expected
        sweep.freeze(storage)
        frozen = frozen_spec(storage, NAME)
        assert frozen is not None
        assert stored_spec(frozen).search.retain_samples == expected


def test_other_rules_are_refused(runs: Path, storage: BaseStorage) -> None:
    for text in ("rules=2", "references.oracles=3", "scenarios.canary.pool=200"):
        sweep = Sweep.at(load_spec(str(OLD / "old.yaml"), [text]), runs).continued()
        with pytest.raises(SpecError, match=rf"{text.split('=')[0]}: was .* in the existing sweep"):
            sweep.freeze(storage)


def test_a_scenario_that_was_left_out_comes_back_by_its_own_rules(runs: Path, storage: BaseStorage) -> None:
    for scenarios in (["full_class"], None):
        spec = load_spec(str(OLD / "old.yaml"), scenarios=scenarios)
        sweep = Sweep.at(spec, runs).continued()
        sweep.freeze(storage)
    assert sweep.spec.scenarios["canary"].options == {"pool": 50}


def test_it_is_extended_by_its_own_rules(runs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    asked = ["evaluate", NAME, "--set", "evaluation.seeds=4", "--set", "evaluation.trainings=2", "--dry-run"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    plan = make_plan(Options(NAME, runs, overrides=asked[3::2][:2]).load().spec, ["evaluation"])
    for scenario in ("canary", "full_class"):
        study = plan.study("evaluation", scenario, "neg_grad_plus")
        assert study is not None
        assert [draw.seed for draw in study.draws] == [*range(4), *range(1_000_000, 1_000_004)]
        assert {draw.avoids for draw in study.draws} == {None}
        assert study.oracles == 1
