"""One study each: what has been done, what is missing, and the next trial to ask for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from sweeps.job import Job
from sweeps.objective import Objective
from sweeps.plan import ForgetDraw, StudyPlan
from sweeps.retries import FINAL, INTERRUPTED, Retry, attempt_of, might_end_otherwise, owed, requeued, set_aside
from sweeps.sampling import (
    SamplerView,
    grid_point,
    make_pruner,
    make_sampler,
    sampler_name,
    sobol_point,
    startup_trials,
)
from sweeps.space import Value, Values
from sweeps.spec import Spec

DESIGN = "design"

Key = tuple[tuple[str, Value], ...]
Asked = tuple[Trial, Job]
#: Tells trials of a study apart.
Which = Callable[[StudyPlan, FrozenTrial], bool]


@dataclass(frozen=True)
class Point:
    """One planned trial of a study that does not sample: its Optuna parameters, hyperparameters and forget set."""

    params: Values
    hyperparameters: dict[str, Any]
    draw: ForgetDraw

    @property
    def key(self) -> Key:
        return point_key(self.params)


def point_key(params: Mapping[str, Value]) -> Key:
    """What tells planned trials apart."""
    return tuple(sorted(params.items()))


def no_trial(plan: StudyPlan, trial: FrozenTrial) -> bool:
    """None is run again."""
    return False


def failed_trials(plan: StudyPlan, trial: FrozenTrial) -> bool:
    """Those that failed for good, and might end otherwise."""
    return might_end_otherwise(trial)


class StudyState:
    """A study opened for running: what is final is counted, and what an earlier driver left RUNNING is to be run again.

    Args:
        retry: which trials that have ended are to be run once more.
    """

    def __init__(self, plan: StudyPlan, spec: Spec, storage: BaseStorage, *, retry: Which = no_trial) -> None:
        self.plan, self.spec = plan, spec
        minimize = [StudyDirection.MINIMIZE] * len(Objective(spec.objective.name).directions)
        directions = [StudyDirection.MAXIMIZE] if plan.stage == "reference" else minimize
        self.study = optuna.create_study(
            study_name=plan.name,
            storage=storage,
            directions=directions,
            sampler=RandomSampler(),  # never asked: trials are made with their parameters
            load_if_exists=True,
        )
        self.states: Counter[str] = Counter()
        self.running_keys: Counter[Key] = Counter()
        self.final_keys: dict[Key, TrialState] = {}
        self.best_value: float | None = None
        self.first_tries = 0
        self._close_stale()
        trials = self.study.get_trials(deepcopy=False)
        self.retries = list(owed(trials, partial(retry, plan)))
        aside = set_aside(trials) | {retry.number for retry in self.retries}
        for trial in trials:
            self.first_tries += "retry_of" not in trial.user_attrs
            if trial.state in FINAL and trial.number not in aside:
                self._count(trial.state, trial.params, trial.values)

    @property
    def running(self) -> int:
        """Trials in progress."""
        return self.running_keys.total()

    @property
    def final(self) -> int:
        """Trials that will not be run again."""
        return self.states.total()

    @property
    def failed(self) -> int:
        """Trials of the plan that failed for good."""
        return self.states["FAIL"]

    @property
    def may_be_retried(self) -> bool:
        """Whether anything of the plan failed for good that would be run again if asked to."""
        trials = self.study.get_trials(deepcopy=False)
        aside = set_aside(trials)
        return any(might_end_otherwise(t) and t.number not in aside and self._counts(t) for t in trials)

    @property
    def planned(self) -> int:
        """Trials there will be when the study is done."""
        return self.plan.trials

    @property
    def remaining(self) -> int:
        """Trials still to be started."""
        return self.planned - self.final - self.running

    @property
    def done(self) -> bool:
        """Whether nothing is left to run."""
        return self.final >= self.planned and not self.running

    def tell(self, trial: Trial, state: TrialState, values: Sequence[float] | None = None) -> None:
        """Close a trial for good."""
        self._stopped(trial, self.study.tell(trial, list(values) if values else None, state=state))
        self._count(state, trial.params, values)

    def tell_retry(self, trial: Trial, reason: str) -> None:
        """Close a trial whose worker died; its parameters will be run again."""
        attempt = attempt_of(trial.user_attrs) + 1
        set_attrs(trial, {"requeued": True, "fail_reason": reason})
        self._stopped(trial, self.study.tell(trial, state=TrialState.FAIL))
        self.retries.append(Retry(trial.number, trial.params, trial.distributions, attempt))

    def _ask(
        self,
        params: Mapping[str, Value],
        distributions: dict[str, BaseDistribution],
        hyperparameters: Mapping[str, Any],
        draw: ForgetDraw,
        attrs: Mapping[str, Any],
    ) -> Asked:
        """A trial at `params`, with all that tells what it is: one write, so that a kill leaves it whole or not at all."""
        job = self._job(hyperparameters, draw)
        facts = {"hyperparameters": job.hyperparameters, "seed": job.seed, "scored_on": job.scored_on}
        template = create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions=distributions,
            user_attrs=plain({**attrs, **facts, **draw_params(draw), **self._shown(hyperparameters)}),
        )
        trial_id = self.study._storage.create_new_trial(self.study._study_id, template_trial=template)
        self.running_keys[point_key(params)] += 1
        return Trial(self.study, trial_id), job

    def _job(self, hyperparameters: Mapping[str, Any], draw: ForgetDraw) -> Job:
        """What a worker is to do for a trial of this study."""
        plan, spec = self.plan, self.spec
        if plan.stage == "reference":
            kind: Any = plan.method
            return Job(kind, draw, plan.scored_on, seed=spec.seed)
        return Job(
            "unlearning",
            draw,
            plan.scored_on,
            method=plan.method,
            hyperparameters=dict(hyperparameters),
            seed=draw.seed if plan.stage == "evaluation" else spec.seed,
            prune=plan.stage == "search" and spec.search.pruner != "none",
        )

    def _shown(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Hyperparameters that are sampled under another name, so that their values must be shown beside it."""
        space = self.plan.space
        if self.plan.stage != "search" or space is None:
            return {}
        return {r.name: hyperparameters[r.name] for r in space.ranges if r.name != r.raw_name}

    def _stopped(self, trial: Trial, told: FrozenTrial) -> None:
        self.running_keys[point_key(trial.params)] -= 1
        self._closed(told)

    def _counts(self, trial: FrozenTrial) -> bool:
        """Whether a trial is one of the plan."""
        return True

    def _closed(self, trial: FrozenTrial) -> None:  # most studies need not know
        """A trial has been told, for good or to be run again."""

    def _count(self, state: TrialState, params: Mapping[str, Value], values: Sequence[float] | None) -> None:
        self.states[state.name] += 1
        self.final_keys[point_key(params)] = state
        if state == TrialState.COMPLETE and values:
            score = sum(values) / len(values)
            self.best_value = score if self.best_value is None else min(score, self.best_value)

    def _close_stale(self) -> None:
        """Fail what an earlier driver left RUNNING."""
        for stale in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not (requeued(stale) and "fail_reason" in stale.user_attrs):
                set_attrs(Trial(self.study, stale._trial_id), {"requeued": True, "fail_reason": INTERRUPTED})
            self.study.tell(stale.number, state=TrialState.FAIL)


