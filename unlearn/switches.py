"""Process-wide switches that code of others may leave turned: read together, and set back together."""

from __future__ import annotations

import gc
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

__all__ = ["Switches", "host_waits", "isolated", "kept_backends", "seed_global_generators"]

#: How a switch is read, and how it is set.
Switch = tuple[Callable[[], Any], Callable[[Any], object]]


@dataclass(frozen=True)
class Switches:
    """The state of the process that is no tensor's and no model's, as it was when `now` read it.

    Modes of autograd, autocast, threads, default type and device, determinism, hooks of all modules, precision of products and
    kernels, random generators, NumPy's errors, warnings, the working folder, the environment, `sys.path`. What a module keeps to
    itself is not seen.
    """

    values: tuple[Any, ...]

    @staticmethod
    def now() -> Switches:
        return Switches(tuple(get() for get, _ in SWITCHES))

    def restore(self) -> None:
        """Set back every switch that has another value now."""
        for (get, set_to), value in zip(SWITCHES, self.values, strict=True):
            if get() != value:
                set_to(value)


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Within, global generators start from `seed`; at the end every switch is set back to what it was before."""
    before = Switches.now()
    seed_global_generators(seed)
    try:
        yield
    finally:
        before.restore()


@contextmanager
def host_waits(how: Literal["default", "error"]) -> Iterator[None]:
    """Within, torch lets the host wait for a GPU, or refuses to."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(action="ignore"):  # that it does not see everything
        torch.cuda.set_sync_debug_mode(how)
    try:
        yield
    finally:
        with warnings.catch_warnings(action="ignore"):
            torch.cuda.set_sync_debug_mode(before)


def seed_global_generators(seed: int) -> None:
    """Seed PyTorch's, NumPy's and Python's own generators."""
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:  # without the text of the whole call stack, which the other keeps for devices that may come
        torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # the global generator is the point
    random.seed(seed)


# --- torch ---

#: Entered for good where a mode was left entered: the state of a guard that is let go of falls back.
_entered: list[torch.inference_mode] = []


def _set_inference(on: bool) -> None:
    guard = torch.inference_mode(on)
    guard.__enter__()
    _entered.append(guard)


def _device() -> torch.device:
    return torch.empty(0).device  # in torch 2.8 get_default_device raises where a default was set and taken back


def _set_device(device: torch.device) -> None:
    torch.set_default_device(None)  # where nothing was set
    if _device() != device:
        torch.set_default_device(device)


