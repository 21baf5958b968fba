"""What is written with each trial, and how trials are told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, Trial

from sweeps.jobs.job import CODE, GUESSING, KEPT, NOT_KEPT
from sweeps.plan import ForgetDraw, ReferenceNeed
from sweeps.spec.space import Value, Values
from sweeps.text import clean_all

#: What a record has as a column of its own.
FACTS = (
    "epoch",
    "stop_epoch",
    "hindsight_epoch",
    "outcome",
    "fail_reason",
    "retry_of",
    "seconds",
    "forget_size",
    "forget_seed",
    "seed",
    "scored_on",
    "origin",
    "training",
    "run",
    "oracle",
    "oracles",
    "overlap",
    "in_first",
    "cost_of",
    CODE,
    GUESSING,
    KEPT,
    NOT_KEPT,
)
#: A trial's metrics, {name: value}: at the epoch that counts, and in hindsight at the one of the least score.
METRICS, HINDSIGHT = "metrics", "hindsight"
STOP_EPOCH = "stop_epoch"
#: How many tuning sets a trial's forget set avoids.
AVOIDS = "avoids"
#: Attributes that tell trials of the same parameters apart.
KEY_ATTRS = (STOP_EPOCH, AVOIDS)
#: What tells trials apart since there are several trainings, runs and oracles; in older versions all of them were 0.
SINCE = frozenset({"training", "run", "oracle", AVOIDS})

Key = tuple[tuple[str, Value], ...]


def point_key(params: Mapping[str, Value]) -> Key:
    """What tells planned trials apart."""
    return tuple(sorted((name, value) for name, value in params.items() if value or name not in SINCE))


def trial_key(trial: FrozenTrial | Trial) -> Key:
    """What tells a trial apart from others of its study: its parameters, and what of `KEY_ATTRS` it has."""
    return key_of(trial.params, trial.user_attrs)


def key_of(params: Mapping[str, Value], attrs: Mapping[str, Any]) -> Key:
    """The key of the trial at `params` with these attributes."""
    return point_key({**params, **{name: attrs[name] for name in KEY_ATTRS if attrs.get(name) is not None}})


@dataclass(frozen=True)
class Point:
    """One trial of a study: its Optuna parameters, hyperparameters and forget set.

    Attributes:
        number: which run it is of its configuration on its forget set; of references, which oracle.
    """

    params: Values
    hyperparameters: dict[str, Any]
    draw: ForgetDraw
    stop_epoch: int | None = None
    number: int = 0

    @property
    def attrs(self) -> dict[str, Any]:
        """What else tells it apart."""
        return {name: v for name, v in ((STOP_EPOCH, self.stop_epoch), (AVOIDS, self.draw.avoids)) if v is not None}

    @property
    def key(self) -> Key:
        return key_of(self.params, self.attrs)

    @staticmethod
    def of_reference(need: ReferenceNeed) -> Point:
        """The trial of an original or an oracle."""
        number: Values = {} if need.kind == "original" else {"oracle": need.number}
        return Point(
            {**draw_params(need.draw), "training": need.draw.training, **number}, {}, need.draw, None, need.number
        )


def draw_params(draw: ForgetDraw) -> Values:
    """The parameters by which a forget set is told apart among those of one training."""
    size: Values = {} if draw.size is None else {"forget_size": draw.size}
    return {**size, "forget_seed": draw.seed}


def plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON gives them back, texts such that any reader takes them."""
    found: dict[str, Any] = json.loads(json.dumps(dict(attrs)))
    return {name: clean_all(value) for name, value in found.items()}
