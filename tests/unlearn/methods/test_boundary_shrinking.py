import pytest
import torch
from method_problems import FULL_BATCH, RATES, HandSGD, assert_weights, cross_entropy, linear_problem, logits
from torch import nn

from unlearn.methods._boundary import with_nearest_classes
from unlearn.methods.boundary_shrinking import BoundaryShrinking
from unlearn.methods.boundary_shrinking_plus import BoundaryShrinkingPlus

EPSILON = 0.1


def nearest_by_hand(problem, epsilon=EPSILON):
    """For each forget sample, one at a time, the best other class beyond the boundary."""
    weights, (pixels, labels), found = problem.weights(), problem.batch("forget"), []
    for x, y in zip(pixels.split(1), labels.split(1), strict=True):
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(cross_entropy(logits(weights, x), y), x)
        beyond = torch.clamp(x.detach() + epsilon * torch.sign(gradient), 0, 1)
        ranking = logits(weights, beyond).argsort(descending=True).squeeze(0).tolist()
        ranking.remove(y.item())
        found.append(ranking[0])
    return torch.tensor(found)


class Recorder(nn.Module):
    """An original that remembers what it was asked."""

    def __init__(self, model):
        super().__init__()
        self.model, self.inputs = model, []

    def forward(self, x):
        self.inputs.append(x.detach().clone())
        return self.model(x)


def test_nearest_classes_match_a_computation_one_sample_at_a_time():
    for classes in (3, 6):
        problem = linear_problem(classes)
        labels = with_nearest_classes(problem.data, EPSILON)
        expected = problem.labels.clone()
        expected[problem.forget] = nearest_by_hand(problem)
        assert torch.equal(labels, expected)
        assert (labels != problem.labels).sum() == len(problem.forget)


def test_the_step_is_epsilon_in_pixels_and_stays_in_range():
    problem = linear_problem()
    problem.data.original = recorder = Recorder(problem.data.original)
    with_nearest_classes(problem.data, EPSILON)
    before, after = recorder.inputs
    assert torch.equal(before, problem.images[problem.forget] / 255)
    assert after.min() >= 0
    assert after.max() <= 1
    inside = (before > EPSILON) & (before < 1 - EPSILON)
    assert inside.any()
    torch.testing.assert_close((after - before).abs()[inside], torch.full_like(before[inside], EPSILON))
    assert (after[before == 1] < 1).any()
    assert (after[before == 1] == 1).any()


def test_samples_of_the_search_for_classes_are_counted():
    problem = linear_problem()
    with_nearest_classes(problem.data, EPSILON)
    assert problem.data.served == len(problem.forget)


@pytest.mark.parametrize("epsilon", [EPSILON, 0.9])
def test_steps_follow_the_formula(epsilon):
    problem = linear_problem(10)
    (x, _), target = problem.batch("forget"), nearest_by_hand(problem, epsilon)
    assert torch.equal(target, nearest_by_hand(problem)) == (epsilon == EPSILON)
    sgd = HandSGD(problem.weights())
    for lr in RATES:
        sgd.step(cross_entropy(logits(sgd.weights, x), target), lr)
    method = BoundaryShrinking(**FULL_BATCH, forget_batch_size=1000, epsilon=epsilon)
    assert_weights(problem.unlearned(method), sgd.weights)


@pytest.mark.parametrize("epsilon", [EPSILON, 0.9])
def test_plus_adds_the_retain_term(epsilon):
    problem = linear_problem(10)
    (x, y), (x_f, _), target = problem.batch("retain"), problem.batch("forget"), nearest_by_hand(problem, epsilon)
    sgd = HandSGD(problem.weights())
    for lr in RATES:
        retain, forget = cross_entropy(logits(sgd.weights, x), y), cross_entropy(logits(sgd.weights, x_f), target)
        sgd.step(0.7 * retain + 0.3 * forget, lr)
    method = BoundaryShrinkingPlus(**FULL_BATCH, alpha=0.7, forget_batch_size=1000, epsilon=epsilon)
    assert_weights(problem.unlearned(method), sgd.weights)


def test_epsilon_is_a_tenth_unless_given():
    assert BoundaryShrinking().epsilon == BoundaryShrinkingPlus().epsilon == 0.1
