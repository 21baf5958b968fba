"""The sweep YAML, validated: every error at once, before anything starts."""

from sweeps.spec.check import check_here, check_sizes, training_labels
from sweeps.spec.document import dump_yaml, read_stored, read_yaml
from sweeps.spec.read import load_spec, parse_spec, published_params, shipped_sweeps, stored_spec
from sweeps.spec.schema import RangeSpec, Spec

__all__ = [
    "RangeSpec",
    "Spec",
    "check_here",
    "check_sizes",
    "dump_yaml",
    "load_spec",
    "parse_spec",
    "published_params",
    "read_stored",
    "read_yaml",
    "shipped_sweeps",
    "stored_spec",
    "training_labels",
]
