"""With which method, hyperparameters and stop epoch a request is served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.record import BASELINES, UNTOUCHED, SweepRecord, evaluations
from sweeps.record.progress import progress
from sweeps.spec import Spec
from sweeps.studies.given import read_best_params
from sweeps.studies.trials import STOP_EPOCH
from sweeps.studies.winners import last_epoch, stops
from unlearn.errors import suggest

#: What an evaluation lacks, so that means of it are not of the same forget sets.
UNFINISHED, FAILED = "which is not finished", "in which trials have failed"


@dataclass(frozen=True)
class Configuration:
    """What a request is served with.

    Attributes:
        scenario: of the sweep, on whose forget sets it was tuned.
        hyperparameters: in true units, the fixed ones too.
        stop_epoch: 1-based; None where the method's own rule or its last epoch decides.
        source: what it was chosen by: `confirmation`, `search`, `given` or `fixed`.
    """

    scenario: str
    method: str
    hyperparameters: dict[str, Any]
    stop_epoch: int | None
    source: str


def origin(scenario: str, source: str) -> str:
    """Where the parameters of a configuration come from, in words."""
    words = {"given": "with parameters that were given", "fixed": "of which nothing is tuned"}
    return words.get(source, f"tuned on {scenario}")


def choose(spec: Spec, record: SweepRecord, *, scenario: str, method: str | None, params: Path | None) -> Configuration:
    """The configuration for a request: of the method named, else of the one whose evaluation came out best.

    Args:
        scenario: of the sweep, on whose forget sets it was tuned.
        params: a best-params file, instead of the sweep's own winners.

    Raises:
        SweepError: a choice must be made and is not, there is no such scenario or method, or nothing is tuned yet.
    """
    if method is not None and method not in spec.methods:
        raise SweepError(f"method must be one of the sweep's, got {method!r}, {suggest(method, spec.methods)}")
    if method == UNTOUCHED:
        raise SweepError(f"method must be one that unlearns, got {method!r}, which leaves the model as it is")
    key = method or _best_method(record, scenario)
    if params is not None:
        narrowed = {"scenarios": {scenario: spec.scenarios[scenario]}, "methods": {key: spec.methods[key]}}
        given = read_best_params(params, spec.model_copy(update=narrowed))[scenario].get(key)
        if given is not None:  # of a method of which nothing is searched there need be none
            values = {**spec.space(key).fixed, **given}
            stop = values.pop(STOP_EPOCH, None)
            if stops(spec, key):  # as an evaluation of them would
                stop = stop or last_epoch(spec, key, values)
            return Configuration(scenario, key, values, stop, "given")
    winner = record.winners.get(scenario, {}).get(key)
    if winner is not None:
        return Configuration(scenario, key, winner.hyperparameters, winner.stop_epoch, winner.source)
    if spec.space(key).ranges:
        raise SweepError(
            f"{scenario}/{key} is not tuned: its search is not done or has failed; run the sweep first (sweeps status tells "
            "how), or give --params FILE"
        )
    values = dict(spec.space(key).fixed)
    return Configuration(scenario, key, values, last_epoch(spec, key, values) if stops(spec, key) else None, "fixed")


def method_by(record: SweepRecord, scenario: str, named: str | None) -> str:
    """How the method was chosen, in words; what the evaluation lacks by which it is the best one."""
    if named is not None:
        return "named"
    studies = [
        s for s in progress(record) if (s.stage, s.scenario) == ("evaluation", scenario) and s.method not in BASELINES
    ]
    lacking = [f"{s.method} {s.done} of {s.planned}" for s in studies if s.left]
    failed = [f"{s.method} {s.failed} of {s.planned}" for s in studies if s.failed]
    unfinished = f", {UNFINISHED} (trials done: {', '.join(lacking)})" if lacking else ""
    uneven = f", {FAILED} ({', '.join(failed)})" if failed else ""
    return f"the least mean score in the evaluation{unfinished}{uneven}"


def mean_scores(record: SweepRecord, scenario: str) -> dict[str, float]:
    """Each method's mean score in the evaluation, at the size at which methods are compared: the least is chosen."""
    trials = evaluations(record, scenario)  # of methods of which nothing is searched, too
    own = trials[trials["forget_size"] == record.shown_size(scenario)].dropna(subset=["score"])
    return {str(method): float(scores.mean()) for method, scores in own.groupby("method", sort=False)["score"]}


def _best_method(record: SweepRecord, scenario: str) -> str:
    scores = mean_scores(record, scenario)
    if not scores:
        raise SweepError(f"no method of {scenario} is evaluated yet: run the sweep first, or name one by --method")
    return min(scores, key=scores.__getitem__)


__all__ = ["FAILED", "UNFINISHED", "Configuration", "choose", "mean_scores", "method_by", "origin"]
