"""What a trial of CIFAR-10's size takes on one GPU, and where that goes; made to end within eight minutes on a large one.

    python -m benchmarks.gpu [--device cuda:0] [--minutes 7.5]      --tiny: seconds, on a CPU; its figures mean nothing

Needs no data: images are made up (`gpu_images.py`). Rates are medians of three rounds. A step's share is of the rate of bfloat16
matrix products on the same device. Several processes share the GPU as it is: under MPS where its daemon runs, else in turn.
"""

from __future__ import annotations

import argparse
import logging
import platform
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from logging.handlers import QueueHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from benchmarks.gpu_rates import Load, flops_per_image, matrix_rate, rate_of_processes, step_rate
from unlearn.arithmetic import set_gpu_products
from unlearn.graphs import Step
from unlearn.registry import find
from unlearn.run import run_unlearning
from unlearn.scenarios.random import RandomSamples
from unlearn.switches import kept_backends
from unlearn.training import Recipe
from unlearn.workspace import Setting, Task, Workspace
from unlearn.workspace.device import place_of
from unlearn.workspace.precision import PRECISIONS, Precision, compare_precisions

EVERY_EPOCH = ("accuracy", "mia_loss")
BEST_EPOCH = ("mia_confidence", "mia_knn_forget", "mia_knn_train", "weight_distance")
#: Epochs of an original's whole training (the paper's).
WHOLE = 150


@dataclass(frozen=True)
class Size:
    """How large everything is.

    Attributes:
        matrix: rows of the matrices; trained: epochs of each reference; epochs: of the trial; compared: of those that are taken
            step by step and with CUDA graphs; seconds: of one round.
    """

    width: int = 64
    pixels: int = 32
    batches: tuple[int, ...] = (256, 64)
    images: int = 50_000
    test: int = 10_000
    matrix: int = 8192
    processes: tuple[int, ...] = (2, 4)
    trained: int = 3
    epochs: int = 20
    compared: int = 4
    forget: int = 5000
    seconds: float = 1.0

    def setting(self, precision: Precision) -> Setting:
        """References and trials of this size; references train for a few epochs only."""
        recipe = Recipe(epochs=self.trained, batch_size=self.batches[0], milestones=())
        images = {"train": self.images, "test": self.test, "size": self.pixels}
        return Setting(
            dataset="benchmarks.gpu_images:patterns",
            dataset_options=images,
            model="resnet18",
            model_options={"width": self.width},
            recipe=recipe,
            precision=precision,
        )


TINY = Size(
    width=2,
    pixels=8,
    batches=(32,),
    images=400,
    test=100,
    matrix=128,
    processes=(1,),
    trained=1,
    epochs=3,
    compared=2,
    forget=40,
    seconds=0.02,
)


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
        for count in size.processes if batch == size.batches[-1] else ():
            ways[f"eager, processes: {count}"] = partial(rate_of_processes, load, count)
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
        return
    ends = []
    for workspace in workspaces.values():
        end = yield from _trial(size, workspace, size.compared)
        ends.append({name: value.clone() for name, value in end.items()})
    same = all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
    yield f"the weights of both are {'equal to the last bit' if same else 'NOT the same'}"
    yield from _trial(size, workspaces[True], size.epochs)
    while not said.empty():
        yield f"not all of its steps were graphs: {said.get().getMessage()}"


def _trial(size: Size, workspace: Workspace, epochs: int) -> Generator[str, None, Mapping[str, torch.Tensor]]:
    """One trial and its weights, and where its time went; its references first."""
    task = Task(scenario=RandomSamples(), forget_size=size.forget, forget_seed=0)
    how = "step by step" if workspace.recorder is None else "with CUDA graphs"
    references = {"original": workspace.original(task), "oracle": workspace.oracle(task)}
    for name, reference in references.items():
        seconds = reference.cost.seconds / size.trained
        yield f"{name}, {how}: {seconds:.3g} s an epoch; {WHOLE} epochs would take {WHOLE * seconds / 60:.3g} min"
    for families in (EVERY_EPOCH, *((family,) for family in BEST_EPOCH)):
        workspace.oracle_metrics(task, families)
    batches = {"retain_batch_size": size.batches[0], "forget_batch_size": size.batches[-1]}
    method = find("methods", "sure")(epochs=epochs, **batches)
    started = time.perf_counter()
    *_, last = run_unlearning(workspace, task, method, 0, EVERY_EPOCH)
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


def precisions(size: Size, device: torch.device, cache: Path) -> Iterator[str]:
    """What `precision: auto` makes of it, and the gaps of one trial in either precision beside those of another seed."""
    found = compare_precisions(Workspace(size.setting("float32"), cache, device, cuda_graphs=True))
    yield f"auto would take {found.choice}" + (
        f": {found.reason}" if found.reason else f": {found.speedup:.2f} times as fast"
    )
    gaps: dict[str, Mapping[str, float]] = {}
    for precision in PRECISIONS:
        workspace = Workspace(size.setting(precision), cache / "True", device, cuda_graphs=True)
        task = Task(scenario=RandomSamples(), forget_size=size.forget, forget_seed=0)
        method = find("methods", "finetune")(epochs=size.trained, retain_batch_size=size.batches[0])
        for seed in (0, 1):
            *_, last = run_unlearning(workspace, task, method, seed, EVERY_EPOCH)
            gaps[f"{precision}, seed {seed}"] = last.metrics
    names = [name for name in gaps["float32, seed 0"] if name.endswith("_gap")]
    yield "gaps to the oracle of the same precision, in points: " + ", ".join(names)
    for of, metrics in gaps.items():
        yield f"  {of}: " + ", ".join(f"{metrics[name]:.2f}" for name in names)


def report(size: Size, device: torch.device, minutes: float) -> Iterator[str]:
    """Everything, as lines; what begins too late is left out."""
    begun = time.perf_counter()
    yield f"{place_of(device).device}, torch {torch.__version__}, CUDA {torch.version.cuda}, {platform.machine()}"
    with tempfile.TemporaryDirectory() as folder:
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
