import torch
from method_problems import SEED, HandSGD, assert_weights, cross_entropy, linear_problem, logits, resnet_problem

from unlearn.methods import Streams
from unlearn.methods.oracle import Oracle


def test_steps_follow_the_recipe_from_a_fresh_network():
    problem = linear_problem()
    got = problem.unlearned(Oracle(lr=0.1, epochs=4, retain_batch_size=1000, milestones=(2, 3)))
    x, y = problem.batch("retain")
    _, fresh = problem.made
    sgd = HandSGD(problem.weights(fresh))
    for lr in (0.1, 0.1, 0.01, 0.001):
        sgd.step(cross_entropy(logits(sgd.weights, x), y), lr)
    assert_weights(got, sgd.weights)


def test_nothing_of_the_original_is_left_in_the_batch_statistics():
    problem = resnet_problem()
    model, other = problem.start(), problem.start()
    with torch.no_grad():
        for buffer in other.buffers():
            buffer.add_(3)
    method = Oracle(epochs=1)
    for start in (model, other):
        assert sum(1 for _ in method.unlearn(start, problem.data, Streams(SEED))) == 1
    for (name, one), two in zip(model.named_buffers(), other.buffers(), strict=True):
        assert torch.equal(one, two), name


def test_defaults_are_the_recipe_of_the_paper():
    oracle = Oracle()
    assert (oracle.epochs, oracle.lr, oracle.weight_decay, oracle.milestones) == (150, 0.01, 5e-4, (80,))
    assert (oracle.momentum, oracle.retain_batch_size) == (0.9, 256)
