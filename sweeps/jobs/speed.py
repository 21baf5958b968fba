"""How fast this machine trains a sweep's network: a few steps on random images, in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.jobs.child import command_of
from sweeps.spec import Sizes, Spec
from unlearn.files import write_atomically
from unlearn.model_files import model_facts, model_files

#: The measuring process is given up after so many seconds: nothing hangs on it but a sentence.
MOST_SECONDS = 120.0
#: For so long it is taken for true that a machine is as fast as it was.
KEPT_SECONDS = 86_400.0
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


def speed_of(spec: Spec, sizes: Sizes, cache: Path) -> Speed | None:
    """From the sweep's models in the cache that this very machine has trained, else measured; None where neither is possible.

    What was measured is kept for a day.

    Args:
        cache: its folder.
    """
    asked = _asked(spec, sizes)
    key = hashlib.sha256(json.dumps([platform.node(), asked], sort_keys=True, default=str).encode()).hexdigest()
    file = cache / "speeds" / f"{key[:32]}.json"
    return _of_models(spec, cache / "models") or _kept(file) or _measured(asked, file)


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
        cpu = facts is not None and (facts.get("device") == "cpu") != bool(spec.resources.gpus_per_trial)
        if facts is not None and cpu and facts["samples"] and all(facts.get(k) == v for k, v in wanted.items()):
            found.append((facts["seconds"] / facts["samples"], file.stat().st_size))
    if not found:
        return None
    step = statistics.median(seconds for seconds, _ in found)
    return Speed(step, FORWARD_SHARE * step, found[0][1], "from how fast the cached models were trained")


def _kept(file: Path) -> Speed | None:
    """What was measured not long ago."""
    try:
        if time.time() - file.stat().st_mtime > KEPT_SECONDS:
            return None
        return Speed(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _asked(spec: Spec, sizes: Sizes) -> dict[str, Any]:
    """What is to be measured, as plain data."""
    return {
        "model": spec.model.name,
        "options": spec.model.options,
        "head": spec.model.head,
        "image_shape": sizes.image_shape,
        "classes": sizes.classes,
        "precision": "float32" if spec.precision == "auto" else spec.precision,
        "batch_size": spec.training.batch_size,
        "threads": _threads(spec),
        "gpu": bool(spec.resources.gpus_per_trial),
    }


def _threads(spec: Spec) -> int:
    """As many as a worker has: Ray gives it those of a trial, unless the environment says otherwise."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(asked) if asked.isdigit() else int(spec.resources.cpus_per_trial)
    return max(1, min(threads, os.cpu_count() or 1))


def _measured(asked: dict[str, Any], file: Path) -> Speed | None:
    """Measure it, and keep it in a file."""
    try:
        done = subprocess.run(
            command_of("sweeps.jobs.speed"),
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
            timeout=MOST_SECONDS,
        )
        found = Speed(**json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, TypeError):
        return None  # whatever is wrong with the model, the run itself says it
    with contextlib.suppress(OSError):  # nothing hangs on its being kept
        write_atomically(file, json.dumps(dataclasses.asdict(found)).encode())
    return found


def measure(asked: Mapping[str, Any]) -> Speed:
    """Train and apply a network of these options for about a second."""
    import torch  # noqa: PLC0415  # whoever only asks for a measurement does not wait for it
    from torch.nn import functional as F  # noqa: PLC0415

    from unlearn.arithmetic import arithmetic  # noqa: PLC0415
    from unlearn.models import build  # noqa: PLC0415
    from unlearn.steps import SGD, descend  # noqa: PLC0415
    from unlearn.workspace.device import synchronize  # noqa: PLC0415
    from unlearn.workspace.workspace import EVALUATION_BATCH  # noqa: PLC0415

    torch.set_num_threads(asked["threads"])
    device = torch.device("cuda" if asked["gpu"] else "cpu")
    shape, classes = tuple(asked["image_shape"]), asked["classes"]
    model = build(asked["model"], shape, classes, asked["options"], asked["head"])
    model.normalise((0.5,) * shape[0], (0.25,) * shape[0])
    model.to(device)
    optimizer = SGD(model.parameters(), lr=1e-4)
    images = torch.randint(0, 256, (EVALUATION_BATCH[device.type], *shape), dtype=torch.uint8, device=device)
    few = images[: asked["batch_size"]]
    labels = torch.zeros(len(few), dtype=torch.int64, device=device)

    def step() -> None:
        descend(optimizer, F.cross_entropy(model(few), labels))
        synchronize(device)

    def forward() -> None:
        with torch.no_grad():
            model(images)
        synchronize(device)

    with arithmetic(device, asked["precision"]):
        model.train()
        of_step = _seconds(step) / len(few)
        model.eval()
        of_forward = _seconds(forward) / len(images)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    return Speed(of_step, of_forward, weights, "measured for a second")


def _seconds(call: Callable[[], None], least: float = 0.4) -> float:
    """The mean time of a call, of as many as take `least` seconds; the first is not counted."""
    call()
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < least:
        call()
        count += 1
    return elapsed / count


def main() -> None:
    """Measure what is asked for on stdin, and print it."""
    print(json.dumps(dataclasses.asdict(measure(json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
