"""The sweep YAML, validated: every error at once, before anything starts."""

from sweeps.spec.check import check_sizes, training_labels
from sweeps.spec.document import dump_yaml, read_stored, read_yaml
from sweeps.spec.here import check_here, gpus_lacking
from sweeps.spec.notes import own_code, remarks
from sweeps.spec.read import (
    load_spec,
    load_stored,
    open_document,
    parse_document,
    parse_spec,
    published_params,
    shipped_sweeps,
    stored_spec,
)
from sweeps.spec.schema import RangeSpec, Spec

__all__ = [
    "RangeSpec",
    "Spec",
    "check_here",
    "check_sizes",
    "dump_yaml",
    "gpus_lacking",
    "load_spec",
    "load_stored",
    "open_document",
    "own_code",
    "parse_document",
    "parse_spec",
    "published_params",
    "read_stored",
    "read_yaml",
    "remarks",
    "shipped_sweeps",
    "stored_spec",
    "training_labels",
]
