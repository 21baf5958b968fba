"""Checkpoints as people save them, and what is no checkpoint of the model."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from unlearn.errors import ModelError
from unlearn.files import file_digest
from unlearn.models import Classifier, adapt
from unlearn.models.small_resnet import small_resnet
from unlearn.training import load_checkpoint

SHAPE = (1, 6, 6)
State = dict[str, Tensor]


class Tiny(nn.Sequential):
    def __init__(self, classes: int = 3) -> None:
        super().__init__(nn.Flatten(), nn.Linear(36, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, classes))


def trained(seed: int = 1, classes: int = 3) -> State:
    torch.manual_seed(seed)
    return Tiny(classes).state_dict()


def fresh() -> Classifier:
    torch.manual_seed(0)
    return adapt(Tiny(), SHAPE, 3)


SAVED: dict[str, Callable[[State], Any]] = {
    "state dict": lambda state: state,
    "state_dict beside other things": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": [0.1]}},
    "DataParallel": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "compiled, in Lightning's": lambda s: {"state_dict": {f"model._orig_mod.{name}": t for name, t in s.items()}},
    "doubly nested": lambda state: {"model": {"state_dict": state}, "args": {"width": 4}},
    "half precision": lambda state: {name: t.half() if t.is_floating_point() else t for name, t in state.items()},
    "before batches were counted": lambda s: {n: t for n, t in s.items() if not n.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("form", SAVED)
def test_a_checkpoint_is_read_as_people_save_it(form: str, tmp_path: Path) -> None:
    path, state = tmp_path / "model.pt", trained()
    torch.save(SAVED[form](state), path)
    digest = file_digest(path)
    model = fresh()
    load_checkpoint(model, path)

    for name, tensor in model.own_state().items():
        torch.testing.assert_close(tensor, state[name], atol=1e-3, rtol=1e-3)
        assert tensor.dtype == state[name].dtype
    assert file_digest(path) == digest


def test_safetensors_are_read_too_and_names_with_a_point_stay(tmp_path: Path) -> None:
    path, state = tmp_path / "model.safetensors", trained()
    save_file({f"module.{name}": tensor for name, tensor in state.items()}, path)
    model = fresh()
    load_checkpoint(model, path)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.own_state().items())


def test_weights_of_this_packages_models_are_their_whole_state(tmp_path: Path) -> None:
    torch.manual_seed(3)
    saved, model = small_resnet(SHAPE, 3, width=2), small_resnet(SHAPE, 3, width=2)
    torch.save(saved.state_dict(), tmp_path / "own.pt")
    load_checkpoint(model, tmp_path / "own.pt")
    assert all(torch.equal(a, b) for a, b in zip(saved.parameters(), model.parameters(), strict=True))


class Evil:
    def __reduce__(self) -> Any:
        return print, ("code ran",)


def bad(path: Path, kind: str) -> None:
    state = trained()
    contents: dict[str, Callable[[], object]] = {
        "renamed": lambda: torch.save({name.replace("1.", "9."): t for name, t in state.items()}, path),
        "other classes": lambda: torch.save(trained(classes=4), path),
        "whole model": lambda: torch.save(Tiny(), path),
        "code": lambda: torch.save({"state_dict": Evil()}, path),
        "plain pickle of code": lambda: path.write_bytes(pickle.dumps(Evil())),
        "no state dict": lambda: torch.save({"epoch": 3, "lr": 0.1}, path),
        "list": lambda: torch.save([1, 2], path),
        "text": lambda: path.write_text("not a checkpoint"),
        "empty": lambda: path.write_bytes(b""),
        "cut": lambda: (torch.save(state, path), path.write_bytes(path.read_bytes()[:200])),
        "not finite": lambda: torch.save({**state, "1.weight": state["1.weight"] * torch.nan}, path),
        "missing": lambda: None,
        "safetensors": lambda: path.write_bytes(b"\0" * 40),
    }
    contents[kind]()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("renamed", r"it lacks 1\.weight, 1\.bias; it has besides 9\.weight, 9\.bias"),
        ("other classes", r"these have other shapes: 4\.weight \(4×5, not 3×5\), 4\.bias \(4, not 3\)"),
        ("whole model", "holds a whole model or other code, which is not run: save the weights by torch.save"),
        ("code", "which is not run"),
        ("plain pickle of code", "which is not run"),
        ("no state dict", "must hold a state dict, itself or under one of .* it has the keys epoch, lr"),
        ("list", "must hold a state dict.* it is of type list"),
        ("text", "which is not run|cannot be read"),
        ("empty", "cannot be read as a PyTorch checkpoint"),
        ("cut", "cannot be read as a PyTorch checkpoint"),
        ("not finite", "must hold finite weights"),
        ("missing", "must be a file of weights, and there is none"),
        ("safetensors", "cannot be read as safetensors"),
    ],
)
def test_what_is_no_checkpoint_of_the_model_is_told(
    kind: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / ("model.safetensors" if kind == "safetensors" else "model.pt")
    bad(path, kind)
    model = fresh()
    before = {name: tensor.clone() for name, tensor in model.own_state().items()}
    with pytest.raises(ModelError, match=told):
        load_checkpoint(model, path)
    assert "code ran" not in capsys.readouterr().out
    if kind != "not finite":
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.own_state().items())
