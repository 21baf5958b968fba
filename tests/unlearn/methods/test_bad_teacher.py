from method_problems import FULL_BATCH, RATES, HandSGD, assert_weights, kl, linear_problem, logits

from unlearn.methods.bad_teacher import BadTeacher


def test_steps_follow_the_formula():
    problem = linear_problem()
    got = problem.unlearned(BadTeacher(**FULL_BATCH, alpha=0.7, forget_batch_size=1000))
    (x, _), (x_f, _) = problem.batch("retain"), problem.batch("forget")
    _, incompetent = problem.made
    good, bad = logits(problem.weights(), x), logits(problem.weights(incompetent), x_f)
    sgd = HandSGD(problem.weights())
    for lr in RATES:
        retain, forget = kl(good, logits(sgd.weights, x)), kl(bad, logits(sgd.weights, x_f))
        sgd.step(0.7 * retain + 0.3 * forget, lr)
    assert_weights(got, sgd.weights)
