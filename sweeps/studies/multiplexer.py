"""Many Optuna studies served to one pool of workers: which trial is next, and what becomes of it. Knows nothing of Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sweeps.errors import SweepError
from sweeps.jobs.job import DIED, SAMPLES, Job, Update, curve_of, other_data, same_data
from sweeps.plan import Plan, ReferenceNeed, StudyPlan
from sweeps.studies.design import DesignStudy
from sweeps.studies.given import point_of
from sweeps.studies.open_study import OpenStudy
from sweeps.studies.retries import RetryFilter, attempt_of, no_trial
from sweeps.studies.search import SearchStudy
from sweeps.studies.selection import Params, Selection
from sweeps.studies.trials import Point
from sweeps.studies.verdicts import verdict

#: The sweep's own study keeps under this name the identity of its data set.
DATA = "data"


@dataclass
class Assignment:
    """A trial on a worker, with what the worker has reported of it.

    Attributes:
        trial: as the storage has it, with what has been added since it was asked for.
        ended: the same, once it has been told.
        samples: how many it has passed forward and backward, as far as was told.
    """

    open_study: OpenStudy
    trial: FrozenTrial
    job: Job
    epochs: list[dict[str, float]] = field(default_factory=list)
    pruned: bool = False
    ended: FrozenTrial | None = None
    samples: int | None = None

    def take(self, report: Update) -> None:
        """Add a report's epochs; of one that was told before, what is told last holds."""
        self.epochs = curve_of([*self.epochs, *report.epochs])
        self.samples = report.facts.get(SAMPLES, self.samples)


