"""What optuna-dashboard shows of a sweep beside its trials: names of values, notes, figures and tables, kept in the storage."""

from __future__ import annotations

import hashlib
import io
import socket
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
import pandas as pd
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import BaseStorage
from optuna.study import Study

from sweeps.outputs.tidied import TidyStorage
from sweeps.record import SweepRecord
from sweeps.record.code import code_digest
from sweeps.record.load import stored_plan
from sweeps.spec.space import Space

#: Whatever a user writes below this line of a note is kept.
OWN_NOTES = "*Your own notes, below this line, are kept.*"
Key = tuple[str, str, str]
DIGESTS = "unlearn_sweeps:figures"
#: Where the dashboard shows a study, by its number.
PAGES = "/dashboard/studies/"
STATE = "unlearn_sweeps:state"


def artifact_store(folder: Path) -> FileSystemArtifactStore:
    """The tables of a sweep's studies, in the folder of its artifacts."""
    folder.mkdir(parents=True, exist_ok=True)
    return FileSystemArtifactStore(folder)


def decorate(storage: BaseStorage, record: SweepRecord, folder: Path) -> int:
    """Write notes, names, figures and tables of every study of the sweep; returns how many studies there are.

    Written again, everything is replaced in place; a study that shows what it showed, made from the same record by the same
    code, is left alone. Trials are never touched, so a driver may be at work on the same storage.
    """
    from reports import notes  # noqa: PLC0415  # plotly takes a second

    store = artifact_store(folder)
    typed: dict[str, Any] = {
        name: record.provenance[name] for name in ("command", "commands") if name in record.provenance
    }
    record = replace(record, provenance=typed)  # the rest changes with every start, and is not shown
    names = {study.study_name for study in storage.get_all_studies()}
    studies = {key: "/".join((record.name, *key)) for key in record.planned}
    studies = {key: name for key, name in studies.items() if name in names}
    pages = {key: f"{PAGES}{storage.get_study_id_from_name(name)}" for key, name in studies.items()}
    inputs = _digest(_inputs(record) + repr(pages))
    everything: list[tuple[Key | None, str]] = [*studies.items(), (None, record.name)]
    for key, name in everything:
        study = optuna.load_study(study_name=name, storage=storage)
        if _is_current(storage, study, inputs, store):
            continue
        shown = notes.shown(record, key, pages)
        _name_values(study, shown.value_names)
        _save_note(study, shown.note)
        _save_figures(storage, study, shown.figures)
        if key is not None:
            _save_tables(study, record, store)
        _mark_current(storage, study, inputs, store)
    return len(studies)


class _Unlogged(WSGIRequestHandler):
    """Without a line for each request, of which a page makes some every few seconds."""

    def log_message(self, format: str, *args: object) -> None: ...


def server(storage: BaseStorage, sweep: str, folder: Path, host: str, port: int) -> WSGIServer:
    """optuna-dashboard on a sweep's storage, tidied, and the tables beside it; it listens, and serves when it is told to.

    Args:
        port: 0 for any that is free, which `server_port` of the result then says.

    Raises:
        OSError: the port is taken, or the host is none of this machine's.
    """
    import optuna_dashboard  # noqa: PLC0415  # what only this command needs

    class Server(ThreadingMixIn, WSGIServer):  # a browser opens connections that it may never use
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    shown = TidyStorage(storage, spaces_of(storage, sweep))  # type: ignore[abstract]  # the rest is passed on
    app = optuna_dashboard.wsgi(shown, artifact_store=artifact_store(folder))
    return make_server(host, port, app, Server, _Unlogged)


def spaces_of(storage: BaseStorage, sweep: str) -> dict[str, Space]:
    """What each study of a sweep searches, by its name."""
    plan = stored_plan(optuna.load_study(study_name=sweep, storage=storage).user_attrs)
    return {study.name: study.space for study in plan.studies if study.space is not None}


