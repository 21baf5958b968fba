"""A sweep in optuna-dashboard: what is written into the storage, and a real server in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.artifacts import get_all_artifact_meta
from optuna.distributions import IntDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import TrialState, create_trial
from optuna_dashboard import get_note, save_note
from playwright.sync_api import sync_playwright
from sqlalchemy import event
from typer.testing import CliRunner

import reports
from reports import notes
from sweeps.cli.app import app
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.objective import Objective
from sweeps.outputs import dashboard
from sweeps.outputs.dashboard import OWN_NOTES, artifact_store, decorate, spaces_of
from sweeps.outputs.tidied import TidyStorage
from sweeps.record import SweepRecord, empty_record, load_sweep
from sweeps.record.code import sources
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.sweep import Sweep
from tests.sweeps.conftest import OLD_NAME, TINY, SpecMaker, open_studies, prepare, serve
from tests.sweeps.processes import finish, start

FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
SEARCH = "tiny/search/partial_class/sure"
CURVES = "dashboard:plot_data:figure-partial_class-epochs-search-sure:"


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Sweep:
    """A sweep that stopped half way, with trials still RUNNING."""
    sweep = Sweep.at(parse_spec(TINY), tmp_path_factory.mktemp("dashboard") / "runs")
    storage = prepare(sweep)
    sweep.freeze(storage)
    studies = open_studies(sweep.spec, storage)
    serve(studies, Worker(sweep.spec, Cache(cache)), limit=18)
    assert studies.next() is not None
    assert studies.next() is not None
    return sweep


def study_attrs(sweep: Sweep, name: str) -> dict[str, Any]:
    storage = open_storage(sweep.url)
    return storage.get_study_system_attrs(storage.get_study_id_from_name(name))


def test_an_unfinished_sweep_is_annotated_and_trials_are_left_alone(unfinished: Sweep) -> None:
    storage = open_storage(unfinished.url)
    record = load_sweep(storage, "tiny")
    states = Counter(record.trials["state"])
    assert states["RUNNING"] == 2
    decorate(storage, record, unfinished.folder.artifacts)
    search = optuna.load_study(study_name=SEARCH, storage=storage)
    assert search.metric_names == ["Average gap (lower is better)"]
    note = get_note(search)
    assert note.startswith("## SURE, Partial class: search\n")
    assert "Trials planned: 4; 4 complete." in note
    assert "| lr |" in note
    reference = optuna.load_study(study_name="tiny/reference/partial_class/oracle", storage=storage)
    assert reference.metric_names == ["Held-out accuracy (higher is better)"]
    assert reference.direction == optuna.study.StudyDirection.MAXIMIZE
    assert any(
        key.startswith("dashboard:plot_data:figure-partial_class-epochs") for key in study_attrs(unfinished, SEARCH)
    )
    files = {meta.filename: meta.artifact_id for meta in get_all_artifact_meta(search)}
    assert set(files) == {"trials.csv", "curves.csv"}
    with artifact_store(unfinished.folder.artifacts).open_reader(files["trials.csv"]) as file:
        table = file.read().decode()
    assert len(table.splitlines()) == 1 + 4
    assert Counter(load_sweep(storage, "tiny").trials["state"]) == states


def test_the_sweeps_own_study_says_what_it_is_and_leads_to_the_others(unfinished: Sweep) -> None:
    storage = open_storage(unfinished.url)
    decorate(storage, load_sweep(storage, "tiny"), unfinished.folder.artifacts)
    own = optuna.load_study(study_name="tiny", storage=storage)
    assert own.trials == []
    assert own.metric_names == ["No trials: see the note"]
    note = get_note(own)
    assert note.startswith("# tiny\n\nThis study has no trials")
    assert "The whole report: `report/index.html` in the sweep's folder" in note  # wherever --runs has put that
    numbers = {
        study.study_name: storage.get_study_id_from_name(study.study_name) for study in storage.get_all_studies()
    }
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in note.splitlines() if "](/dash" in line]
    linked = {(row[1], cell) for row in rows for cell in row[2:] if cell}
    assert linked == {
        (
            {"sure": "SURE", "finetune": "FineTune"}.get(method, method.capitalize()),
            f"[{stage}](/dashboard/studies/{n})",
        )
        for name, n in numbers.items()
        if name != "tiny"
        for _, stage, _, method in [name.split("/")]
    }


def test_both_values_of_a_front_say_which_way_is_better(tiny: SpecMaker) -> None:
    record = empty_record(tiny(objective={"name": "pareto"}))
    names = notes.metric_names(record, "search")
    assert names == ["Utility gap (lower is better)", "Forgetting gap (lower is better)"]
    assert Objective("pareto").directions == ("minimize",) * len(names)


def test_trials_are_shown_in_true_units_without_json(unfinished: Sweep) -> None:
    storage = open_storage(unfinished.url)
    shown = tidy(storage, "tiny")
    number = storage.get_study_id_from_name(SEARCH)
    stored = storage.get_all_trials(number)
    for trial, tidied in zip(stored, shown.get_all_trials(number), strict=True):
        assert "log2_forget_batch_size" in trial.params
        assert tidied.params.items() <= trial.user_attrs["hyperparameters"].items()
        assert tidied.distributions["forget_batch_size"] == IntDistribution(8, 256, log=True)
        assert tidied.params.keys() == tidied.distributions.keys()
        metrics = trial.user_attrs.get("metrics", {})
        assert {name: tidied.user_attrs[name] for name in metrics} == pytest.approx(metrics, rel=1e-4)
        assert tidied.values == trial.values
        assert tidied.user_attrs["seed"] == trial.user_attrs["seed"]
        assert "forget_batch_size" not in tidied.user_attrs
    assert not [value for value in plain_texts(shown) if value[:1] in "{["]
    assert storage.get_all_trials(number) == stored


def test_storages_of_an_older_version_are_shown_in_true_units_too(runs: Path) -> None:
    storage = open_storage(f"sqlite:///{runs / OLD_NAME / 'study.db'}")
    shown = tidy(storage, OLD_NAME)
    searches = [s for s in storage.get_all_studies() if s.study_name.startswith(f"{OLD_NAME}/search/")]
    trials = [t for s in searches for t in shown.get_all_trials(storage.get_study_id_from_name(s.study_name))]
    assert trials
    assert not [name for trial in trials for name in trial.params if name.startswith(("log2_", "one_minus_"))]
    assert not [value for value in plain_texts(shown) if value[:1] in "{["]


def tidy(storage: BaseStorage, name: str) -> TidyStorage:
    return TidyStorage(storage, spaces_of(storage, name))  # type: ignore[abstract]  # the rest is passed on


def plain_texts(storage: TidyStorage) -> list[str]:
    """Every attribute of every study and trial, as the dashboard writes it into a cell."""
    studies = storage.get_all_studies()
    trials = [t for s in studies for t in storage.get_all_trials(storage.get_study_id_from_name(s.study_name))]
    attrs = [value for those in (*studies, *trials) for value in those.user_attrs.values()]
    return [value if isinstance(value, str) else json.dumps(value) for value in attrs]


@pytest.fixture
def decorated(unfinished: Sweep, tmp_path: Path) -> Path:
    """The folder of a copy of that sweep, decorated."""
    folder = Path(shutil.copytree(unfinished.folder.path, tmp_path / "tiny"))
    storage = stored_in(folder)
    decorate(storage, load_sweep(storage, "tiny"), folder / "artifacts")
    return folder


def stored_in(folder: Path) -> RDBStorage:
    storage = open_storage(f"sqlite:///{folder / 'study.db'}")
    assert isinstance(storage, RDBStorage)
    return storage


def search_in(storage: BaseStorage) -> optuna.Study:
    return optuna.load_study(study_name=SEARCH, storage=storage)


def plot_in(storage: BaseStorage) -> str:
    attrs = storage.get_study_system_attrs(storage.get_study_id_from_name(SEARCH))
    return "".join(attrs[key] for key in sorted(attrs, key=lambda k: (len(k), k)) if key.startswith(CURVES))


def tables_of(study: optuna.Study, folder: Path) -> dict[str, Path]:
    return {meta.filename: folder / "artifacts" / meta.artifact_id for meta in get_all_artifact_meta(study)}


@contextmanager
def writes(storage: RDBStorage) -> Iterator[list[str]]:
    """The statements that change the database meanwhile."""
    seen: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.split(maxsplit=1)[0] in {"INSERT", "UPDATE", "DELETE"}:
            seen.append(statement)

    event.listen(storage.engine, "before_cursor_execute", listen)
    yield seen
    event.remove(storage.engine, "before_cursor_execute", listen)


def test_written_again_nothing_is_written_nor_drawn(decorated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = stored_in(decorated)
    search = search_in(storage)
    with writes(storage) as written:
        save_note(search, get_note(search) + "look at trial 2\n")
    assert written
    record = load_sweep(storage, "tiny")
    files = {path: path.stat().st_mtime_ns for path in (decorated / "artifacts").iterdir()}
    monkeypatch.setattr(notes, "study_figures", None)
    monkeypatch.setattr(notes, "sweep_figures", None)
    with writes(storage) as written:
        decorate(
            storage, replace(record, provenance={**record.provenance, "last_started": "now"}), decorated / "artifacts"
        )
    assert written == []
    assert {path: path.stat().st_mtime_ns for path in (decorated / "artifacts").iterdir()} == files
    assert get_note(search).split(OWN_NOTES)[1].strip() == "look at trial 2"


def test_a_new_trial_changes_note_figures_and_tables_and_own_notes_stay(decorated: Path) -> None:
    storage = stored_in(decorated)
    search = search_in(storage)
    save_note(search, get_note(search) + "look at trial 2\n")
    note, plot = get_note(search), plot_in(storage)
    tables = {name: path.read_text() for name, path in tables_of(search, decorated).items()}
    old = search.trials[0]
    copied = {"params": old.params, "distributions": old.distributions, "user_attrs": old.user_attrs}
    search.add_trial(create_trial(value=-0.001, **copied))  # lower than any that was reached
    decorate(storage, load_sweep(storage, "tiny"), decorated / "artifacts")
    assert "5 complete." in get_note(search)
    assert "-0.00100 (trial 4)" in get_note(search)
    assert get_note(search).split(OWN_NOTES)[1] == note.split(OWN_NOTES)[1]
    assert len(json.loads(plot_in(storage))["data"][0]["x"]) == 5 / 4 * len(json.loads(plot)["data"][0]["x"])
    after = {name: path.read_text() for name, path in tables_of(search, decorated).items()}
    assert len(after["trials.csv"].splitlines()) == 1 + len(tables["trials.csv"].splitlines())
    assert after["curves.csv"].startswith(tables["curves.csv"])
    assert len(after["curves.csv"]) > len(tables["curves.csv"])


def test_what_was_edited_above_the_line_or_lost_is_mended(decorated: Path) -> None:
    storage = stored_in(decorated)
    search = search_in(storage)
    note, plot = get_note(search), plot_in(storage)
    save_note(search, "oops" + note)
    table = tables_of(search, decorated)["trials.csv"]
    text = table.read_text()
    decorate(storage, load_sweep(storage, "tiny"), decorated / "artifacts")
    assert get_note(search) == note
    table.unlink()
    decorate(storage, load_sweep(storage, "tiny"), decorated / "artifacts")
    assert table.read_text() == text
    assert plot_in(storage) == plot


def test_a_newer_plotly_or_other_code_draws_again(
    decorated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = stored_in(decorated)
    record = load_sweep(storage, "tiny")
    drawn: list[tuple[str, str, str]] = []
    draw = notes.study_figures
    monkeypatch.setattr(notes, "study_figures", lambda record, key: drawn.append(key) or draw(record, key))
    monkeypatch.setattr(dashboard, "version", lambda library: f"{library} 99")
    decorate(storage, record, decorated / "artifacts")
    assert len(drawn) == len(set(drawn)) == len(storage.get_all_studies()) - 1
    copied = Path(shutil.copytree(Path(reports.__file__).parent, tmp_path / "reports"))
    monkeypatch.setattr(reports.__spec__, "origin", str(copied / "__init__.py"))
    drawn.clear()
    decorate(storage, record, decorated / "artifacts")
    assert drawn == []
    with (copied / "figures" / "epochs.py").open("a") as file:
        file.write("# draws otherwise\n")
    decorate(storage, record, decorated / "artifacts")
    assert drawn


def test_all_that_notes_are_made_by_is_code_that_counts() -> None:
    prefixes = ("reports", "sweeps.record", "sweeps.objective", "unlearn.gaps")
    used = {Path(module.__file__ or "") for name, module in sys.modules.items() if name.startswith(prefixes)}
    assert len(used) > 50
    assert used <= set(sources())


CHANGES: dict[str, Callable[[SweepRecord], SweepRecord]] = {
    "a value": lambda r: replace(r, trials=r.trials.assign(value=r.trials["value"] * (1 + 1e-15))),
    "a state": lambda r: replace(r, trials=r.trials.replace({"state": {"RUNNING": "FAIL"}})),
    "a reason": lambda r: replace(r, trials=r.trials.assign(fail_reason="diverged")),
    "the order": lambda r: replace(r, trials=r.trials[::-1]),
    "a column's name": lambda r: replace(r, trials=r.trials.rename(columns={"metric.forget_gap": "metric.other_gap"})),
    "an epoch": lambda r: replace(r, curves=r.curves[:-1]),
    "the spec": lambda r: replace(r, spec=r.spec | {"protocol": "paper"}),
    "the plan": lambda r: replace(r, planned={key: n + 1 for key, n in r.planned.items()}),
    "the best": lambda r: replace(r, best={}),
    "importances": lambda r: replace(r, importances={"partial_class": {"sure": {"lr": 1.0}}}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_could_be_shown_is_among_the_inputs(unfinished: Sweep, change: str) -> None:
    storage = open_storage(unfinished.url)
    record = load_sweep(storage, "tiny")
    assert dashboard._inputs(record) == dashboard._inputs(load_sweep(storage, "tiny"))
    assert dashboard._inputs(CHANGES[change](record)) != dashboard._inputs(record)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "[2001:db8::1]"])
def test_a_host_that_is_not_here_is_what_to_change(
    unfinished: Sweep, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(unfinished.folder.path.parents[1])
    result = CliRunner().invoke(app, ["dashboard", "tiny", "--port", "0", "--host", host])
    assert result.exit_code == 2
    where = f"[{host.strip('[]')}]" if ":" in host else host
    assert f"cannot serve on {where}:0: " in result.stderr
    assert result.stderr.rstrip().endswith("; choose another with --host")


def test_no_host_is_every_address(unfinished: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(unfinished.folder.path.parents[1])
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["dashboard", "tiny", "--port", str(port), "--host", ""])
    assert result.stderr.rstrip().endswith(
        f"cannot serve on 0.0.0.0:{port}: Address already in use; choose another with --port"
    )


@pytest.fixture(scope="module")
def address(unfinished: Sweep, cache: Path) -> Iterator[str]:
    """`sweeps dashboard tiny`, as a user starts it."""
    process = start(["dashboard", "tiny", "--port", "0"], unfinished.folder.path.parents[1], cache)
    assert process.stderr is not None
    while (said := re.search(r"optuna-dashboard on (\S+)/ ", line := process.stderr.readline())) is None:
        assert line, "it has ended"
    yield said[1]
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process, timeout=60)
    assert (code, out) == (0, "")
    assert "GET" not in err  # not a line for each request


def test_a_connection_that_asks_nothing_keeps_nobody_waiting(address: str) -> None:
    host, _, port = address.removeprefix("http://").rpartition(":")
    with (
        socket.create_connection((host, int(port))),
        urllib.request.urlopen(f"{address}/api/studies", timeout=30) as answer,
    ):
        assert answer.status == 200


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


def test_a_study_is_not_renamed_by_a_copy_of_what_is_shown(unfinished: Sweep, address: str) -> None:
    storage = open_storage(unfinished.url)
    number = storage.get_study_id_from_name(SEARCH)
    before = storage.get_all_trials(number)
    names = sorted(study.study_name for study in storage.get_all_studies())
    request = urllib.request.Request(
        f"{address}/api/studies/{number}/rename",
        json.dumps({"study_name": "mine"}).encode(),
        {"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError, match="500"):
        urllib.request.urlopen(request, timeout=30)
    assert sorted(study.study_name for study in storage.get_all_studies()) == names
    assert storage.get_all_trials(number) == before


def test_in_the_browser(unfinished: Sweep, address: str) -> None:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no browser to open the dashboard in: none of {', '.join(names)} is on the PATH")
    storage = open_storage(unfinished.url)
    number = storage.get_study_id_from_name(SEARCH)
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
        page.get_by_text("Average gap (lower is better)").first.wait_for()
        page.goto(f"{address}/dashboard/studies/{number}/smartSelection")
        table = page.locator("table").first
        table.get_by_text("retain_gap").wait_for()
        assert "forget_batch_size" in table.inner_text()
        assert "log2" not in table.inner_text()
        assert "{" not in table.inner_text()
        own = storage.get_study_id_from_name("tiny")
        page.goto(f"{address}/dashboard/studies/{own}/note")
        page.get_by_role("link", name="search").first.click()
        page.get_by_text(SEARCH).first.wait_for()
        browser.close()
    assert complaints == []
