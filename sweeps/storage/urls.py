"""Storage URLs: which forms are understood, so that none is read as another place."""

from __future__ import annotations

from sweeps.errors import Problem
from sweeps.secrets import mask

JOURNAL, SQLITE = "journal:", "sqlite:///"


def journal_path(url: str) -> str:
    """The path in `journal:PATH` or `journal:///PATH`."""
    path = url.removeprefix(JOURNAL)
    return path[2:] if path.startswith("///") else path


def wrong_url(url: str, key: str = "storage") -> Problem | None:
    """What is wrong with the form of a storage URL; whether there is such a storage is seen when it is opened."""
    lower = url.lower()
    if lower.startswith(JOURNAL):
        path = url[len(JOURNAL) :]
        if url.startswith(JOURNAL) and path.strip("/") and (not path.startswith("//") or path.startswith("///")):
            return None
        like = path.lstrip("/") or "study.log"
        return Problem(key, "must be journal:PATH", repr(mask(url)), f"e.g. journal:{like}, or journal:/data/{like}")
    if lower.startswith("sqlite:"):
        path = url[len(SQLITE) :]
        if url.startswith(SQLITE) and path.strip("/") and not path.startswith((":memory:", "?")):
            return None
        remedy = "e.g. sqlite:///study.db in this folder, or sqlite:////data/study.db"
        return Problem(key, "must be sqlite:///PATH, of a file", repr(mask(url)), remedy)
    if "://" not in url:
        like = url if url and ":" not in url else "study.log"
        remedy = f"e.g. journal:{like}, sqlite:///study.db, or postgresql://USER@HOST/DATABASE"
        return Problem(key, "must be a URL", repr(mask(url)), remedy)
    return None
