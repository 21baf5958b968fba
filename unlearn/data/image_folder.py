"""Any tree of `train/<class>/*` and `test/<class>/*` image files."""

from __future__ import annotations

from pathlib import Path

from unlearn.data._base import ImageDataset
from unlearn.data._tree import class_folders, tree_dataset

__all__ = ["image_folder"]


def image_folder(
    cache: Path, *, root: str | Path, train_per_class: int | None = None, test_per_class: int | None = None
) -> ImageDataset:
    """RGB images of one size; classes are the folder names, in alphabetical order. Decoded once, under `cache`.

    Args:
        train_per_class, test_per_class: only the first so many of each class, by file name, for a small run; all by default.
    """
    folder = Path(root).expanduser()
    train = {name: files[:train_per_class] for name, files in class_folders(folder / "train").items()}
    test = {name: files[:test_per_class] for name, files in class_folders(folder / "test").items()}
    return tree_dataset(cache, "image_folder", folder, train, test)
