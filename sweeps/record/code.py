"""The code that outputs are made by."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from unlearn import gaps

__all__ = ["code_digest", "sources"]


def sources() -> list[Path]:
    """The files of the code: of reports, and of what these read records by and name values with."""
    found = find_spec("reports")  # which is not imported for it: plotly takes a second
    assert found is not None
    assert found.origin is not None
    folders = Path(found.origin).parent, Path(__file__).parents[1]
    return [*(path for folder in folders for path in sorted(folder.rglob("*.py"))), Path(gaps.__file__)]


def code_digest() -> str:
    """Of all of them."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()
