"""What rounding alone adds to the difference of two scores: accuracies of few images come in steps of one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from sweeps.objective import Objective
from sweeps.record.record import SweepRecord
from unlearn.gaps import Measures

__all__ = ["entering", "image_step", "images_of", "metric_rounding", "moved_by", "objective_in", "score_rounding"]

#: The rounding of what does not come in steps: next to nothing, but known.
EXACT = 1e-9
#: Prefix of the columns that hold metrics at the epoch that counts.
_AT = "metric."


def objective_in(record: SweepRecord) -> Objective:
    """The objective of a sweep, as its record tells it."""
    kept = record.spec.get("objective") or {}
    known = {key: kept[key] for key in ("name", "gaps") if kept.get(key)}
    return Objective(
        known.get("name", Objective.name), tuple(known.get("gaps", Objective.gaps)), Measures(record.measures)
    )


def entering(record: SweepRecord, frame: pd.DataFrame, prefix: str = "") -> list[str]:
    """Which gaps of a frame, whose columns are called so after `prefix`, enter the score: of those measured at every epoch.

    What is measured at the epoch that counts alone, to spare time, is in no score.
    """
    there = frame.columns[frame.notna().any()].astype(str)
    gaps = objective_in(record).counts([c.removeprefix(prefix) for c in there if c.startswith(prefix)])
    measured = [gap for gap in gaps if gap in record.curves and record.curves[gap].notna().any()]
    return measured or gaps  # where no curves are known


def score_rounding(record: SweepRecord, rows: pd.DataFrame) -> float:
    """The standard deviation that rounding gives a difference of scores among evaluations of one forget size; 0 where unknown.

    The score itself comes in the steps of its finest gap. The coarsest one, of a few images to forget, may be equal by chance on
    all of three forget sets, and the fine ones then look like proof. So each gap counts with one image's worth, or where it is
    of no accuracy with the least distance of two values of what it is a gap of, and with what that moves the score by.
    """
    scenario = str(rows["scenario"].iloc[0]) if "scenario" in rows and len(rows) else ""
    sizes = rows["forget_size"].dropna()
    size = int(sizes.max()) if len(sizes) else None
    measures, gaps = Measures(record.measures), entering(record, rows, _AT)
    names = [str(c).removeprefix(_AT) for c in rows if str(c).startswith(_AT)]
    accuracies = measures.family("accuracy", names)
    steps = {
        gap: image_step(name, rows[f"{_AT}{name}"], images_of(record, scenario, name, size))
        if name in accuracies
        else _step(rows[f"{_AT}{name}"])
        for name in names
        if (gap := measures.gap_name(name)) in gaps
    }
    return math.hypot(*moved_by(record, rows, steps)) / math.sqrt(6)


def metric_rounding(record: SweepRecord, rows: pd.DataFrame, metric: str) -> float:
    """The same of one metric: one image's worth of the gap of an accuracy; costs and distances do not come in steps; else 0."""
    if metric == "score":
        return score_rounding(record, rows)
    measures = Measures(record.measures)
    names = [str(c).removeprefix(_AT) for c in rows if str(c).startswith(_AT)]
    if metric in [*measures.family("cost", names), *measures.family("distance", names)]:
        return EXACT
    of = next((n for n in measures.family("accuracy", names) if measures.gap_name(n) == metric), None)
    if of is None:
        return 0.0
    scenario, sizes = str(rows["scenario"].iloc[0]), rows["forget_size"].dropna()
    images = images_of(record, scenario, of, int(sizes.max()) if len(sizes) else None)
    return image_step(of, rows[f"{_AT}{of}"], images) / math.sqrt(6)


def moved_by(record: SweepRecord, rows: pd.DataFrame, steps: Mapping[str, float]) -> list[float]:
    """By how much each gap's step moves the mean score of these evaluations; nothing where gaps are missing that it needs."""
    objective, gaps = objective_in(record), entering(record, rows, _AT)
    means = {gap: float(rows[f"{_AT}{gap}"].astype(float).mean()) for gap in gaps}
    try:
        usual = objective.score(means)
    except (KeyError, ValueError):
        return []
    return [objective.score({**means, gap: means[gap] + step}) - usual for gap, step in steps.items() if gap in means]


def image_step(name: str, values: pd.Series[float], images: int | None) -> float:
    """What one image is worth of an accuracy (%), as far as is known; 0 where nothing is.

    Args:
        images: of how many it is (`images_of`); None where that is not known, and the least distance of two values, all right and
            all wrong among them, stands for one image: few values may lie far apart.
    """
    values = values.dropna().astype(float)
    if not len(values):
        return 0.0
    if name != "forget_accuracy" and not values.between(0, 100, inclusive="neither").any():
        return 0.0
    return 100 / images if images else _step(pd.concat([values, pd.Series([0.0, 100.0])]))


def images_of(
    record: SweepRecord, scenario: str, name: str, size: int | None, part: Literal["dev", "test"] = "test"
) -> int | None:
    """Of how many images an accuracy is, at a forget size; None where an older version did not keep it.

    Args:
        part: which images are held out.
    """
    if name == "forget_accuracy":
        return size
    if name == "retain_accuracy":
        return record.images["train"] - size if "train" in record.images and size is not None else None
    if name == "class_accuracy":
        return record.class_images.get(scenario, {}).get(part)
    return record.images.get(part) if name == "heldout_accuracy" else None


def _step(values: pd.Series[float]) -> float:
    steps = np.diff(np.unique(values.dropna().to_numpy(float).round(9)))
    return float(steps.min()) if len(steps) else 0.0
