import torch
from method_problems import FULL_BATCH, RATES, HandSGD, assert_weights, cross_entropy, linear_problem, logits

from unlearn.methods import Batches, random_label
from unlearn.methods._labels import with_wrong_labels
from unlearn.methods.random_label import RandomLabel


def test_steps_follow_the_formula():
    problem = linear_problem(classes=2)  # of two classes, the wrong one is known
    (x, y), (x_f, y_f) = problem.batch("retain"), problem.batch("forget")
    sgd = HandSGD(problem.weights())
    for lr in RATES:
        sgd.step(cross_entropy(logits(sgd.weights, x_f), 1 - y_f), lr)
        sgd.step(cross_entropy(logits(sgd.weights, x), y), lr)
    assert_weights(problem.unlearned(RandomLabel(**FULL_BATCH, forget_batch_size=1000)), sgd.weights)


def test_wrong_labels_are_uniform_over_the_other_classes():
    labels = torch.arange(9000) % 3
    forget = Batches(torch.empty(0), labels, torch.arange(0, 9000, 3))  # all of class 0
    wrong = with_wrong_labels(forget, 5, torch.Generator().manual_seed(0))
    counts = torch.bincount(wrong[::3], minlength=5)
    assert counts[0] == 0
    assert (counts[1:] - 750).abs().max() < 100  # four standard deviations are 95
    assert torch.equal(wrong[1::3], labels[1::3])
    assert torch.equal(labels, torch.arange(9000) % 3)


def test_labels_are_redrawn_each_epoch(monkeypatch):
    drawn = []

    def record(*arguments):
        drawn.append(with_wrong_labels(*arguments))
        return drawn[-1]

    monkeypatch.setattr(random_label, "with_wrong_labels", record)
    linear_problem().unlearned(RandomLabel(epochs=3))
    first, second, third = drawn
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
