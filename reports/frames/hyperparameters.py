"""The best hyperparameters, in the layout of the paper's Tables 3 and 4."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reports.frames._base import methods, stage_trials
from sweeps.record import SweepRecord, Winner, remarks

__all__ = ["best_hyperparameters", "edges"]

_FIRST = ("lr", "alpha", "forget_batch_size", "lr_decay_epoch")


def best_hyperparameters(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """One row per hyperparameter that was searched or, without a search, given; one column per method; None where a method lacks
    one, or has its default, or no trial of it completed. What the sweep file fixes of others' rows is in `attrs["fixed"]` too, as
    (method, row).

    A method that has no forget batch but a searched retain batch (FineTune, L1Sparse) shows it in the `forget_batch_size` row,
    as the paper does, and is named in the frame's `attrs["retain_batch"]`. The stop epoch is the last row, where one has any.
    """
    winners = record.winners.get(scenario, {})
    unsearched = [m for m in methods(record, scenario) if ("search", scenario, m) not in record.planned]
    fixed = {method: _fixed(record, method) for method in [*winners, *unsearched]}
    best = {m: {**fixed[m], **_found(record, m, winners.get(m))} for m in fixed}
    marked = [m for m in best if "forget_batch_size" not in best[m] and "retain_batch_size" in best[m]]
    columns: dict[str, dict[str, object]] = {}
    for method in methods(record, scenario):
        values = dict(best.get(method, {}))
        if method in marked:
            values["forget_batch_size"] = values.pop("retain_batch_size")
        columns[method] = values
    searched = {name for method, name in _searched(record, scenario) if name in columns.get(method, {})}
    rows = [*_FIRST, *sorted((searched | _given(record, scenario, columns)) - set(_FIRST))]
    frame = pd.DataFrame({m: [v.get(name) for name in rows] for m, v in columns.items()}, index=rows, dtype=object)
    stops = {m: winners[m].stop_epoch if m in winners else None for m in columns}
    if any(stop is not None for stop in stops.values()):
        frame.loc["stop_epoch"] = pd.Series(stops, dtype=object)
    frame.index.name = "hyperparameter"
    frame.attrs["retain_batch"] = [m for m in columns if m in marked]
    given = [m for m, winner in winners.items() if winner.source == "given"]
    shown = {
        (m, "forget_batch_size" if m in marked and n == "retain_batch_size" else n) for m in fixed for n in fixed[m]
    }
    frame.attrs["fixed"] = {(m, n) for m, n in shown if m not in given and n in frame.index}
    return frame


def _found(record: SweepRecord, method: str, winner: Winner | None) -> dict[str, object]:
    """A winner's hyperparameters, without those of all methods (`unlearning`): its own section has those that it searches."""
    if winner is None:
        return {}
    known, of_all = record.spec.get("methods"), record.spec.get("unlearning") or {}
    own = known.get(method) if isinstance(known, Mapping) else None
    return {n: v for n, v in winner.hyperparameters.items() if own is None or n in own or n not in of_all}


def _fixed(record: SweepRecord, method: str) -> dict[str, object]:
    """The hyperparameters of a method for which its section in the sweep file has a number instead of a range."""
    known = record.spec.get("methods")
    section = (known.get(method) if isinstance(known, Mapping) else None) or {}
    return {name: value for name, value in section.items() if isinstance(value, int | float)}


def _given(record: SweepRecord, scenario: str, columns: Mapping[str, Mapping[str, object]]) -> set[str]:
    """The hyperparameters of methods that were not searched here which a search would have found: those that have a range."""
    trials = stage_trials(record, "search", scenario)
    unsearched = set(columns) - set(trials["method"] if len(trials) else ())
    known = record.spec.get("methods")
    settings = {m: (known.get(m) if isinstance(known, Mapping) else None) or {} for m in unsearched}
    return {
        name for method in unsearched for name in columns[method] if isinstance(settings[method].get(name), Mapping)
    }


def edges(record: SweepRecord, scenario: str) -> set[tuple[str, str]]:
    """(method, row of `best_hyperparameters`) where a winner lies at an end of its range that could be moved."""
    marked = best_hyperparameters(record, scenario).attrs["retain_batch"]
    found = {(str(r.method), r.name) for r in remarks(record) if r.kind == "edge" and r.scenario == scenario}
    return {(m, "forget_batch_size" if m in marked and n == "retain_batch_size" else n) for m, n in found}


def _searched(record: SweepRecord, scenario: str) -> set[tuple[str, str]]:
    """(method, hyperparameter) where the method's search trials differ in it."""
    rows = stage_trials(record, "search", scenario)
    names = [c for c in rows.columns if c.startswith("hp.")]
    return {
        (str(method), name.removeprefix("hp."))
        for method, trials in (rows.groupby("method") if len(rows) else ())
        for name in names
        if trials[name].nunique() > 1
    }
