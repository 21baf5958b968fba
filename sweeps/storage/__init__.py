"""The Optuna storage, and the lease by which one driver at a time runs a sweep."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.storage.open import open_storage, storage_errors

__all__ = ["open_storage", "storage_errors"]


def __getattr__(name: str) -> Any:
    """The names above, when they are asked for: what a storage's URL says is read without Optuna and SQLAlchemy."""
    if name in __all__:
        return getattr(importlib.import_module("sweeps.storage.open"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
