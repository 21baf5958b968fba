"""Figures as files."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import pytest

from reports import export, write_figures
from sweeps.record import SweepRecord


def test_every_figure_has_its_file(full_record: SweepRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drawn: dict[Path, go.Figure] = {}
    monkeypatch.setattr(export, "find_spec", lambda name: name)
    monkeypatch.setattr(export, "write_images", lambda all_, files, **_: drawn.update(zip(files, all_, strict=True)))
    paths = write_figures(full_record, tmp_path / "figures", "pdf")
    assert paths == list(drawn)
    assert len(set(paths)) == len(paths) == 1 + 2 * (10 + 4)
    assert all(p.parent == tmp_path / "figures" and p.suffix == ".pdf" for p in paths)
    for figure in drawn.values():
        assert figure.layout.width in (336, 687)
        assert figure.layout.font.size * 72 / 96 >= 8
        assert not any(
            (a.text or "").startswith(("Random: ", "Partial class: ", "Average gap of every"))
            for a in figure.layout.annotations
        )
        assert figure.layout.template.layout.paper_bgcolor == "white"
    drawn.clear()
    write_figures(full_record, tmp_path / "figures", "png")
    assert {f.layout.annotations[-1].text.split(":")[0] for f in drawn.values()} == {
        "Random",
        "Partial class",
        "Average gap of every method, at the stop epoch",
    }


def test_without_kaleido_the_remedy_is_named(full_record: SweepRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"not installed; .* pip install kaleido"):
        write_figures(full_record, tmp_path)


def test_without_a_browser_the_remedy_is_named(builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise OSError("no chrome")

    monkeypatch.setattr(export, "find_spec", lambda name: name)
    monkeypatch.setattr(export, "write_images", broken)
    builder.trial("search", "sure", value=1.0)
    with pytest.raises(RuntimeError, match=r"no chrome; .* BROWSER_PATH"):
        write_figures(builder.record(), tmp_path)
