import torch
from method_problems import assert_same_state, kl, resnet_problem

from unlearn.methods._distillation import kl_divergence, teacher_logits


def test_a_teacher_answers_in_eval_mode_and_is_not_counted():
    problem = resnet_problem()
    model = problem.start()
    with torch.no_grad():
        model(problem.images)  # batch statistics unlike the initial ones
    table = teacher_logits(model, problem.data.retain, problem.data.forget)
    alone = torch.cat([model.eval()(image[None]) for image in problem.images])
    for index in (problem.retain, problem.forget):
        torch.testing.assert_close(table[index], alone[index], rtol=1e-4, atol=1e-5)
    assert not table[problem.validation].any()
    assert not table.requires_grad
    assert problem.data.served == 0


def test_a_teacher_keeps_its_batch_statistics():
    problem = resnet_problem()
    model, before = problem.start(), problem.start()
    teacher_logits(model, problem.data.retain)
    assert_same_state(model, before)


def test_divergence_is_zero_between_equals_and_matches_its_definition():
    rng = torch.Generator().manual_seed(0)
    one, other = torch.randn(6, 4, generator=rng), torch.randn(6, 4, generator=rng)
    assert kl_divergence(one, one, 4.0).abs() < 1e-6
    torch.testing.assert_close(kl_divergence(one, other, 3.0), kl(one, other, 3.0))
