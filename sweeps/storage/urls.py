"""Storage URLs: which forms are understood, so that none is read as another place, and which file one names."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

from sweeps.errors import Problem
from sweeps.secrets import mask
from unlearn.files import expanded

#: After a password that ends at the first @ there is another before the host ends.
_STRAY_AT = re.compile(r"://[^:/]*:[^@]*@[^/?]*@")
JOURNAL, SQLITE = "journal:", "sqlite:///"


def is_storage_url(text: str) -> bool:
    """Whether `text` is a URL of a storage, and not a name or a path."""
    return "://" in text or text.startswith(JOURNAL)


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file; what would end or change the path there is percent-encoded."""
    return SQLITE + quote(str(path.absolute()), safe="/ !#$&'()*+,;:=@[]{}~^|")


def local_file(url: str) -> Path | None:
    """The file of an SQLite (`sqlite:///PATH`) or journal (`journal:PATH`, `journal:///PATH`) storage; None of any other."""
    if url.startswith(JOURNAL):
        path = url.removeprefix(JOURNAL)
        return expanded(path[2:] if path.startswith("///") else path)
    return expanded(unquote(url.removeprefix(SQLITE))) if url.startswith(SQLITE) else None


def storage_exists(url: str) -> bool:
    """Whether there is a storage to look into; opening a file that is not there would make an empty one."""
    file = local_file(url)
    return file is None or file.exists()


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
        if url.startswith(SQLITE) and path.strip("/") and not path.startswith(":memory:") and "?" not in path:
            return None
        remedy = "e.g. sqlite:///study.db in this folder, or sqlite:////data/study.db; a ? of the path is written %3F"
        return Problem(key, "must be sqlite:///PATH, of a file and without options", repr(mask(url)), remedy)
    if "://" not in url:
        like = url if url and ":" not in url else "study.log"
        remedy = f"e.g. journal:{like}, sqlite:///study.db, or postgresql://USER@HOST/DATABASE"
        return Problem(key, "must be a URL", repr(mask(url)), remedy)
    stray = Problem(key, "must have an @ of its user or password written %40", repr(mask(url)))
    return stray if _STRAY_AT.search(url) else None
