import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from unlearn.sgd import SGD


def network() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))
    return net.to(memory_format=torch.channels_last)


def trained(optimizer: SGD | torch.optim.Optimizer, net: nn.Module, *, frozen: range = range(0)) -> list[Tensor]:
    """Weights after six steps; the rate falls after the third, and in the steps `frozen` the head has no gradient."""
    draw = torch.Generator().manual_seed(1)
    for at in range(6):
        optimizer.param_groups[0]["lr"] = 0.1 if at < 3 else 0.01
        optimizer.zero_grad()
        head = net[4]
        head.requires_grad_(at not in frozen)
        net(torch.randn(8, 1, 4, 4, generator=draw)).square().mean().backward()
        optimizer.step()
    return [p.detach() for p in net.parameters()]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 5e-4])
@pytest.mark.parametrize("frozen", [range(0), range(2), range(2, 4)])
def test_its_steps_are_those_of_torch_to_the_last_bit(momentum, weight_decay, frozen):
    ours, theirs = network(), network()
    options = {"lr": 0.1, "momentum": momentum, "weight_decay": weight_decay}
    got = trained(SGD(ours.parameters(), **options), ours, frozen=frozen)
    want = trained(torch.optim.SGD(theirs.parameters(), **options), theirs, frozen=frozen)
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(got, network().parameters(), strict=True))


def test_gradients_are_dropped_or_zero():
    net = network()
    optimizer = SGD(net.parameters(), lr=0.1)
    net(torch.ones(2, 1, 4, 4)).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert all(p.grad is not None and not p.grad.any() for p in net.parameters())
    optimizer.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    optimizer.zero_grad(set_to_none=False)
    assert all(p.grad is None for p in net.parameters())


def test_parameters_without_a_gradient_stay():
    net = network()
    SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1).step()
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), network().parameters(), strict=True))


COMPILER = """
import sys
from unlearn import registry
from unlearn.steps import Streams
from unlearn.testing import SEED, small_problem
from unlearn.training.supervised import Recipe, train

for key in {*registry.keys("methods")} - {"ssd"}:  # gradients sample by sample are of torch.func, which imports it
    small_problem().unlearned(registry.find("methods", key)(epochs=1))
problem = small_problem()
list(train(problem.start(), problem.data.retain, Recipe(epochs=1), Streams(SEED).generator("shuffle")))
registry.find("models", "resnet18")((3, 8, 8), 2, width=1)
print("torch._dynamo" in sys.modules)
"""


def test_neither_training_nor_resnet18_nor_any_other_method_than_ssd_imports_torchs_compiler():
    answer = subprocess.run([sys.executable, "-c", COMPILER], check=True, capture_output=True, text=True).stdout
    assert answer == "False\n"
