"""Metrics, one family a file: outputs in, named floats out.

A family is a function `measure(outputs) -> {name: value}` of ONE model; what is reported is the gap between the unlearned
model's value and the oracle's. A function that is marked by `unlearn.gaps.compares_models` is `compare(model, oracle) ->
{name: value}` instead, and what is reported is its value itself. A value that is not defined (an attack on a single sample,
say) is left out, never invented.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from unlearn.errors import MetricError
from unlearn.gaps import Measures
from unlearn.metrics._base import Floats, Outputs, SetOutputs
from unlearn.models import Classifier
from unlearn.registry import find
from unlearn.switches import isolated

__all__ = ["Floats", "Outputs", "SetOutputs", "compare", "comparisons", "gaps", "measure"]

_MEASURES = Measures()


def comparisons(families: Iterable[str]) -> list[str]:
    """Those of the named families that compare a model with the oracle."""
    return [family for family in families if getattr(find("metrics", family), "compares_models", False)]


def measure(outputs: Outputs, families: Iterable[str]) -> dict[str, float]:
    """Every value of the named families, for one model; families that compare two models are passed over.

    A family that draws from global generators draws the same for every model.

    Raises:
        MetricError: a value is not a finite number.
    """
    values: dict[str, float] = {}
    families = list(families)
    passed_over = comparisons(families)
    with isolated(outputs.seed):
        for family in families:
            if family not in passed_over:
                values.update(_finite(family, find("metrics", family)(outputs)))
    return values


def compare(model: Classifier, oracle: Classifier, families: Iterable[str]) -> dict[str, float]:
    """Every value of those named families that compare a model with the oracle; the others are passed over.

    Raises:
        MetricError: a value is not a finite number.
    """
    values: dict[str, float] = {}
    with isolated(0):
        for family in comparisons(families):
            values.update(_finite(family, find("metrics", family)(model, oracle)))
    return values


def _finite(family: str, values: Mapping[str, float]) -> Mapping[str, float]:
    for name, value in values.items():
        if not math.isfinite(value):
            raise MetricError(
                f"metric {name} of {family} must be a finite number, got {value} although the model's outputs are finite: where "
                "it is not defined, it must be left out"
            )
    return values


def gaps(unlearned: Mapping[str, float], oracle: Mapping[str, float]) -> dict[str, float]:
    """Absolute differences, unlearned against oracle, of the values that both have (percentage points for percentages)."""
    return {_MEASURES.gap_name(name): abs(unlearned[name] - oracle[name]) for name in unlearned if name in oracle}
