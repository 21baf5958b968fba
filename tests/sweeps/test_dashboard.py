"""A sweep in optuna-dashboard: what is written into the storage, and a real server in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import socket
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import TrialState
from optuna_dashboard import get_note, save_note
from playwright.sync_api import sync_playwright

from sweeps.cache import Cache
from sweeps.dashboard import OWN_NOTES, artifact_store, decorate
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.store import load_sweep
from sweeps.sweep import Sweep
from sweeps.worker import Worker
from tests.sweeps.conftest import TINY, open_studies, serve
from tests.sweeps.processes import kill_tree, start, wait_until

FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
SEARCH = "tiny/search/partial_class/sure"


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Sweep:
    """A sweep that stopped half way, with trials still RUNNING."""
    sweep = Sweep.at(parse_spec(TINY), tmp_path_factory.mktemp("dashboard") / "runs")
    storage = sweep.prepare()
    sweep.freeze(storage)
    studies = open_studies(sweep.spec, storage)
    serve(studies, Worker(sweep.spec, Cache(cache)), limit=18)
    assert studies.next() is not None
    assert studies.next() is not None
    return sweep


def study_attrs(sweep: Sweep, name: str) -> dict[str, Any]:
    study = optuna.load_study(study_name=name, storage=open_storage(sweep.url))
    return dict(study._storage.get_study_system_attrs(study._study_id))


def test_an_unfinished_sweep_is_annotated_and_trials_are_left_alone(unfinished: Sweep) -> None:
    storage = open_storage(unfinished.url)
    record = load_sweep(storage, "tiny")
    states = Counter(record.trials["state"])
    assert states["RUNNING"] == 2
    decorate(storage, record, unfinished.folder)
    search = optuna.load_study(study_name=SEARCH, storage=storage)
    assert search.metric_names == ["Average gap"]
    note = get_note(search)
    assert note.startswith("## SURE, Partial class: search\n")
    assert "Trials planned: 4; 4 complete." in note
    assert "| lr |" in note
    assert "# tiny" in get_note(optuna.load_study(study_name="tiny", storage=storage))
    assert any(
        key.startswith("dashboard:plot_data:figure-partial_class-epochs") for key in study_attrs(unfinished, SEARCH)
    )
    files = {meta.filename: meta.artifact_id for meta in get_all_artifact_meta(search)}
    assert set(files) == {"trials.csv", "curves.csv"}
    with artifact_store(unfinished.folder).open_reader(files["trials.csv"]) as file:
        table = file.read().decode()
    assert len(table.splitlines()) == 1 + 4
    assert Counter(load_sweep(storage, "tiny").trials["state"]) == states


def test_written_again_nothing_is_doubled_and_own_notes_stay(unfinished: Sweep) -> None:
    storage = open_storage(unfinished.url)
    record = load_sweep(storage, "tiny")
    decorate(storage, record, unfinished.folder)
    search = optuna.load_study(study_name=SEARCH, storage=storage)
    save_note(search, get_note(search) + "look at trial 2\n")
    before = study_attrs(unfinished, SEARCH)
    decorate(storage, record, unfinished.folder)
    assert study_attrs(unfinished, SEARCH) == before
    assert get_note(search).split(OWN_NOTES)[1].strip() == "look at trial 2"


@pytest.fixture(scope="module")
def address(unfinished: Sweep, cache: Path) -> Iterator[str]:
    """`sweeps dashboard tiny`, as a user starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start(["dashboard", "tiny", "--port", str(port)], unfinished.folder.parents[1], cache)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, process.communicate()[1]
        try:
            with urllib.request.urlopen(f"{url}/api/studies", timeout=5):
                return True
        except urllib.error.URLError:
            return False

    wait_until(answers, timeout=60)
    yield url
    kill_tree(process)


def test_every_study_is_listed_with_its_trials(unfinished: Sweep, address: str) -> None:
    def ask(path: str) -> Any:
        with urllib.request.urlopen(f"{address}/api/{path}", timeout=30) as answer:
            return json.load(answer)

    storage = open_storage(unfinished.url)
    ids = {s["study_name"]: s["study_id"] for s in ask("studies")["study_summaries"]}
    stored = {s.study_name for s in optuna.get_all_study_summaries(storage, include_best_trial=False)}
    assert set(ids) == stored
    for name, number in ids.items():
        study = optuna.load_study(study_name=name, storage=storage)
        listed = Counter(trial["state"] for trial in ask(f"studies/{number}?after=0")["trials"])
        expected = {TrialState.COMPLETE: "Complete", TrialState.RUNNING: "Running", TrialState.FAIL: "Fail"}
        assert listed == Counter(expected[trial.state] for trial in study.trials), name


def test_in_the_browser(unfinished: Sweep, address: str) -> None:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no browser to open the dashboard in: none of {', '.join(names)} is on the PATH")
    storage = open_storage(unfinished.url)
    number = optuna.load_study(study_name=SEARCH, storage=storage)._study_id
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.goto(f"{address}/dashboard/")
        page.get_by_text(SEARCH).first.wait_for()
        page.goto(f"{address}/dashboard/studies/{number}/note")
        page.get_by_role("heading", name="SURE, Partial class: search").wait_for()
        page.goto(f"{address}/dashboard/studies/{number}")
        page.get_by_text("gaps of SURE at every epoch").first.wait_for()
        page.get_by_text("trials.csv").first.wait_for()
        browser.close()
    assert complaints == []
