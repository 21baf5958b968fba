"""What a run computes in: which switches a GPU's has, and that they are set back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unlearn.arithmetic import arithmetic, full_precision, set_gpu_products
from unlearn.methods.neg_grad_plus import NegGradPlus
from unlearn.run import run_unlearning
from unlearn.scenarios.random import RandomSamples
from unlearn.switches import Switches, kept_backends
from unlearn.training import Recipe
from unlearn.workspace import Setting, Task, Workspace
from unlearn.workspace.precision import Precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def switches() -> tuple[str, bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark


def test_a_cpu_keeps_its_switches() -> None:
    before = switches()
    for precision in ("float32", "bfloat16"):
        with arithmetic(CPU, precision):
            assert switches() == before
            assert torch.is_autocast_enabled("cpu") == (precision == "bfloat16")
            with full_precision(CPU):
                assert switches() == before
                assert not torch.is_autocast_enabled("cpu")
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("tf32", [False, True])
def test_a_gpus_switches_are_set_and_set_back(tf32: bool) -> None:
    """They can be set without one."""
    before = Switches.now()
    with kept_backends():
        set_gpu_products(tf32=tf32)
        torch.backends.cudnn.deterministic = True
        assert switches() == ("high" if tf32 else "highest", tf32, True, False)
        assert torch.backends.cuda.matmul.allow_tf32 == tf32
    assert Switches.now() == before

    def fails() -> None:
        set_gpu_products(tf32=tf32)
        raise KeyError

    with pytest.raises(KeyError), kept_backends():
        fails()
    assert Switches.now() == before


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_on_a_gpu(precision: Precision) -> None:
    wide = torch.rand(512, 512, dtype=torch.float64, device=GPU)
    narrow = wide.float()

    def error() -> float:
        return ((narrow @ narrow).double() - wide @ wide).abs().max().item() / 512

    with arithmetic(GPU, precision):
        assert 1e-6 < error() < 1e-2
        with full_precision(GPU):
            assert error() < 1e-6
    assert not torch.is_autocast_enabled("cuda")


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_equal_runs_on_a_gpu_give_equal_weights(precision: Precision, tmp_path: Path) -> None:
    setting = Setting(model_options={"width": 8}, recipe=Recipe(epochs=2, lr=0.1, batch_size=64), precision=precision)
    states = []
    for name in ("one", "other"):  # caches of their own: each trains its models itself
        workspace = Workspace(setting, tmp_path / name, GPU)
        task = Task(scenario=RandomSamples(), forget_size=60, forget_seed=0)
        *_, last = run_unlearning(workspace, task, NegGradPlus(epochs=2), seed=0)
        states.append(last.model.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
