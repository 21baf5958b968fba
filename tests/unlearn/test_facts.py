"""Facts of components: the same whether kept or looked at, and never older than the files they were made from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch

from unlearn import facts
from unlearn.component import ComponentFacts
from unlearn.facts import component_facts
from unlearn.registry import find, keys

COMPONENTS = [(folder, key) for folder in facts.KEPT for key in keys(folder)]
TELL = """
import json, sys
from unlearn.facts import component_facts
found = component_facts("methods", "scrub")
print(json.dumps([found.about, list(found.declared["searched"]), "torch" in sys.modules]))
"""


@pytest.mark.parametrize(("folder", "key"), COMPONENTS)
def test_nothing_is_lost_by_keeping_the_facts_of_a_component(folder: str, key: str) -> None:
    looked_at = component_facts(folder, key)  # nothing is kept of a component that is imported already
    assert find(folder, key).__doc__.startswith(looked_at.about)
    assert ComponentFacts.load(json.loads(json.dumps(looked_at.dump()))) == looked_at


def test_a_type_that_cannot_be_kept_is_told_apart() -> None:
    def build(
        mode: dict[str, int], way: Literal["a", "b"] | None = None, sizes: tuple[int, ...] = (), **rest: Any
    ) -> None:
        """Of the user's own."""

    looked_at = ComponentFacts.of(build)
    kept = ComponentFacts.load(json.loads(json.dumps(looked_at.dump())))
    assert looked_at.open
    assert kept.options == {"mode": Any, "way": Literal["a", "b"] | None, "sizes": tuple[int, ...]}
    assert kept != looked_at


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1_000_000, 1_000_000)])
@pytest.mark.parametrize("key", [k for k in keys("models") if not ComponentFacts.of(find("models", k)).refuses])
def test_a_model_that_says_so_takes_every_option_within_its_bounds(key: str, low: int, high: int) -> None:
    options = ComponentFacts.of(find("models", key)).options
    assert set(options) == {"image_shape", "num_classes", "width"}
    with torch.device("meta"):
        for width in (low, high):
            find("models", key)((3, 32, 32), 10, width=width)


def _tell(folder: Path) -> list[Any]:
    """What a process with the package in `folder` says of SCRUB, and whether torch was imported for it."""
    env = os.environ | {"PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", TELL], capture_output=True, text=True, check=True, env=env, cwd=folder, timeout=300
    )
    told: list[Any] = json.loads(done.stdout)
    return told


def test_facts_are_those_of_the_files_as_they_are(tmp_path: Path) -> None:
    slow_to_import = ("resnet18.py", "vit_small.py", "weight_distance.py")
    shutil.copytree(facts.PACKAGE, tmp_path / "unlearn", ignore=shutil.ignore_patterns("__pycache__", *slow_to_import))
    first = _tell(tmp_path)
    assert first[2]
    assert _tell(tmp_path) == [*first[:2], False]
    base = tmp_path / "unlearn" / "methods" / "_base.py"
    base.write_text(base.read_text().replace('"forget_batch_size", "lr_decay_epoch")', '"lr_decay_epoch")'))
    assert "forget_batch_size" in first[1]
    assert _tell(tmp_path) == [first[0], [name for name in first[1] if name != "forget_batch_size"], True]
    (kept,) = (tmp_path / "cache" / "unlearn-sweeps" / "facts").iterdir()
    stamp = json.loads(kept.read_bytes())["stamp"]
    assert facts._read(kept, stamp) is not None
    assert facts._read(kept, f"{stamp}0") is None
    kept.write_bytes(kept.read_bytes()[:-20])
    assert facts._read(kept, stamp) is None  # so they are found anew, as before any were kept


def test_the_stamp_tells_every_change_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "PACKAGE", tmp_path)
    assert facts._stamp() is None  # nothing to tell changes by: nothing is kept
    file = tmp_path / "methods" / "own.py"
    file.parent.mkdir()
    file.write_text("a = 1")
    stamps = [facts._stamp()]
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    stamps.append(facts._stamp())
    time = file.stat().st_mtime_ns
    file.write_text("a = 10")
    os.utime(file, ns=(0, time))
    stamps.append(facts._stamp())
    file.rename(file.with_name("other.py"))
    stamps.append(facts._stamp())
    monkeypatch.setattr(facts.sys, "flags", SimpleNamespace(optimize=2))  # without documentation there is none to keep
    stamps.append(facts._stamp())
    assert len(set(stamps)) == 5
