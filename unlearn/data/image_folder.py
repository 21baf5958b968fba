"""Any tree of `train/<class>/*` and `test/<class>/*` image files."""

from __future__ import annotations

from pathlib import Path

from unlearn.data._base import ImageDataset
from unlearn.data._tree import class_folders, tree_dataset

__all__ = ["image_folder"]


def image_folder(cache: Path, *, root: str | Path) -> ImageDataset:
    """RGB images of one size; classes are the folder names, in alphabetical order. Decoded once, under `cache`."""
    folder = Path(root).expanduser()
    return tree_dataset(cache, "image_folder", folder, class_folders(folder / "train"), class_folders(folder / "test"))
