"""Full disks and strangers' files: a clear error, after which the same command resumes; nothing is unpickled, nothing escapes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sweeps.errors import SweepError
from sweeps.record import load_sweep
from sweeps.spec import Spec, parse_spec
from sweeps.storage import open_storage, storage_errors
from tests.sweeps.conftest import TINY
from tests.sweeps.processes import sweeps
from tests.sweeps.test_faults import check, drive, quick, small, undisturbed
from unlearn.errors import UnlearnError

pytestmark = pytest.mark.ray

__all__ = ["quick", "small"]
PACKAGES = ("unlearn", "sweeps", "reports", "search_spaces")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, but: int) -> Path:
    """Leave about `but` bytes free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            file.truncate(max(0, file.tell() - but))
    return filler


@pytest.mark.parametrize("url", ["sqlite:///{}/study.db", "journal:{}/log"])
def test_a_full_disk_under_the_storage(small: Spec, disk: Path, tmp_path: Path, url: str) -> None:
    url = url.format(disk)
    open_storage(url)  # its tables take most of the room
    filler = fill(disk, 8 * 4096)
    with (
        pytest.raises(SweepError, match=r"the storage failed: .*(full|No space left)(.|\n)*remedy: make room"),
        storage_errors(),
    ):
        drive(small, open_storage(url), tmp_path)
    filler.unlink()
    assert drive(small, open_storage(url), tmp_path).done
    check(load_sweep(open_storage(url), small.name), undisturbed(small, tmp_path))


@pytest.mark.slow
def test_a_full_disk_under_the_cache(disk: Path, tmp_path: Path) -> None:
    spec = {**TINY, "methods": {"finetune": {}}, "evaluation": {"seeds": 1}, "search": {"confirm": "none", "trials": 2}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spec))
    (disk / "models").mkdir()
    filler = fill(disk, 2 * 4096)
    code, _, err = sweeps(["search", "tiny.yaml"], tmp_path, disk)
    assert code == 2, err
    assert "No space left on device" in err
    assert "make room" in err
    assert "Traceback" not in err
    filler.unlink()
    code, _, err = sweeps(["search", "tiny.yaml"], tmp_path, disk)
    assert code == 0, err


def test_nothing_is_ever_unpickled() -> None:
    forbidden = re.compile(
        r"\bimport pickle\b|pickle\.load|joblib|torch\.load\((?!.*weights_only=True)|allow_pickle=True"
        r"|yaml\.(load|unsafe_load|full_load)\("
    )
    root = Path(__file__).parents[2]
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            if path.name == "_cifar.py":  # the data set comes as pickles: read by an unpickler that knows arrays only
                assert "class _ArrayUnpickler(pickle.Unpickler)" in path.read_text(encoding="utf-8")
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                code = line.split("#")[0]
                assert not forbidden.search(code), f"{path}:{number}: {line.strip()}"


@pytest.mark.parametrize("bad", ["../x", "a/b", "/tmp/x", "..", ".hidden", "<b>", "a b", "x\n", ""])
def test_names_cannot_leave_their_folder_nor_be_html(bad: str) -> None:
    for change in (
        {"name": bad},
        {"scenarios": {bad: {"scenario": "partial_class", "tune_size": 40, "sizes": [40]}}},
        {"methods": {bad: {}}},
    ):
        with pytest.raises((SweepError, UnlearnError)):
            parse_spec({**TINY, **change})
