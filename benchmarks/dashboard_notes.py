"""What writing notes and figures for optuna-dashboard takes: `uv run python benchmarks/dashboard_notes.py runs/digits`."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from optuna.storages import BaseStorage

from sweeps.outputs.dashboard import STATE, decorate
from sweeps.record import SweepRecord, load_sweep, sweeps_in
from sweeps.storage import open_storage

REPEATS = 3


def seconds(storage: BaseStorage, record: SweepRecord, folder: Path) -> float:
    started = time.perf_counter()
    decorate(storage, record, folder)
    return time.perf_counter() - started


def forget(storage: BaseStorage) -> None:
    """As if the record or the code had changed."""
    for study in storage.get_all_studies():
        storage.set_study_system_attr(storage.get_study_id_from_name(study.study_name), STATE, "")


def main(source: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "sweep"
        shutil.copytree(source, folder)
        storage = open_storage(f"sqlite:///{folder / 'study.db'}")
        record = load_sweep(storage, sweeps_in(storage)[0])
        anew, unchanged = [], []
        for _ in range(REPEATS):  # in turn: the machine may be busy
            forget(storage)
            anew.append(seconds(storage, record, folder))
            unchanged.append(seconds(storage, record, folder))
    a, b = statistics.median(anew), statistics.median(unchanged)
    print(f"{len(record.planned)} studies: {a:.2f} s anew, {b:.2f} s unchanged, ratio {a / b:.0f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
