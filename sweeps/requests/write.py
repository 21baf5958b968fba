"""Writes an answer into a folder: weights, record, page."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors.torch import save as save_tensors

from sweeps.errors import SweepError
from sweeps.requests.answer import Answer
from sweeps.requests.page import page
from sweeps.text import clean_all
from unlearn.files import write_atomically

WEIGHTS, RECORD, PAGE = "unlearned.safetensors", "record.json", "record.html"


def check_empty(folder: Path) -> None:
    """Refuse a folder that holds something already, or that could not be written after all the work.

    Raises:
        SweepError: it does, or is a file, or cannot be made or written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SweepError(f"--out must be a new or an empty folder, so that nothing is overwritten, got {folder}")
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SweepError(
            f"--out must be a folder that can be made and written, got {folder}: {there} cannot be written"
        )


def write_answer(answer: Answer, folder: Path) -> list[Path]:
    """Write the three files, the weights first; returns their paths.

    Raises:
        SweepError: another request has answered there since it was looked at.
    """
    check_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in answer.state.items()}
    told = clean_all(answer.record)
    digest = {"request_sha256": told["asked"]["sha256"], "state_sha256": told["weights"]["unlearned"]["sha256"]}
    contents = {
        WEIGHTS: save_tensors(tensors, {"format": "pt", **digest}),
        RECORD: json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False).encode(),
        PAGE: page(told).encode(),
    }
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


__all__ = ["PAGE", "RECORD", "WEIGHTS", "check_empty", "write_answer"]
