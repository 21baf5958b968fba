"""The models of a sweep in the cache: listed, verified, trained again, deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.storages import BaseStorage
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.oracles import CachedModel, cached_models, delete_models, retry_untrained
from sweeps.plan import make_plan
from sweeps.spec import parse_spec
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY, serve
from tests.sweeps.processes import sweeps

SMALL: dict[str, Any] = {
    **TINY,
    "training": {"epochs": 1, "milestones": [1]},
    "scenarios": {"partial_class": {"tune_size": 40, "sizes": [40]}},
    "methods": {"finetune": {}},
    "evaluation": {"seeds": 1},
    "sensitivity": {"enabled": False},
}


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(parse_spec({**SMALL, "cache": str(tmp_path / "cache")}), tmp_path / "runs/tiny", "")


def train(sweep: Sweep, storage: BaseStorage, models: list[CachedModel]) -> list[str]:
    """Train what is missing of the references, as a pool of one worker would; returns the keys trained."""
    studies = Multiplexer(make_plan(sweep.spec, ["reference"]), storage, retry=retry_untrained(models))
    done = serve(studies, Worker(sweep.spec, sweep.cache))
    assert studies.done
    return [assignment.ended.user_attrs["key"] for assignment in done if assignment.ended]


def test_what_is_missing_or_damaged_is_found_and_trained(sweep: Sweep, storage: BaseStorage) -> None:
    models = cached_models(sweep)
    assert [(m.need.kind, m.need.draw.seed, m.state) for m in models] == [
        ("original", 1000, "missing"),
        ("oracle", 1000, "missing"),
        ("oracle", 0, "missing"),
    ]
    assert train(sweep, storage, models) == [m.key for m in models]
    models = cached_models(sweep, verify=True)
    assert {m.state for m in models} == {"cached"}
    assert all(m.bytes and m.seconds for m in models)
    assert train(sweep, storage, models) == []

    file = sweep.cache.folder / "models" / f"{models[1].key}.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    assert [m.state for m in cached_models(sweep)] == ["cached"] * 3  # nobody has read it whole
    models = cached_models(sweep, verify=True)
    assert [m.state for m in models] == ["cached", "damaged", "cached"]
    assert train(sweep, storage, models) == [models[1].key]  # though its trial was complete

    file.write_bytes(raw[:20])
    assert [m.state for m in cached_models(sweep)] == ["cached", "damaged", "cached"]


def test_deleting_spares_what_other_sweeps_need(sweep: Sweep, storage: BaseStorage) -> None:
    train(sweep, storage, cached_models(sweep))
    other = sweep.cache.folder / "models" / "other.safetensors"
    other.write_bytes(b"of another sweep")
    models = cached_models(sweep)
    assert delete_models(sweep, models) == sum(m.bytes or 0 for m in models)
    assert {m.state for m in cached_models(sweep)} == {"missing"}
    assert list(sweep.cache.folder.glob("models/*.safetensors")) == [other]


def test_bad_input_is_told_first(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({**SMALL, "scenarios": {"partial_class": {"tune_size": 4000, "sizes": [40]}}}))
    told = CliRunner().invoke(app, ["oracles", str(file), "--set", f"cache={tmp_path / 'cache'}"])
    assert told.exit_code == 2
    assert "scenarios.partial_class.tune_size" in told.output


@pytest.mark.ray
def test_from_the_command_line(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({**SMALL, "cache": str(cache), "resources": {"workers": 1}}))
    listed = CliRunner().invoke(app, ["oracles", str(file)])
    assert listed.exit_code == 0
    assert "0 of 3 models cached, 0 bytes" in listed.output
    assert "train them now:" in listed.output

    code, out, err = sweeps(["oracles", "tiny.yaml", "--train", "-q"], tmp_path, cache)
    assert code == 0, err
    assert "3 of 3 models cached" in out
    next(Cache(cache).folder.glob("models/*.safetensors")).write_bytes(b"half")
    verified = CliRunner().invoke(app, ["oracles", str(file), "--verify"])
    assert verified.exit_code == 1
    assert "2 of 3 models cached" in verified.stdout
    assert "1 damaged: they are trained again when they are needed" in verified.stdout

    assert CliRunner().invoke(app, ["oracles", str(file), "--prune", "--train"]).exit_code == 2
    refused = CliRunner().invoke(app, ["oracles", str(file), "--prune"])
    assert refused.exit_code == 2
    assert "remedy: say --yes" in refused.output
    pruned = CliRunner().invoke(app, ["oracles", str(file), "--prune", "--yes"])
    assert pruned.exit_code == 0
    assert "deleted 3 models" in pruned.output
    assert not list(cache.glob("models/*.safetensors"))
