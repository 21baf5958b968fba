"""Finds a sweep by its name, its folder or its storage, and reads it."""

from __future__ import annotations

from pathlib import Path

from optuna.storages import BaseStorage

from sweeps.errors import SweepError
from sweeps.folder import SweepFolder
from sweeps.record.load import load_sweep
from sweeps.record.record import SweepRecord
from sweeps.secrets import mask
from sweeps.spec import read_stored
from sweeps.storage import open_storage
from sweeps.storage.urls import is_storage_url, storage_exists
from unlearn.files import expanded


def find_sweep(where: str | Path, *, sweep: str | None = None, storage: str | None = None) -> SweepRecord:
    """The sweep that `where` tells: its name (then it lies under `runs/`), its folder, or the URL of a storage.

    Args:
        sweep: its name, where a storage holds several.
        storage: URL, where the folder cannot tell it because it has a password; else $UNLEARN_SWEEPS_STORAGE.

    Raises:
        SweepError: there is no such sweep; the message says what there is.
    """
    if is_storage_url(str(where)):
        url, name = str(where), sweep
    else:
        folder = _folder_of(expanded(where))
        frozen = read_stored(folder.spec)
        url, name = folder.storage_of_run(storage, frozen.get("storage")), sweep or frozen.get("name")
    if not storage_exists(url):
        raise SweepError(f"storage must exist, got {mask(url)}")
    opened = open_storage(url, to_read=True)
    held = sweeps_in(opened)
    if name is None and len(held) != 1:
        raise SweepError(f"storage {mask(url)} holds the sweeps {', '.join(held) or 'none'}; pass sweep=…")
    return load_sweep(opened, name or held[0])


def _folder_of(where: Path) -> SweepFolder:
    for folder in (SweepFolder(where), SweepFolder("runs" / where)):
        if folder.spec.is_file():
            return folder
    raise SweepError(
        f"sweep must be a name under runs/, a folder with a spec.yaml, or a storage URL, got {str(where)!r}"
    )


def sweeps_in(storage: BaseStorage) -> list[str]:
    """Names of the sweeps that a storage holds."""
    return sorted(s.study_name for s in storage.get_all_studies() if "spec" in s.user_attrs)
