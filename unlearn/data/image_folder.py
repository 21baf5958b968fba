"""Any tree of `train/<class>/*` and `test/<class>/*` image files."""

from __future__ import annotations

from pathlib import Path

from unlearn.bounds import Count
from unlearn.data._base import ImageDataset, Look
from unlearn.data._tree import Tree, check_background, class_folders

__all__ = ["image_folder"]


def image_folder(
    cache: Path,
    *,
    root: str | Path,
    train_per_class: Count | None = None,
    test_per_class: Count | None = None,
    background: int | None = None,
) -> ImageDataset:
    """RGB images of one size; classes are the folder names, in natural order (2 before 10). Decoded once, under `cache`.

    Images of 16 bits a channel are scaled to 8. What RGB of 8 bits cannot hold is refused by name.

    Args:
        train_per_class, test_per_class: only the first so many of each class, by file name, for a small run; all by default.
        background: the grey level, 0 … 255, on which transparent pixels are laid; they are refused by default.

    Raises:
        DataError: with everything that is wrong with the folders; or a file that cannot be decoded, or is of another size.
    """
    return _tree(root, train_per_class, test_per_class, background).dataset(cache, "image_folder")


def look(
    cache: Path,
    *,
    root: str | Path,
    train_per_class: Count | None = None,
    test_per_class: Count | None = None,
    background: int | None = None,
) -> Look:
    """What can be told of the tree without decoding it; one image of each class is tried."""
    return _tree(root, train_per_class, test_per_class, background).look()


def _tree(root: str | Path, train_per_class: int | None, test_per_class: int | None, background: int | None) -> Tree:
    folder = Path(root).expanduser()
    (train, wrong), (test, wrong_test) = class_folders(folder / "train"), class_folders(folder / "test")
    return Tree(
        folder,
        {name: files[:train_per_class] for name, files in train.items()},
        {name: files[:test_per_class] for name, files in test.items()},
        [*wrong, *wrong_test, *check_background(background)],
        background,
    )
