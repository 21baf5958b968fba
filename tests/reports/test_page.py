"""The page: its text, its files, and its life in a real browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from reports import write_report
from reports.page.html import sentence_html
from sweeps.record import SweepRecord
from sweeps.record.record import named_together

HOSTILE = "my.package:<script>alert(1)</script>"
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def written(full_record: SweepRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(full_record, tmp_path_factory.mktemp("report"), partial=False)


def test_files(written: Path):
    tables = {p.name for p in (written.parent / "tables").iterdir()}
    for key in ("gaps", "stability", "hyperparameters", "top5", "run-time", "sensitivity", "optimism", "attacks"):
        for scenario in ("random", "partial_class"):
            assert {f"{scenario}-{key}.{e}" for e in ("csv", "md", "tex")} <= tables
    assert {"scores.csv", "progress.csv"} <= tables
    assert not [p for p in written.parent.rglob("*") if p.name.startswith(".")]


def test_a_second_report_removes_tables_that_it_lacks(builder, tmp_path: Path):
    empty = builder.record()
    builder.trial("search", "sure", value=1.0)
    page = write_report(builder.record(), tmp_path, partial=True)
    assert (tmp_path / "tables" / "scores.csv").exists()
    (tmp_path / "tables" / "mine.tex").write_text("of one's own", encoding="utf-8")
    assert write_report(empty, tmp_path, partial=True) == page
    assert sorted(p.name for p in (tmp_path / "tables").iterdir()) == [
        "mine.tex",
        "progress.csv",
        "progress.md",
        "progress.tex",
    ]


def test_text(written: Path):
    page = written.read_text(encoding="utf-8")
    assert page.count("plotly.js v") == 1
    assert "<script>alert(1)" not in page
    assert "<img" not in page.split("plotly.js v")[0]
    assert "sweeps run tiny" in page
    assert "git checkout 0123abc" in page
    assert "Protocol strict" in page


def test_stages_without_trials_are_said(builder, tmp_path: Path):
    builder.planned = {("search", "random", "sure"): 3, ("evaluation", "random", "sure"): 6}
    builder.trial("search", "sure", value=5.0, state="PRUNED")
    page = write_report(builder.record(), tmp_path, partial=True).read_text(encoding="utf-8")
    assert "This report is partial" in page
    assert "(search): not evaluated" not in page
    assert "Not run yet: 6 evaluation trials are planned, none has completed." in page
    assert "Not run: no sensitivity trials were planned for this scenario." in page
    assert "Nothing to show: of 3 search trials none completed (pruned: 1, failed: 0)." in page


def test_an_empty_storage_has_a_report(builder, tmp_path: Path):
    assert write_report(builder.record(), tmp_path, partial=True).exists()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no browser to open the page in: none of {', '.join(names)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A browser page with everything it complained of or asked for."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text))
        page.on("pageerror", lambda e: self.complaints.append(str(e)))
        page.on("dialog", lambda d: self.complaints.append(f"dialog {d.message}"))
        page.on("request", lambda r: self.requests.append(r.url))
        page.goto(file.as_uri())


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 390)], ids=lambda p: f"{p[0]}-{p[1]}")
def opened(request: pytest.FixtureRequest, chromium: Any, written: Path) -> Iterator[Watched]:
    scheme, width = request.param
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield Watched(page, written)
    page.close()


def test_in_the_browser(opened: Watched, written: Path):
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    page.locator("#figure-0").scroll_into_view_if_needed()
    page.wait_for_function("document.getElementById('figure-0').dataset.drawn")
    check_filter(page)  # each click draws every figure anew, of which there are few yet
    check_sort(page)
    check_frozen(page)
    page.evaluate("report.drawAll()")
    page.wait_for_function("[...document.querySelectorAll('.plot')].every(p => p.dataset.drawn)")
    figures = page.evaluate("report.figures.length")
    # the scores; per scenario: bars, trade-off, dots, sizes, history, curves, attacks, ranks, weights, importances, four heatmaps
    assert figures == 1 + 2 * (10 + 4)
    assert page.locator(".plot svg.main-svg").count() >= figures
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
    check_heatmap(page, dark=page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"))
    assert page.locator("th", has_text=HOSTILE).count() > 0
    assert opened.complaints == []
    assert [u for u in opened.requests if not u.startswith("data:")] == [written.as_uri()]


def test_no_button_lies_over_a_title_where_nothing_hovers(chromium: Any, written: Path):
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, has_touch=True, is_mobile=True)
    page.goto(written.as_uri())
    page.locator("#figure-0").scroll_into_view_if_needed()
    page.wait_for_function("document.getElementById('figure-0').dataset.drawn")
    assert page.locator(".modebar-btn").count() == 0
    page.close()


def test_the_first_screen_answers_and_the_rest_is_folded(chromium: Any, written: Path):
    for width, most in ((1280, 5), (390, 8)):
        page = chromium.new_page(viewport={"width": width, "height": 900})
        watched = Watched(page, written)
        first = page.locator(".verdict").first
        assert (first.bounding_box() or {})["y"] < 500
        questions = [text.lower() for text in first.locator("dt").all_inner_texts()]
        assert questions[:2] == ["which method", "how sure"]
        assert page.evaluate("document.documentElement.scrollHeight") < most * 900
        assert page.locator("details.block[open]").count() == 0
        counted = page.locator("#remarks > summary").inner_text()
        general, limits = re.fullmatch(
            r"Remarks: (\d+) on how it was compared, (\d+) on what limits the answers", counted
        ).groups()  # type: ignore[union-attr]
        assert page.locator("#remarks li").count() == int(general) + int(limits)
        page.evaluate("location.hash = '#s1-0'")
        page.wait_for_function("document.getElementById('s1-0').open")
        if width > 1000:
            page.evaluate("dispatchEvent(new Event('beforeprint'))")
            assert page.locator("details:not([open])").count() == 0
            page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("details.block[open]").count() == 1
        assert watched.complaints == []
        page.close()


def test_abbreviations_are_explained_where_they_stand(written: Path):
    page = written.read_text(encoding="utf-8")
    assert '<abbr title="Forget (unlearning) accuracy gap: distance to the oracle&#x27;s value">ΔUA</abbr>' in page
    heads = page.split('id="table-random-attacks"')[1].split("</thead>")[0]
    assert '<abbr title="Membership inference attack on loss">MIA-I</abbr>' in heads


def check_heatmap(page: Page, *, dark: bool) -> None:
    """What does not change is as dark or as light as the page."""
    scale = page.evaluate(
        "[...document.querySelectorAll('.plot')].find(p => p.layout.coloraxis).layout.coloraxis.colorscale[2][1]"
    )
    level = int(scale[1:3], 16)
    assert level < 0x40 if dark else level > 0xE0


def check_frozen(page: Page) -> None:
    """The methods of a wide table stay in sight; that it goes on is shown until its end is."""
    moved = """table => {
      const scroll = table.closest('.scroll'), more = scroll.classList.contains('more');
      const wide = scroll.scrollWidth > scroll.clientWidth + 2;
      const cell = table.querySelector('tbody td.frozen');
      scroll.scrollLeft = 99999;
      return [wide, more, cell.getBoundingClientRect().left - scroll.getBoundingClientRect().left];
    }"""
    wide, more, left = page.locator("#table-random-stability").evaluate(moved)
    assert wide == more
    assert not wide or left < 3
    assert wide or page.viewport_size["width"] > 1000  # type: ignore[index]


def check_filter(page: Page) -> None:
    visible = "id => document.getElementById(id).data.filter(t => t.visible !== false).map(t => (t.meta || {}).method)"
    chip = page.locator('.filter button[data-method="finetune"]')
    rows = page.locator('#table-random-gaps tr[data-method="finetune"]')
    assert rows.is_visible()
    assert "finetune" in page.evaluate(visible, "figure-0")
    chip.click()
    assert not rows.is_visible()
    assert chip.get_attribute("aria-pressed") == "false"
    assert "finetune" not in page.evaluate(visible, "figure-0")
    chip.click()
    assert rows.is_visible()
    hostile = page.get_by_role("button", name=HOSTILE)
    hostile.click()
    assert page.locator("#table-random-gaps tbody tr:visible").count() == 4
    hostile.click()


def check_sort(page: Page) -> None:
    rows = "[...document.querySelectorAll('#table-random-gaps tbody tr:not(.last)')]"
    column = f"() => {rows}.map(r => Number(r.cells[2].dataset.sort))"
    header = page.locator("#table-random-gaps th button").nth(2)
    before = page.evaluate(column)
    header.click()
    assert page.evaluate(column) == sorted(before)
    header.click()
    assert page.evaluate(column) == sorted(before, reverse=True)
    assert "noise floor" in page.locator("#table-random-gaps tbody tr").last.inner_text()
    assert page.locator("#table-random-gaps th").nth(2).get_attribute("aria-sort") == "descending"


def test_a_command_is_code_whose_options_are_not_broken() -> None:
    said = sentence_html("more would tell: sweeps evaluate 'a<b' --set evaluation.seeds=15 --gpus-per-trial 1")
    assert said == (
        "more would tell: <code>sweeps evaluate &#x27;a&lt;b&#x27; "
        '<span class="option">--set</span> evaluation.seeds=15 <span class="option">--gpus-per-trial</span> 1</code>'
    )
    assert sentence_html("no command --set here") == "no command --set here"


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([(3, "cat")], "class 3 (cat)"),
        ([(5, "5")], "class 5"),
        ([(4, "5"), (1, "1")], "class 4 (5) and class 1"),
        ([], ""),
    ],
)
def test_a_class_whose_name_is_its_position_is_named_once(classes: list[tuple[int, str]], said: str) -> None:
    assert named_together(classes) == said