class SearchState(StudyState):
    """A study that samples: published values first, then Sobol points, then what the sampler suggests."""

    def __init__(
        self,
        plan: StudyPlan,
        spec: Spec,
        storage: BaseStorage,
        warm_start: Iterable[Mapping[str, Value]] = (),
        *,
        retry: Which = no_trial,
    ) -> None:
        super().__init__(plan, spec, storage, retry=retry)
        assert plan.space is not None
        self.space = plan.space
        # a method that was left out for a while may have come back with other hyperparameters to search
        self.retries = [retry for retry in self.retries if retry.params.keys() == self.space.distributions.keys()]
        self.warm_start = [dict(values) for values in warm_start]
        self.study.pruner = make_pruner(spec)
        self.samples = sum(int(t.user_attrs.get("samples", 0)) for t in self.study.get_trials(deepcopy=False))
        self._view: SamplerView | None = None
        self._view_name = ""

    @property
    def planned(self) -> int:
        """As many trials as the plan has, or fewer where the budget of samples is used up."""
        if self.spec.search.samples is not None and self.samples >= self.spec.search.samples:
            return min(self.plan.trials, self.final + self.running + len(self.retries))
        return self.plan.trials

    def ask(self) -> Asked:
        """The next trial, RUNNING in the storage, and its job."""
        if self.retries:
            retry = self.retries.pop(0)
            return self._ask_at(retry.params, retry.attrs, retry.distributions)
        index = self.first_tries
        self.first_tries += 1
        if index < len(self.warm_start):
            point = self.space.from_unit(self._sobol(0)) | self.space.encode(self.warm_start[index])
            return self._ask_at(point, {"origin": "warm start"})
        name = sampler_name(self.spec, self.final)
        if name == "grid":
            sizes = [r.size for r in self.space.ranges]
            unit = grid_point(sizes, self.plan.trials, index - len(self.warm_start))
            if unit is not None:
                return self._ask_at(self.space.from_unit(unit), {"origin": name})
        if name in {"qmc", "grid"} or index < startup_trials(self.spec):
            return self._ask_at(self.space.from_unit(self._sobol(index)), {"origin": "sobol"})
        return self._ask_sampler(name, index)

    def _ask_at(
        self,
        params: Mapping[str, Value],
        attrs: Mapping[str, Any],
        distributions: dict[str, BaseDistribution] | None = None,
    ) -> Asked:
        ranges = distributions or self.space.distributions
        return self._ask(params, ranges, self.space.decode(params), self.plan.draws[0], attrs)

    def _ask_sampler(self, name: str, index: int) -> Asked:
        if self._view is None or self._view_name != name:
            self._view_name, self._view = name, SamplerView(make_sampler(self.spec, name, index), self.study)
        suggestion = self._view.ask(self.space.distributions)
        key = point_key(suggestion.params)
        if key in self.final_keys or self.running_keys[key]:
            # the run is a function of its parameters: the same ones again would teach nothing
            self._view.drop(suggestion)
            return self._ask_at(self.space.from_unit(self._sobol(index)), {"origin": "sobol"})
        trial, job = self._ask_at(suggestion.params, {"origin": name})
        self._view.taken(trial.number, suggestion)
        return trial, job

    def _closed(self, trial: FrozenTrial) -> None:
        self.samples += int(trial.user_attrs.get("samples", 0))
        if self._view is not None:
            self._view.told(trial)

    def _sobol(self, index: int) -> tuple[float, ...]:
        return sobol_point(len(self.space.ranges), self.spec.seed, index)


