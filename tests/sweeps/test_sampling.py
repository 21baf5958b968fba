"""Samplers, pruners, budgets and the choice of a winner, on searches that need no training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from statistics import fmean
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sweeps.objective import knee
from sweeps.plan import make_plan
from sweeps.record import load_sweep
from sweeps.record.progress import progress
from sweeps.spec import Spec, remarks
from sweeps.storage import open_storage
from sweeps.studies.sampling import SamplerView, grid_point, sampler_name, sobol_point
from sweeps.studies.search import SearchStudy
from sweeps.studies.winners import Ranking
from unlearn.gaps import pareto_front

SpecMaker = Callable[..., Spec]


def search_of(spec: Spec, storage: BaseStorage, **options: Any) -> SearchStudy:
    plan = make_plan(spec).study("search", "partial_class", "sure")
    assert plan is not None
    return SearchStudy(plan, spec, storage, **options)


def run(
    search: SearchStudy, values: Callable[[dict[str, Any]], list[float] | None], *, left: int = 0
) -> list[FrozenTrial]:
    """Run the search to its end, or until so many are left, on a function of the hyperparameters; None is a failure."""
    while search.remaining > left:
        trial, _ = search.ask()
        score = values(search.space.decode(trial.params))
        curve = {} if score is None else {"curve": {"epoch": [1], "score": [fmean(score)]}}
        search.add(trial, {"samples": 1000, **curve})
        search.tell(trial, TrialState.FAIL if score is None else TrialState.COMPLETE, score)
    return search.study.get_trials()


def bowl(hp: dict[str, Any]) -> list[float]:
    """Least at lr = 0.01, alpha = 0.6."""
    return [(math.log10(hp["lr"]) + 2) ** 2 + (hp["alpha"] - 0.6) ** 2]


@pytest.mark.parametrize("sampler", ["auto", "tpe", "gp", "cma_es", "nsga2", "random", "grid", "qmc"])
def test_every_sampler_searches_and_repeats_nothing(tiny: SpecMaker, storage: BaseStorage, sampler: str) -> None:
    search = search_of(tiny(search={"confirm": "none", "trials": 16, "sampler": sampler}), storage)
    trials = run(search, bowl)
    assert len(trials) == 16
    assert len({tuple(t.params.items()) for t in trials}) == 16
    if sampler in {"tpe", "gp", "cma_es", "nsga2", "random"}:
        assert trials[-1].user_attrs["origin"] in {sampler, "sobol"}
        assert Counter(t.user_attrs["origin"] for t in trials)[sampler] >= 8


def test_a_resumed_search_goes_on_elsewhere(tiny: SpecMaker, url: str) -> None:
    spec = tiny(search={"confirm": "none", "trials": 12, "sampler": "random"})
    first = search_of(spec, open_storage(url))
    for _ in range(8):
        trial, _ = first.ask()
        first.tell(trial, TrialState.COMPLETE, bowl(first.space.decode(trial.params)))
    trials = run(search_of(spec, open_storage(url)), bowl)
    assert len(trials) == 12
    assert len({tuple(t.params.items()) for t in trials}) == 12


@pytest.mark.parametrize(
    ("objective", "unknown"), [("average_gap", [100.0]), ("tow", [1.0]), ("pareto", [100.0, 100.0])]
)
def test_what_diverged_first_counts_as_the_worst_of_all(
    tiny: SpecMaker, storage: BaseStorage, objective: str, unknown: list[float]
) -> None:
    search = search_of(tiny(objective={"name": objective}, search={"sampler": "random", "startup_trials": 1}), storage)
    search.tell(search.ask()[0], TrialState.FAIL, None)
    search.ask()  # the sampler's first
    assert search._view is not None
    assert [t.values for t in search._view.study.get_trials()[:1]] == [unknown]
    search.tell(search.ask()[0], TrialState.COMPLETE, [0.2] * len(unknown))
    seen = SamplerView(optuna.samplers.RandomSampler(), search.study, unknown[0]).study.get_trials()
    assert [t.values for t in seen] == [[0.2] * len(unknown)] * 2  # though it was before there was any other


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_samplers_learn_to_avoid_a_region_that_diverges(tiny: SpecMaker, storage: BaseStorage, sampler: str) -> None:
    def better_up_to_a_cliff(hp: dict[str, Any]) -> list[float] | None:
        return None if hp["lr"] > 0.02 else [-math.log10(hp["lr"]) + abs(hp["alpha"] - 0.5)]

    search = search_of(tiny(search={"confirm": "none", "trials": 40, "sampler": sampler}), storage)
    trials = run(search, better_up_to_a_cliff)
    suggested = [t for t in trials if t.user_attrs["origin"] == sampler]
    failed = sum(t.state == TrialState.FAIL for t in suggested)
    assert failed < len(suggested) / 2  # blind to failures, a sampler would go over the cliff almost every time
    assert all(t.values is None for t in trials if t.state == TrialState.FAIL)


def test_auto_is_gp_until_pruning_or_many_trials(tiny: SpecMaker) -> None:
    assert sampler_name(tiny(search={}), 10) == "gp"
    assert sampler_name(tiny(search={}), 250) == "tpe"
    assert sampler_name(tiny(search={"pruner": "median"}), 10) == "tpe"
    assert sampler_name(tiny(objective={"name": "pareto"}, search={}), 10) == "tpe"


def test_a_grid_covers_its_points_once() -> None:
    points = [grid_point([None, None], 12, i) for i in range(12)]
    assert len(set(points)) == 12
    xs, ys = zip(*(point for point in points if point is not None), strict=True)
    assert {round(x, 6) for x in xs} == {0.0, round(1 / 3, 6), round(2 / 3, 6), 1.0}
    assert {round(y, 6) for y in ys} == {0.0, 0.5, 1.0}


def test_a_grid_has_no_more_levels_than_an_axis_has_values() -> None:
    points = [grid_point([1, 2, None], 12, i) for i in range(13)]
    assert len(set(points[:12])) == 12
    assert points[12] is None
    assert grid_point([2, 2], 9, 4) is None


def test_sobol_points_do_not_depend_on_how_many_were_drawn_before() -> None:
    from scipy.stats import qmc  # noqa: PLC0415

    expected = qmc.Sobol(3, scramble=True, rng=5).random(8)
    assert [sobol_point(3, 5, i) for i in range(8)] == [pytest.approx(tuple(row)) for row in expected]


def test_a_budget_of_samples_ends_the_search(tiny: SpecMaker, storage: BaseStorage) -> None:
    spec = tiny(search={"confirm": "none", "trials": 50, "samples": 6500.0, "sampler": "random"})
    search = search_of(spec, storage)
    assert len(run(search, bowl)) == 7
    assert search.done
    optuna.create_study(study_name=spec.name, storage=storage).set_user_attr("spec", spec.dump())
    record = load_sweep(storage, spec.name)
    (study,) = [s for s in progress(record) if (s.stage, s.method) == ("search", "sure")]
    assert (study.done, study.planned, study.left) == (7, 7, 0)  # nobody is told to run it on


def test_first_points_come_from_other_searches(tiny: SpecMaker, storage: BaseStorage) -> None:
    search = search_of(
        tiny(search={"confirm": "none", "trials": 4, "sampler": "random"}),
        storage,
        warm_start=[{"lr": 0.02}, {"alpha": 0.7}],
    )
    trials = run(search, bowl)
    assert trials[0].params["lr"] == 0.02
    assert trials[1].params["alpha"] == 0.7
    assert [t.user_attrs["origin"] for t in trials[:2]] == ["warm start"] * 2


def test_a_search_goes_on_from_the_first_points_that_it_began_with(tiny: SpecMaker, storage: BaseStorage) -> None:
    spec = tiny(search={"confirm": "none", "trials": 6, "sampler": "grid"})
    search_of(spec, storage, warm_start=[{"lr": 0.5}])  # a file that is corrected before the first trial
    begun = search_of(spec, storage, warm_start=[{"lr": 0.02}, {"alpha": 0.7}])
    run(begun, bowl, left=5)
    trials = run(search_of(spec, storage), bowl)  # its file names nothing any more
    assert (trials[0].params["lr"], trials[1].params["alpha"]) == (0.02, 0.7)
    assert [t.user_attrs["origin"] for t in trials] == ["warm start"] * 2 + ["grid"] * 4
    assert len({tuple(t.params.values()) for t in trials}) == 6


@pytest.mark.parametrize(("own", "brackets"), [({}, 2), ({"epochs": 27}, 4)])
def test_hyperband_divides_the_epochs_that_a_method_has(
    tiny: SpecMaker, storage: BaseStorage, own: dict[str, Any], brackets: int
) -> None:
    spec = tiny(methods={"sure": own}, unlearning={"epochs": 3}, search={"pruner": "hyperband", "confirm": "none"})
    search = search_of(spec, storage)
    search.study.ask().should_prune()  # by which the pruner makes its brackets
    assert search.study.pruner._n_brackets == brackets  # type: ignore[attr-defined]


@pytest.mark.parametrize("sampler", ["auto", "random", "grid"])
def test_of_few_configurations_each_is_tried_once(tiny: SpecMaker, storage: BaseStorage, sampler: str) -> None:
    one = {"low": 0.01, "high": 0.01, "scale": "log"}
    ranges = {
        "lr": one,
        "alpha": {"low": 0.5, "high": 0.5, "scale": "log_complement"},
        "forget_batch_size": {"low": 8, "high": 64, "scale": "power_of_two"},
        "lr_decay_epoch": {"low": 1, "high": 2, "scale": "log"},
    }
    search = {"confirm": [{"leaders": 20, "sets": 1}], "trials": 12, "sampler": sampler}
    spec = tiny(methods={"sure": ranges}, unlearning={"epochs": 3}, search=search)
    trials = run(search_of(spec, storage, warm_start=[{"forget_batch_size": 32}]), bowl)
    assert trials[0].params["log2_forget_batch_size"] == 5
    tried = {(t.params["log2_forget_batch_size"], t.params["lr_decay_epoch"]) for t in trials}
    assert tried == {(size, epoch) for size in (3, 4, 5, 6) for epoch in (1, 2)}
    assert len(trials) == 8
    assert make_plan(spec).trials["confirmation", "partial_class", "sure"] == 8
    (note,) = [note for note in remarks(spec) if note.startswith("methods.")]
    assert (
        note
        == "methods.sure: its ranges hold 8 configurations, each of which is tried once, and not search.trials = 12"
    )


def test_the_pareto_front_and_its_knee() -> None:
    points = [(0.0, 10.0), (1.0, 2.0), (5.0, 1.0), (6.0, 1.5), (10.0, 0.0), (1.0, 2.0)]
    assert pareto_front(points) == [0, 1, 2, 4, 5]
    assert knee(points) == 1
    assert knee([(3.0,), (1.0,), (1.0,)]) == 1


def test_a_search_of_two_scores_exports_the_knee(tiny: SpecMaker, storage: BaseStorage) -> None:
    search = search_of(
        tiny(objective={"name": "pareto"}, search={"confirm": "none", "trials": 20, "sampler": "random"}), storage
    )
    trials = run(search, lambda hp: [hp["alpha"], (1 - hp["alpha"]) ** 2])
    assert {len(t.values) for t in trials} == {2}
    alphas = [search.space.decode(t.params)["alpha"] for t in search.study.best_trials]
    chosen = [leader.hyperparameters for leader in Ranking(search.spec, search.plan).leaders(search.study)[:3]]
    assert chosen[0]["alpha"] in alphas
    assert min(alphas) < chosen[0]["alpha"] < max(alphas)
    assert len({values["alpha"] for values in chosen}) == 3
