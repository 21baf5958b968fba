from method_problems import FULL_BATCH, RATES, HandSGD, assert_weights, cross_entropy, linear_problem, logits

from unlearn.methods.neg_grad import NegGrad


def test_steps_follow_the_formula():
    problem = linear_problem()
    x, y = problem.batch("forget")
    sgd = HandSGD(problem.weights())
    for lr in RATES:
        sgd.step(-cross_entropy(logits(sgd.weights, x), y), lr)
    assert_weights(problem.unlearned(NegGrad(**FULL_BATCH, forget_batch_size=1000)), sgd.weights)


def test_an_epoch_is_one_pass_over_the_forget_set():
    problem = linear_problem()
    problem.unlearned(NegGrad(epochs=2, forget_batch_size=4))
    assert [len(rows) for rows in problem.data.forget.served_rows] == [4, 2, 4, 2]
