import torch
from method_problems import (
    FULL_BATCH,
    RATES,
    SEED,
    HandSGD,
    assert_weights,
    cross_entropy,
    features,
    linear_problem,
    logits,
)

from unlearn.methods import Streams
from unlearn.methods._boundary import expanded_logits
from unlearn.methods._linear import fresh_linear
from unlearn.methods.boundary_expanding import BoundaryExpanding
from unlearn.methods.boundary_expanding_plus import BoundaryExpandingPlus

C = 3


def widened(weights):
    """The weights with a head of C + 1 rows, the new one as the method draws it."""
    new = fresh_linear(5, 1, Streams(SEED).generator("new_class")).double()
    head = [torch.cat([weights[2], new.weight]), torch.cat([weights[3], new.bias])]
    return [*weights[:2], *(part.detach().requires_grad_() for part in head)]


def pruned(weights):
    return [*weights[:2], weights[2][:C], weights[3][:C]]


def test_steps_equal_those_of_a_widened_head_that_is_pruned_at_the_end():
    problem = linear_problem(C)
    x, _ = problem.batch("forget")
    sgd = HandSGD(widened(problem.weights()))
    for lr in RATES:
        scores = logits(sgd.weights, x)
        assert scores.shape[1] == C + 1
        sgd.step(cross_entropy(scores, torch.full((len(x),), C)), lr)
    method = BoundaryExpanding(**FULL_BATCH, forget_batch_size=1000)
    assert_weights(problem.unlearned(method), pruned(sgd.weights))


def test_plus_trains_both_terms_under_the_widened_head():
    problem = linear_problem(C)
    (x, y), (x_f, _) = problem.batch("retain"), problem.batch("forget")
    sgd = HandSGD(widened(problem.weights()))
    for lr in RATES:
        retain = cross_entropy(logits(sgd.weights, x), y)
        forget = cross_entropy(logits(sgd.weights, x_f), torch.full((len(x_f),), C))
        sgd.step(0.7 * retain + 0.3 * forget, lr)
    method = BoundaryExpandingPlus(**FULL_BATCH, alpha=0.7, forget_batch_size=1000)
    assert_weights(problem.unlearned(method), pruned(sgd.weights))


def test_pruning_restores_the_logits_of_the_first_classes():
    problem = linear_problem(C)
    model, new_class = problem.start(), fresh_linear(5, 1, torch.Generator()).double()
    wide = expanded_logits(model, new_class, problem.images)
    assert wide.shape == (len(problem.images), C + 1)
    assert torch.equal(wide[:, :C], model(problem.images))
    seen = features(problem.weights(), (problem.images / 255).double())
    torch.testing.assert_close(wide[:, C], (seen @ new_class.weight.T + new_class.bias).squeeze(1), rtol=0, atol=1e-6)
