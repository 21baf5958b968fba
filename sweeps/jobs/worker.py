"""Does jobs on one worker: trains references, runs methods, scores every epoch. Knows nothing of Ray or Optuna."""

from __future__ import annotations

import errno
import logging
import os
import platform
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sweeps.codes import as_text, own_digests, used_by
from sweeps.errors import DeviceLostError, SweepError
from sweeps.jobs.cache import Cache
from sweeps.jobs.epochs import Chosen, EpochRule, LeastScore, ScrubR
from sweeps.jobs.guessing import guessing
from sweeps.jobs.job import (
    CODE,
    GUESSING,
    IN_FIRST_OF,
    KEPT,
    NOT_KEPT,
    RETAIN_SAMPLES,
    SAMPLES,
    Job,
    Update,
    curve_of,
    other_data,
    same_data,
)
from sweeps.jobs.kept import keep_model
from sweeps.plan import ForgetDraw, tuning_draws
from sweeps.resources import device_of
from sweeps.spec import Spec, check_files, scenario_of
from sweeps.spec.scoring import objective_of
from unlearn.errors import DivergedError, MetricError
from unlearn.gaps import Measures
from unlearn.methods import Method
from unlearn.metrics import gaps
from unlearn.registry import find
from unlearn.run import Evaluation, run_unlearning
from unlearn.seal import ChangedError
from unlearn.shared import ShareError
from unlearn.switches import Switches
from unlearn.training import Recipe
from unlearn.workspace import Given, Setting, Task, Workspace
from unlearn.workspace.device import still_works

logger = logging.getLogger(__name__)

REPORT_SECONDS = 2.0
#: The cache cannot be written: no trial's fault, and none may fail for it.
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def setting_of(spec: Spec) -> Setting:
    """What the spec says of data, model and recipe, as the science package takes it.

    Raises:
        SweepError: its precision is not decided yet.
    """
    if spec.precision == "auto":
        raise SweepError(
            f"precision: auto is decided when {spec.name!r} is first run, and nothing of it has been run here\n"
            "  remedy: run it first, or write precision: float32 or bfloat16"
        )
    training, normalise = spec.training.model_dump(), spec.model.normalise
    return Setting(
        dataset=spec.dataset.name,
        dataset_options=spec.dataset.options,
        model=spec.model.name,
        model_options=spec.model.options,
        normalise=None if normalise is None else (tuple(normalise.mean), tuple(normalise.std)),
        head=spec.model.head,
        original=None
        if spec.original is None
        else Given(spec.original.weights, (spec.files or {})["original.weights"]),
        code=(spec.code or {}).get("model"),
        recipe=Recipe(**{**training, "milestones": tuple(training["milestones"])}),
        held_out=spec.held_out,
        dev=spec.dev,
        seed=spec.seed,
        precision=spec.precision,
    )


