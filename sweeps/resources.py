"""What one trial takes, with how many threads, and how many run at once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sweeps.spec import Spec

if TYPE_CHECKING:
    import torch


def bundle_of(spec: Spec) -> dict[str, float]:
    """What one trial takes, as Ray names it."""
    resources = spec.resources
    bundle = {**resources.custom, "CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    return {name: amount for name, amount in bundle.items() if amount}


def workers_of(spec: Spec, nodes: Iterable[Mapping[str, float]] | None = None) -> int:
    """How many trials run at once: as asked, else as many as the nodes hold.

    Args:
        nodes: what each node of a running cluster has; this machine by default.
    """
    return spec.resources.workers or max(1, places(spec, nodes or [_this_machine(spec)]))


def threads_of(spec: Spec) -> int:
    """How many threads a worker has."""
    return threads_for(spec.resources.cpus_per_trial)


def threads_for(cpus: float) -> int:
    """The threads of a trial that takes so many processors: as many, unless the environment says otherwise."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # one number, or one for each level of nesting
    threads = int(asked) if asked.strip().isdecimal() else int(cpus)
    return max(1, min(threads, os.cpu_count() or 1))


def device_of(spec: Spec) -> torch.device:
    """Where this process computes for a sweep: on a GPU if its trials ask for one, or for a part of one, and one is here."""
    import torch  # noqa: PLC0415  # the caller has it; most of those who ask for workers do not

    return torch.device("cuda" if spec.resources.gpus_per_trial and torch.cuda.is_available() else "cpu")


@contextmanager
def as_a_worker(spec: Spec) -> Iterator[None]:
    """Within, torch has a worker's threads: with more of them sums are rounded otherwise, and the same run has other weights."""
    import torch  # noqa: PLC0415  # the caller has it; most of those who ask for workers do not

    before = torch.get_num_threads()
    torch.set_num_threads(threads_of(spec))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def places(spec: Spec, nodes: Iterable[Mapping[str, float]]) -> int:
    """How many trials the nodes hold at once."""
    bundle = bundle_of(spec)
    return sum(int(min(node.get(name, 0) / amount + 1e-9 for name, amount in bundle.items())) for node in nodes)


def _this_machine(spec: Spec) -> dict[str, float]:
    machine = dict.fromkeys(spec.resources.custom, math.inf) | {"CPU": len(os.sched_getaffinity(0))}
    if spec.resources.gpus_per_trial:
        import torch  # noqa: PLC0415  # only where GPUs are asked for

        machine["GPU"] = torch.cuda.device_count()
    return machine
