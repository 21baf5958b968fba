"""A sweep's folder: where its storage lies."""

from __future__ import annotations

from pathlib import Path

STORAGE_VARIABLE = "UNLEARN_SWEEPS_STORAGE"


def own_storage(folder: Path) -> str:
    """The URL of the storage in a sweep's own folder."""
    return f"sqlite:///{(folder / 'study.db').absolute()}"
