"""An answer is written where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.errors import SweepError
from sweeps.requests.answer import Answer
from sweeps.requests.write import RECORD, check_empty, write_answer


def test_what_another_request_has_answered_meanwhile_stays(tmp_path: Path) -> None:
    """Two requests with one --out find it empty when they begin."""
    (tmp_path / RECORD).write_text("{}")
    with pytest.raises(SweepError, match="--out must be a new or an empty folder"):
        write_answer(Answer({}, {}), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [RECORD]
    assert (tmp_path / RECORD).read_text() == "{}"


def test_a_folder_that_could_not_be_made_after_all_the_work_is_told_before_it(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a file")
    with pytest.raises(
        SweepError, match=r"--out must be a folder that can be made and written.*notes cannot be written"
    ):
        check_empty(tmp_path / "notes" / "request")
    check_empty(tmp_path / "new" / "deeper")
    assert not (tmp_path / "new").exists()
