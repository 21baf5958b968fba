import pytest
from method_problems import FULL_BATCH, RATES, HandSGD, assert_weights, cross_entropy, kl, linear_problem, logits

from unlearn.methods.scrub import SCRUB


@pytest.mark.parametrize(("max_epochs", "temperature"), [(1, 4.0), (2, 1.5)])
def test_steps_follow_the_formula(max_epochs, temperature):
    problem = linear_problem()
    (x, y), (x_f, _) = problem.batch("retain"), problem.batch("forget")
    original = problem.weights()
    sgd = HandSGD(problem.weights())
    for epoch, lr in enumerate(RATES, start=1):
        if epoch <= max_epochs:
            distance = kl(logits(original, x_f), logits(sgd.weights, x_f), temperature)
            sgd.step(-(1 - 0.6) * distance, lr)
        scores = logits(sgd.weights, x)
        sgd.step(0.6 * (cross_entropy(scores, y) + kl(logits(original, x), scores, temperature)), lr)
    method = SCRUB(**FULL_BATCH, alpha=0.6, forget_batch_size=1000, max_epochs=max_epochs, temperature=temperature)
    assert_weights(problem.unlearned(method), sgd.weights)


def test_its_epoch_is_chosen_by_its_own_rule():
    assert SCRUB.epoch_rule == "scrub_r"
    assert (SCRUB().max_epochs, SCRUB().temperature) == (3, 4.0)
