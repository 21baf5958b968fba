import torch
from method_problems import SEED, resnet_problem, same_state

from unlearn.methods import Streams
from unlearn.methods.original import Original


def test_it_reads_no_sample_and_changes_no_bit() -> None:
    problem = resnet_problem()
    model = problem.start()
    state = torch.get_rng_state()
    assert sum(1 for _ in Original(lr=1.0, weight_decay=1.0).unlearn(model, problem.data, Streams(SEED))) == 1
    assert same_state(model, problem.start())
    assert (problem.data.served, problem.data.forward_only) == (0, 0)
    assert torch.equal(torch.get_rng_state(), state)
