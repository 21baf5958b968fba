"""One study each: what has been done, what is missing, and the next trial to ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from statistics import median
from types import MappingProxyType
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from sweeps.jobs.job import Job
from sweeps.objective import Objective
from sweeps.plan import StudyPlan, run_seed
from sweeps.spec import Spec
from sweeps.spec.space import Value
from sweeps.storage.bulk import TrialWriter
from sweeps.studies.retries import (
    FINAL,
    INTERRUPTED,
    Retry,
    RetryFilter,
    attempt_of,
    might_end_otherwise,
    no_trial,
    pending_retries,
    requeued,
    superseded_numbers,
)
from sweeps.studies.trials import Key, Point, draw_params, plain, trial_key

Asked = tuple[FrozenTrial, Job]
NOTHING: Mapping[Any, Any] = MappingProxyType({})


class OpenStudy:
    """A study opened for running: what is final is counted, and what an earlier driver left RUNNING is to be run again.

    Args:
        retry: which trials that have ended are to be run once more.
    """

    def __init__(self, plan: StudyPlan, spec: Spec, storage: BaseStorage, *, retry: RetryFilter = no_trial) -> None:
        self.plan, self.spec, self.storage = plan, spec, storage
        minimize = [StudyDirection.MINIMIZE] * len(Objective(spec.objective.name).directions)
        directions = [StudyDirection.MAXIMIZE] if plan.stage == "reference" else minimize
        self.study = optuna.create_study(
            study_name=plan.name,
            storage=storage,
            directions=directions,
            sampler=RandomSampler(),  # never asked: trials are made with their parameters
            load_if_exists=True,
        )
        self.study_id = storage.get_study_id_from_name(plan.name)
        self._writer = TrialWriter(storage)
        self._ids: dict[int, int] = {}
        self._live: dict[int, Trial] = {}
        self.final_states: Counter[str] = Counter()
        self.running_keys: Counter[Key] = Counter()
        self.final_keys: dict[Key, TrialState] = {}
        self.best_value: float | None = None
        self.first_tries = 0
        self._close_stale()
        trials = self.study.get_trials(deepcopy=False)
        self.retries = list(pending_retries(trials, partial(retry, plan)))
        aside = superseded_numbers(trials) | {retry.number for retry in self.retries}
        for trial in trials:
            self.first_tries += "retry_of" not in trial.user_attrs
            if trial.state in FINAL and trial.number not in aside:
                self._count(trial.state, trial_key(trial), trial.values)

    @property
    def running(self) -> int:
        """Trials in progress."""
        return self.running_keys.total()

    @property
    def final(self) -> int:
        """Trials that will not be run again."""
        return self.final_states.total()

    @property
    def failed(self) -> int:
        """Trials of the plan that failed for good."""
        return self.final_states["FAIL"]

    @property
    def may_be_retried(self) -> bool:
        """Whether anything of the plan failed for good that would be run again if asked to."""
        trials = self.study.get_trials(deepcopy=False)
        aside = superseded_numbers(trials)
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

    @property
    def median_seconds(self) -> float | None:
        """The median duration of the complete trials, models that were only read left out; None of fewer than three."""
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        seconds = [
            t.user_attrs["seconds"] for t in trials if "seconds" in t.user_attrs and not t.user_attrs.get("loaded")
        ]
        return median(seconds) if len(seconds) >= 3 else None

    def add(self, trial: FrozenTrial, attrs: Mapping[str, Any], steps: Mapping[int, float] | None = None) -> None:
        """Attach facts and scores by epoch to a trial in progress; they must be there before it is told."""
        facts = plain(attrs)
        self._writer.add(self._ids[trial.number], facts, steps)
        trial.user_attrs.update(facts)
        trial.intermediate_values.update(steps or {})

    def report(self, trial: FrozenTrial, scores: Mapping[int, float]) -> Trial:
        """The same of scores alone, by a trial of Optuna's own, which the study's pruner can be asked of."""
        number = trial.number
        if number not in self._live:
            self._live[number] = Trial(self.study, self._ids[number])
        for epoch, score in scores.items():
            self._live[number].report(score, epoch)
        trial.intermediate_values.update(scores)
        return self._live[number]

    def tell(
        self,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None = None,
        attrs: Mapping[str, Any] = NOTHING,
        steps: Mapping[int, float] = NOTHING,
    ) -> FrozenTrial:
        """Close a trial for good, with facts and scores that it still lacks; returns it as the storage now has it."""
        ended = self._end(trial, state, values, attrs, steps)
        self._stopped(ended)
        self._count(state, trial_key(ended), values)
        return ended

    def tell_retry(self, trial: FrozenTrial, reason: str) -> FrozenTrial:
        """Close a trial whose worker died; its parameters will be run again. Returns it as the storage now has it."""
        attempt = attempt_of(trial.user_attrs) + 1
        ended = self._end(trial, TrialState.FAIL, None, {"requeued": True, "fail_reason": reason}, NOTHING)
        self._stopped(ended)
        self.retries.append(Retry.of(ended, attempt))
        return ended

    def _ask(self, point: Point, distributions: dict[str, BaseDistribution], attrs: Mapping[str, Any]) -> Asked:
        """The trial at `point`, with all that tells what it is: one write, so that a kill leaves it whole or not at all."""
        job = self._job(point)
        facts = {"hyperparameters": job.hyperparameters, "seed": job.seed, "scored_on": job.scored_on}
        where = {**draw_params(point.draw), "training": point.draw.training, **self._numbers(point)}
        shown = self._shown(point.hyperparameters)
        template = create_trial(
            state=TrialState.RUNNING,
            params={name: _stored(distributions[name], value) for name, value in point.params.items()},
            distributions=distributions,
            user_attrs=plain({**attrs, **facts, **point.attrs, **where, **shown}),
        )
        trial_id, template.number = self._writer.create(self.study_id, template)
        self.running_keys[point.key] += 1
        self._changed()
        self._ids[template.number] = trial_id
        return template, job

    def _job(self, point: Point) -> Job:
        """What a worker is to do for a trial of this study."""
        plan, spec = self.plan, self.spec
        if plan.stage == "reference":
            kind: Any = plan.method
            return Job(kind, point.draw, plan.scored_on, seed=spec.seed, oracle=point.number)
        return Job(
            "unlearning",
            point.draw,
            plan.scored_on,
            method=plan.method,
            hyperparameters=dict(point.hyperparameters),
            seed=run_seed(spec.seed, plan.stage, point.draw, point.number),
            prune=plan.stage == "search" and spec.search.pruner != "none",
            stop_epoch=point.stop_epoch,
            all_epochs=spec.evaluation.epochs == "all",
            oracles=plan.oracles,
            keep_model=plan.stage == "evaluation" and plan.unlearns and spec.evaluation.keep_models,
            retain_samples=spec.search.retain_count if plan.stage == "search" else None,
        )

    def _numbers(self, point: Point) -> dict[str, int]:
        """Which run a trial is, against how many oracles; or which oracle."""
        if self.plan.stage != "reference":
            return {"run": point.number, "oracles": self.plan.oracles}
        return {} if self.plan.method == "original" else {"oracle": point.number}

    def _shown(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Hyperparameters that are sampled under another name, so that their values must be shown beside it."""
        space = self.plan.space
        if self.plan.stage != "search" or space is None:
            return {}
        return {r.name: hyperparameters[r.name] for r in space.ranges if r.name != r.raw_name}

    def _end(
        self,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
        attrs: Mapping[str, Any],
        steps: Mapping[int, float],
    ) -> FrozenTrial:
        """Write a trial's end; `Study.tell` reads the trial twice more, and only gives a pruned one its value besides."""
        if state == TrialState.PRUNED:
            self.add(trial, attrs, steps)
            return self.study.tell(trial.number, state=state)
        facts = plain(attrs)
        self._writer.end(self._ids[trial.number], state, values, facts, steps)
        trial.user_attrs.update(facts)
        trial.intermediate_values.update(steps)
        trial.state, trial.datetime_complete, trial.values = state, datetime.now(), values
        return trial

    def _stopped(self, trial: FrozenTrial) -> None:
        key = trial_key(trial)
        self.running_keys[key] -= 1
        if not self.running_keys[key]:
            del self.running_keys[key]
        self._changed()
        del self._ids[trial.number]
        self._live.pop(trial.number, None)
        self._closed(trial)

    def _counts(self, trial: FrozenTrial) -> bool:
        """Whether a trial is one of the plan."""
        return True

    def _changed(self) -> None:  # most studies need not know
        """A trial runs, or no longer does, or is final."""

    def _closed(self, trial: FrozenTrial) -> None:  # most studies need not know
        """A trial has been told, for good or to be run again."""

    def _count(self, state: TrialState, key: Key, values: Sequence[float] | None) -> None:
        self.final_states[state.name] += 1
        self.final_keys[key] = state
        self._changed()
        if state == TrialState.COMPLETE and values:
            score = sum(values) / len(values)
            self.best_value = score if self.best_value is None else min(score, self.best_value)

    def _close_stale(self) -> None:
        """Fail what an earlier driver left RUNNING."""
        for stale in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not (requeued(stale) and "fail_reason" in stale.user_attrs):
                trial_id = self.storage.get_trial_id_from_study_id_trial_number(self.study_id, stale.number)
                self._writer.add(trial_id, {"requeued": True, "fail_reason": INTERRUPTED})
            self.study.tell(stale.number, state=TrialState.FAIL)


def _stored(ranges: BaseDistribution, value: Value) -> Any:
    """A parameter as the storage gives it back."""
    return ranges.to_external_repr(ranges.to_internal_repr(value))
