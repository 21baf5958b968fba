"""Every number of the headline tables, recomputed from the storage's curves alone; and the evaluation decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from reports import frames, tables
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.plan import Stage, make_plan
from sweeps.record import SweepRecord, load_sweep
from sweeps.record.best_params import best_params
from sweeps.spec import parse_spec, published_params, stored_spec
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Multiplexer
from tests.sweeps.conftest import TINY, serve

SCENARIO = "partial_class"
CHOOSING: tuple[Stage, ...] = ("reference", "search", "confirmation")


@pytest.fixture(scope="module")
def swept(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[BaseStorage, SweepRecord, SweepRecord]:
    """A storage, what it said before the evaluation, and what it says after it."""
    changes: dict[str, Any] = {
        "methods": {"sure": {}, "finetune": {}, "oracle": {}},
        "unlearning": {"epochs": 3},
        "metrics": {"every_epoch": ["accuracy", "mia_loss"], "best_epoch": ["weight_distance"]},
        "search": {"trials": 2, "sampler": "random", "confirm": {"top": 2, "seeds": 2}},
        "evaluation": {"seeds": 3},
        "sensitivity": {"enabled": False},
    }
    spec = parse_spec({**TINY, **changes})
    storage = open_storage(f"sqlite:///{tmp_path_factory.mktemp('headline') / 'study.db'}")
    optuna.create_study(study_name="tiny", storage=storage).set_user_attr("spec", spec.dump())
    worker = Worker(spec, Cache(cache))
    serve(Multiplexer(make_plan(spec, CHOOSING), storage, warm_start=[published_params()]), worker)
    before = load_sweep(storage, "tiny")
    serve(Multiplexer(make_plan(spec), storage, warm_start=[published_params()]), worker)
    return storage, before, load_sweep(storage, "tiny")


def curves(storage: BaseStorage, stage: str, method: str, size: int | None = None) -> Iterator[dict[str, Any]]:
    """Of each completed trial: its curve by epoch, and the stop epoch that it was given."""
    study = optuna.load_study(study_name=f"tiny/{stage}/{SCENARIO}/{method}", storage=storage)
    for trial in study.get_trials(states=(TrialState.COMPLETE,)):
        attrs = trial.user_attrs
        if size in (None, attrs["forget_size"]):
            yield {**attrs["curve"], "stop": attrs.get("stop_epoch"), "params": trial.params}


def test_the_headline_is_the_curves_at_the_stop_epoch(swept: tuple[BaseStorage, SweepRecord, SweepRecord]) -> None:
    storage, _, record = swept
    table = tables.score_table(record)
    gaps = tables.metric_table(record, SCENARIO, frames.gap_metrics(record, record.counted), key="k", title="t")
    assert table is not None
    assert gaps is not None
    rows = [*frames.iterate(table.data), *frames.iterate(gaps.data)]
    assert {(r.method, r.metric) for r in rows} >= {(m, k) for m in ("sure", "oracle") for k in ("score", "forget_gap")}
    for row in rows:
        values = [c[row.metric][c["stop"] - 1] for c in curves(storage, "evaluation", row.method, row.forget_size)]
        assert len(values) == row.n == 3
        assert row.mean == pytest.approx(np.mean(values))
        assert row.std == pytest.approx(np.std(values, ddof=1))


def test_stability_is_the_curves_at_the_stop_epoch_at_every_size(
    swept: tuple[BaseStorage, SweepRecord, SweepRecord],
) -> None:
    storage, _, record = swept
    table = tables.stability_table(record, SCENARIO)
    assert table is not None
    assert set(table.data["forget_size"]) == {40, 5}
    for row in frames.iterate(table.data):
        values = [
            c[row.metric][c["stop"] - 1]
            for c in curves(storage, "evaluation", row.method, row.forget_size)
            if c.get(row.metric, [None])[0] is not None
        ]
        assert row.mean == pytest.approx(np.mean(values))


def test_hindsight_is_the_least_of_each_curve(swept: tuple[BaseStorage, SweepRecord, SweepRecord]) -> None:
    storage, _, record = swept
    costs = frames.cost_of_not_knowing(record, SCENARIO).set_index("method")
    for method in ("sure", "finetune"):
        found = list(curves(storage, "evaluation", method, 40))
        least = [min(c["score"]) for c in found]
        assert costs.loc[method, "hindsight_mean"] == pytest.approx(np.mean(least))
        paid = [c["score"][c["stop"] - 1] - low for c, low in zip(found, least, strict=True)]
        assert costs.loc[method, "cost_mean"] == pytest.approx(np.mean(paid))
        assert min(paid) >= 0


def test_the_evaluation_decided_nothing(swept: tuple[BaseStorage, SweepRecord, SweepRecord]) -> None:
    storage, before, after = swept
    assert before.winners == after.winners
    for method in ("sure", "finetune"):
        winner = after.winners[SCENARIO][method]
        assert {c["stop"] for c in curves(storage, "evaluation", method)} == {winner.stop_epoch}
        confirmed: dict[tuple[Any, ...], list[list[float]]] = {}
        for curve in curves(storage, "confirmation", method):
            point = {k: v for k, v in curve["params"].items() if not k.startswith("forget_s")}
            confirmed.setdefault(tuple(sorted(point.items())), []).append(curve["score"])
        least = min(np.mean(scores, axis=0).min() for scores in confirmed.values())
        at = [np.mean(scores, axis=0)[winner.stop_epoch - 1] for scores in confirmed.values()]
        assert min(at) == pytest.approx(least)


def test_given_parameters_stand_beside_the_score_that_they_gave(
    swept: tuple[BaseStorage, SweepRecord, SweepRecord], cache: Path
) -> None:
    storage, _, searched = swept
    spec = stored_spec(searched.spec)
    mine = {**searched.best[SCENARIO]["finetune"], "lr": 0.0123, "stop_epoch": 2}
    given = {SCENARIO: {"finetune": {r.name: mine[r.name] for r in spec.space("finetune").ranges} | {"stop_epoch": 2}}}
    plan = make_plan(spec, ("evaluation",))
    serve(Multiplexer(plan, storage, params=given), Worker(spec, Cache(cache)))
    document = best_params(load_sweep(storage, "tiny"))
    shown, scores = (document[part][SCENARIO]["finetune"] for part in ("params", "scores"))
    assert (shown["lr"], shown["stop_epoch"]) == (0.0123, 2)
    own = [c["score"][1] for c in curves(storage, "evaluation", "finetune") if c["params"]["lr"] == 0.0123]
    assert len(own) == 3 * len(spec.scenarios[SCENARIO].sizes or [1])
    size = spec.scenarios[SCENARIO].tune_size
    tuned = [c["score"][1] for c in curves(storage, "evaluation", "finetune", size) if c["params"]["lr"] == 0.0123]
    assert scores["evaluation"] == pytest.approx(np.mean(tuned))
    assert scores["source"] == "given"
    assert "search" not in scores


def test_what_a_caller_adds_to_a_look_at_the_record_is_its_own(
    swept: tuple[BaseStorage, SweepRecord, SweepRecord],
) -> None:
    *_, record = swept
    first = frames.evaluations(record, SCENARIO)
    untouched = first.copy()
    first["added"] = 1.0
    first["score"] = 0.0
    again = frames.evaluations(record, SCENARIO)
    assert again.equals(untouched)
    assert len(frames.evaluations(record, SCENARIO, frames.FLOOR)) != len(again)
