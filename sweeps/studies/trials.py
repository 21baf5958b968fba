"""What is written with each trial, and how trials are told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, Trial

from sweeps.plan import ForgetDraw
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
)
#: A trial's metrics, {name: value}: at the epoch that counts, and in hindsight at the one of the least score.
METRICS, HINDSIGHT = "metrics", "hindsight"
STOP_EPOCH = "stop_epoch"

Key = tuple[tuple[str, Value], ...]


def point_key(params: Mapping[str, Value]) -> Key:
    """What tells planned trials apart."""
    return tuple(sorted(params.items()))


def trial_key(trial: FrozenTrial | Trial) -> Key:
    """What tells a trial apart from others of its study: its parameters, and its stop epoch where it has one."""
    return key_of(trial.params, trial.user_attrs.get(STOP_EPOCH))


def key_of(params: Mapping[str, Value], stop_epoch: int | None) -> Key:
    """The key of the trial at `params` that stops at `stop_epoch`."""
    return point_key(params if stop_epoch is None else {**params, STOP_EPOCH: stop_epoch})


@dataclass(frozen=True)
class Point:
    """One trial of a study: its Optuna parameters, hyperparameters and forget set."""

    params: Values
    hyperparameters: dict[str, Any]
    draw: ForgetDraw
    stop_epoch: int | None = None

    @property
    def key(self) -> Key:
        return key_of(self.params, self.stop_epoch)


def draw_params(draw: ForgetDraw) -> Values:
    """The parameters by which a forget set is told apart in a study."""
    size: Values = {} if draw.size is None else {"forget_size": draw.size}
    return {**size, "forget_seed": draw.seed}


def set_attrs(trial: Trial, attrs: Mapping[str, Any]) -> None:
    """Attach facts to a trial; they must be there before it is told."""
    for name, value in plain(attrs).items():
        trial.set_user_attr(name, value)


def plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON gives them back, texts such that any reader takes them."""
    return {name: clean_all(json.loads(json.dumps(value))) for name, value in attrs.items()}
