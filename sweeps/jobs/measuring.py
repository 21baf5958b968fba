"""Measures how fast this machine trains a network: a process of its own, which `sweeps.jobs.speed` begins and asks.

It has imported all that it needs before it reads what it is asked for.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import torch

from sweeps.jobs.speed import READY
from unlearn.arithmetic import arithmetic
from unlearn.graphs import UNCOMPARED, Step, recorder_of
from unlearn.models import build
from unlearn.steps import SGD
from unlearn.workspace.device import seconds_a_call
from unlearn.workspace.workspace import EVALUATION_BATCH

#: For how long either is measured.
SECONDS = 0.4


class Measured:
    """A network of the options that are asked for, a training step of it and a pass without gradients."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        torch.set_num_threads(asked["threads"])
        self.precision = asked["precision"]
        self.device = device = torch.device("cuda" if asked["gpu"] else "cpu")
        shape, classes = tuple(asked["image_shape"]), asked["classes"]
        self.model = build(asked["model"], shape, classes, asked["options"], asked["head"])
        self.model.normalise((0.5,) * shape[0], (0.25,) * shape[0])
        self.model.to(device)
        recorder = recorder_of(device, before=3) if asked["graphs"] else None
        self.ready = 1 if recorder is None else recorder.before + UNCOMPARED
        self.step = Step(self.model, SGD(self.model.parameters(), lr=1e-4), recorder=recorder)
        self.images = torch.randint(0, 256, (EVALUATION_BATCH[device.type], *shape), dtype=torch.uint8, device=device)
        self.few = self.images[: asked["batch_size"]]
        self.labels = torch.zeros(len(self.few), dtype=torch.int64, device=device)

    def of_step(self, seconds: float) -> float:
        """Seconds an image of a training step."""
        self.model.train()
        with arithmetic(self.device, self.precision):
            step = partial(self.step, self.few, self.labels)
            return seconds_a_call(step, self.device, least=seconds, ready=self.ready) / len(self.few)

    def of_forward(self, seconds: float) -> float:
        """Seconds an image of a pass without gradients."""
        self.model.eval()
        with arithmetic(self.device, self.precision), torch.no_grad():
            return seconds_a_call(partial(self.model, self.images), self.device, least=seconds) / len(self.images)

    @property
    def weights(self) -> int:
        """Bytes of the stored model."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.model.state_dict().values())


def measure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Train and apply a network for a second or two; `Speed` says what of."""
    network = Measured(asked)
    of_step, of_forward = network.of_step(SECONDS), network.of_forward(SECONDS)
    return {"step": of_step, "forward": of_forward, "weights": network.weights, "source": "measured for a second"}


def measure_rounds(asked: Mapping[str, Any], rounds: Iterable[object]) -> Iterator[dict[str, Any]]:
    """Train a network in rounds, which processes that share it begin together; `Sharing` says what of."""
    network = Measured(asked)
    network.of_forward(0)  # for the memory that it takes
    network.of_step(0)
    print(READY, file=sys.__stdout__, flush=True)
    for _ in rounds:
        step = network.of_step(asked["rounds"])
        free, total = torch.cuda.mem_get_info() if asked["gpu"] else (1, 1)
        yield {"step": step, "memory": 1 - free / total, "weights": network.weights}


def main() -> None:
    """Measure what is asked for on the first line of stdin, and print it; in rounds once for each line that follows."""
    asked = json.loads(sys.stdin.readline())
    with contextlib.redirect_stdout(sys.stderr):  # what a network of one's own prints is no answer
        for answer in measure_rounds(asked, sys.stdin) if asked.get("rounds") else [measure(asked)]:
            print(json.dumps(answer), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
