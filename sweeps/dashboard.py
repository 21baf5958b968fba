"""What optuna-dashboard shows of a sweep beside its trials: names of values, notes, figures and tables, kept in the storage."""

from __future__ import annotations

import hashlib
import io
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact
from optuna.storages import BaseStorage
from optuna.study import Study

from sweeps.store import SweepRecord

#: Whatever a user writes below this line of a note is kept.
OWN_NOTES = "*Your own notes, below this line, are kept.*"
DIGESTS = "unlearn_sweeps:figures"


def artifact_store(folder: Path) -> FileSystemArtifactStore:
    """Where the tables of a sweep's studies lie: `<runs>/<sweep>/artifacts`."""
    path = folder / "artifacts"
    path.mkdir(parents=True, exist_ok=True)
    return FileSystemArtifactStore(path)


def decorate(storage: BaseStorage, record: SweepRecord, folder: Path) -> int:
    """Write notes, names, figures and tables of every study of the sweep; returns how many studies there are.

    Written again, everything is replaced in place, and what has not changed is not written. Trials are never touched, so a
    driver may be at work on the same storage.
    """
    from reports import notes  # noqa: PLC0415  # plotly takes a second

    store = artifact_store(folder)
    names = {s.study_name for s in optuna.get_all_study_summaries(storage, include_best_trial=False)}
    studies = {key: "/".join((record.name, *key)) for key in record.planned}
    studies = {key: name for key, name in studies.items() if name in names}
    for key, name in studies.items():
        study = optuna.load_study(study_name=name, storage=storage)
        _name_values(study, notes.metric_names(record, key[0]))
        _save_note(study, notes.study_note(record, key))
        _save_figures(study, notes.study_figures(record, key))
        _save_tables(study, record, store)
    sweep = optuna.load_study(study_name=record.name, storage=storage)
    _save_note(sweep, notes.sweep_note(record))
    _save_figures(sweep, notes.sweep_figures(record))
    return len(studies)


def serve(storage: BaseStorage, folder: Path, host: str, port: int) -> None:
    """optuna-dashboard on a storage and the tables beside it, until interrupted."""
    import optuna_dashboard  # noqa: PLC0415

    optuna_dashboard.run_server(storage, host=host, port=port, artifact_store=artifact_store(folder))


def _name_values(study: Study, names: list[str]) -> None:
    if study.metric_names != names and len(names) == len(study.directions):
        _quietly(lambda: study.set_metric_names(names))


def _save_note(study: Study, text: str) -> None:
    from optuna_dashboard import get_note, save_note  # noqa: PLC0415

    before = get_note(study)
    own = before.split(OWN_NOTES, 1)[1] if OWN_NOTES in before else f"\n\n{before}" if before else "\n"
    body = f"{text}\n\n---\n\n{OWN_NOTES}{own}"
    if body != before:
        _quietly(lambda: save_note(study, body))


def _save_figures(study: Study, figures: Mapping[str, Any]) -> None:
    """Each figure under its own identifier, written only where it differs from what was written last."""
    from optuna_dashboard import save_plotly_graph_object  # noqa: PLC0415

    storage, number = study._storage, study._study_id
    written = dict(storage.get_study_system_attrs(number).get(DIGESTS, {}))
    digests = {}
    for key, figure in figures.items():
        identifier = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in f"figure-{key}")
        digests[identifier] = hashlib.sha256(figure.to_json().encode()).hexdigest()[:16]
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


def _quietly(write: Callable[[], object]) -> None:
    """Without the warning that the interface is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write()
