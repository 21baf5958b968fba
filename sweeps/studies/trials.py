"""What is written with each trial, and how trials are told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optuna.trial import Trial

from sweeps.plan import ForgetDraw
from sweeps.spec.space import Value, Values

FACTS = (
    "best_epoch",
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
NOT_METRICS = {
    *FACTS,
    "hyperparameters",
    "curve",
    "requeued",
    "attempt",
    "host",
    "pid",
    "device",
    "samples",
    "forward_samples",
}

DESIGN = "design"

Key = tuple[tuple[str, Value], ...]


def point_key(params: Mapping[str, Value]) -> Key:
    """What tells planned trials apart."""
    return tuple(sorted(params.items()))


def draw_params(draw: ForgetDraw) -> Values:
    """The parameters by which a forget set is told apart in a study."""
    size: Values = {} if draw.size is None else {"forget_size": draw.size}
    return {**size, "forget_seed": draw.seed}


def set_attrs(trial: Trial, attrs: Mapping[str, Any]) -> None:
    """Attach facts to a trial; they must be there before it is told."""
    for name, value in plain(attrs).items():
        trial.set_user_attr(name, value)


def plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON gives them back."""
    return {name: json.loads(json.dumps(value)) for name, value in attrs.items()}
