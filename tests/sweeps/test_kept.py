"""Unlearned models that an evaluation keeps: which are there, which are not and why, and what deletes them."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from optuna.storages import BaseStorage
from safetensors.torch import load_file
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.jobs.worker import Worker
from sweeps.kept import KeptModel, delete_kept_models, kept_models
from sweeps.plan import make_plan
from sweeps.spec import parse_spec
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY, prepare, serve

SMALL: dict[str, Any] = {
    **TINY,
    "training": {"epochs": 1, "milestones": [1]},
    "scenarios": {"partial_class": {"tune_size": 40, "sizes": [40, 5]}},
    "methods": {"finetune": {"lr": 0.01}},
    "evaluation": {"seeds": 1},
    "sensitivity": {"enabled": False},
}


EDITS_LATE = "tests.sweeps.bad_methods:EditsLate"
ENDS_EARLY = "tests.sweeps.bad_methods:EndsEarly"


def sweep_of(home: Path, **evaluation: Any) -> Sweep:
    spec = parse_spec({**SMALL, "evaluation": evaluation, "cache": str(home / "cache")})
    return Sweep.at(spec, home / "runs")


def run(sweep: Sweep) -> None:
    storage: BaseStorage = prepare(sweep)
    sweep.freeze(storage)
    serve(Multiplexer(make_plan(sweep.spec), storage, warm_start=[]), Worker(sweep.spec, sweep.cache))


def command(home: Path, *words: str) -> Any:
    return CliRunner().invoke(app, [*words, "--runs", str(home / "runs")])


def states(models: list[KeptModel]) -> list[str]:
    return [model.state for model in models]


def test_trials_that_ran_before_have_none_and_are_said(tmp_path: Path) -> None:
    run(sweep_of(tmp_path, seeds=1))
    assert not (tmp_path / "cache" / "unlearned").exists()
    later = sweep_of(tmp_path, seeds=2, keep_models=True)
    run(later)
    models = kept_models(later)
    assert [(m.forget_size, m.forget_seed, m.state) for m in models] == [
        (5, 0, "not asked for"),
        (5, 1, "kept"),
        (40, 0, "not asked for"),
        (40, 1, "kept"),
    ]
    told = command(tmp_path, "models", "tiny")
    assert told.exit_code == 0, told.output
    assert "unlearned models: 2 of 4 completed evaluation trials kept, in " in told.output
    assert "2 ran while evaluation.keep_models was off, and have none" in told.output
    again = shlex.split(told.output.rpartition("keep them:  ")[2])
    best = again.index("--params")
    del again[best : best + 2]  # which this sweep, of which nothing is searched, has not written
    dry = CliRunner().invoke(app, [*again[1:], "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "tiny-models: the plan" in dry.output
    assert all(model.key in told.output for model in models if model.key)

    gone = next(model for model in models if model.there)
    assert gone.place is not None
    Path(gone.place).unlink()
    assert Counter(states(kept_models(later))) == {"not asked for": 2, "missing": 1, "kept": 1}
    told = command(tmp_path, "models", "tiny")
    assert "1 were kept and are no longer there" in told.output
    pruned = command(tmp_path, "models", "tiny", "--prune", "--yes")
    assert pruned.exit_code == 0, pruned.output
    assert "deleted 1 unlearned model, " in pruned.output
    assert not list((tmp_path / "cache" / "unlearned").glob("*.safetensors"))
    assert CliRunner().invoke(app, ["models", "--prune"]).exit_code == 2
    assert "small_resnet" in CliRunner().invoke(app, ["models"]).output


def test_what_removes_models_and_what_leaves_them(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, seeds=1, keep_models=True)
    run(sweep)
    files = sorted((tmp_path / "cache" / "unlearned").glob("*.safetensors"))
    assert len(files) == 2
    pruned = command(tmp_path, "oracles", "tiny", "--prune", "--yes")
    assert pruned.exit_code == 0, pruned.output
    assert "2 unlearned models that its evaluation kept stay:  sweeps models tiny" in pruned.output
    assert states(kept_models(sweep)) == ["kept", "kept"]
    assert command(tmp_path, "models", "tiny", "--prune").exit_code == 2
    delete_kept_models(sweep, kept_models(sweep)[:1])
    assert sorted(states(kept_models(sweep))) == ["kept", "missing"]
    removed = command(tmp_path, "remove", "tiny", "--yes")
    assert removed.exit_code == 0, removed.output
    assert f"so do 1 unlearned model of its evaluation, in {tmp_path / 'cache' / 'unlearned'}" in removed.output
    assert sum(file.exists() for file in files) == 1


def test_one_that_cannot_be_written_fails_no_trial(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "unlearned").write_text("a file where the folder should be")
    sweep = sweep_of(tmp_path, seeds=1, keep_models=True)
    run(sweep)
    models = kept_models(sweep)
    assert states(models) == ["not written", "not written"]
    trials = sweep.record().counted
    assert set(trials["state"]) == {"COMPLETE"}
    told = command(tmp_path, "models", "tiny")
    assert "unlearned models: 0 of 2 completed evaluation trials kept" in told.output
    assert "2 could not be written (" in told.output


@pytest.mark.parametrize("method", ["finetune", "scrub", EDITS_LATE, ENDS_EARLY])
@pytest.mark.parametrize("rest", ["all", "stop"])
def test_the_weights_are_those_of_the_epoch_that_counts(method: str, rest: str, tmp_path: Path, cache: Path) -> None:
    """Against runs that end at that epoch, so that nothing but the last model could be kept."""
    entries = {
        "finetune": {"lr": 0.01},
        "scrub": {"lr": 0.001, "alpha": 0.5},
        EDITS_LATE: {},
        ENDS_EARLY: {"lr": 0.01},
    }[method]
    spec = parse_spec(
        {
            **SMALL,
            "methods": {method: entries},
            "scenarios": {"partial_class": {"tune_size": 40, "sizes": [40]}},
            "search": {"trials": 1, "sampler": "random", "confirm": "none"},
            "unlearning": {"epochs": 4},
            "evaluation": {"seeds": 1, "keep_models": True, "epochs": rest},
            "cache": str(cache),
        }
    )
    sweep = Sweep.at(spec, tmp_path / "runs")
    run(sweep)
    (model,) = kept_models(sweep)
    assert model.place is not None
    assert model.epoch == {EDITS_LATE: 1, ENDS_EARLY: 3}.get(method, model.epoch)
    trial = sweep.record().counted.query("stage == 'evaluation'").iloc[0]
    worker = Worker(spec, sweep.cache)
    network = worker.workspace.new_model(0)
    network.load_state_dict(load_file(model.place), strict=True)
    test = worker.workspace.part_outputs(network, "test")
    assert torch.isfinite(test.logits).all()
    assert test.accuracy == pytest.approx(trial["metric.heldout_accuracy"], abs=1e-6)
    train = worker.workspace.part_outputs(network, "train")
    n = len(train)
    both = 40 * trial["metric.forget_accuracy"] + (n - 40) * trial["metric.retain_accuracy"]
    assert train.accuracy * n == pytest.approx(both, abs=1e-3)
