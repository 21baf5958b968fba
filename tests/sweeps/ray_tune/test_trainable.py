"""What a worker says that cannot begin, or is ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Job, Update
from sweeps.plan import ForgetDraw
from sweeps.ray_tune.trainable import CACHE, FOLDER, IDENTITY, JOB, REPORT, SPEC, UnlearningTrainable, bound
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


def test_a_method_that_ends_the_process_has_failed_and_ray_ends_it_all_the_same(cache: Path) -> None:
    Cache(cache).prepare()
    quits = "tests.sweeps.bad_methods:Quits"
    spec = parse_spec({**TINY, "methods": {quits: {}}})
    shared = {
        SPEC: json.dumps(spec.dump()),
        CACHE: str(cache),
        IDENTITY: Cache(cache).identity,
        FOLDER: str(Path.cwd()),
    }

    def step(**options: bool) -> Update:
        job = Job("unlearning", ForgetDraw("partial_class", 40, 0), "dev", quits, {"epochs": 2, **options})
        return Update.load(bound(UnlearningTrainable, shared)({JOB: job.dump()}).step()[REPORT])

    told = step()
    assert told.outcome == "error"
    assert (told.reason or "").splitlines()[-1] == "SystemExit: no licence for this method"
    with pytest.raises(SystemExit):
        step(by_ray=True)
