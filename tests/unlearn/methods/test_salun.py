import pytest
import torch
from method_problems import (
    FULL_BATCH,
    RATES,
    HandSGD,
    assert_same_state,
    assert_weights,
    cross_entropy,
    linear_problem,
    logits,
    resnet_problem,
)

from unlearn.methods import salun
from unlearn.methods.random_label import RandomLabel
from unlearn.methods.salun import SalUn, salient_weights


@pytest.mark.parametrize("sparsity", [0.2, 0.6])
def test_steps_follow_the_formula(sparsity):
    problem = linear_problem(classes=2)
    (x, y), (x_f, y_f) = problem.batch("retain"), problem.batch("forget")
    start, sgd = problem.weights(), HandSGD(problem.weights())
    saliency = [g.abs() for g in torch.autograd.grad(cross_entropy(logits(start, x_f), y_f), start)]
    ordered = torch.cat([s.flatten() for s in saliency]).sort().values
    cut = round(sparsity * len(ordered))
    threshold = ordered[cut]
    assert ordered[cut - 1] < 0.99 * threshold  # no tie

    def step(pixels, labels, lr):
        sgd.step(cross_entropy(logits(sgd.weights, pixels), labels), lr)
        with torch.no_grad():
            for w, old, s in zip(sgd.weights, start, saliency, strict=True):
                w[s < threshold] = old[s < threshold]

    for lr in RATES:
        step(x_f, 1 - y_f, lr)
        step(x, y, lr)
    method = SalUn(**FULL_BATCH, forget_batch_size=1000, sparsity=sparsity)
    assert_weights(problem.unlearned(method), sgd.weights)


def test_without_sparsity_it_is_random_label():
    setting = {"lr": 0.05, "epochs": 2, "retain_batch_size": 16, "forget_batch_size": 4}
    expected = resnet_problem().unlearned(RandomLabel(**setting))
    assert_same_state(resnet_problem().unlearned(SalUn(**setting, sparsity=0.0)), expected)


def test_full_sparsity_leaves_every_weight():
    problem = resnet_problem()
    got = problem.unlearned(SalUn(lr=0.05, epochs=1, sparsity=1.0))
    assert_weights(got, problem.weights(), tolerance=0)


def test_the_mask_does_not_depend_on_how_the_forget_set_is_cut(monkeypatch):
    problem = resnet_problem()
    whole = salient_weights(problem.start(), problem.data, 0.5)
    monkeypatch.setattr(salun, "BATCH", 5)
    parts = salient_weights(problem.start(), problem.data, 0.5)
    different = sum((a != b).sum().item() for a, b in zip(whole, parts, strict=True))
    assert different <= 2  # rounding may swap a pair at the threshold
    assert sum(mask.sum().item() for mask in whole) == round(sum(mask.numel() for mask in whole) / 2)


def test_weights_that_the_loss_does_not_need_are_not_salient():
    problem = linear_problem()
    problem.data.original.backbone.register_parameter("spare", torch.nn.Parameter(torch.ones(3), requires_grad=False))
    got = problem.unlearned(SalUn(**FULL_BATCH, forget_batch_size=1000, sparsity=0.5))
    assert got.backbone.get_parameter("spare").tolist() == [1, 1, 1]
