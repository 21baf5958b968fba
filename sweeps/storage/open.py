"""Opens the Optuna storage: SQLite by default, set up so that readers never stop the driver; any RDB URL or journal by option."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sqlite3
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from sweeps.errors import SweepError
from sweeps.secrets import mask
from sweeps.storage.journal import WholeLines
from sweeps.storage.urls import JOURNAL, SQLITE, local_file, wrong_url

BUSY_SECONDS = 60
#: How soon a file that another process is turning into a write-ahead log is asked for that again.
LOCKED_SECONDS = 0.02
#: How often a new storage is opened again where another process makes its tables, which takes a quarter of a second.
ATTEMPTS, ATTEMPT_SECONDS = 10, 0.2
#: What a storage raises when the disk is full or the server gone.
STORAGE_ERRORS = (SQLAlchemyError, StorageInternalError)
#: What helps where SQLite's file is damaged.
DAMAGED = "restore the file from a copy, or move it away and begin anew: trained models are in the cache"
#: Layouts of its tables that Optuna has found to be its own: it imports all its migrations to tell, for each storage anew.
_COMPATIBLE: set[str] = set()


def open_storage(url: str, *, to_read: bool = False) -> BaseStorage:
    """The storage behind `url`: `sqlite:///PATH`, another SQLAlchemy URL, or `journal:PATH`.

    Args:
        to_read: nothing will be written: a file that may not be written, or lies in such a folder, is read from a copy.

    Raises:
        SweepError: it cannot be opened; the message says why, with any password masked.
    """
    if wrong := wrong_url(url):
        raise SweepError(str(wrong))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = local_file(url)
    try:
        if file is None:
            server = _server_url(url)
            return _patiently(lambda: RDBStorage(server, engine_kwargs={"pool_pre_ping": True}))
        copied = _copy(file) if to_read and is_read_from_copy(url) else file
        copied.parent.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(WholeLines(copied)) if url.startswith(JOURNAL) else _sqlite(copied)
        if copied is not file:
            weakref.finalize(storage, shutil.rmtree, copied.parent, ignore_errors=True)
        return storage
    except (*STORAGE_ERRORS, OSError, ImportError, ValueError, RuntimeError, KeyError) as error:
        remedy = "use sqlite:///PATH, journal:PATH or postgresql://USER@HOST/DATABASE, and see that the server is up"
        if _is_damaged(error):
            remedy = DAMAGED
        elif type(error) is RuntimeError:  # of another Optuna's tables, with what helps
            remedy = "copy the storage, then do that; Optuna's command takes postgresql+psycopg:// for postgresql://"
        raise SweepError(
            f"storage must be a readable database URL, got {mask(url)}: {reason_of(error)}\n  remedy: {remedy}"
        ) from error


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """A full disk or a server that went away becomes a `SweepError` that says so."""
    try:
        yield
    except STORAGE_ERRORS as error:
        raise failure(error) from error


def failure(error: BaseException) -> SweepError:
    """What to say of one of `STORAGE_ERRORS`."""
    remedy = "make room on its disk, bring its server back, or let its user write; the same command then resumes"
    remedy = DAMAGED if _is_damaged(error) else f"{remedy}, nothing finished is lost"
    return SweepError(f"the storage failed: {reason_of(error)}\n  remedy: {remedy}")


def reason_of(error: BaseException) -> str:
    """Why a storage failed, in a line without passwords: Optuna says of whatever a database refuses that it may be too long."""
    cause = _cause(error)
    return mask(str(cause).splitlines()[0] if str(cause) else type(cause).__name__)


def _cause(error: BaseException) -> BaseException:
    return error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error


def _is_damaged(error: BaseException) -> bool:
    """Whether SQLite says that its file is damaged, or none of its own."""
    return type(_cause(error)) is DatabaseError


def _sqlite(file: Path) -> RDBStorage:
    """An SQLite file, whatever its path: SQLAlchemy reads a path in a URL differently from release to release."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(file, timeout=BUSY_SECONDS, check_same_thread=False)
        _write_ahead(connection)
        return connection

    revision, options = _revision(connect), {"creator": connect, "poolclass": QueuePool}
    known = revision in _COMPATIBLE
    storage = _patiently(lambda: RDBStorage(f"{SQLITE}study.db", options, skip_compatibility_check=known))
    if revision is not None:
        _COMPATIBLE.add(revision)
    return storage


def _patiently(opened: Callable[[], RDBStorage]) -> RDBStorage:
    """A storage that another process may be making just now: what fails as a table or a row is there already is done again."""
    for _ in range(ATTEMPTS):
        try:
            return opened()
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if not isinstance(error, IntegrityError) and "already exists" not in str(error):
                raise
            time.sleep(ATTEMPT_SECONDS)
    return opened()


def _revision(connect: Callable[[], sqlite3.Connection]) -> str | None:
    """Which layout of its tables Optuna has noted in a file; None where it has not, whatever the reason."""
    try:
        with contextlib.closing(connect()) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return None
    return found and str(found[0])


def is_read_from_copy(url: str) -> bool:
    """Whether a storage is a file that may not be written, or lies in such a folder: what is opened to read stays as it is."""
    file = local_file(url)
    return file is not None and file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


def remembering(storage: BaseStorage) -> BaseStorage:
    """The same storage, which is not asked again for trials that have ended, whichever study object looks for them."""
    return get_storage(storage)


def _copy(file: Path) -> Path:
    """A copy of a storage's file, with what SQLite has not yet moved into it, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="sweeps-storage-"))
    try:
        for part in (file, file.with_name(f"{file.name}-wal")):
            if part.exists():
                shutil.copyfile(part, folder / part.name)
    except OSError:  # it may not be read
        shutil.rmtree(folder)
        raise
    return folder / file.name


def _server_url(url: str) -> str:
    """`url` as Optuna takes it: braces doubled, and psycopg 3 the driver of a PostgreSQL address that names none.

    Raises:
        SweepError: it is not installed.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        return url.replace("{", "{{").replace("}", "}}")
    if importlib.util.find_spec("psycopg") is None:
        raise SweepError(
            f"a PostgreSQL storage needs psycopg, got {mask(url)}\n  remedy: pip install 'unlearn-sweeps[postgres]'"
        )
    return f"postgresql+psycopg{separator}{rest}".replace("{", "{{").replace("}", "}}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers do not block the writer, and a commit costs no fsync: a killed process loses nothing.

    Of two processes that ask for it of a new file at once SQLite refuses one, whatever the timeout: that one asks again.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(LOCKED_SECONDS)
    connection.execute("PRAGMA synchronous=NORMAL").close()
