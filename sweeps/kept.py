"""The unlearned models that a sweep's evaluation has kept: which there are, where each lies, and which are not there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from sweeps.errors import SweepError
from sweeps.record import UNTOUCHED, load_sweep
from sweeps.sweep import Sweep
from unlearn.model_files import ENDING
from unlearn.shared import SharedFolder

State = Literal["kept", "shared", "missing", "not written", "not asked for"]


@dataclass(frozen=True)
class KeptModel:
    """The unlearned model of one completed trial of an evaluation.

    Attributes:
        trial: its number in its study.
        score: of the model, at the epoch that counts.
        superseded: whether the winner is another one since.
        state: `shared`: another machine has it; `missing`: it was kept, and is no longer there; `not asked for`: the trial ran
            while `evaluation.keep_models` was off.
        key: of its file; None where none was written. place: its path or URL, where it is there.
        reason: why it was not written.
    """

    scenario: str
    method: str
    forget_size: int
    forget_seed: int
    training: int
    run: int
    seed: int
    trial: int
    epoch: int
    score: float
    superseded: bool
    state: State
    key: str | None = None
    place: str | None = None
    bytes: int | None = None
    reason: str | None = None

    @property
    def there(self) -> bool:
        return self.state in {"kept", "shared"}


def kept_models(sweep: Sweep) -> list[KeptModel]:
    """One for each completed trial of the evaluation that unlearns and counts, and for those of earlier winners that have one.

    Raises:
        SweepError: nothing has been run of it.
        ShareError: the cache's URL cannot be read.
    """
    trials = load_sweep(sweep.open_to_read(), sweep.spec.name, importances=False).trials
    done = trials[(trials["stage"] == "evaluation") & (trials["state"] == "COMPLETE") & ~trials["requeued"]]
    done = done[done["method"] != UNTOUCHED]
    done = done[~done["superseded"] | done["kept_model"].notna()]
    share = sweep.cache.share_of_unlearned
    order = ["scenario", "method", "forget_size", "training", "forget_seed", "run"]
    methods = {name: i for i, name in enumerate(sweep.spec.methods)}
    done = done.sort_values(order, key=lambda of: of.map(methods) if of.name == "method" else of, kind="stable")
    return [_kept(row, sweep, share) for row in done.to_dict("records")]


def kept_count(sweep: Sweep) -> int:
    """How many files of kept models there are; none of a sweep of which nothing has been run.

    Raises:
        ShareError: the cache's URL cannot be read.
    """
    try:
        models = kept_models(sweep)
    except SweepError:
        return 0
    return len({model.key for model in models if model.there})


def _kept(row: dict[Any, Any], sweep: Sweep, share: SharedFolder | None) -> KeptModel:
    names = ("forget_size", "forget_seed", "training", "run", "seed", "epoch")
    numbers: dict[str, Any] = {name: 0 if pd.isna(row[name]) else int(row[name]) for name in names}
    return KeptModel(
        scenario=row["scenario"],
        method=row["method"],
        trial=int(row["number"]),
        score=float(row["value"]),
        superseded=bool(row["superseded"]),
        **numbers,
        **_file(row, sweep, share),
    )


def _file(row: dict[Any, Any], sweep: Sweep, share: SharedFolder | None) -> dict[str, Any]:
    """What has become of a trial's model."""
    key, reason = (None if pd.isna(row[name]) else str(row[name]) for name in ("kept_model", "not_kept"))
    if key is None:
        return {"state": "not asked for"} if reason is None else {"state": "not written", "reason": reason}
    path = sweep.cache.unlearned / f"{key}{ENDING}"
    if path.exists():
        return {"state": "kept", "key": key, "place": str(path), "bytes": path.stat().st_size}
    if share is not None and share.has(path.name):
        return {"state": "shared", "key": key, "place": f"{share.url}/{path.name}"}
    return {"state": "missing", "key": key}


def delete_kept_models(sweep: Sweep, models: Iterable[KeptModel]) -> None:
    """Remove their files, here and where they are shared.

    Raises:
        OSError, ShareError: they cannot be.
    """
    from sweeps.jobs.kept import store_of_unlearned  # noqa: PLC0415  # torch comes with it

    store = store_of_unlearned(sweep.cache)
    for key in dict.fromkeys(model.key for model in models if model.key and model.there):
        store.delete(key)


__all__ = ["KeptModel", "delete_kept_models", "kept_count", "kept_models"]
