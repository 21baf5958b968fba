"""The table of `search_quality`: score curves of many configurations on many forget sets, in one compressed file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from unlearn.files import write_atomically

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Origin = Literal["published", "sobol", "tpe"]
#: The two scores of each epoch: what a strict search sees, and what its user gets.
DEV, TEST = 0, 1


@dataclass(frozen=True)
class Row:
    """One configuration on every forget set of its scenario.

    Attributes:
        origin: where the configuration comes from; `sobol` rows alone are spread evenly over the ranges.
        params: as Optuna samples them.
        unit: the same on [0, 1] along every sampled axis, in the order of `params`.
        samples: passed forward and backward by one run of all epochs; 0 where every run diverged in its first epoch.
        curves: (forget sets, epochs, 2), the score on dev and on test images; infinite from the epoch on at which a run diverged.
        measured: (forget sets,); where False, the curve is a copy of a measured one (of a hopeless configuration).
    """

    scenario: str
    method: str
    origin: Origin
    params: dict[str, float]
    unit: list[float]
    samples: int
    curves: Floats
    measured: Bools


@dataclass
class ScoreTable:
    """All rows, with where they come from.

    Attributes:
        about: how and where it was recorded.
        oracle_samples: by scenario, what training one oracle costs.
        untouched: by scenario, the mean test score of the original model as it is.
        methods_sharing: how many methods of the sweep share an oracle.
    """

    about: dict[str, Any] = field(default_factory=dict)
    oracle_samples: dict[str, int] = field(default_factory=dict)
    untouched: dict[str, float] = field(default_factory=dict)
    methods_sharing: int = 1
    rows: list[Row] = field(default_factory=list)

    def of(self, scenario: str, method: str) -> list[Row]:
        """The rows of one task, in the order in which they were recorded."""
        return [row for row in self.rows if (row.scenario, row.method) == (scenario, method)]

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Every (scenario, method), in the order of recording."""
        return list(dict.fromkeys((row.scenario, row.method) for row in self.rows))

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        heads = [{k: v for k, v in _shallow(row).items() if k not in {"curves", "measured"}} for row in self.rows]
        head = {**{k: v for k, v in _shallow(self).items() if k != "rows"}, "rows": heads}
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
            curves=np.stack([row.curves for row in self.rows]).astype(np.float32),
            measured=np.stack([row.measured for row in self.rows]),
        )
        write_atomically(path, buffer.getvalue())

    @staticmethod
    def load(path: Path) -> ScoreTable:
        """Read the file back.

        Raises:
            OSError: it cannot be read.
        """
        with np.load(path) as arrays:
            head = json.loads(arrays["head"].tobytes())
            bodies = zip(head.pop("rows"), arrays["curves"], arrays["measured"], strict=True)
            return ScoreTable(**head, rows=[Row(**row, curves=c, measured=m) for row, c, m in bodies])


def _shallow(record: Row | ScoreTable) -> Mapping[str, Any]:
    return dict(vars(record))
