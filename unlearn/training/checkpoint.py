"""Weights of a user's own model, read from a checkpoint: tensors alone, never code."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor

from unlearn.data import few
from unlearn.errors import ModelError
from unlearn.models import Classifier

__all__ = ["load_checkpoint", "read_checkpoint", "state_digest"]

#: Under which keys training code keeps a state dict beside other things, the likelier first.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
#: What wrappers of a network put before all of its names: DataParallel, torch.compile, Lightning and the like.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
BATCHES = "num_batches_tracked"


def load_checkpoint(model: Classifier, path: Path) -> None:
    """Give `model` the weights in the file `path`: safetensors, or what `torch.save` wrote of a state dict.

    Names may have a wrapper's prefix (`module.`, …), and the state dict may lie under a key (`state_dict`, …).

    Raises:
        ModelError: it is no such file, holds code, or its names or shapes are not the model's; they are named.
    """
    expected = model.own_state()
    state = _matching(read_checkpoint(path), expected)
    problems = _differences(state, expected)
    if problems:
        raise ModelError(f"{path} must hold the weights of this very model, but {'; '.join(problems)}")
    model.load_own_state({name: state.get(name, expected[name]) for name in expected})
    if not model.finite:
        raise ModelError(f"{path} must hold finite weights, got NaN or infinity")


def state_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of named tensors: names, types, shapes and bytes, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The named tensors in a checkpoint; those under a wrapper's key where there is one.

    Raises:
        ModelError: it is no such file, or holds code.
    """
    if not path.is_file():
        raise ModelError(f"{path} must be a file of weights, and there is none")
    if path.suffix == ".safetensors":
        try:
            return load_safetensors(path.read_bytes())
        except safetensors.SafetensorError as error:
            raise ModelError(f"{path} cannot be read as safetensors: {error}") from error
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickle protocols
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ModelError(
            f"{path} must hold tensors alone, but it holds a whole model or other code, which is not run: save the weights "
            "by torch.save(model.state_dict(), PATH), or as safetensors"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path} cannot be read as a PyTorch checkpoint: {reason}") from error
    return _state_dict(path, loaded)


def _state_dict(path: Path, loaded: Any) -> dict[str, Tensor]:
    """The state dict in what was loaded: itself, or under one of the usual keys."""
    keys = []
    while isinstance(loaded, Mapping):
        if loaded and all(isinstance(value, Tensor) for value in loaded.values()):
            return {str(name): tensor for name, tensor in loaded.items()}
        keys = [str(key) for key in loaded]
        loaded = next((loaded[key] for key in WRAPPERS if isinstance(loaded.get(key), Mapping)), None)
    found = f"it has the keys {few(keys)}" if keys else f"it is of type {type(loaded).__name__}"
    raise ModelError(f"{path} must hold a state dict, itself or under one of {', '.join(WRAPPERS)}; {found}")


def _matching(state: dict[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without a prefix that all of their names share, and the model's own names have not."""
    for _ in range(len(PREFIXES)):
        shared = [p for p in PREFIXES if all(name.startswith(p) for name in state)]
        wanted = [p for p in shared if not all(name.startswith(p) for name in expected)]
        if not wanted:
            break
        state = {name.removeprefix(wanted[0]): tensor for name, tensor in state.items()}
    return state


def _differences(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """What keeps a state dict from being the model's; counts of batches may be missing."""
    missing = [name for name in expected if name not in state and not name.endswith(BATCHES)]
    strange = [name for name in state if name not in expected]
    other = [
        f"{name} ({_shape(state[name])}, not {_shape(expected[name])})"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    said = (("it lacks", missing), ("it has besides", strange), ("these have other shapes:", other))
    return [f"{words} {few(names)}" for words, names in said if names]


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"