def _inputs(record: SweepRecord) -> str:
    """Digest of all that notes, figures and tables are made from: the record, the code and the libraries that it calls."""
    digest = hashlib.sha256()
    for value in (getattr(record, field.name) for field in fields(record)):
        digest.update(repr(value.to_dict("list") if isinstance(value, pd.DataFrame) else value).encode())
    digest.update(code_digest().encode())
    for library in ("numpy", "pandas", "plotly", "scipy"):
        digest.update(version(library).encode())
    return digest.hexdigest()


def _state(study: Study, inputs: str, store: FileSystemArtifactStore) -> str:
    """Digest of the inputs and of what a reader can edit or lose: the note above the line, and the tables."""
    from optuna_dashboard import get_note  # noqa: PLC0415  # it comes with the server

    tables = sorted(meta.artifact_id for meta in get_all_artifact_meta(study) if _holds(store, meta.artifact_id))
    return _digest(repr((inputs, get_note(study).split(OWN_NOTES, 1)[0], tables)))


def _is_current(storage: BaseStorage, study: Study, inputs: str, store: FileSystemArtifactStore) -> bool:
    written = storage.get_study_system_attrs(storage.get_study_id_from_name(study.study_name)).get(STATE)
    return bool(written == _state(study, inputs, store))


def _mark_current(storage: BaseStorage, study: Study, inputs: str, store: FileSystemArtifactStore) -> None:
    number = storage.get_study_id_from_name(study.study_name)
    storage.set_study_system_attr(number, STATE, _state(study, inputs, store))


def _holds(store: FileSystemArtifactStore, artifact: str) -> bool:
    try:
        store.open_reader(artifact).close()
    except ArtifactNotFound:
        return False
    return True


def _name_values(study: Study, names: list[str]) -> None:
    if study.metric_names != names and len(names) == len(study.directions):
        _quietly(lambda: study.set_metric_names(names))


def _save_note(study: Study, text: str) -> None:
    from optuna_dashboard import get_note, save_note  # noqa: PLC0415  # it comes with the server

    before = get_note(study)
    own = before.split(OWN_NOTES, 1)[1] if OWN_NOTES in before else f"\n\n{before}" if before else "\n"
    body = f"{text}\n\n---\n\n{OWN_NOTES}{own}"
    if body != before:
        _quietly(lambda: save_note(study, body))


def _save_figures(storage: BaseStorage, study: Study, figures: Mapping[str, Any]) -> None:
    """Each figure under its own identifier, written only where it differs from what was written last."""
    from optuna_dashboard import save_plotly_graph_object  # noqa: PLC0415  # it comes with the server

    number = storage.get_study_id_from_name(study.study_name)
    written = dict(storage.get_study_system_attrs(number).get(DIGESTS, {}))
    digests = {}
    for key, figure in figures.items():
        identifier = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in f"figure-{key}")
        digests[identifier] = _digest(figure.to_json())
        if written.get(identifier) != digests[identifier]:
            _quietly(partial(save_plotly_graph_object, study, figure, graph_object_id=identifier))
    if written | digests != written:
        storage.set_study_system_attr(number, DIGESTS, written | digests)


def _save_tables(study: Study, record: SweepRecord, store: FileSystemArtifactStore) -> None:
    """`trials.csv` and `curves.csv` of a study, under the identifiers that they had before."""
    known = {meta.filename: meta.artifact_id for meta in get_all_artifact_meta(study)}
    for name, frame in (("trials.csv", record.trials), ("curves.csv", record.curves)):
        own = frame[frame["study"] == study.study_name] if len(frame) else frame
        if not len(own):
            continue
        body = own.dropna(axis="columns", how="all").to_csv(index=False).encode()
        if name in known:
            store.write(known[name], io.BytesIO(body))
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(body)
            upload_artifact(study_or_trial=study, file_path=str(path), artifact_store=store, mimetype="text/csv")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _quietly(write: Callable[[], object]) -> None:
    """Without the warning that the interface is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write()
