"""What is measured of a model and its gaps to the oracle: names, labels, units, sides of the trade-off, and the front.

The standard library only, so that reports read it without torch. A metric of one's own, inside this package or outside, declares
the facts of its values in its own file (`declares`); they are kept with the sweep that used it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeVar

__all__ = [
    "MEASURES",
    "POINTS",
    "Label",
    "Measure",
    "Measures",
    "compares_models",
    "declared",
    "declares",
    "pareto_front",
]

POINTS = "percentage points"

Side = Literal["utility", "forgetting", ""]
Family = Literal["accuracy", "attack", "error", "cost", "distance", ""]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Measure:
    """One value that a metric gives of a model, and the gap between unlearned model and oracle that belongs to it.

    Attributes:
        name: as metrics return it. short, title: in tables and above panels. unit: `%`, or as printed.
        gap: name of the gap; `<name>_gap` where empty. gap_title: above its panel.
        side: of the trade-off that the gap counts towards; none where empty.
        decisions: of an attack: on how many samples it decides for each sample to forget, where there are as many; 0: not known.
        family: which chart shows it: attacks beside the oracle's line, accuracies as curves; gaps of errors are not drawn, for
            they are those of accuracies once more. `cost` and `distance` are values of a run, without a gap.
    """

    name: str
    short: str
    title: str
    unit: str = "%"
    gap: str = ""
    gap_title: str = ""
    side: Side = ""
    family: Family = ""
    decisions: int = 0

    @property
    def gap_name(self) -> str:
        """What the gap is called in metrics, curves and tables."""
        return self.gap or f"{self.name}_gap"


@dataclass(frozen=True)
class Label:
    """How a value or a gap is printed."""

    key: str
    short: str
    title: str
    unit: str

    @property
    def axis(self) -> str:
        """The title of an axis."""
        unit = self.unit.removeprefix("percentage ")
        return f"{self.short} ({unit})" if unit else self.short


def _attack(name: str, short: str, sees: str, decisions: int) -> Measure:
    title = f"{short}: {sees}"
    return Measure(
        name, short, title, gap_title=f"{short} gap", side="forgetting", family="attack", decisions=decisions
    )


#: The measures of this package, in the paper's order: UA, utility, RA, CTA, attacks, others.
MEASURES = (
    Measure(
        *("forget_accuracy", "UA", "Forget accuracy", "%"),
        *("forget_gap", "Forget (unlearning) accuracy gap", "forgetting", "accuracy"),
    ),
    Measure(
        *("heldout_accuracy", "Utility", "Accuracy on held-out images", "%"),
        *("utility_gap", "Utility gap", "utility", "accuracy"),
    ),
    Measure(
        *("retain_accuracy", "RA", "Retain accuracy", "%"),
        *("retain_gap", "Retain accuracy gap", "utility", "accuracy"),
    ),
    Measure(
        *("class_accuracy", "CTA", "Class test accuracy", "%"),
        *("class_test_gap", "Class test accuracy gap", "forgetting", "accuracy"),
    ),
    _attack("mia_loss", "MIA-I", "loss", 2),
    _attack("mia_confidence", "MIA-II", "confidence", 1),
    _attack("mia_knn_forget", "MIARS-I", "features, forget set", 2),
    _attack("mia_knn_train", "MIARS-II", "features, training set", 1),
    Measure("validation_accuracy", "Validation", "Validation accuracy", gap_title="Validation accuracy gap"),
    Measure("retain_error", "Retain Err", "Retain error", family="error"),
    Measure("forget_error", "Forget Err", "Forget error", family="error"),
    Measure("heldout_error", "Test Err", "Test error", family="error"),
    Measure("ic_error_retain", "IC Retain", "Interclass confusion error, retain", "fraction", family="error"),
    Measure("ic_error_heldout", "IC Test", "Interclass confusion error, test", "fraction", family="error"),
    Measure("fgt_error_retain", "FGT Retain", "FGT error, retain", "count", family="error"),
    Measure("fgt_error_heldout", "FGT Test", "FGT error, test", "count", family="error"),
    Measure("relative_run_time", "RRT (time)", "Relative run time, seconds", "× oracle", family="cost"),
    Measure(
        *("relative_samples", "RRT (samples)"),
        *("Relative run time, samples passed forward and backward", "× oracle"),
        family="cost",
    ),
    Measure(
        *("relative_forward_samples", "RRT (forward only)"),
        *("Samples passed forward only (a teacher's logits, for instance), not in RRT (samples)", "× oracle"),
        family="cost",
    ),
    Measure("weight_distance", "Weight distance", "Weight distance, penultimate layer", "L2", family="distance"),
    Measure("weight_distance_all", "Weight distance (all)", "Weight distance, all layers", "L2", family="distance"),
)

_GROUPS = {"in": "ordinary samples", "ood": "scrambled samples"}


def declares(*measures: Measure) -> Callable[[Function], Function]:
    """Tell the facts of the values that a metric's function returns.

    Raises:
        ValueError: a gap with a name of its own; those are the accuracies' alone.
    """
    for measure in measures:
        if measure.gap:
            raise ValueError(
                f"measure {measure.name}: gap must be left empty (it is {measure.name}_gap), got {measure.gap!r}"
            )

    def mark(function: Function) -> Function:
        function.measures = measures  # type: ignore[attr-defined]
        return function

    return mark


def compares_models(function: Function) -> Function:
    """Tell of a metric's function that it takes a model and the oracle, and that its values are reported as they are."""
    function.compares_models = True  # type: ignore[attr-defined]
    return function


