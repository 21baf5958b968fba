"""A sweep's folder: where its spec and its storage lie."""

from __future__ import annotations

import os
from pathlib import Path

from sweeps.spec import read_stored

STORAGE_VARIABLE = "UNLEARN_SWEEPS_STORAGE"


def own_storage(folder: Path) -> str:
    """The URL of the storage in a sweep's own folder."""
    return f"sqlite:///{(folder / 'study.db').absolute()}"


def storage_of(folder: Path, given: str | None = None) -> str:
    """Where the sweep in `folder` keeps its trials: as given, else $UNLEARN_SWEEPS_STORAGE, else as it was last run.

    A storage of its own that is no longer there was moved together with the folder.
    """
    own = own_storage(folder)
    url = given or os.environ.get(STORAGE_VARIABLE) or read_stored(folder / "spec.yaml").get("storage") or own
    moved = url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()
    return own if moved and (folder / "study.db").exists() else str(url)


def last_storage(folder: Path) -> str | None:
    """Where the sweep in `folder` was last run; None where that has a password, which is not kept."""
    url = read_stored(folder / "spec.yaml").get("storage") or own_storage(folder)
    return None if "***" in url else str(url)
