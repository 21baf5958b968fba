"""What a run was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sweeps.provenance import commit_of


def test_the_commit_is_of_the_program_and_not_of_what_its_environment_lies_in(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        given = ["-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(["git", *given], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    file = tmp_path / "environment" / "program.py"
    file.parent.mkdir()
    file.touch()
    assert commit_of(file) is None
    git("init")
    git("commit", "--allow-empty", "--message", "another's")
    assert commit_of(file) is None
    git("add", "environment")
    git("commit", "--message", "its own")
    assert commit_of(file) == git("rev-parse", "HEAD")
