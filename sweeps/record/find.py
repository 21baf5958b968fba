"""Finds a sweep by its name, its folder or its storage, and reads it."""

from __future__ import annotations

from pathlib import Path

from optuna.storages import BaseStorage

from sweeps.errors import SweepError
from sweeps.folder import STORAGE_VARIABLE, storage_of
from sweeps.record.load import load_sweep
from sweeps.record.record import SweepRecord
from sweeps.secrets import mask
from sweeps.spec import read_stored
from sweeps.storage import open_storage


def find_sweep(where: str | Path, *, sweep: str | None = None, storage: str | None = None) -> SweepRecord:
    """The sweep that `where` tells: its name (then it lies under `runs/`), its folder, or the URL of a storage.

    Args:
        sweep: its name, where a storage holds several.
        storage: URL, where the folder cannot tell it because it has a password; else $UNLEARN_SWEEPS_STORAGE.

    Raises:
        SweepError: there is no such sweep; the message says what there is.
    """
    if "://" in str(where) or str(where).startswith("journal:"):
        url, name = str(where), sweep
    else:
        folder = Path(where) if (Path(where) / "spec.yaml").is_file() else Path("runs") / where
        if not (folder / "spec.yaml").is_file():
            raise SweepError(
                f"sweep must be a name under runs/, a folder with a spec.yaml, or a storage URL, got {str(where)!r}"
            )
        name = sweep or read_stored(folder / "spec.yaml")["name"]
        url = storage_of(folder, storage)
    if "***" in url:
        raise SweepError(f"storage {url} has a password: pass storage=… or set ${STORAGE_VARIABLE}")
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        raise SweepError(f"storage must exist, got {mask(url)}")
    opened = open_storage(url)
    held = sweeps_in(opened)
    if name is None and len(held) != 1:
        raise SweepError(f"storage {mask(url)} holds the sweeps {', '.join(held) or 'none'}; pass sweep=…")
    return load_sweep(opened, name or held[0])


def sweeps_in(storage: BaseStorage) -> list[str]:
    """Names of the sweeps that a storage holds."""
    return sorted(s.study_name for s in storage.get_all_studies() if "spec" in s.user_attrs)
