"""Many studies, one pool: order, truthful states, resuming. The workers are real; only Ray is left out."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from sweeps.errors import SweepError
from sweeps.folder import SweepFolder
from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Update
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.record import SweepRecord, load_sweep
from sweeps.spec import Spec, parse_spec, published_params
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import DATA, Assignment, Multiplexer
from sweeps.studies.retries import INTERRUPTED, failed_trials
from sweeps.studies.winners import Ranking
from sweeps.sweep import Sweep, checked, run_sweep
from tests.sweeps.conftest import TINY, open_studies, prepare, serve
from unlearn.data import ImageDataset
from unlearn.methods.finetune import FineTune
from unlearn.registry import keys

SpecMaker = Callable[..., Spec]

#: Of a tiny sweep in which only the search is looked at.
SEARCH_MOSTLY: dict[str, Any] = {"sensitivity": {"enabled": False}, "evaluation": {"seeds": 1}}


def states(storage: BaseStorage, name: str) -> Counter[str]:
    study = optuna.load_study(study_name=name, storage=storage)
    return Counter(t.state.name for t in study.get_trials(deepcopy=False))


@pytest.fixture(scope="module")
def whole(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Multiplexer, list[Assignment]]:
    """The tiny sweep, run to its end: its database, its studies and its trials in their order. Only copies are gone on with."""
    path, spec = tmp_path_factory.mktemp("whole") / "study.db", parse_spec(TINY)
    studies = open_studies(spec, open_storage(f"sqlite:///{path}"))
    return path, studies, serve(studies, Worker(spec, Cache(cache)))


def test_a_whole_sweep(whole: tuple[Path, Multiplexer, list[Assignment]]) -> None:
    _, studies, done = whole
    spec, storage = studies.spec, studies.storage
    assert studies.done
    assert len(done) == sum(make_plan(spec).trials.values())
    for study in make_plan(spec).studies:
        assert states(storage, study.name) == {"COMPLETE": study.trials}, study.name

    order = [(a.open_study.plan.stage, a.open_study.plan.method) for a in done]
    assert order[0] == ("reference", "original")
    first_evaluation = min(order.index(("evaluation", m)) for m in spec.methods)
    assert order[:first_evaluation].count(("search", "sure")) == spec.search.trials
    assert Multiplexer(make_plan(spec), storage).done  # opened again, nothing is left


def test_the_first_trial_of_a_search_is_the_published_one(tiny: SpecMaker, storage: BaseStorage, cache: Path) -> None:
    spec = tiny(unlearning={"epochs": 20})
    studies = open_studies(spec, storage)
    first = next(a for a in serve(studies, Worker(spec, Cache(cache)), limit=4) if a.open_study.plan.method == "sure")
    published = published_params()["partial_class"]["sure"]
    assert {name: first.job.hyperparameters[name] for name in published} == pytest.approx(published)
    assert first.trial.user_attrs["origin"] == "warm start"


def test_stages_use_their_own_forget_sets_and_images(whole: tuple[Path, Multiplexer, list[Assignment]]) -> None:
    *_, done = whole
    used: dict[str, set[tuple[int, str]]] = {}
    for assignment in done:
        used.setdefault(assignment.open_study.plan.stage, set()).add(
            (assignment.job.draw.seed, assignment.job.scored_on)
        )
    assert used["search"] == {(1000, "dev")}
    assert used["evaluation"] == {(0, "test"), (1, "test")}
    assert used["sensitivity"] == {(0, "test")}


def test_the_search_scores_on_the_test_set_under_the_papers_protocol(tiny: SpecMaker, storage: BaseStorage) -> None:
    plan = make_plan(tiny(protocol="paper"))
    assert {s.scored_on for s in plan.studies if s.stage == "search"} == {"test"}


def test_a_stopped_driver_loses_and_doubles_nothing(tiny: SpecMaker, url: str, cache: Path) -> None:
    spec = tiny(methods={"sure": {}})
    worker = Worker(spec, Cache(cache))
    first = open_studies(spec, open_storage(url))
    serve(first, worker, limit=7)
    in_flight = [first.next(), first.next()]  # asked, never told: the driver is gone
    assert all(a is not None for a in in_flight)

    storage = open_storage(url)
    second = open_studies(spec, storage)
    again = serve(second, worker)
    assert second.done
    asked = [(a.open_study.plan.name, a.trial.params) for a in again]
    for assignment in in_flight:
        assert assignment is not None
        assert asked.count((assignment.open_study.plan.name, assignment.trial.params)) == 1
    record = load_with_spec(storage, spec)
    assert (record.trials["state"] != "RUNNING").all()
    counted = record.counted.groupby(["stage", "scenario", "method"]).size().to_dict()
    assert counted == record.planned
    stale = record.trials[record.trials["requeued"]]
    assert len(stale) == 2
    assert set(stale["fail_reason"]) == {INTERRUPTED}
    assert set(record.trials["retry_of"].dropna()) == set(stale["number"])


def test_a_trial_on_other_data_is_refused(tiny: SpecMaker, storage: BaseStorage, cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "data.npz"
    images, labels = np.random.default_rng(0).integers(0, 255, (600, 8, 8), dtype=np.uint8), np.arange(600) % 10
    arrays = {"x_train": images[:500], "y_train": labels[:500], "x_test": images[500:], "y_test": labels[500:]}
    np.savez(file, **arrays)
    spec = tiny(dataset={"name": "arrays", "path": str(file)}, methods={"finetune": {}})
    serve(open_studies(spec, storage), Worker(spec, Cache(cache)), limit=6)

    arrays["x_train"][7] ^= 1  # somebody has repaired an image
    np.savez(file, **arrays)
    studies = open_studies(spec, storage)
    before = studies.searches["partial_class", "finetune"].final
    with pytest.raises(SweepError, match="is not the one that this sweep began with"):
        serve(studies, Worker(spec, Cache(cache)))
    assert studies.searches["partial_class", "finetune"].final == before

    arrays["x_train"][7] ^= 1
    np.savez(file, **arrays, class_names=np.array(list("abcdefghij")))  # the same images, their classes renamed
    with pytest.raises(SweepError, match="class names or the order of its classes differ"):
        serve(open_studies(spec, storage), Worker(spec, Cache(cache)))

    np.savez(file, **arrays)
    worker = Worker(spec, Cache(cache))
    optuna.create_study(study_name=spec.name, storage=storage, load_if_exists=True).set_user_attr(
        DATA, worker.workspace.data.fingerprint
    )  # as sweeps kept it that began before class names were kept
    again = open_studies(spec, storage)
    serve(again, worker)
    assert again.done
    assert again.data == worker.workspace.data.identity


def test_data_that_lies_elsewhere_now_continues(tiny: SpecMaker, tmp_path: Path) -> None:
    images, labels = np.random.default_rng(1).integers(0, 255, (600, 8, 8), dtype=np.uint8), np.arange(600) % 10
    arrays = {"x_train": images[:500], "y_train": labels[:500], "x_test": images[500:], "y_test": labels[500:]}
    storage = open_storage(f"sqlite:///{tmp_path / 'study.db'}")

    def go_on(file: str, seeds: int) -> int:
        spec = tiny(
            dataset={"name": "arrays", "path": str(tmp_path / file)},
            scenarios={"partial_class": {"tune_size": 10, "sizes": [10]}},
            methods={"finetune": {}},
            sensitivity={"enabled": False},
            evaluation={"seeds": seeds},
        )
        Sweep(spec, SweepFolder(tmp_path / "run"), "").freeze(storage)
        studies = open_studies(spec, storage)
        done = serve(studies, Worker(spec, Cache(tmp_path / "cache")))
        assert studies.done
        return len(done)

    def models() -> int:
        return len(list((tmp_path / "cache" / "models").glob("*.safetensors")))

    np.savez(tmp_path / "data.npz", **arrays)
    assert go_on("data.npz", seeds=1) > 4
    before = models()
    (tmp_path / "data.npz").rename(tmp_path / "moved.npz")
    assert go_on("moved.npz", seeds=1) == 0
    assert go_on("moved.npz", seeds=2) == 2
    assert models() == before + 1  # an oracle
    assert "moved.npz" in (tmp_path / "run" / "spec.yaml").read_text()

    np.savez(tmp_path / "other.npz", **arrays | {"x_train": arrays["x_train"] ^ 1})
    with pytest.raises(SweepError, match="is not the one that this sweep began with"):
        go_on("other.npz", seeds=2)  # with nothing left to run, too: a request would read it
    assert "moved.npz" in (tmp_path / "run" / "spec.yaml").read_text()
    assert go_on("moved.npz", seeds=3) == 2


def test_added_scenarios_must_be_on_the_same_data(
    tiny: SpecMaker, storage: BaseStorage, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"methods": {"finetune": {}}, "sensitivity": {"enabled": False}, "evaluation": {"seeds": 1}}
    first = tiny(**small)
    serve(open_studies(first, storage), Worker(first, Cache(cache)))
    second = tiny(**small, scenarios={"random": {"tune_size": 40, "sizes": [40]}})
    worker = Worker(second, Cache(cache))
    monkeypatch.setattr(ImageDataset, "fingerprint", "of other data")
    with pytest.raises(SweepError, match="is not the one that this sweep began with"):
        serve(open_studies(second, storage), worker)


def test_a_method_comes_back_with_other_ranges(tiny: SpecMaker, storage: BaseStorage, cache: Path) -> None:
    small = {"search": {**TINY["search"], "trials": 2}, **SEARCH_MOSTLY}
    first = tiny(**small, methods={"finetune": {"lr": {"low": 0.001, "high": 0.002}}})
    studies = open_studies(first, storage)
    serve(studies, Worker(first, Cache(cache)), limit=3)
    left = studies.next()  # the driver is gone
    assert left is not None
    assert left.open_study.plan.stage == "search"
    for ranges in ({"lr": {"low": 0.01, "high": 0.02}}, {"lr": 0.01}):
        spec = tiny(**small, methods={"finetune": ranges})
        again = open_studies(spec, storage)
        serve(again, Worker(spec, Cache(cache)))
        assert again.done


def test_a_trial_without_its_parameters_is_no_obstacle(tiny: SpecMaker, storage: BaseStorage, cache: Path) -> None:
    spec = tiny(methods={"finetune": {}}, sensitivity={"enabled": False}, evaluation={"seeds": 1})
    study = optuna.create_study(study_name="tiny/search/partial_class/finetune", storage=storage)
    study.ask()  # a program that asks as Optuna does was killed here
    studies = open_studies(spec, storage)
    serve(studies, Worker(spec, Cache(cache)))
    assert studies.done


def load_with_spec(storage: BaseStorage, spec: Spec) -> SweepRecord:
    study = optuna.create_study(study_name=spec.name, storage=storage, load_if_exists=True)
    study.set_user_attr("spec", spec.dump())
    return load_sweep(storage, spec.name)


def test_a_dead_worker_is_retried_up_to_the_limit(tiny: SpecMaker, storage: BaseStorage, cache: Path) -> None:
    search = {"confirm": "none", "trials": 2, "sampler": "random", "max_retries": 2}
    spec = tiny(methods={"finetune": {}}, search=search, **SEARCH_MOSTLY)
    studies = open_studies(spec, storage)
    params = []
    for _ in range(3):
        assignment = studies.next()
        assert assignment is not None
        assert assignment.open_study.plan.method == "original"
        params.append(assignment.trial.params)
        studies.finish(assignment, Update("died"))
    assert params[0] == params[1] == params[2]
    study = optuna.load_study(study_name="tiny/reference/partial_class/original", storage=storage)
    trials = study.get_trials()
    assert [t.state for t in trials] == [TrialState.FAIL] * 3
    assert [t.user_attrs.get("requeued", False) for t in trials] == [True, True, False]
    assert trials[-1].user_attrs["fail_reason"] == "the worker died (attempt 3 of 3)"
    # what depends on it cannot run; the oracles still can
    worker = Worker(spec, Cache(cache))
    rest = serve(studies, worker)
    assert {a.open_study.plan.method for a in rest} == {"oracle"}
    assert not studies.done
    again = open_studies(spec, storage, retry=failed_trials)
    assert next(iter(serve(again, worker))).trial.params == params[0]
    assert again.done


@dataclass(frozen=True, kw_only=True)
class Explodes(FineTune):
    """Diverges in its weights (0), raises (1), or diverges in a weight that no output shows (2), as `how` says."""

    searched: ClassVar[tuple[str, ...]] = ("lr",)
    how: int = 0

    def unlearn(self, model, data, rng):  # type: ignore[no-untyped-def]
        yield
        if self.how == 1:
            raise ArithmeticError("a bug in the method")
        if self.how == 2:
            next(b for n, b in model.named_buffers() if n.endswith("running_var")).fill_(float("inf"))
            yield
        model.head.weight.data.fill_(float("nan"))
        yield


@pytest.mark.parametrize(
    ("how", "reason"),
    [(0, "diverged at epoch 2"), (1, "ArithmeticError: a bug in the method"), (2, "diverged at epoch 2")],
)
def test_a_failure_is_told_with_its_reason(
    tiny: SpecMaker, storage: BaseStorage, cache: Path, how: int, reason: str
) -> None:
    key = f"{__name__}:Explodes"
    spec = tiny(methods={key: {"lr": {"low": 0.1, "high": 0.2}, "how": how}}, sensitivity={"enabled": False})
    studies = open_studies(spec, storage)
    serve(studies, Worker(spec, Cache(cache)))
    assert not studies.done  # no search trial is complete, so there is nothing to evaluate
    study = optuna.load_study(study_name=f"tiny/search/partial_class/{key}", storage=storage)
    trials = study.get_trials()
    assert [t.state for t in trials] == [TrialState.FAIL] * 4
    assert all(t.values is None for t in trials)
    assert all(t.user_attrs["fail_reason"].strip().endswith(reason) for t in trials)
    assert all("samples" in t.user_attrs for t in trials)  # they count towards a budget of samples
    assert all(not t.user_attrs.get("requeued") for t in trials)


def undefined(outputs):  # type: ignore[no-untyped-def]
    return {"undefined": float("nan")}


def test_a_metric_that_is_not_finite_is_an_error_that_names_it(
    tiny: SpecMaker, storage: BaseStorage, cache: Path
) -> None:
    spec = tiny(methods={"finetune": {}}, metrics={"every_epoch": ["accuracy", f"{__name__}:undefined"]})
    studies = open_studies(spec, storage)
    (done,) = serve(studies, Worker(spec, Cache(cache)), limit=1)
    assert done.open_study.study.get_trials()[0].user_attrs["outcome"] == "error"
    assert "metric undefined of" in done.open_study.study.get_trials()[0].user_attrs["fail_reason"]


def test_what_failed_is_run_again_when_asked_to(
    tiny: SpecMaker, storage: BaseStorage, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{__name__}:Explodes"
    spec = tiny(methods={key: {"lr": {"low": 0.01, "high": 0.02}, "how": 1}}, **SEARCH_MOSTLY)
    worker = Worker(spec, Cache(cache))
    serve(open_studies(spec, storage), worker)
    assert open_studies(spec, storage).next() is None  # it failed for good
    before = load_with_spec(storage, spec).counted
    assert set(before[before["state"] == "FAIL"]["outcome"]) == {"error"}

    monkeypatch.setattr(Explodes, "unlearn", FineTune.unlearn)
    interrupted = open_studies(spec, storage, retry=failed_trials)
    serve(interrupted, worker, limit=2)
    assert interrupted.next() is not None  # asked, never told: the driver is gone
    resumed = open_studies(spec, storage)
    serve(resumed, worker)
    assert resumed.searches["partial_class", key].failed == 1  # it was not started, and nobody asks now
    last = open_studies(spec, storage, retry=failed_trials)
    serve(last, worker)
    assert last.done
    assert not last.searches["partial_class", key].may_be_retried
    assert open_studies(spec, storage, retry=failed_trials).done

    record = load_with_spec(storage, spec)
    assert record.counted.groupby(["stage", "scenario", "method"]).size().to_dict() == record.planned
    assert set(record.counted["state"]) == {"COMPLETE"}
    search = record.trials[record.trials["stage"] == "search"]
    again = search[search["state"] == "COMPLETE"].sort_values("hp.lr")
    assert again["hp.lr"].tolist() == sorted(before[before["state"] == "FAIL"]["hp.lr"])


def test_what_diverged_is_not_run_again(tiny: SpecMaker, storage: BaseStorage, cache: Path) -> None:
    spec = tiny(methods={f"{__name__}:Explodes": {"lr": {"low": 0.01, "high": 0.02}}})
    serve(open_studies(spec, storage), Worker(spec, Cache(cache)))
    again = open_studies(spec, storage, retry=failed_trials)
    assert again.next() is None
    assert again.searches["partial_class", f"{__name__}:Explodes"].failed == spec.search.trials


def test_pruned_trials_are_pruned_with_their_intermediate_values(
    tiny: SpecMaker, storage: BaseStorage, cache: Path
) -> None:
    spec = tiny(
        methods={"finetune": {}},
        unlearning={"epochs": 6},
        search={"confirm": "none", "trials": 12, "sampler": "random", "pruner": "median", "startup_trials": 3},
        **SEARCH_MOSTLY,
    )
    studies = open_studies(spec, storage)
    serve(studies, Worker(spec, Cache(cache)))
    study = optuna.load_study(study_name="tiny/search/partial_class/finetune", storage=storage)
    counts = Counter(t.state for t in study.get_trials())
    (retained,) = {t.user_attrs["samples"] / 6 for t in study.get_trials(states=(TrialState.COMPLETE,))}
    assert studies.searches["partial_class", "finetune"].samples == sum(
        t.user_attrs["samples"] for t in study.get_trials()
    )
    assert counts[TrialState.PRUNED] > 0
    assert counts[TrialState.PRUNED] + counts[TrialState.COMPLETE] == 12
    for trial in study.get_trials(states=(TrialState.PRUNED,)):
        epochs = len(trial.intermediate_values)
        assert 1 <= epochs < 6
        assert trial.user_attrs["samples"] == epochs * retained
        assert trial.user_attrs["metrics"]["forget_gap"] >= 0
    for trial in study.get_trials(states=(TrialState.COMPLETE,)):
        assert sorted(trial.intermediate_values) == [1, 2, 3, 4, 5, 6]
        assert trial.value == pytest.approx(min(trial.intermediate_values.values()))


@pytest.mark.parametrize("pruner", ["none", "median"])
def test_a_search_on_a_part_of_the_retain_set_counts_on_all_of_it(
    tiny: SpecMaker, storage: BaseStorage, cache: Path, pruner: str
) -> None:
    """In what Optuna is told, in the curve, and in the metrics alike; the stages after it know no part."""
    few = {"trials": 5, "sampler": "random", "startup_trials": 2, "retain_samples": 150, "pruner": pruner}
    confirm = {"confirm": [{"leaders": 1, "sets": 1}]}
    changes = {"methods": {"finetune": {}}, "unlearning": {"epochs": 3}, "search": few | confirm}
    spec = tiny(**changes, **SEARCH_MOSTLY)
    optuna.create_study(study_name="tiny", storage=storage).set_user_attr("spec", spec.dump())
    serve(open_studies(spec, storage), Worker(spec, Cache(cache)))
    record = load_sweep(storage, "tiny")
    stages = record.counted.groupby("stage")["retain_samples"]
    assert stages.count().to_dict() == {"reference": 0, "search": 5, "confirmation": 0, "evaluation": 0}
    assert set(record.counted["retain_samples"].dropna()) == {150}
    assert (record.counted["state"] == "PRUNED").sum() == 0 or pruner == "median"

    study = optuna.load_study(study_name="tiny/search/partial_class/finetune", storage=storage)
    for trial in study.get_trials():
        epoch, curve = trial.user_attrs["epoch"], trial.user_attrs["curve"]
        assert curve["epoch"] == [*range(1, len(curve["epoch"]) + 1)]
        assert "retain_samples" not in trial.user_attrs["metrics"]
        assert list(trial.intermediate_values.values()) == pytest.approx(curve["score"])
        for name, value in trial.user_attrs["metrics"].items():
            assert value == curve[name][epoch - 1] or name.startswith("relative_")  # those of the whole run
        on_all = {e for e, n in zip(curve["epoch"], curve["retain_samples"], strict=True) if n != 150}
        assert on_all == ({epoch} if trial.state == TrialState.COMPLETE else set())
        if trial.state == TrialState.COMPLETE:
            assert trial.value == curve["score"][epoch - 1] == trial.intermediate_values[epoch]
    least = study.best_trial
    plan = make_plan(spec).study("search", "partial_class", "finetune")
    assert plan is not None
    leader = Ranking(spec, plan).leaders(study)[0]
    assert (leader.stop_epoch, leader.values) == (least.user_attrs["epoch"], (least.value,))


def test_a_non_finite_score_is_never_told(tiny: SpecMaker, storage: BaseStorage) -> None:
    studies = open_studies(tiny(), storage)
    assignment = studies.next()
    assert assignment is not None
    studies.finish(assignment, Update("complete", values=[float("inf")]))
    (trial,) = assignment.open_study.study.get_trials()
    assert (trial.state, trial.values) == (TrialState.FAIL, None)


def test_more_trials_continue_and_a_new_winner_is_evaluated_afresh(
    tiny: SpecMaker, url: str, cache: Path, whole: tuple[Path, Multiplexer, list[Assignment]]
) -> None:
    with closing(sqlite3.connect(whole[0])) as old, closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as new:
        old.backup(new)
    storage = open_storage(url)
    longer = tiny(search={"confirm": "none", "trials": 6, "sampler": "random"})
    studies = open_studies(longer, open_storage(url))
    serve(studies, Worker(longer, Cache(cache)))
    record = load_with_spec(open_storage(url), longer)
    assert states(storage, "tiny/search/partial_class/sure") == {"COMPLETE": 6}
    evaluation = record.counted.query("stage == 'evaluation' and method == 'sure'")
    assert len(evaluation) == 4
    best = record.best["partial_class"]["sure"]
    assert (evaluation["hp.lr"] == best["lr"]).all()


def test_given_parameters_are_evaluated_without_a_search(tiny: SpecMaker, storage: BaseStorage, cache: Path) -> None:
    spec = tiny(methods={"finetune": {}})
    given = {"partial_class": {"finetune": {"lr": 0.05, "retain_batch_size": 64, "lr_decay_epoch": 1}}}
    studies = Multiplexer(make_plan(spec, ["evaluation"]), storage, params=given)
    done = serve(studies, Worker(spec, Cache(cache)))
    assert studies.done
    evaluated = [a for a in done if a.open_study.plan.stage == "evaluation"]
    assert len(evaluated) == 4
    assert all(a.job.hyperparameters["lr"] == 0.05 for a in evaluated)


@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        ("random", {"tune_size": 40, "sizes": [40]}),
        ("partial_class", {"tune_size": 40, "sizes": [1]}),
        ("full_class", {}),
        ("canary", {"tune_size": 60, "sizes": [60]}),
        ("confusion", {"fraction": 0.1}),
    ],
)
def test_every_method_runs_in_every_scenario_with_every_metric(
    storage: BaseStorage, cache: Path, tiny: SpecMaker, scenario: str, options: dict[str, Any]
) -> None:
    spec = tiny(
        methods={name: {} for name in keys("methods")},
        unlearning={"epochs": 1},
        scenarios={scenario: options},
        evaluation={"seeds": 1},
        metrics={
            "every_epoch": ["accuracy", "mia_loss", "confusion"],
            "best_epoch": ["mia_confidence", "mia_knn_forget", "mia_knn_train", "weight_distance"],
        },
    )
    spaces = {name: spec.space(name) for name in spec.methods}
    params = {name: space.decode(space.from_unit((0.0,) * len(space.ranges))) for name, space in spaces.items()}
    studies = Multiplexer(make_plan(spec, ["evaluation"]), storage, params={scenario: params})
    serve(studies, Worker(spec, Cache(cache)))
    record = load_with_spec(storage, spec)
    evaluation = record.trials.query("stage == 'evaluation'").set_index("method")
    assert (evaluation["state"] == "COMPLETE").all(), evaluation["fail_reason"].to_dict()
    assert (evaluation["metric.weight_distance"] > 0).all()
    gaps = ["forget_gap", "retain_gap", "utility_gap"]
    gaps += ["mia_loss_gap", "mia_confidence_gap", "mia_knn_forget_gap"] if options.get("sizes") != [1] else []
    assert evaluation[[f"metric.{gap}" for gap in gaps]].notna().all(axis=None)


def test_leaders_are_confirmed_on_further_forget_sets(tiny: SpecMaker, storage: BaseStorage, cache: Path) -> None:
    search = {"trials": 4, "sampler": "random", "confirm": {"top": 2, "seeds": 2}}
    spec = tiny(methods={"finetune": {}}, search=search, **SEARCH_MOSTLY)
    studies = open_studies(spec, storage)
    done = serve(studies, Worker(spec, Cache(cache)))
    assert studies.done
    confirmations = [a for a in done if a.open_study.plan.stage == "confirmation"]
    assert {(a.job.draw.seed, a.job.scored_on) for a in confirmations} == {(1001, "dev"), (1002, "dev")}
    assert len(confirmations) == 4
    means: dict[float, list[float]] = {}
    for assignment in confirmations:
        value = assignment.open_study.study.trials[assignment.trial.number].value
        assert value is not None
        means.setdefault(assignment.job.hyperparameters["lr"], []).append(value)
    best = min(means, key=lambda lr: sum(means[lr]))
    evaluated = {a.job.hyperparameters["lr"] for a in done if a.open_study.plan.stage == "evaluation"}
    assert evaluated == {best}
    record = load_with_spec(storage, spec)
    assert record.best["partial_class"]["finetune"]["lr"] == best


def test_two_objectives_and_tug_of_war_run_whole(tiny: SpecMaker, tmp_path: Path, cache: Path) -> None:
    for name, values, changes in (("pareto", 2, {}), ("tow", 1, SEARCH_MOSTLY)):
        spec = tiny(objective={"name": name}, methods={"finetune": {}}, **changes)
        storage = open_storage(f"sqlite:///{tmp_path / name}.db")
        studies = open_studies(spec, storage)
        serve(studies, Worker(spec, Cache(cache)))
        assert studies.done
        study = optuna.load_study(study_name="tiny/search/partial_class/finetune", storage=storage)
        assert {len(t.values) for t in study.trials} == {values}


def test_the_files_of_first_points_are_asked_for_by_searches_alone(
    tiny: SpecMaker, cache: Path, tmp_path: Path
) -> None:
    file = tmp_path / "best.yaml"
    file.write_text("format: unlearn-sweeps/best-params/1\nparams: {}\n")
    scenarios = {"partial_class": {"tune_size": 40, "sizes": [40]}}
    sections = {"methods": {"original": {}}, "evaluation": {"seeds": 1}, "sensitivity": {"enabled": False}}
    spec = tiny(scenarios=scenarios, search={"warm_start": [str(file)]}, cache=str(cache), **sections)
    sweep = Sweep.at(spec, tmp_path / "runs")
    storage = prepare(sweep)
    serve(Multiplexer(make_plan(spec), storage), Worker(spec, sweep.cache))
    sweep.freeze(storage, checked(sweep))
    file.unlink()
    assert run_sweep(sweep, ["evaluation"]).done
    with pytest.raises(SweepError, match=r"best\.yaml: cannot be read"):
        run_sweep(sweep, ["search", "evaluation"])
