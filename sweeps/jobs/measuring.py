"""Measures how fast this machine trains a network: a process of its own, which `sweeps.jobs.speed` begins and asks.

It has imported all that it needs before it reads what it is asked for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from unlearn.arithmetic import arithmetic
from unlearn.graphs import UNCOMPARED, Step, recorder_of
from unlearn.models import build
from unlearn.steps import SGD
from unlearn.workspace.device import seconds_a_call
from unlearn.workspace.workspace import EVALUATION_BATCH

#: For how long either is measured.
SECONDS = 0.4


def measure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Train and apply a network of these options for a second or two; `Speed` says what of."""
    torch.set_num_threads(asked["threads"])
    device = torch.device("cuda" if asked["gpu"] else "cpu")
    shape, classes = tuple(asked["image_shape"]), asked["classes"]
    model = build(asked["model"], shape, classes, asked["options"], asked["head"])
    model.normalise((0.5,) * shape[0], (0.25,) * shape[0])
    model.to(device)
    recorder = recorder_of(device, before=3) if asked["graphs"] else None
    step = Step(model, SGD(model.parameters(), lr=1e-4), recorder=recorder)
    images = torch.randint(0, 256, (EVALUATION_BATCH[device.type], *shape), dtype=torch.uint8, device=device)
    few = images[: asked["batch_size"]]
    labels = torch.zeros(len(few), dtype=torch.int64, device=device)

    def forward() -> None:
        with torch.no_grad():
            model(images)

    with arithmetic(device, asked["precision"]):
        model.train()
        ready = 1 if recorder is None else recorder.before + UNCOMPARED
        of_step = seconds_a_call(partial(step, few, labels), device, least=SECONDS, ready=ready) / len(few)
        model.eval()
        of_forward = seconds_a_call(forward, device, least=SECONDS) / len(images)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    return {"step": of_step, "forward": of_forward, "weights": weights, "source": "measured for a second"}


def main() -> None:
    """Measure what is asked for on stdin, and print it."""
    print(json.dumps(measure(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
