"""TensorBoard's event files, one run per trial."""

from __future__ import annotations

from pathlib import Path

from sweeps.ray_tune.internals import EventFile, check
from sweeps.ray_tune.runs import Run
from sweeps.ray_tune.trackers import Epochs, Tracker


class TensorBoard(Tracker):
    """Event files in `<folder>/<stage>/<scenario>/<method>/<number>`."""

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        """See that event files can be written.

        Raises:
            SweepError: tensorboardX is of a release that cannot.
        """
        check("tensorboardX")
        self._folder = folder
        self._files: dict[Run, EventFile] = {}

    def start(self, run: Run) -> None:
        self._files[run] = EventFile(self._folder.joinpath(*run.key))

    def log(self, run: Run, epochs: Epochs) -> None:
        for epoch, values in epochs.items():
            for name, value in values.items():
                self._files[run].scalar(name, value, epoch)
        self._files[run].flush()

    def end(self, run: Run) -> None:
        self.log(run, dict([run.result]))
        file = self._files[run]
        file.text("state", ": ".join(filter(None, run.end)))
        file.hyperparameters({**run.tags, **run.params, "state": run.end[0]})
        file.close()
        del self._files[run]
