"""One torch thread per process: two cores with two threads each run slower than with one."""

import atexit
import gc
import os
import signal
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # else other tests take the processor from them
if not Path("/dev/nvidiactl").exists():
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported: no GPU is needed for its kernels

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("no time decides", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no time decides")

gc.disable()  # until all is imported

# What a shell starts in the background ignores Ctrl-C, and under nohup a terminal that is closed; so would what tests start,
# which they send both to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow fault tests too (minutes)")


def pytest_collection_finish() -> None:
    """What was imported stays: no garbage collection needs to go through it, pytest's own five at the end included."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # a twentieth of what tests take goes into the searches that Python would make
    gc.enable()
    atexit.register(gc.unfreeze)  # else triton, which counts what is left of it as Python ends, says so


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # what comes first stays with one process, which makes its fixtures once; those with Ray take longest, one after another
    items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in ("together", "ray")])
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run it with --slow"))
