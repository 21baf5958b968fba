"""Files that machines without a common file system share: copied to and from a folder behind an fsspec URL."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unlearn.errors import UnlearnError
from unlearn.files import locked, sync_folder, temporary_path

__all__ = ["ShareError", "SharedFolder", "is_url", "local_copy"]


class ShareError(UnlearnError):
    """A shared folder that cannot be opened, read or written; the message names it and says why."""


def is_url(value: object) -> bool:
    """Whether `value` names a place that fsspec opens, rather than a path."""
    return isinstance(value, str) and "://" in value


class SharedFolder:
    """The folder behind an fsspec URL: `s3://bucket/cache`, `gs://…`, `file:///…`. Files appear in it whole.

    There are no locks: of two machines that publish one name at once, the later wins.

    Raises:
        ShareError: the URL cannot be opened; the package that it needs may be missing.
    """

    def __init__(self, url: str) -> None:
        import fsspec  # noqa: PLC0415  # comes with torch; only users of URLs wait for it

        self.url = url
        with _share_errors(url):
            self._fs, self._root = fsspec.url_to_fs(url, use_listings_cache=False)

    def fetch(self, name: str, path: Path) -> bool:
        """Copy `name` to `path`, whole or not at all; False where the folder has no such file.

        Raises:
            ShareError: it cannot be read.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(path)
        try:
            with _share_errors(self.url, missing_is_fine=True):
                self._fs.get_file(self._at(name), str(temporary))
        except FileNotFoundError:
            return False
        else:
            temporary.replace(path)
            sync_folder(path.parent)
            return True
        finally:
            temporary.unlink(missing_ok=True)

    def publish(self, path: Path, name: str) -> None:
        """Copy the file `path` into the folder as `name`, replacing what is there.

        Raises:
            ShareError: it cannot be written.
        """
        passing = self._at(f".{name}.{uuid.uuid4().hex}.tmp")
        with _share_errors(self.url):
            try:
                self._fs.put_file(str(path), passing)
            except FileNotFoundError:  # object stores have no folders, and would make a bucket of a misspelt one
                self._fs.makedirs(self._root, exist_ok=True)
                self._fs.put_file(str(path), passing)
            self._fs.mv(passing, self._at(name))

    def has(self, name: str) -> bool:
        """Whether there is a file of that name.

        Raises:
            ShareError: the folder cannot be read.
        """
        with _share_errors(self.url):
            return bool(self._fs.exists(self._at(name)))

    def remove(self, name: str) -> None:
        """Delete a file.

        Raises:
            ShareError: it cannot be deleted.
        """
        with _share_errors(self.url):
            self._fs.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


#: What file systems call the state of a file, beside its size.
STATE = ("ETag", "etag", "LastModified", "last_modified", "updated", "mtime", "created")


def local_copy(url: str, folder: Path) -> Path:
    """The file or the whole tree behind `url` as a path of this machine, copied under `folder` unless that was done before.

    A copy is known by the names, sizes and times (or tags) of what it was made from: where they differ, another one is made.

    Raises:
        ShareError: it cannot be read.
    """
    import fsspec  # noqa: PLC0415  # comes with torch; only users of URLs wait for it

    with _share_errors(url):
        fs, root = fsspec.url_to_fs(url, use_listings_cache=False)
        about = fs.info(root)
        found: dict[str, Any] = {root: about} if about["type"] == "file" else fs.find(root, detail=True)
        if not found:
            raise ShareError(f"{url}: there is nothing")
        state = [
            [name, info.get("size"), *(str(info.get(key)) for key in STATE)] for name, info in sorted(found.items())
        ]
        digest = hashlib.sha256(json.dumps([url, state]).encode()).hexdigest()[:24]
        copy = folder / digest
        path: Path = copy / root.rstrip("/").rsplit("/", 1)[-1]
        if copy.exists():
            return path
        with locked(folder / f"{digest}.lock"):
            if not copy.exists():  # another process made it while we waited
                temporary = temporary_path(copy)
                try:
                    for name in found:
                        target = temporary / path.name / name.removeprefix(root).lstrip("/")
                        target.parent.mkdir(parents=True, exist_ok=True)
                        fs.get_file(name, str(target))
                    temporary.rename(copy)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
        return path


@contextmanager
def _share_errors(url: str, *, missing_is_fine: bool = False) -> Iterator[None]:
    """Whatever a file system raises becomes a `ShareError`."""
    try:
        yield
    except ShareError:
        raise
    except Exception as error:  # each file system has errors of its own
        if missing_is_fine and isinstance(error, FileNotFoundError):
            raise
        raise ShareError(f"{url}: {type(error).__name__}: {error}") from error
