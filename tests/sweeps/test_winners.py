"""Which configuration wins and when it stops: known answers, on trials made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.plan import ForgetDraw, Plan, make_plan, run_seed
from sweeps.spec import Spec
from sweeps.studies.confirmation import Confirmation, confirm
from sweeps.studies.winners import Ranking, last_epoch, least_epoch, mean_curve, smooth
from unlearn.methods.finetune import FineTune
from unlearn.registry import find, keys

SpecMaker = Callable[..., Spec]
METHODS = {"finetune": {"lr": {"low": 0.001, "high": 1.0}, "retain_batch_size": 64, "lr_decay_epoch": 1}, "scrub": {}}


def plan_of(tiny: SpecMaker, rounds: Sequence[tuple[int, int]] = ((4, 1), (2, 2)), **changes: Any) -> Plan:
    confirm = [{"leaders": leaders, "sets": sets} for leaders, sets in rounds]
    return make_plan(tiny(methods=METHODS, unlearning={"epochs": 3}, search={"confirm": confirm}, **changes))


def ranking_of(plan: Plan, method: str = "finetune") -> Ranking:
    study = plan.study("confirmation", "partial_class", method)
    assert study is not None
    return Ranking(plan.spec, study)


def trial(lr: float, scores: Sequence[float], **more: Any) -> FrozenTrial:
    """A completed trial of `finetune` with this score curve."""
    curve = {"epoch": [1, 2, 3], "score": list(scores), **more.pop("curve", {})}
    return create_trial(
        params={"lr": lr},
        distributions={"lr": FloatDistribution(0.001, 1.0)},
        values=more.pop("values", [min(scores)]),
        user_attrs={"curve": curve, "epoch": curve["epoch"][scores.index(min(scores))], **more},
    )


def failed() -> FrozenTrial:
    return create_trial(state=TrialState.FAIL, user_attrs={"outcome": "diverged"})


def search_of(trials: Sequence[FrozenTrial], directions: int = 1) -> optuna.Study:
    study = optuna.create_study(storage=InMemoryStorage(), directions=["minimize"] * directions)
    for each in trials:
        study.add_trial(each)
    return study


def order(ranking: Ranking, trials: Sequence[FrozenTrial]) -> list[float]:
    found = ranking.leaders(search_of(trials, len(ranking.objective.directions)))
    return [candidate.hyperparameters["lr"] for candidate in found]


def test_smoothing_and_the_least_epoch() -> None:
    assert smooth([4.0, 0.0, 8.0]) == [3.0, 3.0, 6.0]
    assert smooth([5.0]) == [5.0]
    assert mean_curve([[1.0, 2.0], [3.0, 6.0]]) == [2.0, 4.0]
    assert least_epoch([3.0, 1.0, 2.0]) == 2
    assert least_epoch([9.0, 1.0, 9.0, 1.0, 2.0]) == 4  # of equals the one with the lower neighbours
    assert least_epoch([1.0, 1.0, 1.0]) == 1
    assert least_epoch([0.1 + 0.2, 0.3, 9.0]) == 1  # equal but for the rounding


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12))
def test_smoothing_stays_within_the_curve(curve: list[float]) -> None:
    assert all(min(curve) - 1e-9 <= value <= max(curve) + 1e-9 for value in smooth(curve))


def test_a_search_is_won_by_its_least_score_at_its_own_epoch(tiny: SpecMaker) -> None:
    ranking = ranking_of(plan_of(tiny))
    assert order(ranking, [trial(0.1, [3, 2, 9]), trial(0.2, [9, 9, 1]), trial(0.3, [4, 4, 4])]) == [0.2, 0.1, 0.3]
    won = ranking.winner(search_of([trial(0.1, [3, 2, 9]), trial(0.2, [9, 9, 1])]))
    assert won is not None
    assert (won.hyperparameters["lr"], won.stop_epoch, won.source, won.sets) == (0.2, 3, "search", 1)
    assert ranking.winner(search_of([failed()])) is None


def test_on_a_part_of_the_retain_set_the_epoch_that_was_measured_on_all_counts(tiny: SpecMaker) -> None:
    """Its score on all of them may be above what others have on the part."""
    part = {"curve": {"retain_samples": [10, 90, 10]}, "values": [2.5], "epoch": 2}
    ranking = ranking_of(plan_of(tiny))
    won = ranking.winner(search_of([trial(0.1, [3, 2.5, 2], **part), trial(0.2, [9, 9, 2.6])]))
    assert won is not None
    assert (won.hyperparameters["lr"], won.stop_epoch) == (0.1, 2)
    assert ranking.searched({"lr": 0.1}, trial(0.1, [3, 2.5, 2], **part)).values == (2.5,)


def test_a_tie_is_not_won_by_who_came_first(tiny: SpecMaker) -> None:
    ranking = ranking_of(plan_of(tiny))
    steep, flat = trial(0.1, [9, 1, 9]), trial(0.2, [2, 1, 2])
    assert order(ranking, [steep, flat]) == order(ranking, [flat, steep]) == [0.2, 0.1]
    same = [trial(lr, [2, 1, 2]) for lr in (0.1, 0.2, 0.3, 0.4, 0.5)]
    assert order(ranking, same) == order(ranking, same[::-1])
    firsts = {order(ranking_of(plan_of(tiny, seed=seed)), same)[0] for seed in range(12)}
    assert len(firsts) > 2  # drawn, not fixed


def test_a_configuration_that_was_tried_twice_leads_once(tiny: SpecMaker) -> None:
    assert order(ranking_of(plan_of(tiny)), [trial(0.1, [3, 2, 9]), trial(0.1, [3, 2, 9])]) == [0.1]


def test_where_a_method_has_its_own_rule_its_value_counts_and_nothing_stops(tiny: SpecMaker) -> None:
    ranking = ranking_of(plan_of(tiny), "scrub")
    own = {"curve": {"epoch": [0, 1, 2]}, "values": [5.0], "epoch": 0}
    found = ranking.confirmed(
        {"lr": 0.1}, [trial(0.1, [5, 1, 1], **own), trial(0.1, [7, 1, 1], **own | {"values": [7.0]})]
    )
    assert (found.stop_epoch, found.values) == (None, (6.0,))


def test_by_the_papers_protocol_each_run_counts_at_its_best(tiny: SpecMaker) -> None:
    ranking = ranking_of(plan_of(tiny, protocol="paper"))
    found = ranking.confirmed({"lr": 0.1}, [trial(0.1, [1, 5, 5]), trial(0.1, [5, 5, 3])])
    assert (found.stop_epoch, found.values) == (None, (2.0,))


def test_two_scores_are_compared_at_one_epoch(tiny: SpecMaker) -> None:
    """The epoch by the mean of both, the configuration by the knee: 0.2 is nearest to the ideal point."""
    ranking = ranking_of(plan_of(tiny, objective={"name": "pareto"}))

    def both(lr: float, utility: Sequence[float], forgetting: Sequence[float]) -> FrozenTrial:
        scores = [(u + f) / 2 for u, f in zip(utility, forgetting, strict=True)]
        curve = {"retain_gap": list(utility), "utility_gap": list(utility), "forget_gap": list(forgetting)}
        at = scores.index(min(scores))
        return trial(lr, scores, curve=curve, values=[utility[at], forgetting[at]])

    trials = [both(0.1, [0, 0, 0], [9, 9, 9]), both(0.2, [9, 1, 1], [9, 2, 2]), both(0.3, [8, 8, 8], [0, 0, 0])]
    found = [ranking.confirmed({"lr": t.params["lr"]}, [t]) for t in trials]
    assert [c.stop_epoch for c in found] == [1, 3, 1]
    assert found[1].values == (1.0, 2.0)
    assert ranking.ranked(found)[0].hyperparameters["lr"] == 0.2
    assert order(ranking, trials)[0] == 0.2


Outcomes = dict[tuple[float, int], FrozenTrial]


def confirmed(
    plan: Plan, search: Sequence[FrozenTrial], outcomes: Mapping[tuple[float, int], FrozenTrial]
) -> Confirmation:
    ranking = ranking_of(plan)
    leaders = ranking.leaders(search_of(search))

    def ended(values: Mapping[str, float], draw: ForgetDraw) -> FrozenTrial | None:
        return outcomes.get((values["lr"], draw.seed))

    return confirm(ranking, leaders, plan.spec.search.confirm, ranking.plan.draws, ended)


def asked(state: Confirmation) -> set[tuple[float, int]]:
    return {(values["lr"], draw.seed) for values, draw in state.points}


SEARCH = [trial(lr, [lr * 10, lr * 20, lr * 30]) for lr in (0.1, 0.2, 0.3, 0.4, 0.5)]


def test_leaders_are_thinned_out_over_further_sets(tiny: SpecMaker) -> None:
    plan = plan_of(tiny)
    first = confirmed(plan, SEARCH, {})
    assert asked(first) == {(lr, 1001) for lr in (0.1, 0.2, 0.3, 0.4)}
    assert (first.to_come, first.done, first.winner) == (4, False, None)

    outcomes: Outcomes = {
        (lr, 1001): trial(lr, [9, 9, score]) for lr, score in ((0.1, 8), (0.2, 1), (0.3, 5), (0.4, 2))
    }
    incomplete = {key: outcomes[key] for key in list(outcomes)[:3]}
    assert confirmed(plan, SEARCH, incomplete) == first  # a round is a whole
    second = confirmed(plan, SEARCH, outcomes)
    assert asked(second) - asked(first) == {(lr, seed) for lr in (0.2, 0.4) for seed in (1002, 1003)}
    assert (second.to_come, second.done) == (0, False)

    outcomes |= {(0.2, seed): trial(0.2, [9, 9, 9]) for seed in (1002, 1003)}
    outcomes |= {(0.4, seed): trial(0.4, [9, 3, 9]) for seed in (1002, 1003)}
    last = confirmed(plan, SEARCH, outcomes)
    assert last.points == second.points
    assert last.done
    # the mean curve of 0.4 is [9, 5, 20/3], smoothed [8, 77/12, 25/4]; of 0.2 [9, 9, 19/3], smoothed [9, 25/3, 7]
    assert last.winner is not None
    assert last.winner.hyperparameters["lr"] == 0.4
    assert (last.winner.stop_epoch, last.winner.source, last.winner.sets) == (3, "confirmation", 3)
    ranking = ranking_of(plan)
    found = ranking.confirmed({"lr": 0.4}, [outcomes[0.4, seed] for seed in (1001, 1002, 1003)])
    assert found.values == pytest.approx((25 / 4,))


def test_the_set_of_the_search_does_not_count(tiny: SpecMaker) -> None:
    plan = plan_of(tiny, rounds=[(5, 1)])
    outcomes = {(t.params["lr"], 1001): trial(t.params["lr"], [6 - 10 * t.params["lr"]] * 3) for t in SEARCH}
    won = confirmed(plan, SEARCH, outcomes).winner
    assert won is not None
    assert won.hyperparameters["lr"] == 0.5  # last in the search


def test_who_fails_on_any_set_is_out(tiny: SpecMaker) -> None:
    plan = plan_of(tiny, rounds=[(3, 1), (2, 1)])
    outcomes: Outcomes = {(0.1, 1001): failed(), (0.2, 1001): trial(0.2, [1, 1, 1]), (0.3, 1001): trial(0.3, [2, 2, 2])}
    state = confirmed(plan, SEARCH, outcomes)
    assert asked(state) == {(0.1, 1001), (0.2, 1001), (0.3, 1001), (0.2, 1002), (0.3, 1002)}
    outcomes |= {(0.2, 1002): failed(), (0.3, 1002): trial(0.3, [9, 9, 9])}
    won = confirmed(plan, SEARCH, outcomes).winner
    assert won is not None
    assert won.hyperparameters["lr"] == 0.3
    outcomes[0.3, 1002] = failed()
    nobody = confirmed(plan, SEARCH, outcomes)
    assert (nobody.done, nobody.winner) == (True, None)


def test_fewer_configurations_than_leaders_are_no_error(tiny: SpecMaker) -> None:
    plan = plan_of(tiny)
    state = confirmed(plan, SEARCH[:1], {})
    assert asked(state) == {(0.1, 1001)}
    assert state.to_come == 2
    assert confirmed(plan, [], {}) == Confirmation([], 0, done=True, winner=None)


def test_every_method_has_the_same_budget_on_sets_of_its_own(tiny: SpecMaker) -> None:
    plan = plan_of(tiny)
    studies = [s for s in plan.studies if s.stage == "confirmation"]
    assert {s.trials for s in studies} == {4 * 1 + 2 * 2}
    assert {draw.seed for s in studies for draw in s.draws} == {1001, 1002, 1003}
    used = {s.stage: {draw.seed for draw in s.draws} for s in plan.studies if s.stage != "reference"}
    assert not used["confirmation"] & (used["search"] | used["evaluation"])
    assert {s.scored_on for s in studies} == {"dev"}


def test_every_run_has_a_seed_of_its_own() -> None:
    draws = [ForgetDraw(scenario, 40, seed) for scenario in ("random", "partial_class") for seed in range(50)]
    stages = ("search", "confirmation", "evaluation", "sensitivity")
    seeds = [run_seed(0, stage, draw) for stage in stages for draw in draws]
    assert len(set(seeds)) == len(seeds)
    assert not any(run_seed(0, stage, draw) == draw.seed for stage in stages for draw in draws)
    assert run_seed(0, "search", draws[0]) != run_seed(1, "search", draws[0])
    assert run_seed(3, "search", draws[0]) == run_seed(3, "search", draws[0])


class Halved(FineTune):
    """Of a user's own: it yields in every other epoch."""

    @property
    def last_epoch(self) -> int:
        return self.epochs // 2


@pytest.mark.parametrize("method", [*keys("methods"), f"{__name__}:Halved"])
def test_the_last_epoch_is_the_methods_own(tiny: SpecMaker, method: str) -> None:
    spec, values = tiny(), {"epochs": 6, "lr": 0.01}
    given = {name: values[name] for name in spec.facts("methods", method).options if name in values}
    assert last_epoch(spec, method, given) == find("methods", method)(**given).last_epoch
