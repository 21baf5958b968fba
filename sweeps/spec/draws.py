"""How far the forget sets of an evaluation can be kept apart from those tuned on: drawn beforehand, from labels alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sweeps.spec.data import scenario_of, split_data
from sweeps.spec.schema import ScenarioSpec, Spec
from unlearn.data import ImageDataset, Indices, Labels, Look, look_at
from unlearn.registry import is_own
from unlearn.scenarios import Scenario, halves


def overlap_notes(spec: Spec, data: ImageDataset | Look) -> Iterator[str]:
    """One sentence for each scenario whose forget sets are larger than half of its samples, with the share that is in both.

    Scenarios of the user's own, which may want the images, are passed over.
    """
    assert data.train_labels is not None
    splits = split_data(spec, data)
    labels = data.train_labels[splits.train]
    for label, body in spec.scenarios.items():
        scenario = scenario_of(spec, label, data, splits)
        if spec.rules > 1 and scenario.draws_vary and is_own("scenarios", spec.scenario_key(label)):
            shares = dict(_shares(spec, body, scenario, labels))
            if any(shares.values()):
                sets = len(spec.search.seeds)
                each = ", ".join(f"{share:.0%} of {size}" for size, share in shares.items())
                yield (
                    f"scenarios.{label}: its evaluation's forget sets share samples with the {sets} sets tuned on "
                    f"({each}): one of the two is larger than half of the samples; smaller sets are apart"
                )


def seen_overlap(spec: Spec, cache: Path) -> list[str]:
    """The same of data that can be looked at without being decoded; nothing of other data, which must be sound."""
    seen = look_at(spec.dataset.name, cache / "data", spec.dataset.options)
    known = seen is not None and seen.train_labels is not None and seen.class_names is not None
    if seen is None or not known or (seen.ids is None and isinstance(spec.held_out, str)):
        return []
    return list(overlap_notes(spec, seen))


def _shares(spec: Spec, body: ScenarioSpec, scenario: Scenario, labels: Labels) -> Iterator[tuple[int, float]]:
    """(size, share of a forget set of that size that tuning sets have too)."""
    limit = scenario.limit(labels)
    tuning, evaluation = halves(labels, spec.seed)
    tuned = [_draw(scenario, labels, body.tune_size or limit, seed, evaluation) for seed in spec.search.seeds]
    seen = np.unique(np.concatenate(tuned))
    for size in body.sizes or [limit]:
        yield size, float(np.isin(_draw(scenario, labels, size, 0, tuning), seen).mean())


def _draw(scenario: Scenario, labels: Labels, size: int, seed: int, avoid: Indices) -> Indices:
    images = np.zeros((len(labels), 1, 1, 1), np.uint8)  # which samples are drawn does not depend on them
    return scenario.draw(images, labels, size, seed, avoid).indices
