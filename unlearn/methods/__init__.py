"""Unlearning methods, one file each: a frozen record of hyperparameters with a generator `unlearn`."""

from unlearn.methods._base import ForgetMethod, Method, UnlearningData, WeightedMethod
from unlearn.steps import Batches, Bounds, Count, Rate, Streams, Weight, descend

__all__ = [
    "Batches",
    "Bounds",
    "Count",
    "ForgetMethod",
    "Method",
    "Rate",
    "Streams",
    "UnlearningData",
    "Weight",
    "WeightedMethod",
    "descend",
]
