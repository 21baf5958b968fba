"""For the site: the README is its first page, and the other pages beside `docs/` belong to it (`hooks` of .mkdocs.yml)."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

#: Pages outside `docs/`, and where they lie in the site.
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
_LINK = re.compile(r'(\]\(|(?:src|srcset)=")([^)"#\s]+)')


def on_files(files: Any, config: Any) -> None:
    """Add the pages outside `docs/`."""
    from mkdocs.structure.files import File  # noqa: PLC0415  # tests read the names without it

    root = Path(config.config_file_path).parent
    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, content=moved((root / source).read_text(encoding="utf-8"), source)))


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """Turn links from `docs/` to the pages outside."""
    own = page.file.src_uri
    return text if own in OUTSIDE.values() else moved(text, f"docs/{own}")


def moved(text: str, source: str) -> str:
    """A page's text with its links as they are in the site, where `docs/` is the root.

    Args:
        source: the page's path in the repository.
    """
    place = OUTSIDE.get(source) or source.removeprefix("docs/")

    def turned(link: re.Match[str]) -> str:
        if "://" in link[2]:
            return link[0]
        to = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[2]))
        to = OUTSIDE.get(to) or to.removeprefix("docs/")
        return link[1] + posixpath.relpath(to, posixpath.dirname(place) or ".")

    return _LINK.sub(turned, text)
