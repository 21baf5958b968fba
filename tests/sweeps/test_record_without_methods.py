"""A record is read from the storage alone: neither torch nor the user's own methods are needed for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sweeps.plan import make_plan
from sweeps.record import load_sweep
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY
from unlearn.errors import ComponentError
from unlearn.registry import find

METHOD = """
from dataclasses import dataclass
from typing import ClassVar
from unlearn.methods import Method

@dataclass(frozen=True, kw_only=True)
class Gone(Method):
    searched: ClassVar[tuple[str, ...]] = ("lr",)
    def unlearn(self, model, data, rng):
        yield
"""


def test_the_record_of_a_sweep_whose_method_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone_method.py").write_text(METHOD)
    ranges = {"lr": {"low": 0.1, "high": 1.0, "scale": "log"}}
    with monkeypatch.context() as there:
        there.syspath_prepend(tmp_path)
        spec = parse_spec({**TINY, "methods": {"gone_method:Gone": ranges}})
        storage = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
        Sweep.at(spec, tmp_path / "runs").freeze(storage)
        planned = make_plan(spec).trials
    sys.modules.pop("gone_method")
    find.cache_clear()
    with pytest.raises(ComponentError):
        find("methods", "gone_method:Gone")
    assert load_sweep(storage, spec.name).planned == planned
