"""What the file of a stored model says of it, read without torch and without its tensors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors

ENDING = ".safetensors"


def model_facts(file: Path) -> dict[str, Any] | None:
    """What was written about a model, with what its training cost; None where the file is gone, or damaged there."""
    try:
        with safetensors.safe_open(file, framework="np") as opened:
            header = opened.metadata() or {}
        return {**json.loads(header["about"]), **json.loads(header["cost"])}
    except (OSError, safetensors.SafetensorError, ValueError, KeyError):
        return None


def model_files(folder: Path) -> Iterator[Path]:
    """The stored models in a folder."""
    yield from sorted(folder.glob(f"*{ENDING}"))
