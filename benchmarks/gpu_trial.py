"""A trial of a search on a GPU, beside others: one of several processes that `benchmarks.gpu` begins at once.

python -m benchmarks.gpu_trial '{"device": "cuda", "cache": "…", "size": {…}}'    its references are in the cache
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_rates import wait_for_others
from benchmarks.gpu_size import EVERY_EPOCH, RETAIN_SAMPLES, Size
from unlearn.run import run_unlearning
from unlearn.workspace import Workspace


def seconds_of_trial(size: Size, workspace: Workspace, ready: Callable[[], object] = lambda: None) -> float:
    """What a trial takes whose worker has had one before: its epochs, and the one that counts on the whole retain set.

    Args:
        ready: is called between that and the trial.
    """
    _run(size, workspace, 1)
    ready()
    started = time.perf_counter()
    _run(size, workspace, size.epochs)
    return time.perf_counter() - started


def _run(size: Size, workspace: Workspace, epochs: int) -> None:
    part = min(RETAIN_SAMPLES, size.images // 2)
    for evaluation in run_unlearning(workspace, size.task, size.sure(epochs), 0, EVERY_EPOCH, retain_samples=part):
        if evaluation.epoch == epochs:
            evaluation.whole()


def main() -> None:
    """Time a trial among several processes, which begin together."""
    torch.set_num_threads(1)
    asked: dict[str, Any] = json.loads(sys.argv[1])
    size, device = Size(**asked["size"]), torch.device(asked["device"])
    workspace = Workspace(size.setting("bfloat16"), Path(asked["cache"]), device, cuda_graphs=asked["graphs"])
    print(seconds_of_trial(size, workspace, wait_for_others))


if __name__ == "__main__":
    main()
