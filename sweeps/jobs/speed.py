"""How fast this machine trains a sweep's network: a few steps on random images, in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import platform
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.jobs.child import command_of
from sweeps.resources import threads_of
from sweeps.spec import Sizes, Spec
from unlearn.files import write_atomically
from unlearn.hardware import WITH_GRAPHS, may_repeat
from unlearn.model_files import model_facts, model_files

#: The measuring process is given up after so many seconds.
MOST_SECONDS = 120.0
#: For so long it is taken for true that a machine is as fast as it was.
KEPT_SECONDS = 86_400.0
#: What a measuring process says before it measures in rounds.
READY = "ready"
#: Of a training step, where models in the cache say how long that takes: a pass without gradients is about so much of it.
FORWARD_SHARE = 0.35


@dataclass(frozen=True)
class Speed:
    """What one process takes: seconds an image of a training step and of a pass without gradients, bytes of a stored model.

    Attributes:
        source: how it is known, as a clause.
    """

    step: float
    forward: float
    weights: int
    source: str


class Measuring:
    """A process that is about to measure, and meanwhile imports what it needs: begin it early, and close it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @staticmethod
    def begun() -> Measuring | None:
        """None where no process can be begun: nothing hangs on it but a sentence."""
        command, pipe = command_of("sweeps.jobs.measuring"), subprocess.PIPE
        with contextlib.suppress(OSError):
            return Measuring(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True))
        return None

    def speed(self, asked: Mapping[str, Any]) -> Speed | None:
        """Its answer, for which it may be asked once; None where it has none."""
        try:
            answer, _ = self._process.communicate(json.dumps(asked), timeout=MOST_SECONDS)
            return Speed(**json.loads(answer.splitlines()[-1]))
        except (OSError, subprocess.SubprocessError, ValueError, IndexError, TypeError):
            return None  # whatever is wrong with the model, the run itself says it

    @property
    def ended(self) -> bool:
        """Whether there is no such process any more."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End it, whether it was asked or not."""
        self._process.kill()
        self._process.communicate()


def is_known(spec: Spec, cache: Path) -> bool:
    """Whether `speed_of` would very likely not measure, as far as that can be said without the data."""
    kept = any(map(_kept, _files(cache).glob(f"{_key(spec)}-*.json")))
    return kept or is_shared(spec) or _of_models(spec, cache / "models") is not None


def speed_of(spec: Spec, sizes: Sizes, cache: Path, measuring: Measuring | None = None) -> Speed | None:
    """From the sweep's models in the cache that this very machine has trained, else measured; None where neither is possible.

    What was measured is kept for a day.

    Args:
        cache: its folder.
        measuring: that was begun for this; by default one is begun where it is needed.
    """
    asked = asked_for(spec, sizes)
    file = measurement_file(cache, spec, sizes)
    return _of_models(spec, cache / "models") or _kept(file) or _measured(asked, file, measuring)


def measurement_file(cache: Path, spec: Spec, sizes: Sizes, kind: str = "") -> Path:
    """Where what was measured on this host for a sweep is kept, in the folder of its cache."""
    return _files(cache) / f"{_key(spec)}-{_hash([sizes.image_shape, sizes.classes])}{kind}.json"


def _files(cache: Path) -> Path:
    return cache / "speeds"


def _key(spec: Spec) -> str:
    """Of all that is asked for but the sizes, and of this host."""
    return _hash([platform.node(), _asked_of(spec)])


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def is_shared(spec: Spec) -> bool:
    """Whether trials of a sweep may share a GPU of this machine by MPS."""
    return spec.resources.mps is not False and spec.resources.gpus_per_trial > 0


def _graphs(spec: Spec) -> bool:
    """Whether the sweep's references are trained by steps that a GPU repeats."""
    return bool(spec.resources.gpus_per_trial) and may_repeat(spec.resources.cuda_graphs, spec.model.name)


def _of_models(spec: Spec, models: Path) -> Speed | None:
    """The middle one of such models: of the same data set, architecture and precision, trained on this host."""
    wanted = {
        "dataset": spec.dataset.name,
        "model": spec.model.name,
        "model_options": spec.model.options,
        "precision": "float32" if spec.precision == "auto" else spec.precision,
        "host": platform.node(),
    }
    found = []
    for file in model_files(models):
        facts = model_facts(file)
        if facts is None or not facts["samples"] or any(facts.get(k) != v for k, v in wanted.items()):
            continue
        device = str(facts.get("device"))
        if (device != "cpu", device.endswith(WITH_GRAPHS)) == (bool(spec.resources.gpus_per_trial), _graphs(spec)):
            found.append((facts["seconds"] / facts["samples"], file.stat().st_size))
    if not found:
        return None
    step = statistics.median(seconds for seconds, _ in found)
    return Speed(step, FORWARD_SHARE * step, found[0][1], "from how fast the cached models were trained")


def _kept(file: Path) -> Speed | None:
    with contextlib.suppress(TypeError):
        return Speed(**(kept_facts(file) or {}))
    return None


def kept_facts(file: Path) -> dict[str, Any] | None:
    """What was measured not long ago."""
    try:
        if time.time() - file.stat().st_mtime > KEPT_SECONDS:
            return None
        facts: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return facts


def asked_for(spec: Spec, sizes: Sizes) -> dict[str, Any]:
    """What is to be measured, as plain data."""
    return {"image_shape": sizes.image_shape, "classes": sizes.classes, **_asked_of(spec)}


def _asked_of(spec: Spec) -> dict[str, Any]:
    return {
        "model": spec.model.name,
        "options": spec.model.options,
        "head": spec.model.head,
        "precision": "float32" if spec.precision == "auto" else spec.precision,
        "batch_size": spec.training.batch_size,
        "threads": threads_of(spec),
        "gpu": bool(spec.resources.gpus_per_trial),
        "graphs": _graphs(spec),
    }


def _measured(asked: Mapping[str, Any], file: Path, measuring: Measuring | None) -> Speed | None:
    """Measure it, and keep it in a file."""
    process = measuring or Measuring.begun()
    if process is None:
        return None
    try:
        found = process.speed(asked)
    finally:
        process.close()
    if found is not None:
        with contextlib.suppress(OSError):  # nothing hangs on its being kept
            write_atomically(file, json.dumps(dataclasses.asdict(found)).encode())
    return found
