"""What this machine's processor computes by instructions of its own; nothing here waits for torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
#: Flags of x86 processors that multiply matrices of bfloat16 in hardware.
BFLOAT16 = {"avx512_bf16", "amx_bf16"}


@cache
def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware, as far as Linux tells; where it tells nothing, it has not."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(not BFLOAT16.isdisjoint(line.split()) for line in lines if line.startswith("flags"))
