"""TensorBoard's event files, one run per trial."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune.logger import TBXLoggerCallback

from sweeps.ray_tune.runs import StudyLogger


class EventFile:
    """A TensorBoard event file, written at once: tensorboardX's writer has a thread, and hangs when that dies (a full disk)."""

    def __init__(self, folder: str, **options: Any) -> None:
        from tensorboardX.event_file_writer import EventsWriter  # noqa: PLC0415  # not everyone has it

        Path(folder).mkdir(parents=True, exist_ok=True)
        self._file = EventsWriter(f"{folder}/events")

    def add(self, summary: Any, step: int) -> None:
        """Write one value; readers see it after `flush`."""
        from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415  # not everyone has it

        self._file.write_event(Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self) -> None:
        """Let readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


class TensorBoardLogger(StudyLogger, TBXLoggerCallback):
    """Event files in `<folder>/<stage>/<scenario>/<method>/<number>`."""

    name = "TensorBoard"

    def __init__(self) -> None:
        super().__init__()
        self._summary_writer_cls = EventFile

    def log_epochs(self, run: Any, epochs: Mapping[int, Mapping[str, float]]) -> None:
        from tensorboardX.summary import scalar  # noqa: PLC0415  # not everyone has it

        for epoch, values in epochs.items():
            for name, value in values.items():
                self._trial_writer[run].add(scalar(name, value), epoch)
        self._trial_writer[run].flush()

    def log_trial_end(self, run: Any, failed: bool = False) -> None:
        from tensorboardX.summary import hparams, text  # noqa: PLC0415  # not everyone has it

        self.log_epochs(run, dict([run.result]))
        # Ray adds the table's columns, and TensorBoard takes one run's for all: those of one method. Without, it finds them all.
        _, *session = hparams(run.evaluated_params, {})
        for summary in (text("state", ": ".join(filter(None, run.end))), *session):
            self._trial_writer[run].add(summary, 0)
        self._trial_writer[run].close()
        del self._trial_writer[run], self._trial_result[run]
