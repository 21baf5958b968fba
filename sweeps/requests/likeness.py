"""In what a request is unlike the forget sets that a method was tuned and evaluated on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from sweeps.codes import changed
from sweeps.jobs.job import CODE
from sweeps.record import SweepRecord
from sweeps.requests.choice import Configuration
from unlearn.data import Indices, Labels
from unlearn.scenarios import Scenario
from unlearn.scenarios.listed import ListedRows

#: A random draw has more uneven classes once in so many draws.
DRAWS = 10_000
SHOWN = 3


def unlikenesses(
    scenario: Scenario, rows: Indices, labels: Labels, class_names: Sequence[str], sizes: Collection[int]
) -> list[str]:
    """One sentence each; none where the request is like them.

    Args:
        scenario: what was tuned on, its classes and images as positions.
        rows: what is to be forgotten, as positions in the training split, whose labels are `labels`.
        sizes: the sizes of the forget sets evaluated; those tuned on where none were.
    """
    return [*_size(len(rows), sizes), *_classes(scenario, rows, labels, class_names)]


def changed_code(record: SweepRecord, chosen: Configuration, codes: Mapping[str, str]) -> list[str]:
    """Of which components a trial by which a method was tuned or evaluated ran with other code than these."""
    trials = record.counted
    if CODE not in trials:
        return []
    mine = trials[(trials["scenario"] == chosen.scenario) & (trials["method"] == chosen.method)]
    return changed(mine[CODE].dropna().unique(), codes)


def _size(size: int, known: Collection[int]) -> Iterator[str]:
    if known and not min(known) <= size <= max(known):
        span = f"{min(known):,}" if min(known) == max(known) else f"{min(known):,} to {max(known):,}"
        yield f"it has {size:,} sample{'' if size == 1 else 's'}, and the forget sets of the evaluation had {span}"


def _classes(scenario: Scenario, rows: Indices, labels: Labels, names: Sequence[str]) -> Iterator[str]:
    if isinstance(scenario, ListedRows):
        other = len(set(rows.tolist()) ^ set(scenario.rows))
        if other:
            yield f"it is another list than the one tuned on: they differ in {other:,} samples"
        return
    counts, there = (np.bincount(of, minlength=len(names)) for of in (labels[rows], labels))
    classes = list(scenario.classes_among(labels))
    if classes:
        outside = len(rows) - int(counts[classes].sum())
        if outside:
            of = " and ".join(f"{names[c]!r}" for c in classes)
            yield f"{outside:,} of its {len(rows):,} samples are not of class {of}, of which the sweep's forget sets were"
    elif uneven(counts, there):
        first = np.argsort(-counts, kind="stable")[:SHOWN].tolist()
        most = ", ".join(f"{counts[c]:,} of {names[c]!r}" for c in first if counts[c])
        yield f"its classes are not those of a random draw, on which the sweep was tuned: of {len(rows):,} samples {most}"
    whole = [names[c] for c in np.flatnonzero((counts == there) & (there > 0)).tolist()]
    if whole and (scenario.sized or not classes):
        more = f" and {len(whole) - SHOWN:,} more classes" if len(whole) > SHOWN else ""
        named = f"{', '.join(map(repr, whole[:SHOWN]))}{more}"
        yield f"it takes every training sample of {named}, and no forget set of the sweep did"


def uneven(counts: Indices, there: Indices) -> bool:
    """Whether the classes of a draw are more uneven than all of `DRAWS` random draws: χ² against the training set's shares."""
    present = there > 0
    counts, shares = counts[present], there[present] / there.sum()
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_hypergeometric(there[present], int(counts.sum()), DRAWS)
    wanted = shares * counts.sum()
    chi = ((drawn - wanted) ** 2 / wanted).sum(1)
    return bool(((counts - wanted) ** 2 / wanted).sum() > chi.max())


__all__ = ["changed_code", "uneven", "unlikenesses"]
