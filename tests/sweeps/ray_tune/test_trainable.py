"""What a worker says that cannot begin."""

from __future__ import annotations

import json
from pathlib import Path

from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Update
from sweeps.ray_tune.trainable import CACHE, FOLDER, IDENTITY, REPORT, SPEC, UnlearningTrainable, bound
from sweeps.spec import parse_spec
from tests.sweeps.conftest import TINY


def test_data_that_are_gone_are_told_without_a_traceback(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.prepare()
    spec = parse_spec({**TINY, "dataset": {"name": "image_folder", "root": str(tmp_path / "away")}})
    shared = {SPEC: json.dumps(spec.dump()), CACHE: str(cache.folder), IDENTITY: cache.identity, FOLDER: str(tmp_path)}
    told = Update.load(bound(UnlearningTrainable, shared)({}).step()[REPORT])
    assert told.outcome == "stopped"
    assert told.reason is not None
    assert (
        told.reason.splitlines()[0]
        == f"expected a folder of class folders at {tmp_path / 'away/train'}, but there is none"
    )
    assert "Traceback" not in told.reason
