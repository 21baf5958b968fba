"""What the n of a report counts: forget sets, runs on the one forget set, trainings; and what tuning sets share with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from reports.names import scenario_label
from sweeps.record import FLOOR, SweepRecord, draws_vary, evaluations

__all__ = ["Sampled", "confirmed_on", "counted", "overlap_sentence", "sampled", "sampled_in", "sampled_over"]

RUNS_ON_ONE = "runs on the one forget set"


@dataclass(frozen=True)
class Sampled:
    """What an evaluation repeats.

    Attributes:
        varies: whether forget sets do. trainings, sets, runs: how many; sets of one training, runs of one set.
        overlap: mean share of a forget set's samples that tuning sets hold too, 0 … 1; None where it was not kept.
    """

    varies: bool
    trainings: int
    sets: int
    runs: int
    overlap: float | None

    @property
    def nouns(self) -> str:
        """What n counts."""
        kind = "forget sets" if self.varies else RUNS_ON_ONE
        if self.trainings > 1:
            repeated = f", {self.runs} on each" if self.runs > 1 else ""
            return f"runs: {self.trainings} trainings, {self.sets} {kind} each{repeated}"
        return f"runs, {self.runs} on each forget set" if self.runs > 1 else kind


def sampled(record: SweepRecord, scenario: str) -> Sampled:
    """What the evaluation of a scenario repeats at the size that methods are compared at."""
    rows = pd.concat([evaluations(record, scenario), evaluations(record, scenario, FLOOR)])
    size = record.shown_size(scenario)
    rows = rows[rows["forget_size"] == size] if size is not None else rows
    draws = rows.groupby("training")["draw"].nunique()
    runs = rows.groupby(["training", "draw"])["run"].nunique()
    overlap = rows["overlap"].astype(float).mean() if "overlap" in rows else float("nan")
    return Sampled(
        draws_vary(record, scenario),
        max(len(draws), 1),
        int(draws.max()) if len(draws) else 0,
        int(runs.max()) if len(runs) else 0,
        None if pd.isna(overlap) else float(overlap),
    )


def sampled_over(record: SweepRecord, scenarios: Iterable[str]) -> str:
    """What n counts in a table of several scenarios."""
    nouns = {s: sampled(record, s).nouns for s in dict.fromkeys(scenarios)}
    if len(set(nouns.values())) == 1:
        return next(iter(nouns.values()))
    return _each({scenario_label(s): noun for s, noun in nouns.items()})


def sampled_in(named: Mapping[str, SweepRecord], scenario: str) -> str:
    """What n counts in one scenario of several sweeps."""
    nouns = {label: sampled(record, scenario).nouns for label, record in named.items()}
    if len(set(nouns.values())) == 1:
        return next(iter(nouns.values()))
    return _each(nouns)


def _each(nouns: Mapping[str, str]) -> str:
    return f"evaluations ({'; '.join(f'{label}: {noun}' for label, noun in nouns.items())})"


def counted(record: SweepRecord, scenario: str, n: int, size: int | None) -> str:
    """ "5 fresh forget sets of 100": `n` observations of one method; fresh only where no tuning set holds a sample of them."""
    about = sampled(record, scenario)
    of = f" of {size}" if size is not None else ""
    if not about.varies:
        runs = "run" if n == 1 else "runs"
        on = f", {about.trainings} trainings" if about.trainings > 1 else ""
        return f"{n} {runs} on the one forget set{of}{on}"
    fresh = "fresh " if about.overlap == 0 else ""
    if about.trainings > 1 or about.runs > 1:
        every = max(about.trainings * about.sets * about.runs, n)
        many = f"{n} of {every}" if n < every else f"{n}"
        return f"{many} runs ({about.nouns.removeprefix('runs').lstrip(':, ')}), {fresh}forget sets{of}"
    return f"{n} {fresh}forget {'set' if n == 1 else 'sets'}{of}"


def confirmed_on(record: SweepRecord, scenario: str) -> str:
    """What the confirmation of a search varies; of one forget set it is the run, for that has one oracle."""
    if draws_vary(record, scenario):
        return "on further tuning forget sets"
    return "in further runs on the one forget set, against the same oracle"


def overlap_sentence(record: SweepRecord, scenario: str) -> str:
    """How much of the evaluation's forget sets the tuning sets hold; empty where that is nothing, or was not kept."""
    about = sampled(record, scenario)
    if not about.varies:
        searched = (record.counted["stage"] == "search") & (record.counted["scenario"] == scenario)
        shared = ": search and evaluation share it and an oracle of it" if searched.any() else ""
        return (
            f"There is one forget set{shared}, and what varies is the run{' and the training' * (about.trainings > 1)}."
        )
    if not about.overlap:
        return ""
    return f"On average {100 * about.overlap:.2g} % of these forget sets' samples are in tuning sets too."
