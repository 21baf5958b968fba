"""What a trial of CIFAR-10's size takes on one GPU, and where that goes; made to end within eight minutes on a large one.

    python -m benchmarks.gpu [--device cuda:0] [--minutes 7.5]      --tiny: seconds, on a CPU; its figures mean nothing

Needs no data: images are made up (`gpu_images.py`). Rates are medians of three rounds. A step's share is of the rate of bfloat16
matrix products on the same device. Several processes share the GPU by MPS where that is installed, else in turn.
"""

from __future__ import annotations

import argparse
import logging
import platform
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from logging.handlers import QueueHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from benchmarks.gpu_rates import Load, flops_per_image, matrix_rate, of_processes, rate_of_processes, step_rate
from benchmarks.gpu_size import EVERY_EPOCH, TINY, Size
from benchmarks.gpu_trial import seconds_of_trial
from sweeps.jobs.mps import served_by_mps
from unlearn.arithmetic import set_gpu_products
from unlearn.graphs import Step
from unlearn.registry import find
from unlearn.run import run_unlearning
from unlearn.switches import kept_backends
from unlearn.workspace import Workspace
from unlearn.workspace.device import place_of
from unlearn.workspace.precision import PRECISIONS, compare_precisions

BEST_EPOCH = ("mia_confidence", "mia_knn_forget", "mia_knn_train", "weight_distance")
#: Epochs of an original's whole training (the paper's).
WHOLE = 150


def matrices(size: Size, device: torch.device) -> Iterator[str]:
    """The device's own rates."""
    kinds = {
        "bfloat16": (torch.bfloat16, False),
        "float32 as TF32": (torch.float32, True),
        "float32": (torch.float32, False),
    }
    for name, (dtype, tf32) in kinds.items():
        with kept_backends():
            set_gpu_products(tf32=tf32)
            rate = matrix_rate(device, dtype, size.matrix, size.seconds / 2)
        yield f"{name}: {rate / 1e12:.4g} TFLOP/s ({size.matrix} × {size.matrix})"


def steps(size: Size, device: torch.device) -> Iterator[str]:
    """Images a second of ResNet-18's training step, and their share of the matrix rate."""
    peak = matrix_rate(device, torch.bfloat16, size.matrix, size.seconds / 2)
    for batch in size.batches:
        load = Load(str(device), size.width, size.pixels, batch, images=size.images, seconds=size.seconds)
        flops = flops_per_image(load)
        yield f"batch {batch}: {flops / 1e9:.4g} GFLOP an image, forward and backward"
        graph = replace(load, graphs=True)
        ways: dict[str, Callable[[], float]] = {
            "eager": partial(step_rate, load),
            "CUDA graph": partial(step_rate, graph),
            "CUDA graph, float32": partial(step_rate, replace(graph, precision="float32")),
            "CUDA graph, kernels chosen by timing": partial(step_rate, replace(graph, benchmark=True)),
        }
        for count in size.processes:
            ways[f"CUDA graph, processes: {count}"] = partial(rate_of_processes, graph, count)
        for name, rate in ways.items():
            try:
                found = rate()
            except RuntimeError as error:  # a capture that is refused, memory that is short
                yield f"  {name}: left out: {str(error).splitlines()[0]}"
            else:
                yield f"  {name}: {found:,.0f} images/s, {100 * found * flops / peak:.3g} % of the matrix rate"


def trial(size: Size, device: torch.device, cache: Path) -> Iterator[str]:
    """Trials with all metrics, step by step and with CUDA graphs; what their references' whole training would take."""
    said: SimpleQueue[logging.LogRecord] = SimpleQueue()
    logging.getLogger(Step.__module__).addHandler(QueueHandler(said))
    workspaces = {
        graphs: Workspace(size.setting("bfloat16"), cache / str(graphs), device, cuda_graphs=graphs)
        for graphs in (False, True)
    }
    if workspaces[True].recorder is None:
        yield "with CUDA graphs: left out: CUDA graphs need a CUDA device"
        yield from _trial(size, workspaces[False], size.epochs)
        yield from _searching(size, workspaces[False], cache / "False")
        return
    ends = []
    for workspace in workspaces.values():
        end = yield from _trial(size, workspace, size.compared)
        ends.append({name: value.clone() for name, value in end.items()})
    yield f"the weights of both differ by {_distance(*ends):.2g} of their length (those that are repeated may round otherwise)"
    yield from _trial(size, workspaces[True], size.epochs)
    yield from _searching(size, workspaces[True], cache / "True")
    while not said.empty():
        yield f"not all of its steps were graphs: {said.get().getMessage()}"


