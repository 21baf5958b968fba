"""Contracts of components, for the tests of their authors: `check_method(MyMethod, lr=0.01)` raises with all that is wrong.

Each check builds a small problem of its own, on the CPU, in seconds.
"""

from unlearn.testing._contract import ContractError
from unlearn.testing.components import check_dataset, check_metric, check_model, check_scenario, outputs
from unlearn.testing.methods import METHOD_CHECKS, check_method
from unlearn.testing.problems import SEED, Problem, network_problem, same_state, small_problem

__all__ = [
    "METHOD_CHECKS",
    "SEED",
    "ContractError",
    "Problem",
    "check_dataset",
    "check_method",
    "check_metric",
    "check_model",
    "check_scenario",
    "network_problem",
    "outputs",
    "same_state",
    "small_problem",
]
