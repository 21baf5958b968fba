"""What devices are known to do, as far as that can be said without torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from unlearn.registry import is_own

CPU_INFO = Path("/proc/cpuinfo")
#: Flags of x86 processors that multiply matrices of bfloat16 in hardware.
BFLOAT16 = {"avx512_bf16", "amx_bf16"}
#: Which gradient steps a GPU repeats by itself.
CudaGraphs = bool | Literal["auto"]
#: Behind the name of a GPU that does.
WITH_GRAPHS = ", CUDA graphs"


@cache
def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware, as far as Linux tells; where it tells nothing, it has not."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(not BFLOAT16.isdisjoint(line.split()) for line in lines if line.startswith("flags"))


def may_repeat(cuda_graphs: CudaGraphs, model: str) -> bool:
    """Whether a GPU may repeat gradient steps of a network by itself, by its key: of one's own only where all are asked for."""
    return is_own("models", model) if cuda_graphs == "auto" else cuda_graphs