def declared(functions: Iterable[Callable[..., Any]]) -> list[dict[str, Any]]:
    """The facts that metrics declare of themselves, as plain data to be kept with a sweep."""
    return [asdict(measure) for function in functions for measure in getattr(function, "measures", ())]


class Measures:
    """This package's measures and a sweep's own ones, which come after them and may rename them.

    One that is called as another one is already has its name beside that: a column of a table stands for one value.

    Args:
        own: as `declared` gave them.
    """

    def __init__(self, own: Iterable[Mapping[str, Any]] = ()) -> None:
        known = {measure.name: measure for measure in MEASURES}
        for measure in (Measure(**facts) for facts in own):
            others = [m for m in known.values() if m.name != measure.name]
            known[measure.name] = replace(
                measure,
                short=_alone(measure.short, measure.name, [m.short for m in others]),
                title=_alone(measure.title, measure.name, [m.title for m in others]),
            )
        self._values = known
        self._gaps = {measure.gap_name: measure for measure in known.values()}

    def gap_name(self, name: str) -> str:
        """The gap that belongs to a value."""
        found = self._values.get(name)
        return found.gap_name if found is not None else f"{name}_gap"

    def decisions(self, name: str) -> int:
        """On how many samples an attack decides for each sample to forget; 0 where it is not known."""
        found = self._values.get(name)
        return found.decisions if found is not None else 0

    def side(self, side: Side) -> tuple[str, ...]:
        """Gaps that count towards one side of the trade-off, in order."""
        return tuple(gap for gap, measure in self._gaps.items() if measure.side == side)

    def family(self, family: Family, among: Iterable[str]) -> list[str]:
        """The values of one family among the names given, in order; groups of the forget set are no family's."""
        names = set(among)
        return [name for name, measure in self._values.items() if measure.family == family and name in names]

    def family_gaps(self, family: Family, among: Iterable[str]) -> list[str]:
        """The gaps that belong to one family's values, among the names given, in order."""
        names = set(among)
        return [gap for gap, measure in self._gaps.items() if measure.family == family and gap in names]

    def groups(self, among: Iterable[str]) -> list[str]:
        """The gaps of a scenario's own parts of the forget set, among the names given, by name."""
        return sorted(name for name in among if name.endswith("_gap") and self._group_of_gap(name) is not None)

    def gaps(self, among: Iterable[str]) -> list[str]:
        """The gaps to the oracle among the names given, but those of errors: the known ones in order, then others by name."""
        names = [name for name in among if name.endswith("_gap") or name in self._gaps]
        first = [gap for gap, measure in self._gaps.items() if gap in names and measure.family != "error"]
        return first + sorted({n for n in names if n not in self._gaps and n != "average_gap"})

    def label(self, key: str) -> Label:
        """How a value, a gap or `score` is printed; what nobody declared is called by its name, without a unit."""
        if key == "score":
            return Label(key, "score", "Score of the objective", "")
        if key in self._values:
            measure = self._values[key]
            return Label(key, measure.short, measure.title, measure.unit)
        if key in self._gaps or key.endswith("_gap"):
            return self._gap_label(key)
        return self._group(key) or _by_its_name(key)

    def _gap_label(self, key: str) -> Label:
        measure = self._gaps.get(key)
        if measure is not None:
            title = measure.gap_title or f"{measure.title}: gap"
            return Label(key, f"Δ{measure.short}", title, POINTS if measure.unit == "%" else measure.unit)
        of = self._group_of_gap(key)
        if of is None:
            return _by_its_name(key)
        return Label(key, f"Δ{of.short}", of.title.replace("accuracy", "accuracy gap"), POINTS)

    def _group_of_gap(self, key: str) -> Label | None:
        name = key.removesuffix("_gap")
        if key in self._gaps:
            return None
        return self._group(f"{name}_accuracy" if name.removeprefix("forget_") in _GROUPS else name)

    def _group(self, key: str) -> Label | None:
        """`forget_<group>_accuracy`: a scenario's own part of the forget set."""
        if not (key.startswith("forget_") and key.endswith("_accuracy")) or key in self._values:
            return None
        group = key.removeprefix("forget_").removesuffix("_accuracy")
        words = _GROUPS.get(group, group.replace("_", " "))
        return Label(key, f"UA {group.upper().replace('_', ' ')}", f"Forget accuracy, {words}", "%")


def _alone(label: str, name: str, taken: Iterable[str]) -> str:
    return f"{label} ({name})" if label in taken else label


def _by_its_name(key: str) -> Label:
    words = key.replace("_", " ")
    return Label(key, words, words, "")


def pareto_front(points: Sequence[Sequence[float]]) -> list[int]:
    """Indices of the points that no other one dominates (as good in every score, better in one); all are minimised."""

    def dominated(point: Sequence[float]) -> bool:
        return any(
            all(b <= a for a, b in zip(point, other, strict=True)) and tuple(other) != tuple(point) for other in points
        )

    return [i for i, point in enumerate(points) if not dominated(point)]
