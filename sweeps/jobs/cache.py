"""Where decoded data and trained models are kept: a folder, and a URL where machines share none."""

from __future__ import annotations

import contextlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from sweeps.errors import SweepError
from unlearn.files import expanded, temporary_path, user_cache
from unlearn.shared import SharedFolder, ShareError, is_url

VARIABLE = "UNLEARN_SWEEPS_CACHE"


@dataclass(frozen=True)
class Cache:
    """The cache as one machine sees it.

    Attributes:
        folder: of this machine, or one that all machines see.
        url: where machines exchange the models, if they do not share the folder.
    """

    folder: Path
    url: str | None = None

    @staticmethod
    def at(place: str | None = None) -> Cache:
        """The cache at a path or URL; by default at $UNLEARN_SWEEPS_CACHE, else in the user's cache folder.

        With a URL, this machine's own part is where the cache would be without.

        Raises:
            SweepError: there is no home folder for it.
        """
        own = os.environ.get(VARIABLE)
        place = place or own
        if place and not is_url(place):
            return Cache(_folder(place))
        if own and not is_url(own):
            return Cache(_folder(own), place)
        try:
            return Cache(user_cache(), place)
        except FileNotFoundError as error:
            raise SweepError(f"the cache needs a home folder, and there is none\n  remedy: set ${VARIABLE}") from error

    @property
    def place(self) -> str:
        """What names it on any machine."""
        return self.url or str(self.folder)

    @property
    def models(self) -> Path:
        """Trained models on this machine."""
        return self.folder / "models"

    @property
    def unlearned(self) -> Path:
        """Unlearned models that were kept, on this machine."""
        return self.folder / "unlearned"

    @property
    def share(self) -> SharedFolder | None:
        """The folder of models behind the URL.

        Raises:
            ShareError: it cannot be opened.
        """
        return None if self.url is None else SharedFolder(f"{self.url.rstrip('/')}/models")

    @property
    def share_of_unlearned(self) -> SharedFolder | None:
        """The folder of unlearned models behind the URL.

        Raises:
            ShareError: it cannot be opened.
        """
        return None if self.url is None else SharedFolder(f"{self.url.rstrip('/')}/unlearned")

    @property
    def identity(self) -> str:
        """What tells this folder from one of the same path on another machine; empty where it was never prepared."""
        try:
            return (self.folder / "identity").read_text(encoding="ascii")
        except FileNotFoundError:
            return ""

    def prepare(self) -> None:
        """Make it, and see that it can be written.

        Raises:
            SweepError: it cannot.
        """
        check_writable(self.folder, f"`cache` in the sweep file, or else by ${VARIABLE}")
        if not self.identity:
            own = temporary_path(self.folder / "identity")
            own.write_text(uuid.uuid4().hex, encoding="ascii")
            try:
                os.link(own, self.folder / "identity")
            except FileExistsError:  # another driver was quicker: its word stands
                pass
            except OSError:  # a file system without hard links
                own.replace(self.folder / "identity")
            own.unlink(missing_ok=True)
        try:
            if (share := self.share) is not None:
                name = f"writable-{uuid.uuid4().hex}"
                share.publish(self.folder / "identity", name)
                share.remove(name)
        except ShareError as error:
            raise SweepError(
                f"the cache's URL must be writable, got {error}\n  remedy: see its credentials, and its package"
            ) from error


def _folder(place: str) -> Path:
    """A path as a shell reads it; sweep files and variables are not read by one."""
    return expanded(place).absolute()


def check_writable(folder: Path, otherwise: str) -> None:
    """Make a folder where there is none.

    Raises:
        SweepError: it cannot be made or written; `otherwise` is what chooses another.
    """
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
    except OSError as error:
        raise SweepError(
            f"folder must be writable, got {folder}: {error.strerror}\n"
            f"  remedy: choose another with {otherwise}, or fix its permissions"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
