"""What a storage says about one sweep, as tidy tables."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from sweeps.jobs.job import RETAIN_SAMPLES
from sweeps.spec import Spec
from sweeps.studies.trials import FACTS
from sweeps.studies.winners import Winner

STUDY = ("study", "stage", "scenario", "method", "number")
COLUMNS = (
    *(*STUDY, "state", "value", "hindsight_score", RETAIN_SAMPLES, "started", "completed"),
    *(*FACTS, "requeued", "superseded"),
)


@dataclass(frozen=True)
class SweepRecord:
    """Everything a storage says about one sweep.

    Attributes:
        name: of the sweep.
        spec: the resolved sweep file as plain data.
        provenance: versions, commit, device and times.
        planned: trials planned, by (stage, scenario, method).
        trials: one row per trial: study, stage, scenario, method, number, state, value (the score at the epoch that counts),
            epoch (that one), stop_epoch (where it was given), hindsight_epoch, hindsight_score, outcome (of a failed one: error,
            diverged or died), fail_reason, retry_of, started, completed, seconds, forget_size, forget_seed, seed,
            scored_on, origin, training (0: the first), run (its number on its forget set), oracle (of a reference: its number),
            oracles (how many gaps are to the mean of), overlap (share of the forget set's samples that some tuning set has too,
            NaN where it was not drawn apart), in_first (share of them that the evaluation's first set of this size has too, NaN
            for that one), `in_first.<group>` (the same of a group of them), cost_of (what relative costs count: `stop`, up to the
            stop epoch; `run`, all of it;
            `epoch`, up to the epoch that counts, however it was found: older versions), code (of what is not this package's, by
            which it computed: `sweeps.codes`), guessing (of a reference: up to which accuracy on the retain set it would only
            guess), kept_model (under which key its unlearned
            model is in the cache), not_kept (why it could not be written there), retain_samples (on how many of the retain set
            the epochs of its curve are, but for the one that counts once it is complete; NaN: on all), requeued, superseded,
            `hp.<hyperparameter>`, `metric.<metric>` (at the epoch that counts),
            `hindsight.<metric>` (of evaluations and grids, at the epoch of the least score: the paper's convention) and
            `top5.<metric>` (mean over the five least).
        curves: one row per trial and epoch: study, stage, scenario, method, number, epoch, score and every metric; where some
            are of a part of the retain set also retain_samples, how many those of a row are.
        best: hyperparameters of `winners`, {scenario: {method: {name: value}}}.
        importances: each hyperparameter's share in what decides a search, {scenario: {method: {name: share}}}, a method's shares
            adding up to 1; None where too few trials are complete.
        data: what was read as its data set; empty in records of older versions.
        data_digest: of its pixels and labels; likewise.
        data_identity: what tells it from others, by the order of its class names too; likewise.
        classes: the forget classes of each scenario that has some, as [position, name]; likewise.
        images: how many the data set has, by part (train, dev, test). class_images: those of the forget classes of each scenario
            that has some, by part (dev, test); both empty in records of older versions, as far as these kept none.
        measures: what metrics declare of their values, for those that are not shipped (`unlearn.gaps.Measures` reads it).
        winners: of every method that searches, {scenario: {method: winner}}: what its evaluation runs with, else what came out
            of the confirmation, else of the search.
        draws_vary: whether a scenario has more than one forget set, by scenario; where not, an evaluation's runs differ in the
            run's seed alone (and the training's).
        left_out: methods that searched or were evaluated in a scenario of the plan, and are in the plan no more, by scenario.
        published_left_out: whether searches did without the published values as first points, although their sweep names them:
            they were chosen by the test set of its data set.
        in_hindsight: whether evaluations count at an epoch that was chosen on what they report; `protocol_note` says why.
        fingerprint: of what outputs are made from.
        place: the options that lead to where it is looked at (`place_of`); None: those that it was run with do.
    """

    name: str
    spec: dict[str, Any]
    provenance: dict[str, Any]
    planned: dict[tuple[str, str, str], int]
    trials: pd.DataFrame
    curves: pd.DataFrame
    best: dict[str, dict[str, dict[str, Any]]]
    importances: dict[str, dict[str, dict[str, float] | None]] = field(default_factory=dict)
    data: str = ""
    data_digest: str = ""
    data_identity: str = ""
    classes: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    class_images: dict[str, dict[str, int]] = field(default_factory=dict)
    measures: list[dict[str, Any]] = field(default_factory=list)
    winners: dict[str, dict[str, Winner]] = field(default_factory=dict)
    draws_vary: dict[str, bool] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    published_left_out: bool = False
    in_hindsight: bool = False
    protocol_note: str = ""
    fingerprint: str = ""
    place: tuple[str, ...] | None = None

    @cached_property
    def looks(self) -> dict[Hashable, Any]:
        """What functions of this record have found in it (see `once`)."""
        return {}

    @cached_property
    def counted(self) -> pd.DataFrame:
        """The trials that count towards the plan: those queued again, and those of a superseded winner, left out."""
        trials = self.trials[~self.trials["requeued"]]
        return trials[~trials["superseded"]]

    @cached_property
    def _sizes(self) -> dict[Hashable, pd.Series[Any]]:
        """Forget sizes of the searches' counted trials and of the evaluations' completed ones, by stage and scenario."""
        trials = self.counted
        of = (trials["stage"] == "search") | ((trials["stage"] == "evaluation") & (trials["state"] == "COMPLETE"))
        return {key: own.dropna() for key, own in trials[of].groupby(["stage", "scenario"])["forget_size"]}

    def named_classes(self, scenario: str) -> str:
        """The forget classes of a scenario as people read them: `class 3 (cat)`; empty where it has none, or none is known."""
        return named_together(self.classes.get(scenario, []))

    def at_best(self, stage: str, scenario: str, method: str) -> pd.DataFrame:
        """Completed trials of a stage that ran with `best`; in a search of which nothing is best yet, the lowest."""
        trials = self.counted
        mine = (trials["stage"] == stage) & (trials["scenario"] == scenario) & (trials["method"] == method)
        found = trials[mine & (trials["state"] == "COMPLETE")]
        point = self.best.get(scenario, {}).get(method, {})
        known = {f"hp.{name}": value for name, value in point.items() if f"hp.{name}" in found}
        own = (
            found[(found[list(known)] == pd.Series(known, dtype=object)).all(axis="columns")]
            if known
            else found.iloc[:0]
        )
        return found.nsmallest(1, "value") if stage == "search" and not point else own

    def tuned_size(self, scenario: str) -> int | None:
        """The forget size of the searches that found the winners; None where they were given, or nothing was searched."""
        sources = {winner.source for winner in self.winners.get(scenario, {}).values()}
        sizes = self._sizes.get(("search", scenario))
        given = "given" in sources and not sources & {"search", "confirmation"}
        return None if given or sizes is None or not len(sizes) else int(sizes.mode().iloc[0])

    def shown_size(self, scenario: str) -> int | None:
        """The forget size at which methods are compared: the one tuned at where it was evaluated, else the largest that was.

        Before any evaluation the size of the searches; None where there is neither.
        """
        tuned = self.tuned_size(scenario)
        if tuned is None:
            tuned = (self.spec.get("scenarios", {}).get(scenario) or {}).get("tune_size")
        sizes = set(map(int, self._sizes.get(("evaluation", scenario), ())))
        if sizes and tuned not in sizes:
            return max(sizes)
        return None if tuned is None else int(tuned)

    def confirmed_scores(self, scenario: str, method: str) -> pd.Series[float]:
        """The winner's scores on the confirmation's forget sets, at its stop epoch where it has one."""
        trials = self.at_best("confirmation", scenario, method)
        winner = self.winners.get(scenario, {}).get(method)
        if winner is None or winner.stop_epoch is None or not len(trials):
            return trials["value"].astype(float)
        at = self.curves[self.curves["epoch"] == winner.stop_epoch]
        return trials[["study", "number"]].merge(at, on=["study", "number"])["score"].astype(float)


def empty_record(spec: Spec) -> SweepRecord:
    """The record of a sweep of which nothing has been run."""
    trials = pd.DataFrame(columns=list(COLUMNS)).astype({"requeued": bool, "superseded": bool})
    return SweepRecord(spec.name, spec.dump(), {}, {}, trials, pd.DataFrame(columns=[*STUDY, "epoch", "score"]), {})


def named_together(classes: Iterable[tuple[int, str]]) -> str:
    """Classes by position and name: `class 3 (cat)`, `class 0 (airplane) and class 1 (automobile)`; `class 5` of digits."""
    return " and ".join(
        f"class {position}" if name == str(position) else f"class {position} ({name})" for position, name in classes
    )
