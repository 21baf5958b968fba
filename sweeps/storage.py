"""Opens the Optuna storage: SQLite by default, set up so that readers never stop the driver; any RDB URL or journal by option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from sweeps.errors import SweepError

BUSY_SECONDS = 60


def open_storage(url: str) -> BaseStorage:
    """The storage behind `url`: `sqlite:///PATH`, another SQLAlchemy URL, or `journal:PATH`.

    Raises:
        SweepError: it cannot be opened; the message says why, with any password masked.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if url.startswith("journal:"):
            path = Path(url.removeprefix("journal:"))
            path.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(path)))
        if not url.startswith("sqlite:///"):
            return RDBStorage(url, engine_kwargs={"pool_pre_ping": True}, skip_compatibility_check=False)
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}})
        event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # connections made before the listener
        return storage
    except (SQLAlchemyError, ImportError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SweepError(
            f"storage must be a readable database URL, got {mask(url)}: {mask(reason)}\n"
            "  remedy: use sqlite:///PATH, journal:PATH or postgresql+psycopg://USER@HOST/DATABASE, and see that the server is up"
        ) from error


def _write_ahead(connection: Any, _record: object) -> None:
    """Readers do not block the writer, and a commit costs no fsync: a killed process loses nothing."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def mask(text: str) -> str:
    """`text` with the password of any URL in it replaced by ***."""
    return re.sub(r"(://[^:/@\s]+):[^@\s]+@", r"\1:***@", text)
