"""The store of trained models: one checksummed safetensors file per content key, train-or-load."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

__all__ = ["ModelStore", "StoredModel", "content_key"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingCost:
    """What a stored model took to train: wall-clock seconds, and samples passed forward and backward."""

    seconds: float
    samples: int


@dataclass(frozen=True)
class StoredModel:
    """A state dict with its training cost; `loaded` tells whether it came from disk."""

    state: dict[str, Tensor]
    cost: TrainingCost
    loaded: bool


def content_key(content: Mapping[str, Any]) -> str:
    """A 32-digit name for JSON-like `content`: equal content, equal name, on every machine."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class ModelStore:
    """Models under one folder, `<folder>/<key>.safetensors`; safe under concurrent readers and writers."""

    folder: Path

    def path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def train_or_load(
        self, key: str, train: Callable[[], tuple[dict[str, Tensor], TrainingCost]], about: Mapping[str, Any]
    ) -> StoredModel:
        """The model stored under `key`; where there is none, or a damaged one, `train()` is called and its result stored.

        Processes that ask for the same key at once train it once: the others wait. `about` is written into the file's header.
        """
        found = self.load(key)
        if found is not None:
            return found
        with self._lock(key):
            found = self.load(key)  # another process may have trained it while we waited
            if found is not None:
                return found
            state, cost = train()
            self._write(key, state, cost, about)
            return StoredModel(state, cost, loaded=False)

    def load(self, key: str) -> StoredModel | None:
        """The stored model, or None where there is none. A damaged file is set aside as `<key>.damaged-<time>` and reported."""
        path = self.path(key)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            state = load_tensors(raw)
            with safetensors.safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
            if header.get("checksum") != _checksum(state):
                raise ValueError("its checksum does not hold")
            return StoredModel(state, TrainingCost(**json.loads(header["cost"])), loaded=True)
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
            aside = path.with_suffix(f".damaged-{time.time_ns()}")
            path.rename(aside)
            logger.warning("%s is damaged (%s); set aside as %s, to be trained again", path, error, aside.name)
            return None

    def keys(self) -> Iterator[str]:
        for path in sorted(self.folder.glob("*.safetensors")):
            yield path.stem

    def about(self, key: str) -> dict[str, Any]:
        """What the header of a stored file says, without reading its tensors."""
        with safetensors.safe_open(self.path(key), framework="pt") as file:
            header = file.metadata() or {}
        return {**json.loads(header["about"]), **json.loads(header["cost"])}

    def _write(self, key: str, state: Mapping[str, Tensor], cost: TrainingCost, about: Mapping[str, Any]) -> None:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        header = {
            "checksum": _checksum(tensors),
            "cost": json.dumps(asdict(cost)),
            "about": json.dumps(about, default=str),
        }
        write_atomically(self.path(key), save_tensors(tensors, header))

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{key}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the kernel releases it when the process dies
            yield


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name, fsync, rename: readers see the old file or the whole new one. On failure nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _checksum(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
