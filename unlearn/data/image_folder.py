"""Any tree of `train/<class>/*` and `test/<class>/*` image files."""

from __future__ import annotations

from pathlib import Path

from unlearn.bounds import Count
from unlearn.data._base import ImageDataset, Look
from unlearn.data._tree import Tree, check_background, class_folders
from unlearn.files import expanded

__all__ = ["image_folder"]


def image_folder(
    cache: Path,
    *,
    root: str | Path,
    train_per_class: Count | None = None,
    test_per_class: Count | None = None,
    background: int | None = None,
    validation: str | None = None,
) -> ImageDataset:
    """RGB images of one size; classes are the folder names, in natural order (2 before 10). Decoded once, under `cache`.

    Images of 16 bits a channel are scaled to 8. What RGB of 8 bits cannot hold is refused by name.

    Args:
        train_per_class, test_per_class: only the first so many of each class, by file name, for a small run; all by default.
        background: the grey level, 0 … 255, on which transparent pixels are laid; they are refused by default.
        validation: a folder beside `train`, such as `val`, of images that no model is trained on; none of the training images is
            then held out.

    Raises:
        DataError: with everything that is wrong with the folders; or a file that cannot be decoded, or is of another size.
    """
    return _tree(root, train_per_class, test_per_class, background, validation).dataset(cache, "image_folder")


def look(
    cache: Path,
    *,
    root: str | Path,
    train_per_class: Count | None = None,
    test_per_class: Count | None = None,
    background: int | None = None,
    validation: str | None = None,
) -> Look:
    """What can be told of the tree without decoding it; one image of each class is tried."""
    return _tree(root, train_per_class, test_per_class, background, validation).look()


def _tree(
    root: str | Path,
    train_per_class: int | None,
    test_per_class: int | None,
    background: int | None,
    validation: str | None,
) -> Tree:
    folder = expanded(root)
    (train, wrong), (test, wrong_test) = class_folders(folder / "train"), class_folders(folder / "test")
    held_out: dict[str, list[Path]] | None = None
    if validation is not None:
        held_out, found = _validation(folder, validation)
        wrong_test += found
    return Tree(
        folder,
        {name: files[:train_per_class] for name, files in train.items()},
        {name: files[:test_per_class] for name, files in test.items()},
        [*wrong, *wrong_test, *check_background(background)],
        background,
        held_out,
    )


def _validation(folder: Path, name: str) -> tuple[dict[str, list[Path]], list[str]]:
    """(the validation images of each class, what is wrong with their folder)."""
    if (folder / name).resolve().parent != folder.resolve() or name in {"train", "test"}:
        return {}, [f"validation must name a folder beside train and test in {folder}, got {name!r}"]
    return class_folders(folder / name)
