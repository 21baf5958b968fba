"""Pages that are made from the code are up to date, and every link of the documentation leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import FOLDER, PAGES
from docs.site_links import OUTSIDE, moved

ROOT = Path(__file__).parents[1]
WRITTEN = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("benchmarks/*.md"))]
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("name", PAGES)
def test_made_pages_are_up_to_date(name: str) -> None:
    remedy = "python -m docs.generate"
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), remedy


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in _LINK.findall(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    config = (ROOT / ".mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", config, re.MULTILINE)
    written = [str(page.relative_to(FOLDER)) for page in WRITTEN if page.is_relative_to(FOLDER)]
    assert sorted(listed) == sorted([*written, *OUTSIDE.values()])


def test_links_of_the_site() -> None:
    assert moved('[a](docs/concepts.md#told-apart) <img src="docs/pictures/a.png">', "README.md") == (
        '[a](concepts.md#told-apart) <img src="pictures/a.png">'
    )
    assert moved(
        "[a](../../README.md#citing) [b](#here) [c](https://a.b/docs/c.md)", "docs/example-package/README.md"
    ) == ("[a](../index.md#citing) [b](#here) [c](https://a.b/docs/c.md)")
    assert moved("[a](../tutorial.md) [b](../../benchmarks/README.md)", "docs/example-package/README.md") == (
        "[a](../tutorial.md) [b](../benchmarks.md)"
    )
    assert moved("[a](docs/example-package/README.md) [b](README.md)", "CONTRIBUTING.md") == (
        "[a](example-package/README.md) [b](index.md)"
    )
