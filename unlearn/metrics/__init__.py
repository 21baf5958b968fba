"""Metrics, one family a file: outputs in, named floats out.

A family is a function `measure(outputs) -> {name: value}` of ONE model; what is reported is the gap between the unlearned
model's value and the oracle's. A function that is marked by `unlearn.gaps.compares_models` is `compare(model, oracle) ->
{name: value}` instead, and what is reported is its value itself. A value that is not defined (an attack on a single sample,
say) is left out, never invented. A value's name is its own: one that another family gives, or that stands for something else in
a run's curves, is an error.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from unlearn.errors import MetricError
from unlearn.gaps import MEASURES, Measures
from unlearn.metrics._base import Floats, Outputs, SetOutputs
from unlearn.models import Classifier
from unlearn.registry import find, is_own
from unlearn.seal import checksum
from unlearn.switches import isolated

__all__ = ["Floats", "Outputs", "SetOutputs", "compare", "comparisons", "gaps", "measure"]

_MEASURES = Measures()
#: What stands beside the values of metrics in a run's curves, as do the gaps.
_BESIDE = {"epoch", "score", "retain_samples", *(measure.name for measure in MEASURES if measure.family == "cost")}
#: Values whose gap would be called as another one is: `forget` as that of `forget_accuracy`.
_OF_OTHERS = {"average", *(measure.gap.removesuffix("_gap") for measure in MEASURES if measure.gap)}


def comparisons(families: Iterable[str]) -> list[str]:
    """Those of the named families that compare a model with the oracle."""
    return [family for family in families if getattr(find("metrics", family), "compares_models", False)]


def measure(outputs: Outputs, families: Iterable[str], taken: Collection[str] = ()) -> dict[str, float]:
    """Every value of the named families, for one model; families that compare two models are passed over.

    A family that draws from global generators draws the same for every model.

    Args:
        taken: names of values that other families have given.

    Raises:
        MetricError: a value is not a finite number, has a name that is not its own, or the outputs were changed.
    """
    values: dict[str, float] = {}
    families = list(families)
    passed_over = comparisons(families)
    with isolated(outputs.seed):
        for family in families:
            if family not in passed_over:
                values.update(_checked(family, _measured(family, outputs), {*taken, *values}))
    return values


def _measured(family: str, outputs: Outputs) -> Any:
    """What a family gives; one of the user's own must leave the outputs, which others are to read, as they are."""
    function = find("metrics", family)
    if is_own("metrics", family):
        return function(outputs)
    before = _sum(outputs)
    values = function(outputs)
    if _sum(outputs) != before:
        raise MetricError(
            f"metric {family} must not change the outputs that it reads: let it work on a copy (.clone())"
        )
    return values


def _sum(outputs: Outputs) -> list[int]:
    parts = outputs.sets.values()
    return [int(checksum(tensor)) for part in parts for tensor in (part.logits, part.features, part.labels)]


def compare(
    model: Classifier, oracle: Classifier, families: Iterable[str], taken: Collection[str] = ()
) -> dict[str, float]:
    """Every value of those named families that compare a model with the oracle; the others are passed over.

    Args:
        taken: see `measure`.

    Raises:
        MetricError: a value is not a finite number, or has a name that is not its own.
    """
    values: dict[str, float] = {}
    with isolated(0):
        for family in comparisons(families):
            values.update(_checked(family, find("metrics", family)(model, oracle), {*taken, *values}))
    return values


def _checked(family: str, values: Any, taken: Collection[str]) -> dict[str, float]:
    """The values of a family as plain numbers: arrays and tensors of one number count as that."""
    if not isinstance(values, Mapping):
        raise MetricError(f"metric {family} must give its values by name, {{name: value}}, got {type(values).__name__}")
    checked = {}
    for name, value in values.items():
        if name in taken or name in _BESIDE or str(name).endswith("_gap"):
            why = "another metric gives it" if name in taken else "something else in a run's curves is called so"
            raise MetricError(f"metric {name} of {family} must have another name: {why}")
        if name in _OF_OTHERS:
            raise MetricError(f"metric {name} of {family} must have another name: {name}_gap is another value's gap")
        checked[str(name)] = number = _number(family, name, value)
        if not math.isfinite(number):
            raise MetricError(
                f"metric {name} of {family} must be a finite number, got {value} although the model's outputs are finite: "
                "where it is not defined, it must be left out"
            )
    return checked


def _number(family: str, name: object, value: Any) -> float:
    try:
        if not isinstance(value, str):
            return float(value)
    except (TypeError, ValueError, RuntimeError):  # of a tensor of several numbers PyTorch raises the last
        pass
    raise MetricError(f"metric {name} of {family} must be a number, got {type(value).__name__}")


def gaps(unlearned: Mapping[str, float], oracle: Mapping[str, float]) -> dict[str, float]:
    """Absolute differences, unlearned against oracle, of the values that both have (percentage points for percentages)."""
    return {_MEASURES.gap_name(name): abs(unlearned[name] - oracle[name]) for name in unlearned if name in oracle}
