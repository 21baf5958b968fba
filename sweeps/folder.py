"""A sweep's folder: what lies where in it, and which storage is the sweep's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.storage.urls import local_file, sqlite_url, storage_exists

STORAGE_VARIABLE = "UNLEARN_SWEEPS_STORAGE"


@dataclass(frozen=True)
class SweepFolder:
    """`<runs>/<name>`: everything that a sweep leaves on disk, but for its models, which other sweeps share."""

    path: Path

    @property
    def spec(self) -> Path:
        """The sweep file as it was resolved."""
        return self.path / "spec.yaml"

    @property
    def database(self) -> Path:
        """The storage, unless it is elsewhere."""
        return self.path / "study.db"

    @property
    def database_files(self) -> list[Path]:
        """The storage with what SQLite has not yet moved into it: without that the file lacks what was written last."""
        return [self.database.with_name(f"{self.database.name}{end}") for end in ("", "-wal", "-shm")]

    @property
    def best_params(self) -> Path:
        return self.path / "best_params.yaml"

    @property
    def report(self) -> Path:
        """The report's folder: page, tables, and figures as files."""
        return self.path / "report"

    @property
    def embeddings(self) -> Path:
        """Coordinates of t-SNE maps."""
        return self.path / "embeddings"

    @property
    def artifacts(self) -> Path:
        """Files that optuna-dashboard shows."""
        return self.path / "artifacts"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def own_storage(self) -> str:
        """The URL of the storage in the folder."""
        return sqlite_url(self.database)

    @property
    def left(self) -> list[Path]:
        """Everything of the sweep that is there."""
        mine = [
            *self.database_files,
            self.best_params,
            self.report,
            self.embeddings,
            self.artifacts,
            self.tensorboard,
            self.spec,
        ]
        return [path for path in mine if path.exists()]

    @property
    def bytes(self) -> int:
        """What that takes on disk."""
        files = (file for path in self.left for file in (path.rglob("*") if path.is_dir() else [path]))
        return sum(file.lstat().st_size for file in files if not file.is_dir())

    def delete(self, keep: Container[Path] = ()) -> None:
        """Delete it, the sweep file last, and the folder where nothing else is in it; `keep` stays."""
        for path in self.left:
            if path in keep:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.resolve().rmdir()
            self.path.unlink(missing_ok=True)  # a link to it

    def check_place(self, name: str, runs: Path) -> None:
        """Refuse what was copied or renamed: whatever is asked of it would be done in the folder of the sweep's own name.

        Raises:
            SweepError: this is not the folder of the sweep `name`, which it holds.
        """
        own = runs / name
        if not (own.exists() and own.samefile(self.path)):
            raise SweepError(
                f"{self.path} holds the sweep {name!r}, whose folder must be {own}\n"
                f"  remedy: rename it to {name}, or let it lie as {name} in a folder of its own and name that by --runs"
            )

    def storage(self, given: str | None, declared: str | None) -> str:
        """The URL of the sweep's storage: as `given`, else $UNLEARN_SWEEPS_STORAGE, else as `declared`, else its own file.

        Args:
            declared: what the sweep file or `spec.yaml` says. A file that is no longer there was moved with the folder.

        Raises:
            SweepError: the URL is needed with its password, which is not kept.
        """
        url = os.environ.get(STORAGE_VARIABLE) or declared or self.own_storage if given is None else given
        if "***" in url:
            raise SweepError(
                f"the storage {url} needs its password, which is not kept\n"
                f"  remedy: set ${STORAGE_VARIABLE}, or pass the whole URL as the storage"
            )
        moved = url == declared and not storage_exists(url) and self.database.exists()
        return self.own_storage if moved else url

    def storage_of_run(self, given: str | None, recorded: str | None) -> str:
        """The URL of the storage that the sweep was last run in: a file that is there comes before the variable, which
        may be for other sweeps; else as `storage` says.

        Args:
            recorded: what `spec.yaml` says; None where that is the folder's own file.
        """
        if given is None and (recorded is None or local_file(recorded)):
            for url in filter(None, (recorded, self.own_storage)):
                if storage_exists(url):
                    return url
        return self.storage(given, recorded)
