"""Which of a sweep's scenarios a request is most like: by the classes of its forget sets, then by their size."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from sweeps.errors import SweepError
from sweeps.record import SweepRecord
from sweeps.requests.likeness import unlikenesses
from sweeps.spec import Spec, scenario_of
from unlearn.data import Indices
from unlearn.workspace import Workspace


@dataclass(frozen=True)
class Nearest:
    """A scenario and why it was taken, in words."""

    scenario: str
    why: str


@dataclass(frozen=True)
class _Fit:
    """How a scenario's forget sets differ from a request: the less of each, in this order, the nearer.

    Attributes:
        unlike: in how many ways in classes.
        classes: by how many classes they have more or fewer.
        ratio: the logarithm of the nearest size over the request's, without sign.
    """

    unlike: int
    classes: int
    ratio: float
    size: int

    @property
    def key(self) -> tuple[int, int, float]:
        return self.unlike, self.classes, self.ratio


def nearest_scenario(spec: Spec, record: SweepRecord, workspace: Workspace, rows: tuple[int, ...]) -> Nearest:
    """The scenario whose forget sets are most like the request; the first of equals.

    Raises:
        SweepError: every scenario alters the training data.
    """
    labels = [
        label
        for label in spec.scenarios
        if not spec.facts("scenarios", spec.scenario_key(label)).declared["alters_training"]
    ]
    if len(spec.scenarios) == 1:
        return Nearest(next(iter(spec.scenarios)), "the sweep's only one")
    if not labels:
        raise SweepError(
            f"all scenarios of the sweep ({', '.join(spec.scenarios)}) alter the training data, so that their originals have not "
            "learnt them as they are: tune on another one"
        )
    found = {label: _fit(spec, label, workspace, np.array(rows), known_sizes(record, label)) for label in labels}
    best = min(labels, key=lambda label: found[label].key)
    fit = found[best]
    classes = "classes as the request has" if not fit.unlike else "classes most like the request's"
    others = ", ".join(label for label in labels if label != best) or "those that alter the training data"
    return Nearest(
        best, f"rather than {others}: forget sets of {classes}, of {fit.size:,} samples to its {len(rows):,}"
    )


def known_sizes(record: SweepRecord, label: str) -> set[int]:
    """The sizes of the forget sets that a scenario was evaluated on."""
    trials = record.counted
    mine = (trials["scenario"] == label) & (trials["stage"] == "evaluation")
    return {int(size) for size in trials.loc[mine, "forget_size"].dropna()}


def _fit(spec: Spec, label: str, workspace: Workspace, rows: Indices, sizes: Collection[int]) -> _Fit:
    data, labels = workspace.data, workspace.train_labels
    scenario = scenario_of(spec, label, data, workspace.samples.splits)
    body = spec.scenarios[label]
    known = sizes or body.sizes or [scenario.limit(labels)]
    size = min(sorted(known), key=lambda of: abs(math.log(of / len(rows))))
    asked = set(labels[rows].tolist())
    theirs = set(scenario.classes_among(labels)) or set(labels.tolist())
    unlike = unlikenesses(scenario, rows, labels, data.class_names, ())
    return _Fit(len(unlike), abs(len(asked) - len(theirs)), abs(math.log(size / len(rows))), size)


__all__ = ["Nearest", "known_sizes", "nearest_scenario"]