def _set_deterministic(modes: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(modes[0], warn_only=modes[1])


def _flushes_denormals() -> bool:
    return bool(torch.tensor(1e-310, dtype=torch.float64, device="cpu") * 1.0 == 0)


def _autocast(device: str) -> Switch:
    def get() -> Any:
        return torch.is_autocast_enabled(device), torch.get_autocast_dtype(device), torch.is_autocast_cache_enabled()

    def set_to(value: Any) -> None:
        torch.set_autocast_enabled(device, value[0])
        torch.set_autocast_dtype(device, value[1])
        torch.set_autocast_cache_enabled(value[2])
        torch.clear_autocast_cache()

    return get, set_to


def _attribute(owner: Any, name: str) -> Switch:
    def get() -> Any:
        try:
            return getattr(owner, name)
        except RuntimeError:  # torch refuses to say while its old and new names for precision disagree
            return None

    def set_to(value: Any) -> None:
        if value is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of names that torch means to rename
                setattr(owner, name, value)

    return get, set_to


def _products() -> str | None:
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # as above
        return None


def _set_products(precision: str | None) -> None:
    if precision is not None:
        torch.set_float32_matmul_precision(precision)


def _precisions() -> Iterator[Switch]:
    """Torch's newer names for precision, where it has them; the older ones above set some of them."""
    for backend in (torch.backends, torch.backends.cuda, torch.backends.cudnn, torch.backends.mkldnn):
        parts = [getattr(backend, part, None) for part in ("matmul", "conv", "rnn")]
        yield from (
            _attribute(owner, "fp32_precision") for owner in (backend, *parts) if hasattr(owner, "fp32_precision")
        )


def _backends() -> Iterator[Switch]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    flags = {
        cudnn: ("enabled", "benchmark", "deterministic", "allow_tf32"),
        matmul: ("allow_tf32", "allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction"),
        torch.backends.mkldnn: ("enabled", "deterministic"),
    }
    for owner, names in flags.items():
        yield from (_attribute(owner, name) for name in names if hasattr(owner, name))
    yield _products, _set_products
    yield from _precisions()
    cuda = torch.backends.cuda
    yield cuda.flash_sdp_enabled, cuda.enable_flash_sdp
    yield cuda.mem_efficient_sdp_enabled, cuda.enable_mem_efficient_sdp
    yield cuda.math_sdp_enabled, cuda.enable_math_sdp
    yield cuda.cudnn_sdp_enabled, cuda.enable_cudnn_sdp


@contextmanager
def kept_backends() -> Iterator[None]:
    """At the end precision of products and kernels are what they were before."""
    before = [(get, set_to, get()) for get, set_to in _backends()]
    try:
        yield
    finally:
        for get, set_to, value in before:
            if get() != value:
                set_to(value)


#: Where torch keeps hooks that every module calls.
_MODULE = torch.nn.modules.module


def _hooks_of_all_modules() -> dict[str, Any]:
    kept = {name: value for name, value in vars(_MODULE).items() if name.startswith("_global_")}
    return {name: dict(value) if isinstance(value, dict) else value for name, value in kept.items()}


def _set_hooks_of_all_modules(kept: dict[str, Any]) -> None:
    for name, value in kept.items():
        if isinstance(value, dict):
            held = getattr(_MODULE, name)
            held.clear()
            held.update(value)
        else:
            setattr(_MODULE, name, value)


def _torch_generators() -> list[bytes]:
    states = [torch.get_rng_state()]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        states += torch.cuda.get_rng_state_all()
    return [state.numpy().tobytes() for state in states]


def _set_torch_generators(states: list[bytes]) -> None:
    cpu, *cuda = [torch.frombuffer(bytearray(state), dtype=torch.uint8) for state in states]
    torch.set_rng_state(cpu)
    if cuda:
        torch.cuda.set_rng_state_all(cuda)


# --- Python and NumPy ---


def _numpy_generator() -> Any:
    name, keys, *rest = tuple(np.random.get_state(legacy=True))
    return name, np.asarray(keys).tobytes(), *rest


def _set_numpy_generator(value: Any) -> None:
    name, keys, *rest = value
    np.random.set_state((name, np.frombuffer(keys, dtype=np.uint32), *rest))


def _working_folder() -> str | None:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return None


def _set_working_folder(folder: str | None) -> None:
    if folder is not None and Path(folder).is_dir():
        os.chdir(folder)


def _set_environment(values: dict[str, str]) -> None:
    for name in set(os.environ) - set(values):
        del os.environ[name]
    os.environ.update(values)


def _set_path(folders: list[str]) -> None:
    sys.path[:] = folders


def _set_warnings(filters: list[Any]) -> None:
    warnings.resetwarnings()  # it tells the interpreter that filters are others now
    warnings.filters.extend(filters)  # type: ignore[attr-defined]  # a list, whatever its stub says


def _set_collecting(on: bool) -> None:
    (gc.enable if on else gc.disable)()


SWITCHES: tuple[Switch, ...] = (
    (torch.is_inference_mode_enabled, _set_inference),  # first: it turns gradients on and off too
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    _autocast("cpu"),
    _autocast("cuda"),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_default_dtype, torch.set_default_dtype),
    (_device, _set_device),
    (
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        _set_deterministic,
    ),
    (_flushes_denormals, torch.set_flush_denormal),
    (_hooks_of_all_modules, _set_hooks_of_all_modules),
    (torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled),
    *_backends(),
    (_torch_generators, _set_torch_generators),
    (_numpy_generator, _set_numpy_generator),
    (random.getstate, random.setstate),
    (np.geterr, lambda values: np.seterr(**values)),
    (lambda: list(warnings.filters), _set_warnings),
    (_working_folder, _set_working_folder),
    (lambda: dict(os.environ), _set_environment),
    (lambda: list(sys.path), _set_path),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (gc.isenabled, _set_collecting),
)
