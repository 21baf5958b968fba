"""A model, weights and lists of one's own that cannot be used: told from the command line, on one screen, before any training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.plan import ForgetDraw
from sweeps.spec import load_spec
from sweeps.sweep import Sweep, checked
from tests.own_network import MEAN, STD, Net, trained_on_digits, write_ids
from tests.sweeps.conftest import TINY
from unlearn.data import split
from unlearn.data.digits import digits
from unlearn.facts import component_facts
from unlearn.registry import find, keys
from unlearn.run import unlearn_epochs

DATA = digits()
PARTS = split(DATA.train_labels, held_out=0.2, dev=0.5, seed=7)
TRAINED = DATA.ids.names(PARTS.train)
HELD = DATA.ids.names(np.concatenate([PARTS.validation, PARTS.dev]))
THREES = [name for name, label in zip(TRAINED, DATA.train_labels[PARTS.train], strict=True) if label == 3]
MODEL = {"name": "tests.own_network:Net", "normalise": {"mean": [MEAN], "std": [STD]}}


class Code:
    """What runs when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.file),)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "model.pt"
    torch.save(trained_on_digits(list(map(int, TRAINED))).state_dict(), path)
    return path


def write(home: Path, **changes: Any) -> str:
    """A sweep file of the own network, with some sections replaced."""
    body = {
        **TINY,
        "model": MODEL,
        "held_out": write_ids(home / "held_out.txt", HELD),
        "scenarios": {"request": {"scenario": "listed", "forget": write_ids(home / "ids.txt", TRAINED[:30])}},
        "cache": str(home / "cache"),
        **changes,
    }
    (home / "tiny.yaml").write_text(yaml.safe_dump(body))
    return str(home / "tiny.yaml")


def run(home: Path, **changes: Any) -> Any:
    """`sweeps run` of it; what it has trained must be nothing."""
    arguments = ["run", write(home, **changes), "--runs", str(home / "runs"), "--quiet"]
    result = CliRunner().invoke(app, arguments)
    assert len(result.stderr.splitlines()) < 25
    assert not list((home / "cache" / "models").glob("*.safetensors"))
    return result


def saved(path: Path, content: object) -> dict[str, str]:
    torch.save(content, path)
    return {"weights": str(path)}


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (Net(hidden=5), "these have other shapes: hidden.weight (5×128, not 24×128)"),
        (Net(classes=7), "these have other shapes: answer.weight (7×24, not 10×24), answer.bias (7, not 10)"),
        (nn.Sequential(nn.Linear(4, 4)), "it lacks conv.weight, conv.bias, norm.weight"),
    ],
)
def test_weights_of_another_network(network: nn.Module, told: str, tmp_path: Path) -> None:
    result = run(tmp_path, original=saved(tmp_path / "other.pt", network.state_dict()))
    assert result.exit_code == 2
    assert "original.weights: " in result.stderr
    assert "must hold the weights of this very model, but" in result.stderr
    assert told in result.stderr


def test_a_network_of_another_number_of_classes(tmp_path: Path) -> None:
    original = saved(tmp_path / "seven.pt", Net(classes=7).state_dict())
    result = run(tmp_path, model={**MODEL, "classes": 7}, original=original)
    assert result.exit_code == 2
    assert "must give one logit for each of the data set's 10 classes, got 7" in result.stderr
    assert "make it with another number of classes, or give other data" in result.stderr


@pytest.mark.parametrize("wrapped", [False, True])
def test_code_in_a_checkpoint_is_not_run(wrapped: bool, tmp_path: Path) -> None:
    code = Code(tmp_path / "ran")
    result = run(tmp_path, original=saved(tmp_path / "code.pt", {"state_dict": code} if wrapped else code))
    assert result.exit_code == 2
    assert (
        "holds a whole model or other code, which is not run: save the weights by torch.save(model.state_dict()"
        in result.stderr
    )
    assert not (tmp_path / "ran").exists()
    whole = run(tmp_path, original=saved(tmp_path / "whole.pt", Net()))
    assert whole.exit_code == 2
    assert "holds a whole model or other code, which is not run" in whole.stderr


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nonsense", b"\x80\x02}."])
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_checkpoint_that_is_none(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    result = run(tmp_path, original={"weights": str(tmp_path / name)})
    assert result.exit_code == 2
    assert f"{name} " in result.stderr


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        ([TRAINED[0], "1797"], "these are none: 1797"),
        ([TRAINED[0], "-1"], "these are none: -1"),
        ([TRAINED[0], "train/3/a.png"], "these are none: train/3/a.png"),
        ([TRAINED[0], TRAINED[1], TRAINED[0]], f"these are there several times: {TRAINED[0]}"),
        ([TRAINED[0], str(DATA.ids.test[0])], f"these are test images: {DATA.ids.test[0]}"),
        ([TRAINED[0], HELD[0]], f"these are held out for validation: {HELD[0]}"),
        ([], "must list at least one id, and it lists none"),
        (["", " "], "must list at least one id, and it lists none"),
        (TRAINED, f"must leave samples to retain: it forgets all {len(TRAINED)} training samples"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_forgotten(ids: list[str], told: str, tmp_path: Path) -> None:
    forget = write_ids(tmp_path / "wrong.txt", ids)
    result = run(tmp_path, scenarios={"request": {"scenario": "listed", "forget": forget}})
    assert result.exit_code == 2
    assert "scenarios.request: " in result.stderr
    assert told in result.stderr


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            {
                "name": "torchvision.models.densenet:DenseNet",
                "growth_rate": 4,
                "block_config": [1, 1, 1, 1],
                "num_init_features": 4,
            },
            "the network must take images of 1 × 8 × 8 (channels × height × width), as the data set has",
        ),
        ({"name": "torchvision:vit_b_32", "image_size": 64}, "the network must take images of 1 × 8 × 8"),
    ],
)
def test_images_of_another_size_than_the_network_takes(model: Any, told: str, tmp_path: Path) -> None:
    result = run(tmp_path, model=model)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_list_may_take_a_whole_class_as_every_method_can(tmp_path: Path, weights: Path) -> None:
    forget, original = write_ids(tmp_path / "threes.txt", THREES), {"weights": str(weights)}
    scenarios = {"request": {"scenario": "listed", "forget": forget}}
    facts = {name: component_facts("methods", name) for name in keys("methods")}
    counts = {name: "epochs" in of.options.keys() - set(of.declared["unread"]) for name, of in facts.items()}
    methods = {name: {"epochs": 1} if counts[name] else {} for name in facts}
    spec = load_spec(write(tmp_path, scenarios=scenarios, original=original, methods=methods))
    checked(Sweep.at(spec, tmp_path / "runs"))  # as a run does, which would refuse it
    worker = Worker(spec, Cache(tmp_path / "cache"))
    task = worker.task(ForgetDraw("request", None, 0), "test")
    assert not np.isin(worker.workspace.task_data(task).labels[worker.workspace.task_data(task).retain], 3).any()
    for name in methods:
        space = spec.space(name)
        method = find("methods", name)(**{**space.fixed, **{r.name: r.low for r in space.ranges}})
        *_, last = unlearn_epochs(worker.workspace, task, method, seed=0)
        assert last.number, name
        assert last.model.finite, name
