"""From metrics to score: the trade-off between utility and forgetting that a search minimises. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from unlearn.gaps import Measures, pareto_front

AVERAGE_GAPS = ("forget_gap", "utility_gap", "retain_gap", "class_test_gap", "mia_knn_forget_gap")
TUG_OF_WAR = ("forget_gap", "retain_gap", "utility_gap")
TOP = 5

#: What the score of each objective is called.
TITLES = {"average_gap": "average gap", "tow": "tug-of-war", "pareto": "mean gap"}

ObjectiveName = Literal["average_gap", "tow", "pareto"]


@dataclass(frozen=True)
class Objective:
    """How one epoch's metrics become the score; lower is better, always.

    `average_gap`: mean of the gaps that are present (the paper's Average Error Gap), in percentage points.
    `tow`: 1 − (1 − |ΔUA|)(1 − |ΔRA|)(1 − |ΔTA|), tug-of-war, with gaps as fractions.
    `pareto`: (utility gap, forgetting gap), each the mean of its side's gaps present; an epoch is chosen by their mean.
    """

    name: ObjectiveName = "average_gap"
    gaps: tuple[str, ...] = AVERAGE_GAPS
    measures: Measures = field(default_factory=Measures, compare=False)

    @property
    def directions(self) -> tuple[str, ...]:
        return ("minimize", "minimize") if self.name == "pareto" else ("minimize",)

    def values(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """The score (two for `pareto`) of one epoch."""
        if self.name == "pareto":
            return _mean(metrics, self.measures.side("utility")), _mean(metrics, self.measures.side("forgetting"))
        if self.name == "tow":
            kept = 1.0
            for gap in TUG_OF_WAR:
                kept *= 1 - metrics[gap] / 100
            return (1 - kept,)
        return (_mean(metrics, self.gaps),)

    def counts(self, names: Collection[str]) -> list[str]:
        """Those of the gaps named that enter the score."""
        if self.name == "pareto":
            entering = self.measures.side("utility") + self.measures.side("forgetting")
        else:
            entering = TUG_OF_WAR if self.name == "tow" else self.gaps
        return [gap for gap in entering if gap in names]

    def unit(self, names: Collection[str]) -> str:
        """Of the score of the gaps named: theirs where they have one, else none."""
        units = {self.measures.label(gap).unit for gap in self.counts(names)}
        return units.pop() if self.name != "tow" and len(units) == 1 else ""

    def score(self, metrics: Mapping[str, float]) -> float:
        """The one number by which epochs are compared."""
        return fmean(self.values(metrics))


def _mean(metrics: Mapping[str, float], names: Sequence[str]) -> float:
    present = [metrics[name] for name in names if name in metrics]
    if not present:
        raise ValueError(f"the objective needs one of {', '.join(names)}, got {', '.join(sorted(metrics))}")
    return fmean(present)


def knee(points: Sequence[Sequence[float]]) -> int:
    """Index of the point to export: with one score the least; with two the knee of the Pareto front.

    The knee is the front's point nearest to the ideal one, each score divided by the front's own range. The earliest of equals.
    """
    if len(points[0]) == 1:
        return min(range(len(points)), key=lambda i: points[i][0])
    front = pareto_front(points)
    lows = [min(points[i][axis] for i in front) for axis in range(len(points[0]))]
    spans = [max(points[i][axis] for i in front) - low for axis, low in enumerate(lows)]

    def distance(i: int) -> float:
        return sum(((x - low) / (span or 1)) ** 2 for x, low, span in zip(points[i], lows, spans, strict=True))

    return min(front, key=distance)


def best_epoch(scores: Sequence[float]) -> int:
    """The 1-based epoch of the least score; the earliest of equals."""
    return min(range(len(scores)), key=scores.__getitem__) + 1


def top_epochs(scores: Sequence[float], count: int = TOP) -> list[int]:
    """The 1-based epochs of the `count` least scores (fewer where there are fewer), best first."""
    return [i + 1 for i in sorted(range(len(scores)), key=scores.__getitem__)[:count]]


def scrub_r_epoch(curve: Sequence[Mapping[str, float]]) -> int:
    """SCRUB-R's epoch: forget error nearest to the final model's validation error (Kurmanji et al., 2024).

    Args:
        curve: metrics of epochs 0 (the original model) … n, with `forget_accuracy` and `validation_accuracy`.

    Returns:
        The epoch, 0 … n; the earliest of equals.
    """
    target = curve[-1]["validation_accuracy"]
    return min(range(len(curve)), key=lambda epoch: abs(curve[epoch]["forget_accuracy"] - target))
