"""What `--json` prints: the same facts as the tables, for programs. What is not known is null."""

from __future__ import annotations

import json
import math
from typing import Any

from sweeps.text import clean_all


def print_json(data: Any) -> None:
    """One document on stdout."""
    print(json.dumps(_known(clean_all(data)), indent=2, ensure_ascii=False, allow_nan=False))


def _known(data: Any) -> Any:
    """Plain data, with null for every number that is none."""
    if isinstance(data, dict):
        return {str(key): _known(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_known(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data.item() if hasattr(data, "item") else data