class Multiplexer:
    """Asks and tells all studies of a plan, so that no worker idles while any study has work.

    Order: references that a search waits for; evaluations and grids whose search is done; their references; searches, the
    one with fewest running first; references that will be needed later.

    Args:
        params: configurations to evaluate instead of the searches' own winners, {scenario: {method: {name: value}}}.
        warm_start: first points of the searches, each likewise.
        retry: which trials that have ended are to be run once more.

    Attributes:
        listeners: each is called after a trial that is told for good.
        on_silence: called once of a trial that has reported nothing for long, with for how many seconds, the median duration
            of its study's trials, and its host.
        finished_now: how many those were, since the studies were opened.
    """

    def __init__(
        self,
        plan: Plan,
        storage: BaseStorage,
        *,
        params: Params | None = None,
        warm_start: Sequence[Params] = (),
        retry: RetryFilter = no_trial,
    ) -> None:
        self.plan, self.spec, self.storage = plan, plan.spec, storage
        self.listeners: list[Callable[[Assignment, TrialState], None]] = []
        self.on_silence: Callable[[Assignment, float, float, str], None] = lambda assignment, seconds, median, host: (
            None
        )
        self.references: list[DesignStudy] = []
        self.searches: dict[tuple[str, str], SearchStudy] = {}
        self.designs: list[DesignStudy] = []
        for study in plan.studies:
            self._open(study, warm_start, retry)
        self._references_of = {(study.plan.scenario, _kind(study)): study for study in self.references}
        self._unfinished = list(self.references)
        self._there: set[ReferenceNeed] = set()
        self._sweep = optuna.create_study(study_name=plan.spec.name, storage=storage, load_if_exists=True)
        self.data: str = self._sweep.user_attrs.get(DATA, "")
        self.finished_now = 0
        self.selection = Selection(self.spec, storage, params or {}, self.searches, self.designs)
        self._settle(self.designs)
        waiting = (s.plan.draws[0] for s in self.searches.values() if s.remaining > 0)
        self._urgent = {need for draw in waiting for need in plan.needs(draw)}
        self._startable: list[SearchStudy] = []
        self._look_for_startable()

    def _open(self, plan: StudyPlan, warm_start: Sequence[Params], retry: RetryFilter) -> None:
        if plan.stage == "search":
            first = self._first_points(plan, warm_start)
            search = SearchStudy(plan, self.spec, self.storage, first, retry=retry)
            self.searches[plan.scenario, plan.method] = search
            return
        study = DesignStudy(plan, self.spec, self.storage, retry=retry)
        if plan.stage == "reference":
            study.set_points([Point.of_reference(need) for need in plan.needs])
            self.references.append(study)
        else:
            self.designs.append(study)

    def _first_points(self, plan: StudyPlan, warm_start: Sequence[Params]) -> list[Mapping[str, Any]]:
        """What the warm start has for a study's scenario and method."""
        assert plan.space is not None
        searched = {r.name for r in plan.space.ranges}
        points = (point_of(params, self.spec, plan.scenario, plan.method) for params in warm_start)
        return [point for point in points if searched & point.keys()]

    @property
    def open_studies(self) -> Iterator[OpenStudy]:
        """Every open study: references, searches, then evaluations and grids."""
        yield from self.references
        yield from self.searches.values()
        yield from self.designs

    # --- next ---

    def next(self) -> Assignment | None:
        """The next trial, asked and ready to run; None where nothing can start now."""
        for take in (self._take_urgent_reference, self._take_design, self._take_search, self._take_any_reference):
            assignment = take()
            if assignment is not None:
                return assignment
        return None

    @property
    def running(self) -> int:
        """Trials in progress, over all studies."""
        return sum(study.running for study in self.open_studies)

    @property
    def done(self) -> bool:
        """Whether every planned trial is final."""
        return all(study.done for study in self.open_studies)

    def _take_urgent_reference(self) -> Assignment | None:
        return self._take_reference(self._urgent)

    def _take_any_reference(self) -> Assignment | None:
        for study in self._unfinished:
            for point in study.missing():
                return self._assign(study, *study.ask(point))
        return None

    def _take_reference(self, needed: Set[ReferenceNeed]) -> Assignment | None:
        for study in self._unfinished:
            for point in study.missing():
                if ReferenceNeed(_kind(study), point.draw, point.number) in needed:
                    return self._assign(study, *study.ask(point))
        return None

    def _take_design(self) -> Assignment | None:
        waiting: set[ReferenceNeed] = set()
        for study in self.designs:
            for point in study.missing():
                needs = self.plan.needs(point.draw, study.plan.oracles)
                if self._ready(needs):
                    return self._assign(study, *study.ask(point))
                waiting.update(needs)
        return self._take_reference(waiting)

    def _take_search(self) -> Assignment | None:
        open_searches = [s for s in self._startable if s.remaining > 0]
        if not open_searches:
            return None
        study = min(open_searches, key=lambda s: (s.running, s.final))
        return self._assign(study, *study.ask())

    def _assign(self, study: OpenStudy, trial: FrozenTrial, job: Job) -> Assignment:
        return Assignment(study, trial, replace(job, data=self.data))

    # --- readiness ---

    def _ready(self, needs: Iterable[ReferenceNeed]) -> bool:
        return all(need in self._there or self._is_there(need) for need in needs)

    def _look_for_startable(self) -> None:
        """Which searches have their references."""
        searches = self.searches.values()
        self._startable = [s for s in searches if self._ready(self.plan.needs(s.plan.draws[0]))]

    def _is_there(self, need: ReferenceNeed) -> bool:
        study = self._references_of.get((need.draw.scenario, need.kind))
        if study is None or study.status(Point.of_reference(need).key) != TrialState.COMPLETE:
            return False
        self._there.add(need)
        return True

    # --- results ---

    def _settle(self, designs: Iterable[DesignStudy]) -> None:
        """Fix the points of those of which it is known what they run."""
        for design in designs:
            self.selection.settle(design)

    def report(self, assignment: Assignment, report: Update) -> bool:
        """Record epochs; True where the study's pruner stops the trial (it is then told PRUNED by `finish`)."""
        assignment.take(report)
        scores = self._scores(assignment, report)
        if not assignment.job.prune:
            assignment.open_study.add(assignment.trial, {}, scores)
            return False
        trial = assignment.open_study.report(assignment.trial, scores)
        if not report.done:
            assignment.pruned = trial.should_prune()
        return assignment.pruned

    def _scores(self, assignment: Assignment, report: Update) -> dict[int, float]:
        """What Optuna is told of the epochs of a report: the score by epoch; nothing where there are two."""
        if assignment.job.kind != "unlearning" or self.spec.objective.name == "pareto":
            return {}
        return {int(epoch["epoch"]): epoch["score"] for epoch in report.epochs}

    def finish(self, assignment: Assignment, report: Update) -> None:
        """Tell a trial's end, once and truly; where its worker died it is run again, up to `search.max_retries` times.

        Raises:
            SweepError: the worker cannot go on, with this trial or any other.
        """
        study, trial = assignment.open_study, assignment.trial
        data = report.facts.pop("data", self.data)
        if not same_data(self.data, data):  # two nodes that began at the same moment
            report = Update("stopped", reason=other_data(report.facts["host"]))
        elif data != self.data:
            self.data = data
            self._sweep.set_user_attr(DATA, data)
        if report.outcome == "stopped":  # stays RUNNING: the next driver runs it again
            raise SweepError(
                f"a worker cannot go on: {report.reason}\n"
                "  remedy: fix that (a full disk: make room); the same command then resumes, nothing finished is lost"
            )
        if report.outcome == "died" and attempt_of(trial.user_attrs) < self.spec.search.max_retries:
            assignment.ended = study.tell_retry(trial, report.reason or DIED)
            return
        fresh = report if report.done else replace(report, epochs=[])  # else the pruner has seen them
        assignment.take(fresh)
        retries = self.spec.search.max_retries
        outcome, values, attrs = verdict(report, assignment.epochs, pruned=assignment.pruned, max_retries=retries)
        if assignment.samples is not None:  # of one that was stopped, too
            attrs = {SAMPLES: assignment.samples, **attrs}
        assignment.ended = study.tell(trial, outcome, values, attrs, self._scores(assignment, fresh))
        self.finished_now += 1
        if study.plan.stage == "reference":
            self._unfinished = [reference for reference in self.references if not reference.done]
            self._look_for_startable()
        else:
            self._settle(d for d in self.designs if d.plan.key[1:] == study.plan.key[1:])
        for listener in self.listeners:
            listener(assignment, outcome)


def _kind(study: OpenStudy) -> Any:
    return study.plan.method
