import torch
from method_problems import (
    FULL_BATCH,
    RATES,
    SEED,
    HandSGD,
    assert_same_state,
    assert_weights,
    cross_entropy,
    features,
    linear_problem,
    logits,
    resnet_problem,
)
from torch.nn import functional as F

from unlearn.methods import Streams
from unlearn.methods.finetune import FineTune
from unlearn.methods.sure import SURE, domain_regressor

ALPHA = 0.6


def domain_loss(weights, regressor, x_f, x_v):
    """L_d of Equation (4), each domain averaged on its own: the two sets differ in size."""

    def score(pixels):
        hidden = torch.relu(features(weights, pixels) @ regressor[0].T + regressor[1])
        return (hidden @ regressor[2].T + regressor[3]).squeeze(1)

    ones, zeros = torch.ones(len(x_f)).double(), torch.zeros(len(x_v)).double()
    bce = F.binary_cross_entropy_with_logits
    return bce(score(x_f), ones) + bce(score(x_v), zeros)


def test_steps_follow_equations_7_to_9_without_a_reversal_layer():
    problem = linear_problem()
    (x, y), (x_f, _), (x_v, _) = (problem.batch(name) for name in ("retain", "forget", "validation"))
    assert len(x_f) != len(x_v)
    weights = problem.weights()
    network = domain_regressor(5, Streams(SEED).generator("regressor")).double()
    regressor = [p.detach().requires_grad_() for p in network.parameters()]
    sgd = HandSGD(weights + regressor)
    for lr in RATES:
        class_loss = cross_entropy(logits(weights, x), y)
        of_class = torch.autograd.grad(class_loss, weights)
        of_domain = torch.autograd.grad(domain_loss(weights, regressor, x_f, x_v), weights[:2] + regressor)
        extractor = [ALPHA * y_part - (1 - ALPHA) * d for y_part, d in zip(of_class[:2], of_domain[:2], strict=True)]
        head = [ALPHA * g for g in of_class[2:]]
        domain = [(1 - ALPHA) * g for g in of_domain[2:]]
        sgd.apply(extractor + head + domain, lr)
    got = problem.unlearned(SURE(**FULL_BATCH, alpha=ALPHA, forget_batch_size=1000))
    assert_weights(got, weights)


def test_without_a_domain_term_it_equals_finetune_to_the_last_bit():
    setting = {"lr": 0.05, "epochs": 2, "retain_batch_size": 16}
    tuned = resnet_problem().unlearned(FineTune(**setting))
    assert_same_state(resnet_problem().unlearned(SURE(**setting, alpha=1.0)), tuned)


def test_forget_and_validation_samples_leave_the_batch_statistics_alone():
    setting = {"epochs": 1, "retain_batch_size": 1000}
    tuned = resnet_problem().unlearned(FineTune(**setting))
    got = resnet_problem().unlearned(SURE(**setting, alpha=0.5))
    assert not torch.equal(got.backbone[0].weight, tuned.backbone[0].weight)
    for (name, one), other in zip(got.named_buffers(), tuned.buffers(), strict=True):
        assert torch.equal(one, other), name
