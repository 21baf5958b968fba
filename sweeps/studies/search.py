"""A study that samples: published values first, then Sobol points, then a sampler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from sweeps.jobs.job import SAMPLES
from sweeps.plan import StudyPlan
from sweeps.spec import Spec
from sweeps.spec.space import Value
from sweeps.studies.open_study import Asked, OpenStudy
from sweeps.studies.retries import (
    RetryFilter,
    no_trial,
)
from sweeps.studies.sampling import (
    UNKNOWN_WORST,
    SamplerView,
    grid_point,
    make_pruner,
    make_sampler,
    sampler_name,
    sobol_point,
    startup_trials,
)
from sweeps.studies.trials import Point, point_key

#: Of a search's study: its warm start.
FIRST = "first_points"


class SearchStudy(OpenStudy):
    """A study that samples: published values first, then Sobol points, then what the sampler suggests."""

    def __init__(
        self,
        plan: StudyPlan,
        spec: Spec,
        storage: BaseStorage,
        warm_start: Iterable[Mapping[str, Value]] = (),
        *,
        retry: RetryFilter = no_trial,
    ) -> None:
        super().__init__(plan, spec, storage, retry=retry)
        assert plan.space is not None
        self.space = plan.space
        # a method that was left out for a while may have come back with other hyperparameters to search
        self.retries = [retry for retry in self.retries if retry.params.keys() == self.space.distributions.keys()]
        self.warm_start = self._kept(list(warm_start))
        self.study.pruner = make_pruner(spec, int(self.space.fixed.get("epochs", spec.unlearning.epochs)))
        self.samples = sum(int(t.user_attrs.get(SAMPLES, 0)) for t in self.study.get_trials(deepcopy=False))
        self._view: SamplerView | None = None
        self._view_name = ""

    def _kept(self, first: list[Mapping[str, Value]]) -> list[Mapping[str, Value]]:
        """The first points that the search began with, whatever the files that name them hold by now."""
        kept: list[Mapping[str, Value]] | None = self.study.user_attrs.get(FIRST)
        if kept is None or (not self.first_tries and kept != first):
            self.study.set_user_attr(FIRST, [dict(values) for values in first])
            return first
        return [point for point in kept if any(r.name in point for r in self.space.ranges)]

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
        if (
            self.space.size is not None
            and self.space.size <= self.plan.trials
            and (left := self._untried()) is not None
        ):
            return self._ask_at(left, {"origin": "grid"})
        name = sampler_name(self.spec, self.final)
        if name == "grid":
            sizes = [r.size for r in self.space.ranges]
            unit = grid_point(sizes, self.plan.trials, index - len(self.warm_start))
            if unit is not None:
                return self._ask_at(self.space.from_unit(unit), {"origin": name})
        if name in {"qmc", "grid"} or index < startup_trials(self.spec):
            return self._ask_at(self.space.from_unit(self._sobol(index)), {"origin": "sobol"})
        return self._ask_sampler(name, index)

    def _untried(self) -> Mapping[str, Value] | None:
        """The next configuration of a space that holds no more of them than there are trials."""
        every = (self.space.nth(i) for i in range(self.space.size or 0))
        return next(
            (p for p in every if not self.running_keys[key := point_key(p)] and key not in self.final_keys), None
        )

    def _ask_at(
        self,
        params: Mapping[str, Value],
        attrs: Mapping[str, Any],
        distributions: dict[str, BaseDistribution] | None = None,
    ) -> Asked:
        ranges = distributions or self.space.distributions
        return self._ask(Point(dict(params), self.space.decode(params), self.plan.draws[0]), ranges, attrs)

    def _ask_sampler(self, name: str, index: int) -> Asked:
        if self._view is None or self._view_name != name:
            sampler, unknown_worst = make_sampler(self.spec, name, index), UNKNOWN_WORST[self.spec.objective.name]
            self._view_name, self._view = name, SamplerView(sampler, self.study, unknown_worst)
        suggestion = self._view.ask(self.space.distributions)
        key = point_key(suggestion.params)
        if key in self.final_keys or self.running_keys[key]:
            # the run is a function of its parameters: the same ones again would teach nothing
            self._view.discard(suggestion)
            return self._ask_at(self.space.from_unit(self._sobol(index)), {"origin": "sobol"})
        trial, job = self._ask_at(suggestion.params, {"origin": name})
        self._view.assign(trial.number, suggestion)
        return trial, job

    def _closed(self, trial: FrozenTrial) -> None:
        self.samples += int(trial.user_attrs.get(SAMPLES, 0))
        if self._view is not None:
            self._view.tell(trial)

    def _sobol(self, index: int) -> tuple[float, ...]:
        return sobol_point(len(self.space.ranges), self.spec.seed, index)
