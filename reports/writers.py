"""A printed table as CSV, Markdown and LaTeX (booktabs), and files that are never half written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from reports.format import Cell, Table
from reports.told import COMPARED
from unlearn.files import write_atomically

__all__ = ["as_markdown", "slug", "to_latex", "to_markdown", "write_page", "write_table", "write_text"]

APPROX = "≈"


def slug(text: str) -> str:
    """A file name for any text."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip("-.") or "unnamed"


def to_markdown(table: Table) -> str:
    """GitHub's table syntax; the best in bold, those not told apart from it marked ≈."""
    lines = [f"**{as_markdown(table.title)}**", ""]
    lines.append("| " + " | ".join(as_markdown(c.text) for c in table.columns) + " |")
    lines.append("| " + " | ".join("---" for _ in table.columns) + " |")
    lines += ["| " + " | ".join(_md_cell(c) for c in row.cells) + " |" for row in table.rows]
    lines += ["", *(f"{as_markdown(note)}  " for note in _notes(table))]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    r"""A `table` environment for \usepackage{booktabs}: a short caption, and below the table what its numbers are."""
    notes = [r"  \par\smallskip", rf"  {{\footnotesize {_tex(' '.join(_notes(table)))}\par}}"] if _notes(table) else []
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{_tex(table.title)}.}}",
        f"  \\label{{tab:{slug(table.key)}}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
        r"    \toprule",
        "    " + " & ".join(_tex(c.text) for c in table.columns) + r" \\",
        r"    \midrule",
        *("    " + " & ".join(_tex_cell(c) for c in row.cells) + r" \\" for row in table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        *notes,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def write_table(table: Table, folder: Path) -> list[Path]:
    """Write `<key>.csv`, `.md` and `.tex` into the folder."""
    texts = {".csv": table.data.to_csv(index=False), ".md": to_markdown(table), ".tex": to_latex(table)}
    return [write_text(folder / f"{slug(table.key)}{ending}", text) for ending, text in texts.items()]


def write_page(folder: Path, page: str, tables: Iterable[Table]) -> Path:
    """Write `folder/tables/*` and `folder/index.html`; return the page's path. Every file is replaced whole, the page last.

    Tables that the page which it replaces links to, and that are not written now, are removed; other files there are left alone.
    """
    path, place = folder / "index.html", folder / "tables"
    written = {table for printed in tables for table in write_table(printed, place)}
    earlier = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for name in set(re.findall(r'"tables/([\w.+-]+)"', earlier)):
        if (table := place / name) not in written and table.is_file():
            table.unlink()
    return write_text(path, page)


def write_text(path: Path, text: str) -> Path:
    """Write a text file whole or not at all; creates its folder."""
    write_atomically(path, text.encode())
    return path


def _notes(table: Table) -> list[str]:
    return [*table.notes, *([COMPARED] if table.compared else [])]


def as_markdown(text: str) -> str:
    """Any text in one line, such that Markdown and HTML show it as it is."""
    text = " ".join(text.split())
    return re.sub(r"([\\|*_`\[\]])", r"\\\1", text).replace("<", "&lt;")


def _md_cell(cell: Cell) -> str:
    text = as_markdown(cell.text)
    return f"**{text}**" if cell.best else f"{text} {APPROX}" if cell.tied else text


def _command(greek: str) -> str:
    """What LaTeX calls a Greek letter: `alpha`, `Delta`."""
    name = unicodedata.name(greek).rsplit(" ", 1)[1].replace("LAMDA", "LAMBDA")
    return name.capitalize() if greek.isupper() else name.lower()


_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_"},
    **{c: f"{{{c}}}" for c in "[*"},  # what begins with one would be read as an argument of the row's end before it
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "−": r"$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    **{c: f"$\\{_command(c)}$" for c in "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"},
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "–": r"\textendash{}",
}


def _tex(text: str) -> str:
    """Any text in one line; two hyphens, as an option of a command has, stay two, and do not become a dash."""
    return re.sub("-(?=-)", "-{}", "".join(_TEX.get(c, c) for c in " ".join(text.split())))


def _tex_cell(cell: Cell) -> str:
    text = _tex(cell.text)
    return f"\\textbf{{{text}}}" if cell.best else f"{text}$^\\approx$" if cell.tied else text
