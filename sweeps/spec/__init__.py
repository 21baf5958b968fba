"""The sweep YAML, validated: every error at once, before anything starts."""

from sweeps.spec.check import check_here, check_sizes, training_labels
from sweeps.spec.read import load_spec, parse_spec, published_params, read_yaml, shipped_sweeps
from sweeps.spec.schema import RangeSpec, Spec

__all__ = [
    "RangeSpec",
    "Spec",
    "check_here",
    "check_sizes",
    "load_spec",
    "parse_spec",
    "published_params",
    "read_yaml",
    "shipped_sweeps",
    "training_labels",
]
