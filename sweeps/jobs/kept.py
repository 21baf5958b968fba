"""Unlearned models that an evaluation keeps: a safetensors file each, in the cache beside originals and oracles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sweeps.jobs.cache import Cache
from unlearn.training import ModelStore, TrainingCost, content_key, state_digest


def store_of_unlearned(cache: Cache) -> ModelStore:
    """The kept models of all sweeps.

    Raises:
        ShareError: the shared folder cannot be opened.
    """
    return ModelStore(cache.unlearned, cache.share_of_unlearned)


def keep_model(cache: Cache, state: dict[str, Tensor], facts: Mapping[str, Any]) -> str:
    """Write an unlearned model, unless it is there already; returns its key, which is that of its weights and of `facts`.

    Args:
        state: weights and buffers by the names of the network's own class.
        facts: how it came about, for the file's header.

    Raises:
        OSError: it cannot be written.
        ShareError: the shared folder cannot be read or written.
    """
    about = {"kind": "unlearned", **facts, "state_sha256": state_digest(state)}
    key = content_key(about)
    store_of_unlearned(cache).train_or_load(key, lambda: (state, TrainingCost(0.0, 0)), about)  # the trial has its cost
    return key


__all__ = ["keep_model", "store_of_unlearned"]
