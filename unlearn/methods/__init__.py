"""Unlearning methods, one file each: a frozen record of hyperparameters with a generator `unlearn`."""

from unlearn.methods._base import (
    Batches,
    Bounds,
    Count,
    ForgetMethod,
    Method,
    Rate,
    Streams,
    UnlearningData,
    Weight,
    WeightedMethod,
    descend,
)

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
