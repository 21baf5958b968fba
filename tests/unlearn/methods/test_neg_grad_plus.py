import torch
from method_problems import (
    FULL_BATCH,
    RATES,
    HandSGD,
    assert_weights,
    cross_entropy,
    linear_problem,
    logits,
    resnet_problem,
)

from unlearn.methods.finetune import FineTune
from unlearn.methods.neg_grad_plus import NegGradPlus


def test_steps_follow_the_formula():
    problem = linear_problem()
    (x, y), (x_f, y_f) = problem.batch("retain"), problem.batch("forget")
    sgd = HandSGD(problem.weights())
    for lr in RATES:
        retain, forget = cross_entropy(logits(sgd.weights, x), y), cross_entropy(logits(sgd.weights, x_f), y_f)
        sgd.step(0.7 * retain - 0.3 * forget, lr)
    assert_weights(problem.unlearned(NegGradPlus(**FULL_BATCH, alpha=0.7, forget_batch_size=1000)), sgd.weights)


def test_without_a_forget_term_it_follows_finetune_in_weights_but_not_in_batch_statistics():
    setting = {"lr": 0.05, "epochs": 2, "retain_batch_size": 16}
    tuned = resnet_problem().unlearned(FineTune(**setting))
    got = resnet_problem().unlearned(NegGradPlus(**setting, alpha=1.0))
    for (name, one), other in zip(tuned.named_parameters(), got.parameters(), strict=True):
        assert torch.equal(one, other), name
    assert not torch.equal(tuned.backbone[1].running_mean, got.backbone[1].running_mean)
