"""The sweep YAML, validated: every error at once, before anything starts."""

from sweeps.spec.data import Facts, Sizes, check_data, check_sizes, facts, open_data, scenario_of, split_data
from sweeps.spec.document import dump_yaml, read_stored, read_yaml
from sweeps.spec.earlier import continued
from sweeps.spec.files import check_files
from sweeps.spec.here import check_here, gpus_lacking
from sweeps.spec.notes import own_code, remarks
from sweeps.spec.read import (
    leaves_published_out,
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
    "Facts",
    "RangeSpec",
    "Sizes",
    "Spec",
    "check_data",
    "check_files",
    "check_here",
    "check_sizes",
    "continued",
    "dump_yaml",
    "facts",
    "gpus_lacking",
    "leaves_published_out",
    "load_spec",
    "load_stored",
    "open_data",
    "open_document",
    "own_code",
    "parse_document",
    "parse_spec",
    "published_params",
    "read_stored",
    "read_yaml",
    "remarks",
    "scenario_of",
    "shipped_sweeps",
    "split_data",
    "stored_spec",
]
