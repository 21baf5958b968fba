from method_problems import FULL_BATCH, RATES, HandSGD, assert_weights, cross_entropy, linear_problem, logits

from unlearn.methods.l1_sparse import L1Sparse


def test_steps_follow_the_formula():
    problem = linear_problem()
    x, y = problem.batch("retain")
    sgd = HandSGD(problem.weights())
    for lr, alpha in zip(RATES, (0.003, 0.002, 0.001), strict=True):
        penalty = sum(w.abs().sum() for w in sgd.weights)
        sgd.step(cross_entropy(logits(sgd.weights, x), y) + alpha * penalty, lr)
    assert_weights(problem.unlearned(L1Sparse(**FULL_BATCH, alpha=0.003)), sgd.weights)
