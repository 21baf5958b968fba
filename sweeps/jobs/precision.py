"""What `precision: auto` comes to for a sweep on this machine: decided once, before anything of the sweep is trained."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch

from sweeps.errors import SweepError
from sweeps.jobs.cache import Cache
from sweeps.jobs.child import command_of
from sweeps.jobs.worker import setting_of
from sweeps.resources import threads_of
from sweeps.spec import Spec, stored_spec
from unlearn.errors import UnlearnError
from unlearn.workspace import Workspace
from unlearn.workspace.device import has_bfloat16, place_of
from unlearn.workspace.precision import MARGIN, SEEDS, Comparison, compare_precisions


def in_precision(spec: Spec, precision: str) -> Spec:
    """The same sweep in another precision."""
    return spec.model_copy(update={"precision": precision})


def decide_precision(spec: Spec, cache: Cache, tell: Callable[[str], object] = lambda text: None) -> dict[str, Any]:
    """`chosen` and `because`, with the machine and the figures behind them, as plain data.

    bfloat16 where the device of a trial has it in hardware, short trainings of the sweep's own model in it end within the
    spread between seeds of float32's, and it is faster by a margin; else float32.

    Args:
        tell: takes a line before anything is trained for it.
    """
    asked_gpu = spec.resources.gpus_per_trial > 0
    if asked_gpu and not torch.cuda.is_available():
        return _decision("float32", "trials run on GPUs, and the machine of the driver has none to try it on", "none")
    device = torch.device("cuda" if asked_gpu else "cpu")
    name = place_of(device).device
    if not has_bfloat16(device):
        return _decision("float32", f"{name} has no bfloat16 in hardware", name)
    tell(f"precision: trying the model in float32 and in bfloat16, {SEEDS} short trainings each at most …")
    setting, graphs = setting_of(in_precision(spec, "float32")), spec.resources.cuda_graphs
    workspace = Workspace(setting, cache.folder, device, cache.share, cuda_graphs=graphs)
    found = compare_precisions(workspace, threads=threads_of(spec))
    del workspace
    gc.collect()  # what it holds refers to itself
    return _decision(found.choice, found.reason or _in_favour(found), name) | found.figures()


def decide_apart(spec: Spec, cache: Cache, tell: Callable[[str], object] = lambda text: None) -> dict[str, Any]:
    """As `decide_precision` does, in a process of its own: a GPU, which may be set to one process, is free when that ends.

    Raises:
        SweepError: it has ended without a decision.
    """
    dump = spec.dump()
    dump.pop("storage", None)
    asked = json.dumps({"spec": dump, "cache": cache.place})
    with subprocess.Popen(
        command_of("sweeps.jobs.precision"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:  # it has ended: no answer will come
                process.stdin.write(asked)
            for message in map(json.loads, process.stdout):
                if "decision" in message:
                    decision: dict[str, Any] = message["decision"]
                    return decision
                if "error" in message:
                    raise SweepError(message["error"])
                tell(message["told"])
        except BaseException:
            process.kill()  # nobody waits for it any more
            raise
    raise SweepError(
        f"precision: auto could not be decided: the process that tried the model out ended with {process.returncode}\n"
        "  remedy: write precision: float32 or precision: bfloat16"
    )


def _decision(chosen: str, because: str, device: str) -> dict[str, Any]:
    return {"asked": "auto", "chosen": chosen, "because": because, "host": platform.node(), "device": device}


def _in_favour(found: Comparison) -> str:
    (difference, limit) = found.differences["accuracy"]
    return (
        f"training this model is {found.speedup:.2f} times as fast as in float32 (asked for: {MARGIN}), and after short "
        f"trainings accuracies differ by {difference:.2g} points (seeds allow {limit:.2g})"
    )


def main() -> None:
    """Decide what is asked for on stdin; each line on stdout is something to tell, the decision, or why there is none."""
    asked, answers = json.load(sys.stdin), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a network of the user's prints is no answer

    def answer(**message: object) -> None:
        print(json.dumps(message), file=answers, flush=True)

    try:
        spec, cache = stored_spec(asked["spec"]), Cache.at(asked["cache"])
        answer(decision=decide_precision(spec, cache, lambda text: answer(told=text)))
    except (SweepError, UnlearnError) as error:
        answer(error=str(error))


if __name__ == "__main__":
    main()
