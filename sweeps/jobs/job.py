"""What a worker is told to do, and what it answers: plain data, so that it travels as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sweeps.plan import ForgetDraw

#: In each row of a curve whose epochs are measured on a part of the retain set: on how many samples of it that row is.
RETAIN_SAMPLES = "retain_samples"
#: What rows of curves have beside metrics.
NO_METRICS = frozenset({"epoch", "score", RETAIN_SAMPLES})
#: Under which key a trial's unlearned model is kept in the cache; or why it could not be written.
KEPT, NOT_KEPT = "kept_model", "not_kept"
#: The code of the method, scenario and metrics of a trial that are not this package's (`sweeps.codes`).
CODE = "code"
#: What `in_first` is of the whole forget set, of each group of its samples, {group: share}.
IN_FIRST_OF = "in_first_of"
#: How many samples a trial has passed forward and backward, by which the budget of a search may be counted.
SAMPLES = "samples"
#: Up to which accuracy on the retain set an original or oracle is no better than guessing.
GUESSING = "guessing"


@dataclass(frozen=True)
class Job:
    """One trial: a reference to train, or a method to run.

    Attributes:
        kind: `original`, `oracle`, or `unlearning`.
        hyperparameters: in true units; empty for references.
        prune: whether each epoch is reported before the next one starts.
        stop_epoch: the epoch that counts; None: the one of the least score, or of the method's own rule.
        oracles: of how many oracles the mean values are what gaps are to.
        oracle: number of the oracle to train.
        all_epochs: whether the run goes on after its stop epoch, so that the one of the least score is known in hindsight.
        keep_model: whether the model at the epoch that counts is kept in the cache.
        retain_samples: on how many of the retain set each epoch is measured, and on all of it the epoch that counts; None: on
            all each time.
        data: identity of the data set that the sweep is on; empty where nobody has read it yet.
    """

    kind: Literal["original", "oracle", "unlearning"]
    draw: ForgetDraw
    scored_on: Literal["dev", "test"]
    method: str = ""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    prune: bool = False
    stop_epoch: int | None = None
    all_epochs: bool = True
    oracles: int = 1
    oracle: int = 0
    keep_model: bool = False
    retain_samples: int | None = None
    data: str = ""

    def ends_at(self, epoch: int) -> bool:
        """Whether nothing after `epoch` is asked for."""
        return not self.all_epochs and epoch == self.stop_epoch

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def load(text: str) -> Job:
        data = json.loads(text)
        return Job(**{**data, "draw": ForgetDraw(**data["draw"])})


#: How a worker died of which nothing more is known: killed, or crashed.
DIED = "the worker died"


def other_data(node: str) -> str:
    """Why a trial is refused whose data set is not the sweep's."""
    return (
        f"the data set on node {node} is not the one that this sweep began with: its images, labels, class names or the order of "
        "its classes differ (folders stand in natural order, 2 before 10; before 0.1.0 they stood as text): restore it, or give "
        "the sweep another name"
    )


def same_data(known: str, found: str) -> bool:
    """Whether a data set is the one that a sweep began with, or the sweep knows none yet.

    Args:
        known: what the sweep keeps: an identity, or, of sweeps that began before class names were kept, a fingerprint alone.
        found: the identity of the data set that a worker has read.
    """
    return found.startswith(known)


Outcome = Literal["running", "complete", "diverged", "error", "died", "stopped"]


@dataclass(frozen=True)
class Update:
    """What a worker says of its trial so far.

    Attributes:
        outcome: `died` where the worker is gone and others report for it; `stopped` where it is not the trial that failed but
            what it stands on, such as the disk.
        epochs: per epoch since the last report, every metric and its `score`; of an epoch that was told before, what holds now.
        values: the trial's result (two with `pareto`), once complete.
        epoch: the one that counts, 1-based; 0 is the original model (SCRUB-R only).
        metrics: at that epoch, the costly ones too.
        hindsight_epoch, hindsight: the epoch of the least score, and all metrics there, beside those of a stop epoch.
        reason: why it failed: `diverged at epoch k`, a traceback, or how the worker died.
        facts: what is kept with the trial: seconds, host, device, key and cost of a reference, identity of the data.
    """

    outcome: Outcome
    epochs: list[dict[str, float]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    epoch: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    hindsight_epoch: int | None = None
    hindsight: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.outcome != "running"

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def load(text: str) -> Update:
        return Update(**json.loads(text))


def curve_of(epochs: Iterable[Mapping[str, float]]) -> list[dict[str, float]]:
    """The rows of a curve in the order in which their epochs were first told, each as it was told last."""
    return list({int(row["epoch"]): dict(row) for row in epochs}.values())
