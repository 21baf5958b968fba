"""The store of trained models: one checksummed safetensors file per content key, train-or-load."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from unlearn.files import locked, write_atomically
from unlearn.model_files import ENDING, model_facts, model_files
from unlearn.shared import SharedFolder

__all__ = ["ModelStore", "StoredModel", "TrainingCost", "content_key"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingCost:
    """What a stored model took to train: wall-clock seconds, and samples passed forward and backward."""

    seconds: float
    samples: int


@dataclass(frozen=True)
class StoredModel:
    """A state dict with its training cost and what was written with it; `loaded` tells whether it came from disk."""

    state: dict[str, Tensor]
    cost: TrainingCost
    facts: Mapping[str, Any]
    loaded: bool


def content_key(content: Mapping[str, Any]) -> str:
    """A 32-digit name for JSON-like `content`: equal content, equal name, on every machine."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class ModelStore:
    """Models under one folder, `<folder>/<key>.safetensors`; safe under concurrent readers and writers.

    With `share` the model there is everybody's: it replaces one that was trained here before, and what only this folder has is
    copied there. Machines that share no lock must not train one key at the same moment: the later model would stay there.
    """

    folder: Path
    share: SharedFolder | None = None
    _agreed: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def path(self, key: str) -> Path:
        return self.folder / f"{key}{ENDING}"

    def train_or_load(
        self, key: str, train: Callable[[], tuple[dict[str, Tensor], TrainingCost]], facts: Mapping[str, Any]
    ) -> StoredModel:
        """The model stored under `key`; where there is none, or a damaged one, `train()` is called and its result stored.

        Processes that ask for the same key at once train it once: the others wait. `facts` is written into the file's header.

        Raises:
            ShareError: the shared folder cannot be read or written.
        """
        if self.share is None or key in self._agreed:
            try:
                found = self._read(key)
            except _DamagedError:
                found = None  # dealt with below, under the lock
            if found is not None:
                return found
        with self._locked(key):
            found = self._fetch(key) or self._intact(key)  # another process may have trained it while we waited
            if found is None:
                self._agreed.discard(key)  # what was shared may have been deleted
                state, cost = train()
                found = self._fetch(key)  # another machine may have been quicker
            if found is None:
                self._write(key, state, cost, facts)
                found = StoredModel(state, cost, facts, loaded=False)
            self._agree(key)
            return found

    def load(self, key: str) -> StoredModel | None:
        """The stored model, or None where there is none. A damaged file is set aside as `<key>.damaged-<time>` and reported."""
        try:
            return self._read(key)
        except _DamagedError:
            with self._locked(key):
                return self._intact(key)

    def _agree(self, key: str) -> None:
        """Share what this folder has, unless the shared model was just copied from there. Under the lock."""
        if self.share is not None and key not in self._agreed:
            self.share.publish(self.path(key), self.path(key).name)
            self._agreed.add(key)

    def _fetch(self, key: str) -> StoredModel | None:
        """The model that another machine has shared, copied into this folder; None where there is none. Under the lock."""
        if self.share is None or not self.share.fetch(self.path(key).name, self.path(key)):
            return None
        found = self._intact(key)
        if found is not None:
            self._agreed.add(key)
        return found

    def _intact(self, key: str) -> StoredModel | None:
        """Under the lock: else a file that another process has just rebuilt might be set aside."""
        try:
            return self._read(key)
        except _DamagedError as error:
            path = self.path(key)
            aside = path.with_suffix(f".damaged-{time.time_ns()}")
            path.rename(aside)
            logger.warning("%s is damaged (%s); set aside as %s, to be trained again", path, error, aside.name)
            return None

    def _read(self, key: str) -> StoredModel | None:
        try:
            raw = self.path(key).read_bytes()  # once: the file may be replaced at any moment
        except FileNotFoundError:
            return None
        try:
            state = load_tensors(raw)
            header = _metadata(raw)
            if header["checksum"] != _checksum(state, header["cost"]):
                raise ValueError("its checksum does not hold")
            if header.get("key", key) != key:  # older files do not say
                raise ValueError(f"it is the model {header['key']}")
            cost, facts = (json.loads(header[part]) for part in ("cost", "about"))
            return StoredModel(state, TrainingCost(**cost), facts, loaded=True)
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
            raise _DamagedError(str(error)) from error

    def has(self, key: str) -> bool:
        """Whether there is a model under `key`, here or shared; it may be damaged.

        Raises:
            ShareError: the shared folder cannot be read.
        """
        return self.path(key).exists() or (self.share is not None and self.share.has(self.path(key).name))

    def delete(self, key: str) -> int:
        """Remove the model under `key`, here and where it is shared, and damaged ones set aside; returns the bytes freed here.

        Raises:
            ShareError: the shared folder cannot be written.
        """
        with self._locked(key):
            files = [path for path in self.folder.glob(f"{key}.*") if path.suffix != ".lock"]
            freed = sum(path.stat().st_size for path in files)
            for path in files:
                path.unlink(missing_ok=True)
            if self.share is not None and self.share.has(self.path(key).name):
                self.share.remove(self.path(key).name)
            self._agreed.discard(key)
        return freed

    def keys(self) -> Iterator[str]:
        yield from (file.stem for file in model_files(self.folder))

    def facts(self, key: str) -> dict[str, Any] | None:
        """What the header of a stored file says, without reading its tensors; None where the file is gone, or damaged there."""
        return model_facts(self.path(key))

    def _write(self, key: str, state: Mapping[str, Tensor], cost: TrainingCost, facts: Mapping[str, Any]) -> None:
        # copies, as weights that are tied share their memory, which the format refuses
        tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}
        cost_text = json.dumps(asdict(cost))
        header = {
            "checksum": _checksum(tensors, cost_text),
            "cost": cost_text,
            "key": key,
            "about": json.dumps(facts, default=str),
        }
        for stale in self.folder.glob(f".{self.path(key).name}.*.tmp"):  # left by a killed process: we hold the lock
            stale.unlink(missing_ok=True)
        write_atomically(self.path(key), save_tensors(tensors, header))

    def _locked(self, key: str) -> AbstractContextManager[None]:
        return locked(self.folder / f"{key}.lock")


class _DamagedError(Exception):
    """A stored file that cannot be trusted; the message says why."""


def _metadata(raw: bytes) -> dict[str, str]:
    """The free-form header of a safetensors file: 8 bytes of length, little-endian, then JSON."""
    length = int.from_bytes(raw[:8], "little")
    header: dict[str, str] = json.loads(raw[8 : 8 + length])["__metadata__"]
    return header


def _checksum(state: Mapping[str, Tensor], cost: str) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, and the training cost as stored."""
    digest = hashlib.sha256(cost.encode())
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
