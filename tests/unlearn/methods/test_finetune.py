from method_problems import FULL_BATCH, RATES, HandSGD, assert_weights, cross_entropy, linear_problem, logits

from unlearn.methods.finetune import FineTune


def test_steps_follow_the_formula():
    problem = linear_problem()
    x, y = problem.batch("retain")
    sgd = HandSGD(problem.weights())
    for lr in RATES:
        sgd.step(cross_entropy(logits(sgd.weights, x), y), lr)
    assert_weights(problem.unlearned(FineTune(**FULL_BATCH)), sgd.weights)
