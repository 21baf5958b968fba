"""Digits, escaping and files."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.format import Cell, Row, Table
from reports.styles import method_styles
from reports.writers import slug, to_latex, to_markdown, write_table, write_text
from sweeps.record import number, significant, uncertain


@pytest.mark.parametrize(
    ("mean", "std", "n", "text"),
    [
        (1.2345, 0.312, 3, "1.2 ± 0.3"),
        (1.2345, 0.0123, 3, "1.234 ± 0.012"),
        (12.345, 4.2, 5, "12 ± 4"),
        (123.4, 13.0, 5, "123 ± 13"),
        (1.2345, math.nan, 1, "1.23"),
        (2.0, 0.0, 3, "2.00 ± 0"),
        (math.nan, math.nan, 0, "–"),
        (0.5, 0.0996, 4, "0.50 ± 0.10"),
        (0.847457627118644, 5e-15, 3, "0.85 ± 0"),
        (12.3, 1e-8, 5, "12.30 ± 0"),
        (1.0, 2e-9, 5, "1.00 ± 2e-09"),
        (1e-7, 3e-8, 3, "1.00e-07 ± 3e-08"),
        (0.0, 1e-16, 3, "0.00 ± 0"),
        (-0.003, 0.2, 3, "0.0 ± 0.2"),
        (-4.2, 0.6, 3, "−4.2 ± 0.6"),
    ],
)
def test_no_more_digits_than_the_error_carries(mean: float, std: float, n: int, text: str):
    assert uncertain(mean, std, n) == text


@given(st.floats(-1e9, 1e9), st.one_of(st.floats(0, 1e9), st.just(math.nan)), st.integers(1, 9))
def test_no_cell_is_longer_than_a_person_reads(mean: float, std: float, n: int):
    text = uncertain(mean, std, n)
    assert text == uncertain(np.float64(mean), np.float64(std), n)
    assert len(text) <= 2 * 18 + 3
    assert "-" not in text.replace("e-", "")
    assert all(len(part.partition(".")[2].partition("e")[0]) <= 6 for part in text.split(" ± "))


@pytest.mark.parametrize(
    ("value", "text"), [(0.00044, "0.00044"), (256, "256"), (0.0372, "0.0372"), (None, "–"), (8.0, "8")]
)
def test_hyperparameters_as_a_person_writes_them(value: object, text: str):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1234"), (0.012345, "0.0123"), (1e-9, "1.00e-09"), (9.996, "10.0"), (-0.99996, "-1.00")],
)
def test_significant(value: float, text: str):
    assert significant(value) == text


@pytest.fixture
def table() -> Table:
    rows = (
        Row((Cell("a_b & 5%"), Cell("1.0 ± 0.2", 1.0, best=True))),
        Row((Cell("x|y<z"), Cell("1.1 ± 0.2", 1.1, tied=True))),
    )
    return Table(
        "odd/key",
        "A title",
        (Cell("Method"), Cell("ΔUA")),
        rows,
        pd.DataFrame({"v": [1.5]}),
        ["A note."],
        compared=True,
    )


def test_markdown(table: Table):
    lines = to_markdown(table).splitlines()
    assert lines[2] == "| Method | ΔUA |"
    assert lines[4] == r"| a\_b & 5% | **1.0 ± 0.2** |"
    assert lines[5] == r"| x\|y&lt;z | 1.1 ± 0.2 ≈ |"
    assert any("paired t-test" in line for line in lines)


def test_latex(table: Table):
    text = to_latex(table)
    (caption,) = (line for line in text.splitlines() if "\\caption" in line)
    assert len(caption) < 100
    assert r"a\_b \& 5\% & \textbf{1.0 $\pm$ 0.2} \\" in text
    assert r"x\textbar{}y\textless{}z & 1.1 $\pm$ 0.2$^\approx$ \\" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_latex_prints_what_a_label_or_a_command_says():
    """Row ends and rules take a `[` or `*` that follows for their own argument, `--` is a dash, and fonts have no Greek."""
    names = ("[A] mine", "*", "λ ≤ 1", "a---b")
    rows = tuple(Row((Cell(name), Cell("1.0 ± 0.2*"))) for name in names)
    notes = ["About 5 more: sweeps evaluate digits --set evaluation.seeds=13 – or none"]
    text = to_latex(Table("own", "Scores", (Cell("Method"), Cell("ΔUA")), rows, pd.DataFrame(), notes))
    assert [line.split(" & ")[0].strip() for line in text.splitlines() if "pm" in line] == [
        "{[}A] mine",
        "{*}",
        r"$\lambda$ $\leq$ 1",
        "a-{}-{}-b",
    ]
    assert r"sweeps evaluate digits -{}-set evaluation.seeds=13 \textendash{} or none" in text


def test_files_of_a_table(table: Table, tmp_path):
    paths = write_table(table, tmp_path)
    assert sorted(p.name for p in paths) == ["odd-key.csv", "odd-key.md", "odd-key.tex"]
    assert (tmp_path / "odd-key.csv").read_text() == "v\n1.5\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = write_text(tmp_path / "page.html", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_slug_leaves_no_way_out_of_the_folder():
    assert slug("../../etc/<x>") == "etc-x"
    assert slug("…") == "unnamed"


def test_every_method_looks_different_and_the_same_everywhere():
    names = ["sure", "l1_sparse", "scrub", "random_label", "neg_grad_plus", "bad_teacher", "finetune", "neg_grad"]
    names += [
        "boundary_expanding",
        "boundary_expanding_plus",
        "boundary_shrinking",
        "boundary_shrinking_plus",
        "mine",
        "yours",
    ]
    styles = method_styles(names)
    assert (
        len({(s.colour, s.dash) for s in styles.values()}) == len({(s.colour, s.symbol) for s in styles.values()}) == 14
    )
    assert method_styles(["finetune", "sure"])["sure"] == styles["sure"]
