import itertools

import pytest
import torch
from method_problems import (
    assert_same_state,
    assert_weights,
    cross_entropy,
    linear_problem,
    logits,
    network_problem,
    resnet_problem,
)

from unlearn.methods import ssd
from unlearn.methods.ssd import SSD, squared_gradients


def fisher(problem, names):
    """The mean squared gradient over the samples of some sets, one at a time."""
    weights = problem.weights()
    samples = [sample for name in names for sample in zip(*problem.batch(name), strict=True)]
    total = [torch.zeros_like(w) for w in weights]
    for x, y in samples:
        loss = cross_entropy(logits(weights, x[None]), y[None])
        for whole, g in zip(total, torch.autograd.grad(loss, weights), strict=True):
            whole.add_(g**2)
    return [whole / len(samples) for whole in total]


@pytest.mark.parametrize(("alpha", "dampening"), [(1.2, 1.0), (0.9, 0.4), (0.5, 1.2)])
def test_weights_follow_the_formula(alpha, dampening):
    problem = linear_problem()
    expected, selected = problem.weights(), 0
    i_forget, i_all = fisher(problem, ["forget"]), fisher(problem, ["retain", "forget"])
    with torch.no_grad():
        for w, forget, whole in zip(expected, i_forget, i_all, strict=True):
            for at in itertools.product(*map(range, w.shape)):
                if forget[at] > alpha * whole[at]:
                    selected += 1
                    w[at] *= min(dampening * whole[at].item() / forget[at].item(), 1)
    assert 0 < selected < sum(w.numel() for w in expected)
    assert_weights(problem.unlearned(SSD(alpha=alpha, dampening=dampening)), expected)


def test_above_the_ratio_of_sizes_nothing_is_selected():
    problem = resnet_problem(retain=40, forget=10)
    assert_same_state(problem.unlearned(SSD(alpha=5.01, dampening=0.1)), problem.data.original)


@pytest.mark.parametrize(
    ("network", "options"), [("small_resnet", {"width": 2}), ("vit_small", {"depth": 1, "width": 8, "heads": 2})]
)
def test_gradients_are_those_of_single_samples_however_they_are_batched(network, options, monkeypatch):
    problem = network_problem(network, (4, 6, 4), **options)
    model = problem.start().eval()
    expected = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for row in problem.forget.split(1):
        loss = cross_entropy(model(problem.images[row]), problem.labels[row])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        for total, gradient in zip(expected.values(), gradients, strict=True):
            total.add_(gradient**2)
    for batch in (100, 5, 1):
        monkeypatch.setattr(ssd, "GRADIENT_NUMBERS", batch * sum(p.numel() for p in model.parameters()))
        got = squared_gradients(model, problem.data.forget)
        for name, value in expected.items():
            torch.testing.assert_close(got[name], value, rtol=1e-4, atol=1e-7)
    assert [len(rows) for rows in problem.data.forget.served_rows] == [6, 6, *[1] * 6]
