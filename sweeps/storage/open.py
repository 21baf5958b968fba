"""Opens the Optuna storage: SQLite by default, set up so that readers never stop the driver; any RDB URL or journal by option."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from sweeps.errors import SweepError
from sweeps.secrets import mask
from sweeps.storage.journal import WholeLines
from sweeps.storage.urls import journal_path, wrong_url

BUSY_SECONDS = 60
#: What a storage raises when the disk is full or the server gone.
STORAGE_ERRORS = (SQLAlchemyError, StorageInternalError, OSError)


def open_storage(url: str) -> BaseStorage:
    """The storage behind `url`: `sqlite:///PATH`, another SQLAlchemy URL, or `journal:PATH`.

    Raises:
        SweepError: it cannot be opened; the message says why, with any password masked.
    """
    if wrong := wrong_url(url):
        raise SweepError(str(wrong))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if url.startswith("journal:"):
            path = Path(journal_path(url))
            path.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(WholeLines(str(path)))
        if not url.startswith("sqlite:///"):
            return RDBStorage(_with_driver(url), engine_kwargs={"pool_pre_ping": True}, skip_compatibility_check=False)
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}})
        event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # connections made before the listener
        return storage
    except (*STORAGE_ERRORS, ImportError, ValueError, RuntimeError) as error:
        reason = _first_line(error)
        raise SweepError(
            f"storage must be a readable database URL, got {mask(url)}: {mask(reason)}\n"
            "  remedy: use sqlite:///PATH, journal:PATH or postgresql://USER@HOST/DATABASE, and see that the server is up"
        ) from error


@contextlib.contextmanager
def told_of_storage() -> Iterator[None]:
    """A full disk or a server that went away becomes a `SweepError` that says so."""
    try:
        yield
    except STORAGE_ERRORS as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        raise SweepError(
            f"the storage failed: {mask(_first_line(cause))}\n"
            "  remedy: make room on its disk, or bring its server back; the same command then resumes, nothing finished is lost"
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _with_driver(url: str) -> str:
    """`url` with psycopg 3 as the driver of a PostgreSQL address that names none.

    Raises:
        SweepError: it is not installed.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        return url
    if importlib.util.find_spec("psycopg") is None:
        raise SweepError(
            f"a PostgreSQL storage needs psycopg, got {mask(url)}\n  remedy: pip install 'unlearn-sweeps[postgres]'"
        )
    return f"postgresql+psycopg{separator}{rest}"


def _write_ahead(connection: Any, _record: object) -> None:
    """Readers do not block the writer, and a commit costs no fsync: a killed process loses nothing."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
