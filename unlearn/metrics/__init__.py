"""Metrics, one family a file: outputs in, named floats out.

A family is a function `measure(outputs) -> {name: value}` of ONE model; what is reported is the gap between the unlearned
model's value and the oracle's. A value that is not defined (an attack on a single sample, say) is left out, never invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from unlearn.metrics._base import Floats, Outputs, SetOutputs
from unlearn.registry import find

__all__ = ["GAP_NAMES", "Floats", "Outputs", "SetOutputs", "gaps", "measure"]

#: The paper's names for the gaps in accuracy; any other value's gap is `<value>_gap`.
GAP_NAMES = {
    "retain_accuracy": "retain_gap",
    "forget_accuracy": "forget_gap",
    "heldout_accuracy": "utility_gap",
    "class_accuracy": "class_test_gap",
}


def measure(outputs: Outputs, families: Iterable[str]) -> dict[str, float]:
    """Every value of the named families, for one model."""
    values: dict[str, float] = {}
    for family in families:
        values.update(find("metrics", family)(outputs))
    return values


def gaps(unlearned: Mapping[str, float], oracle: Mapping[str, float]) -> dict[str, float]:
    """Absolute differences, unlearned against oracle, of the values that both have (percentage points for percentages)."""
    return {
        GAP_NAMES.get(name, f"{name}_gap"): abs(unlearned[name] - oracle[name]) for name in unlearned if name in oracle
    }