class DesignState(StudyState):
    """A study whose trials are known beforehand: references, an evaluation, a sensitivity grid.

    Trials of an earlier design (the winner has changed since) stay in the storage and count no more.
    """

    points: Mapping[Key, Point] | None = None

    def set_points(self, points: Sequence[Point]) -> None:
        """Fix what is to be run; equal points are run once."""
        self.points = {point.key: point for point in points}

    def record_design(self) -> None:
        """Keep the points in the storage, so that readers can tell trials of an earlier design."""
        design = [point.params for point in (self.points or {}).values()]
        if self.study.user_attrs.get(DESIGN) != design:
            self.study.set_user_attr(DESIGN, design)

    @property
    def planned(self) -> int:
        return self.plan.trials if self.points is None else len(self.points)

    @property
    def final(self) -> int:
        return len(self.final_keys.keys() & (self.points or {}).keys())

    @property
    def failed(self) -> int:
        return sum(self.final_keys.get(key) == TrialState.FAIL for key in self.points or {})

    def _counts(self, trial: FrozenTrial) -> bool:
        return point_key(trial.params) in (self.points or {})

    def missing(self) -> list[Point]:
        """Points neither finished nor running."""
        points = self.points or {}
        return [p for key, p in points.items() if key not in self.final_keys and not self.running_keys[key]]

    def status(self, key: Key) -> TrialState | None:
        """How the trial of a point ended; None while it has not."""
        return self.final_keys.get(key)

    def ask(self, point: Point) -> Asked:
        """The trial of `point`, RUNNING in the storage, and its job."""
        retry = next((retry for retry in self.retries if point_key(retry.params) == point.key), None)
        if retry is not None:
            self.retries.remove(retry)
        attrs = {} if retry is None else retry.attrs
        return self._ask(point.params, self._distributions(), point.hyperparameters, point.draw, attrs)

    def _distributions(self) -> dict[str, BaseDistribution]:
        points = list((self.points or {}).values())
        return {name: _span([p.params[name] for p in points]) for name in points[0].params}


def _span(values: Sequence[Value]) -> BaseDistribution:
    if all(isinstance(v, int) for v in values):
        return IntDistribution(int(min(values)), int(max(values)))
    return FloatDistribution(float(min(values)), float(max(values)))


def draw_params(draw: ForgetDraw) -> Values:
    """The parameters by which a forget set is told apart in a study."""
    size: Values = {} if draw.size is None else {"forget_size": draw.size}
    return {**size, "forget_seed": draw.seed}


def set_attrs(trial: Trial, attrs: Mapping[str, Any]) -> None:
    """Attach facts to a trial; they must be there before it is told."""
    for name, value in plain(attrs).items():
        trial.set_user_attr(name, value)


def plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON gives them back."""
    return {name: json.loads(json.dumps(value)) for name, value in attrs.items()}