class Worker:
    """Serves job after job of one sweep; data and models stay loaded in between."""

    def __init__(self, spec: Spec, cache: Cache, device: torch.device | None = None) -> None:
        check_files(spec)
        self.spec, self.cache = spec, cache
        graphs = spec.resources.cuda_graphs
        self._load = partial(
            Workspace, setting_of(spec), cache.folder, device or device_of(spec), cache.share, cuda_graphs=graphs
        )
        self.workspace = self._load()
        self._reports: Generator[Update] | None = None
        self.objective = objective_of(spec)
        self.codes = own_digests(spec)

    def task(self, draw: ForgetDraw, scored_on: str, oracles: int = 1) -> Task:
        """The task of one forget set; a scenario that fixes its own size takes all that it can."""
        samples = self.workspace.samples
        scenario = scenario_of(self.spec, draw.scenario, samples.data, samples.splits)
        most = scenario.limit(self.workspace.train_labels)
        tuned = None
        if draw.avoids is not None:
            tuned = tuple((s.size or most, s.seed) for s in tuning_draws(self.spec, draw.scenario)[: draw.avoids])
        return Task(
            scenario=scenario,
            forget_size=draw.size or most,
            forget_seed=draw.seed,
            scored_on="dev" if scored_on == "dev" else "test",
            tuned=tuned,
            training=draw.training,
            oracles=oracles,
        )

    def method(self, job: Job) -> Method:
        """The method of a job with its hyperparameters."""
        method: Method = find("methods", job.method)(**job.hyperparameters)
        return method

    def run(self, job: Job) -> Iterator[Update]:
        """Do one job, reporting every epoch (with `prune`) or every few seconds; the last report is done.

        A failure is a report with its reason. A trial that changes what trials share ends as an error, and that is loaded
        afresh; process-wide switches are as before at every report, and after a trial that is cut off.

        Raises:
            DeviceLostError: this process can do no more jobs.
        """
        if self._reports is not None:
            self._reports.close()  # cut off before its end
        self._reports = self._guarded(job)
        return self._reports

    def _guarded(self, job: Job) -> Generator[Update]:
        """The reports of `job`, each after a look at what trials share."""
        switches, ended = Switches.now(), False
        reports = self._attempt(job)
        try:
            for report in reports:
                if ended := report.done:
                    reports.close()  # what cleans up is looked at too
                switches.restore()
                changed = self._reload_if_changed()
                if changed and report.outcome != "stopped":
                    reason = changed if report.reason is None else f"{changed}\n{report.reason}"
                    yield Update("error", reason=reason, facts=report.facts)
                    return
                yield report
        except DeviceLostError:
            ended = True  # nothing can be looked at
            raise
        finally:
            if not ended:
                reports.close()
                switches.restore()
                self._reload_if_changed()

    def _reload_if_changed(self) -> str | None:
        """Load afresh what trials share where one has changed it; what it was."""
        try:
            self.workspace.check_unchanged()
        except ChangedError as error:
            logger.warning("loading data and models afresh: %s", error)
            self.workspace = self._load()
            return str(error)
        return None

    def _attempt(self, job: Job) -> Generator[Update]:
        started = time.perf_counter()
        data = self.workspace.data.identity
        if not same_data(job.data, data):
            yield Update("stopped", reason=other_data(platform.node()))
            return
        facts: dict[str, Any] = {"host": platform.node(), "pid": os.getpid(), "device": str(self.workspace.device)}
        facts["data"] = data
        try:
            parts = self._unlearn(job, facts) if job.kind == "unlearning" else (self._reference(job) for _ in range(1))
            with closing(parts):
                for report in parts:
                    if report.done:
                        facts["seconds"] = time.perf_counter() - started
                        report.facts.update(facts)
                    yield report
        except DivergedError as error:
            passed = {} if error.samples is None else {SAMPLES: error.samples}
            yield Update("diverged", reason=str(error), facts=facts | passed)
        except ShareError as error:
            yield Update("stopped", reason=str(error), facts=facts)
        except OSError as error:
            full = error.errno in NO_ROOM
            reason = f"{error.strerror}: {error.filename or self.workspace.store.folder}" if full else _traceback()
            yield Update("stopped" if full else "error", reason=reason, facts=facts)
        except (
            Exception
        ) as error:  # whatever a method or a user's own component raises is this trial's failure, kept whole
            if not still_works(self.workspace.device):  # the process cannot go on; under MPS another may be the cause
                first, *_ = str(error).splitlines() or [type(error).__name__]
                raise DeviceLostError(f"the worker's GPU can no longer be used: {first}") from error
            yield Update("error", reason=_traceback(), facts=facts)

    def _reference(self, job: Job) -> Update:
        task = self.task(job.draw, job.scored_on)
        original = job.kind == "original"
        reference = self.workspace.original(task) if original else self.workspace.oracle(task, job.oracle)
        data = self.workspace.task_data(task)
        metrics = self.workspace.reference_metrics(reference, task, self.spec.metrics.every_epoch)
        facts = {
            "key": reference.key,
            "loaded": reference.loaded,
            "training_seconds": reference.cost.seconds,
            "training_samples": reference.cost.samples,
            "trained_on": reference.place and asdict(reference.place),
            GUESSING: guessing(data.labels[data.retain]),
        }
        return Update("complete", values=[metrics["heldout_accuracy"]], metrics=metrics, facts=facts)

    def _unlearn(self, job: Job, facts: dict[str, Any]) -> Generator[Update]:
        """The reports of a run; into `facts`, which are told of one that fails too, goes how many samples have passed."""
        task, method = self.task(job.draw, job.scored_on, job.oracles), self.method(job)
        costly = self.spec.metrics.best_epoch
        rule: EpochRule = LeastScore(costly, job.stop_epoch, hindsight=job.all_epochs, keep=job.keep_model)
        if method.epoch_rule == "scrub_r":
            rule = ScrubR(costly, keep=job.keep_model)
        fresh: list[dict[str, float]] = []
        last_report = time.perf_counter()
        evaluation = None
        for evaluation, score in self._scored(job, task, method):
            rule.see(evaluation, score)
            facts[SAMPLES] = evaluation.samples
            fresh.append(_row(evaluation.epoch, score, evaluation.metrics, evaluation.retain_samples))
            if job.prune or time.perf_counter() - last_report > REPORT_SECONDS:
                yield Update("running", epochs=fresh, facts={SAMPLES: evaluation.samples})
                fresh, last_report = [], time.perf_counter()
        if evaluation is None:
            raise RuntimeError(f"method {job.method} yielded no epoch")
        counted, hindsight = rule.chosen()
        for chosen in (counted, hindsight):
            if chosen is not None:
                self._check_counts(task, chosen.epoch, chosen.metrics)
        if evaluation.retain_samples is not None:
            fresh += [self._whole_row(chosen) for chosen in (counted, hindsight) if chosen is not None]
        yield replace(self._answer(job, counted, hindsight, evaluation), epochs=curve_of(fresh))

    def _check_counts(
        self, task: Task, epoch: int, metrics: dict[str, float], retain_samples: int | None = None
    ) -> None:
        """Check that a score is of as many gaps as any other on this forget set: those that its oracles have.

        Raises:
            MetricError: a metric has left out what counts.
        """
        oracle = self.workspace.oracle_metrics(task, self.spec.metrics.every_epoch, retain_samples)
        if missing := [gap for gap in self.objective.counts(gaps(oracle, oracle)) if gap not in metrics]:
            raise MetricError(
                f"a gap of the objective must be defined in every epoch where the oracle has its value; "
                f"in epoch {epoch} there is no {', '.join(missing)}, and the score would be of fewer gaps than others are: "
                "let its metric give a value there, or keep it out of the objective"
            )

    def _whole_row(self, chosen: Chosen) -> dict[str, float]:
        """An epoch that counts as the curve has it: on all retain samples, whatever was told of it before."""
        return _row(chosen.epoch, self.objective.score(chosen.metrics), chosen.metrics, chosen.retain_samples)

    def _answer(self, job: Job, counted: Chosen, hindsight: Chosen | None, last: Evaluation) -> Update:
        """What a run comes to that has ended with the evaluation `last`.

        Its costs are up to its stop epoch; whoever chooses an epoch once all have been seen pays for the whole run.
        """
        cost_of = "epoch" if self.spec.rules == 1 else "run" if job.stop_epoch is None else "stop"
        whole = {name: last.metrics[name] for name in Measures().family("cost", last.metrics)}
        metrics = counted.metrics | counted.costly | (whole if cost_of == "run" else {})
        beside = {} if hindsight is None else hindsight.metrics | hindsight.costly
        overlap = {"overlap": self.workspace.overlap(last.task)} if last.task.tuned else {}
        groups = self.workspace.in_first(last.task) or {}
        in_first = {"in_first": groups.pop("")} if groups else {}
        code = as_text(used_by(self.codes, self.spec, job.draw.scenario, job.method))
        kept = {} if counted.state is None else self._keep(job, counted.epoch, counted.state, last)
        return Update(
            "complete",
            values=list(self.objective.values(counted.metrics)),
            epoch=counted.epoch,
            metrics=metrics,
            hindsight_epoch=None if hindsight is None else hindsight.epoch,
            hindsight=beside | whole if beside and cost_of != "epoch" else beside,
            facts={
                "forget_size": last.task.forget_size,
                "forward_samples": last.forward_samples,
                "cost_of": cost_of,
                **({CODE: code} if code else {}),
                **overlap,
                **in_first,
                **({IN_FIRST_OF: groups} if groups else {}),
                **kept,
            },
        )

    def _keep(self, job: Job, epoch: int, state: dict[str, Tensor], last: Evaluation) -> dict[str, str]:
        """Keep an unlearned model, and say under which key it is; or why it could not be, which is no fault of the trial."""
        facts = {
            "sweep": self.spec.name,
            "scenario": job.draw.scenario,
            "forget_size": last.task.forget_size,
            "forget_seed": job.draw.seed,
            "method": job.method,
            "hyperparameters": job.hyperparameters,
            "seed": job.seed,
            "epoch": epoch,
            "original": self.workspace.reference_key("original", last.task),
        }
        try:
            return {KEPT: keep_model(self.cache, state, facts)}
        except (OSError, ShareError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            logger.warning("an unlearned model could not be kept: %s", reason)
            return {NOT_KEPT: reason}

    def _scored(self, job: Job, task: Task, method: Method) -> Iterator[tuple[Evaluation, float]]:
        """Every epoch with its score; a run that diverges after its stop epoch ends there.

        Raises:
            DivergedError: it diverges before.
            MetricError: a gap that counts is not defined there.
        """
        part = job.retain_samples if method.last_epoch > 1 else None  # of one epoch two passes would be more than one
        families = self.spec.metrics.every_epoch
        epochs = run_unlearning(self.workspace, task, method, job.seed, families, retain_samples=part)
        try:
            for evaluation in epochs:
                self._check_counts(task, evaluation.epoch, evaluation.metrics, evaluation.retain_samples)
                yield evaluation, self.objective.score(evaluation.metrics)
                if job.ends_at(evaluation.epoch):
                    return
        except DivergedError as error:
            if job.stop_epoch is None or error.epoch is None or error.epoch <= job.stop_epoch:
                raise


def _row(epoch: int, score: float, metrics: dict[str, float], retain_samples: int | None) -> dict[str, float]:
    """A row of a curve."""
    part = {} if retain_samples is None else {RETAIN_SAMPLES: retain_samples}
    return {"epoch": epoch, "score": score, **part, **metrics}


def _traceback() -> str:
    return traceback.format_exc(limit=-8)


__all__ = ["Worker", "setting_of"]
