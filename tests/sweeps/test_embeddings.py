"""t-SNE maps of a tiny sweep: the winners' own features, and panels in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from reports import write_report
from reports.figures import embedding_panels, figure_of
from sweeps.errors import SweepError
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.outputs.embeddings import models, write_embeddings
from sweeps.plan import ForgetDraw
from sweeps.record import load_sweep
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY, open_studies, prepare, serve

SPEC = {
    **TINY,
    "search": {"confirm": "none", "trials": 1, "sampler": "random"},
    "evaluation": {"seeds": 1},
    "sensitivity": {"enabled": False},
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Sweep:
    sweep = Sweep.at(parse_spec(SPEC), tmp_path_factory.mktemp("embeddings") / "runs")
    storage = prepare(sweep)
    sweep.freeze(storage)
    serve(open_studies(sweep.spec, storage), Worker(sweep.spec, Cache(cache)))
    return sweep


def test_maps_and_panels(evaluated: Sweep, cache: Path) -> None:
    storage = open_storage(evaluated.url)
    record = load_sweep(storage, "tiny")
    folder = evaluated.folder.embeddings
    (path,) = write_embeddings(evaluated.spec, Cache(cache), storage, record, folder, max_samples=120)
    with np.load(path, allow_pickle=False) as file:
        assert file["names"].tolist() == ["original", "oracle", "sure", "finetune"]
        assert file["coordinates"].shape == (4, 120, 2)
        assert np.isfinite(file["coordinates"]).all()
        group, label = file["group"], file["label"]
    assert np.bincount(group).tolist() == [40, 40, 40]
    assert len(set(label[group > 0])) == 1
    assert label[group == 1][0] not in label[group == 0]

    drawing = embedding_panels(record, "partial_class", folder)
    assert drawing is not None
    assert [a.text for a in figure_of(drawing.wide()).layout.annotations] == [
        "Original",
        "Oracle",
        "SURE",
        "FineTune",
    ]
    assert "t-SNE of the training set" in write_report(record, evaluated.folder.report, partial=False).read_text()


def test_the_models_are_those_of_the_trials(evaluated: Sweep, cache: Path) -> None:
    """Run again, a model has the accuracies that its trial reported at its best epoch."""
    storage = open_storage(evaluated.url)
    worker = Worker(evaluated.spec, Cache(cache))
    task = worker.task(ForgetDraw("partial_class", 40, 0, avoids=1), "test")
    trials = {}
    for method in ("sure", "finetune"):
        study = optuna.load_study(study_name=f"tiny/evaluation/partial_class/{method}", storage=storage)
        trials[method] = next(t for t in study.trials if t.user_attrs["forget_size"] == 40)
    found = [worker.workspace.outputs(model, task)["forget"].accuracy for model in models(worker, task, trials)]
    assert found[2:] == [pytest.approx(trial.user_attrs["metrics"]["forget_accuracy"]) for trial in trials.values()]


def test_nothing_evaluated(tmp_path: Path, cache: Path) -> None:
    sweep = Sweep.at(parse_spec(SPEC), tmp_path)
    storage = prepare(sweep)
    sweep.freeze(storage)
    with pytest.raises(SweepError, match="nothing of 'tiny' is evaluated yet"):
        write_embeddings(sweep.spec, Cache(cache), storage, load_sweep(storage, "tiny"), tmp_path / "maps")


def test_no_map_is_of_other_images_than_were_evaluated_on(evaluated: Sweep, cache: Path, tmp_path: Path) -> None:
    storage = open_storage(evaluated.url)
    record = replace(load_sweep(storage, "tiny"), data_identity="of other images")
    with pytest.raises(SweepError, match="is not the one that this sweep began with"):
        write_embeddings(evaluated.spec, Cache(cache), storage, record, tmp_path / "maps", max_samples=120)


def test_no_file_or_a_damaged_one_draws_nothing(evaluated: Sweep, tmp_path: Path) -> None:
    record = load_sweep(open_storage(evaluated.url), "tiny")
    assert embedding_panels(record, "partial_class", None) is None
    assert embedding_panels(record, "partial_class", tmp_path) is None
    (tmp_path / "partial_class.npz").write_bytes(b"PK half")
    assert embedding_panels(record, "partial_class", tmp_path) is None


def test_what_is_retained_of_several_classes_is_called_so(evaluated: Sweep, tmp_path: Path) -> None:
    record = load_sweep(open_storage(evaluated.url), "tiny")
    for labels, said in (([3, 3], "of the class (blue, n = 2)"), ([3, 5], "of the classes (blue, n = 2)")):
        arrays = {"group": [0, 1, 1, 2], "label": [7, *labels, 3], "coordinates": np.zeros((1, 4, 2), np.float32)}
        named = {"names": ["original"], "numbers": [-1], "forget_size": 1, "forget_seed": 0}
        np.savez(tmp_path / "partial_class.npz", **{name: np.array(of) for name, of in (arrays | named).items()})
        drawing = embedding_panels(record, "partial_class", tmp_path)
        assert drawing is not None
        assert f"retain {said}" in drawing.note
