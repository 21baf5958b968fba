"""From searches to what is evaluated: which leaders are confirmed, which configuration wins, and what is run of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from sweeps.plan import ForgetDraw, Stage, StudyPlan, make_plan, sensitivity_grid
from sweeps.spec import Spec
from sweeps.spec.space import Values
from sweeps.studies.confirmation import Confirmation, confirm
from sweeps.studies.design import DesignStudy, ended_trials
from sweeps.studies.search import SearchStudy
from sweeps.studies.trials import STOP_EPOCH, Key, Point, draw_params
from sweeps.studies.winners import Candidate, Ranking, Winner, last_epoch, stops

Params = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Selection:
    """Settles the designs of a run: the rounds of each confirmation, then evaluations and grids, once it is known of what.

    Args:
        params: configurations to evaluate instead of the winners, {scenario: {method: {name: value}}}, each with its
            `stop_epoch`, or it stops at its last epoch.
        searches, designs: the studies of this run; what else is needed is read from the storage.
    """

    def __init__(
        self,
        spec: Spec,
        storage: BaseStorage,
        params: Params,
        searches: Mapping[tuple[str, str], SearchStudy],
        designs: Sequence[DesignStudy],
    ) -> None:
        self.spec, self.storage, self.params = spec, storage, params
        self.searches = searches
        self.confirmations = {s.plan.key[1:]: s for s in designs if s.plan.stage == "confirmation"}
        self._plan = make_plan(spec)
        self._space = cache(spec.space)
        self._settled: set[str] = set()
        self._leaders: dict[tuple[str, str], list[Candidate]] = {}
        self._confirmed: dict[tuple[str, str], Confirmation] = {}
        self._winners: dict[tuple[str, str], Winner] = {}

    def settle(self, opened: DesignStudy) -> None:
        """Fix the points of a study as soon as they are known; those of a confirmation after each of its rounds."""
        plan = opened.plan
        if plan.name in self._settled or not opened.idle:
            return
        if plan.stage == "confirmation":
            self._settle_rounds(opened)
            return
        winner = self.winner(plan.scenario, plan.method)
        if winner is None:
            return
        opened.set_points(self._points(plan, winner))
        opened.record_design(winner)
        self._settled.add(plan.name)

    def _points(self, plan: StudyPlan, winner: Winner) -> list[Point]:
        """The runs of a winner: so many on each forget set; or of the grid round it, and of its centre so many."""
        best, stop, runs = winner.hyperparameters, winner.stop_epoch, range(plan.runs)
        if plan.stage == "evaluation":
            return [_run(plan, best, draw, stop, run) for draw in plan.draws for run in runs]
        assert plan.space is not None
        grid = [_run(plan, values, plan.draws[0], stop) for values in sensitivity_grid(self.spec, plan.method, best)]
        return grid + [_run(plan, best, plan.draws[0], stop, run) for run in runs if plan.runs > 1]

    def winner(self, scenario: str, method: str) -> Winner | None:
        """What is evaluated: what was given, else the winner of search and confirmation; None while there is none."""
        known = self._winners.get((scenario, method)) or self._find_winner(scenario, method)
        if known is not None:
            self._winners[scenario, method] = known
        return known

    def _find_winner(self, scenario: str, method: str) -> Winner | None:
        space = self._space(method)
        given = self.params.get(scenario, {}).get(method)
        if given is not None:
            values = {**space.fixed, **{name: value for name, value in given.items() if name != STOP_EPOCH}}
            return Winner(values, self._stop(method, values, given.get(STOP_EPOCH)), "given", 0)
        if not space.ranges:
            values = dict(space.fixed)
            return Winner(values, self._stop(method, values), "fixed", 0)
        if not self.spec.search.confirm:
            plan, search = self._planned("search", scenario, method), self._search(scenario, method)
            return None if search is None else Ranking(self.spec, plan).winner(search)
        if (scenario, method) in self.confirmations:
            confirmation = self._confirmed.get((scenario, method))
        else:
            confirmation = self._confirmation(scenario, method)
        return None if confirmation is None else confirmation.winner

    def _stop(self, method: str, values: Mapping[str, Any], given: int | None = None) -> int | None:
        """The stop epoch of a configuration that was not searched for: as given, else the last one."""
        if not stops(self.spec, method):
            return None
        return int(given or last_epoch(self.spec, method, values))

    def _settle_rounds(self, opened: DesignStudy) -> None:
        plan = opened.plan
        confirmation = self._confirmation(plan.scenario, plan.method)
        if confirmation is None or not confirmation.points:
            return
        opened.set_points([_point(plan, values, draw) for values, draw in confirmation.points], confirmation.to_come)
        opened.record_design(confirmation.winner)
        if confirmation.done:
            self._confirmed[plan.scenario, plan.method] = confirmation
            self._settled.add(plan.name)

    def _confirmation(self, scenario: str, method: str) -> Confirmation | None:
        """How far a confirmation is; None where its search is not done."""
        search = self._search(scenario, method)
        if search is None:
            return None
        plan = self._planned("confirmation", scenario, method)
        opened = self.confirmations.get((scenario, method))
        study = self._elsewhere(plan) if opened is None else opened.study
        pending_retries = set() if opened is None else {retry.number for retry in opened.retries}
        ended: Mapping[Key, FrozenTrial] = {} if study is None else ended_trials(study, pending_retries)
        ranking, rounds = Ranking(self.spec, plan), self.spec.search.confirm
        if (scenario, method) not in self._leaders:  # the search is done: each round begins with the same
            self._leaders[scenario, method] = ranking.leaders(search)
        return confirm(
            ranking,
            self._leaders[scenario, method],
            rounds,
            plan.draws,
            lambda values, draw: ended.get(_point(plan, values, draw).key),
        )

    def _search(self, scenario: str, method: str) -> optuna.Study | None:
        """The finished search of a pair; None while there is none. One that this run does not touch counts as it is."""
        opened = self.searches.get((scenario, method))
        if opened is not None:
            return opened.study if opened.done else None
        return self._elsewhere(self._planned("search", scenario, method))

    def _planned(self, stage: Stage, scenario: str, method: str) -> StudyPlan:
        plan = self._plan.study(stage, scenario, method)
        assert plan is not None
        return plan

    def _elsewhere(self, plan: StudyPlan) -> optuna.Study | None:
        """A study that this run does not touch."""
        try:
            return optuna.load_study(study_name=plan.name, storage=self.storage)
        except KeyError:
            return None


def _point(plan: StudyPlan, values: Values, draw: ForgetDraw) -> Point:
    """The trial of a configuration in a confirmation."""
    assert plan.space is not None
    params = {**{r.name: values[r.name] for r in plan.space.ranges}, **draw_params(draw)}
    return Point(params, dict(values), draw)


def _run(plan: StudyPlan, values: Values, draw: ForgetDraw, stop_epoch: int | None, run: int = 0) -> Point:
    """The trial of a configuration in an evaluation or a grid."""
    point = _point(plan, values, draw)
    params = {**point.params, "training": draw.training, "run": run}
    return replace(point, params=params, stop_epoch=stop_epoch, number=run)