def _distance(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    """Between two states, as a share of the length of the first."""
    states = [torch.cat([tensor.double().flatten() for tensor in state.values()]) for state in (one, other)]
    return float((states[0] - states[1]).norm() / states[0].norm())


def _trial(size: Size, workspace: Workspace, epochs: int) -> Generator[str, None, Mapping[str, torch.Tensor]]:
    """One trial and its weights, and where its time went; its references first."""
    task = size.task
    how = "step by step" if workspace.recorder is None else "with CUDA graphs"
    references = {"original": workspace.original(task), "oracle": workspace.oracle(task)}
    for name, reference in references.items():
        seconds = reference.cost.seconds / size.trained
        yield f"{name}, {how}: {seconds:.3g} s an epoch; {WHOLE} epochs would take {WHOLE * seconds / 60:.3g} min"
    for families in (EVERY_EPOCH, *((family,) for family in BEST_EPOCH)):
        workspace.oracle_metrics(task, families)
    started = time.perf_counter()
    *_, last = run_unlearning(workspace, task, size.sure(epochs), 0, EVERY_EPOCH)
    of_epochs = time.perf_counter() - started
    taken = {}
    for family in BEST_EPOCH:
        begun = time.perf_counter()
        last.measure((family,))
        taken[family] = time.perf_counter() - begun
    of_steps = last.metrics["relative_run_time"] * (workspace.retraining(task).seconds or 0.0)
    yield (
        f"a trial of {epochs} epochs of SURE, {how}: {of_epochs + sum(taken.values()):.3g} s, of which steps {of_steps:.3g} s, "
        f"evaluations {of_epochs - of_steps:.3g} s, metrics of one epoch more {sum(taken.values()):.3g} s: "
        + ", ".join(f"{family} {seconds:.2f}" for family, seconds in taken.items())
    )
    return last.model.state_dict()


def _searching(size: Size, workspace: Workspace, cache: Path) -> Iterator[str]:
    """What a trial of a search takes, alone and beside others."""
    what = f"a trial of a search, {size.epochs} epochs of SURE"
    yield f"{what}, alone: {seconds_of_trial(size, workspace):.3g} s"
    graphs = workspace.recorder is not None
    asked = {"device": str(workspace.device), "cache": str(cache), "size": asdict(size), "graphs": graphs}
    for count in size.processes:
        seconds = max(of_processes("benchmarks.gpu_trial", asked, count))
        yield f"{what}, {count} at once: {seconds:.3g} s, one in {seconds / count:.3g} s"


def precisions(size: Size, device: torch.device, cache: Path) -> Iterator[str]:
    """What `precision: auto` makes of it, and the gaps of one trial in either precision beside those of another seed."""
    found = compare_precisions(Workspace(size.setting("float32"), cache, device, cuda_graphs=True))
    yield f"auto would take {found.choice}" + (
        f": {found.reason}" if found.reason else f": {found.speedup:.2f} times as fast"
    )
    gaps: dict[str, Mapping[str, float]] = {}
    for precision in PRECISIONS:
        workspace = Workspace(size.setting(precision), cache / "True", device, cuda_graphs=True)
        method = find("methods", "finetune")(epochs=size.trained, retain_batch_size=size.batches[0])
        for seed in (0, 1):
            *_, last = run_unlearning(workspace, size.task, method, seed, EVERY_EPOCH)
            gaps[f"{precision}, seed {seed}"] = last.metrics
    names = [name for name in gaps["float32, seed 0"] if name.endswith("_gap")]
    yield "gaps to the oracle of the same precision, in points: " + ", ".join(names)
    for of, metrics in gaps.items():
        yield f"  {of}: " + ", ".join(f"{metrics[name]:.2f}" for name in names)


def report(size: Size, device: torch.device, minutes: float) -> Iterator[str]:
    """Everything, as lines; what begins too late is left out."""
    begun = time.perf_counter()
    yield f"{place_of(device).device}, torch {torch.__version__}, CUDA {torch.version.cuda}, {platform.machine()}"
    with tempfile.TemporaryDirectory() as folder, served_by_mps() as lack:
        yield "several processes share it " + ("by MPS" if lack is None else f"in turn, as {lack}")
        sections: dict[str, Callable[[], Iterator[str]]] = {
            "matrix products": lambda: matrices(size, device),
            "a trial": lambda: trial(size, device, Path(folder)),
            "training steps": lambda: steps(size, device),
            "float32 against bfloat16": lambda: precisions(size, device, Path(folder)),
        }
        for title, section in sections.items():
            started = time.perf_counter()
            yield f"\n{title}"
            if started - begun > 0.8 * 60 * minutes:
                yield "left out: no time was left for it"
                continue
            yield from section()
            yield f"({time.perf_counter() - started:.0f} s)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--tiny", action="store_true")
    asked: Any = parser.parse_args()
    for line in report(TINY if asked.tiny else Size(), torch.device(asked.device), asked.minutes):
        print(line, flush=True)


if __name__ == "__main__":
    main()
