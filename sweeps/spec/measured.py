"""Which gaps a sweep measures in every epoch: found by measuring made-up outputs of a made-up forget set."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import torch

from unlearn.metrics import Outputs, SetOutputs, gaps, measure
from unlearn.scenarios import ForgetSet, Scenario

CLASSES, OF_CLASS = 200, 6


@lru_cache(maxsize=64)
def gaps_of(scenario: Scenario, families: tuple[str, ...]) -> frozenset[str] | None:
    """Names of the gaps that metric families give in a scenario; None where that cannot be found out."""
    try:
        values = measure(_outputs(scenario), families)
    except Exception:  # a scenario or a metric of the user's own that needs real data
        return None
    return frozenset(gaps(values, values))


def _outputs(scenario: Scenario) -> Outputs:
    labels = np.repeat(np.arange(CLASSES), OF_CLASS)
    images = np.zeros((len(labels), 1, 2, 2), np.uint8)
    limit = scenario.limit(labels)
    size = limit if not scenario.sized else min(limit, max(4, scenario.least))
    drawn = scenario.draw(images, labels, size, seed=0)
    retained = np.setdiff1d(np.arange(len(labels)), drawn.indices)
    sets = {
        "retain": _made_up(labels[retained]),
        "heldout": _made_up(labels),
        "forget": _made_up(labels[drawn.indices]),
        **{f"forget_{name}": _made_up(labels[rows]) for name, rows in drawn.groups.items()},
        **_of_classes(drawn, labels),
    }
    return Outputs(sets, confused=drawn.confused)


def _of_classes(drawn: ForgetSet, labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> dict[str, SetOutputs]:
    if drawn.classes is None:
        return {}
    return {"heldout_class": _made_up(labels[np.isin(labels, drawn.classes)])}


def _made_up(labels: Iterable[int]) -> SetOutputs:
    truth = torch.tensor(list(labels), dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(len(truth), CLASSES, generator=generator)
    return SetOutputs(logits, torch.randn(len(truth), 4, generator=generator), truth)
