"""Measures how fast this machine trains a network: a process of its own, which `sweeps.jobs.speed` begins and asks.

It has imported all that it needs before it reads what it is asked for.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F

from unlearn.arithmetic import arithmetic
from unlearn.models import build
from unlearn.steps import SGD, descend
from unlearn.workspace.device import synchronize
from unlearn.workspace.workspace import EVALUATION_BATCH


def measure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Train and apply a network of these options for about a second; `Speed` says what of."""
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
    return {"step": of_step, "forward": of_forward, "weights": weights, "source": "measured for a second"}


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
    print(json.dumps(measure(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
