"""Images a second of a training step, eager or as a CUDA graph, in one process or several; and the rate of matrix products.

python -m benchmarks.gpu_rates '{"device": "cuda", "width": 64, "size": 32, "batch": 256, …}'    one process of several
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import IO, Any

import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from unlearn.arithmetic import arithmetic
from unlearn.graphs import Step, recorder_of
from unlearn.methods import Batches
from unlearn.models import Classifier
from unlearn.models.resnet18 import resnet18
from unlearn.steps import SGD
from unlearn.workspace.device import synchronize
from unlearn.workspace.precision import Precision

CLASSES, WARM_UP, ROUNDS = 10, 5, 3
NO_GRAPHS = "CUDA graphs need a CUDA device"


@dataclass(frozen=True)
class Load:
    """A training step to time: ResNet-18 of a width on square colour images; `images` of them are resident.

    Attributes:
        seconds: of one round, of which the median counts.
        benchmark: whether cuDNN may choose kernels by timing, any of them: what this project's own steps do not do.
        graphs: whether the device repeats steps by itself.
    """

    device: str
    width: int
    size: int
    batch: int
    precision: Precision = "bfloat16"
    images: int = 50_000
    seconds: float = 2.0
    benchmark: bool = False
    graphs: bool = False

    @property
    def place(self) -> torch.device:
        return torch.device(self.device)

    def network(self) -> Classifier:
        torch.manual_seed(0)
        return resnet18((3, self.size, self.size), CLASSES, width=self.width).to(self.place)

    def batches(self) -> Batches:
        """Resident images with labels."""
        rng = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (self.images, 3, self.size, self.size), generator=rng, dtype=torch.uint8)
        labels = torch.randint(0, CLASSES, (self.images,), generator=rng)
        return Batches(*(tensor.to(self.place) for tensor in (pixels, labels, torch.arange(self.images))))


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int, seconds: float) -> float:
    """Floating-point operations a second of square matrix products."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def multiply() -> None:
        torch.mm(a, b)

    return 2 * size**3 * calls_per_second(multiply, device, seconds)


def calls_per_second(
    call: Callable[[], object], device: torch.device, seconds: float, ready: Callable[[], object] = lambda: None
) -> float:
    """The median of `ROUNDS` rounds; the host waits for the device at the ends of a round only.

    Args:
        ready: is called between warm-up and measurement.
    """
    for _ in range(WARM_UP):
        call()
    synchronize(device)
    started = time.perf_counter()
    call()
    synchronize(device)
    count = max(1, round(seconds / (time.perf_counter() - started)))
    ready()
    rates = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(count):
            call()
        synchronize(device)
        rates.append(count / (time.perf_counter() - started))
    return statistics.median(rates)


def flops_per_image(load: Load) -> int:
    """Of a step, forward and backward, as torch counts them."""
    model = load.network()
    x = torch.zeros(2, 3, load.size, load.size, dtype=torch.uint8, device=load.place)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(model(x), torch.zeros(2, dtype=torch.int64, device=load.place)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return counter.get_total_flops() // 2


def step_rate(load: Load, ready: Callable[[], object] = lambda: None) -> float:
    """Images a second of the very step that methods make: batches by position, SGD with momentum.

    As a CUDA graph it is recorded once, compared, and repeated.

    Raises:
        RuntimeError: the device records nothing, or what it has recorded does not do what the step does.
    """
    recorder = recorder_of(load.place) if load.graphs else None
    if load.graphs and recorder is None:
        raise RuntimeError(NO_GRAPHS)
    model, rng = load.network(), torch.Generator().manual_seed(0)
    optimizer = SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
    step, batches = Step(model, optimizer, recorder=recorder), load.batches().cycle(load.batch, rng)

    def take() -> None:
        step(*next(batches))

    with arithmetic(load.place, load.precision):
        if load.benchmark:
            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = True, False
        for _ in range(0 if recorder is None else recorder.before + 1):
            take()
        if step.given_up is not None:
            raise RuntimeError(step.given_up)
        return load.batch * calls_per_second(take, load.place, load.seconds, ready)


def rate_of_processes(load: Load, count: int) -> float:
    """Images a second of so many processes at once, together; each has warmed up before any begins."""
    if load.graphs and recorder_of(load.place) is None:
        raise RuntimeError(NO_GRAPHS)
    return sum(of_processes("benchmarks.gpu_rates", asdict(load), count))


def of_processes(module: str, asked: dict[str, Any], count: int) -> list[float]:
    """The number that each of so many processes of a module ends with, all of which begin at once when all are ready."""
    command = [sys.executable, "-m", module, json.dumps(asked)]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(count)
        ]
        for worker in workers:
            stack.callback(worker.kill)
        if any(_stdout(worker).readline().strip() != "ready" for worker in workers):
            raise RuntimeError(f"not all of {count} processes could begin: is the device's memory enough for so many?")
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        return [float(worker.communicate()[0]) for worker in workers]


def wait_for_others() -> None:
    """In one of several processes: say that it is ready, and wait until all are."""
    print("ready", flush=True)
    sys.stdin.readline()


def _stdout(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def main() -> None:
    """Time one load among several processes, which begin together."""
    torch.set_num_threads(1)
    print(step_rate(Load(**json.loads(sys.argv[1])), wait_for_others))


if __name__ == "__main__":
    main()
