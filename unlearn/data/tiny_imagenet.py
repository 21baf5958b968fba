"""Tiny ImageNet: 64×64 colour images of 200 ImageNet classes (Le & Yang, 2015)."""

from __future__ import annotations

from pathlib import Path

from unlearn.data._base import ImageDataset
from unlearn.data._tree import class_folders, image_files, tree_dataset
from unlearn.errors import DataError

__all__ = ["tiny_imagenet"]


def tiny_imagenet(cache: Path, *, root: str | Path | None = None) -> ImageDataset:
    """100,000 training images; the 10,000 of `val` are the test set, since the published test labels are secret.

    Layout: `train/<wnid>/images/*.JPEG`, `val/images/*.JPEG`, and `val/val_annotations.txt` with lines "file, wnid, box" set
    apart by tabs. Classes are WordNet ids in alphabetical order.

    Args:
        root: the unpacked archive (tiny-imagenet-200.zip); `<cache>/tiny-imagenet-200` unless given.

    Raises:
        DataError: a folder, a file, an annotation or a class is missing, or an image cannot be decoded.
    """
    folder = cache / "tiny-imagenet-200" if root is None else Path(root).expanduser()
    train = {}
    for wnid in class_folders(folder / "train"):
        if not (images := folder / "train" / wnid / "images").is_dir():
            raise DataError(f"expected the images of class {wnid!r} in {images}, but there is no such folder")
        train[wnid] = image_files(images)
    return tree_dataset(cache, "tiny_imagenet", folder, train, _annotated(folder / "val"))


def _annotated(folder: Path) -> dict[str, list[Path]]:
    """The images of `val` by class, each class in the order of the annotations."""
    annotations, images = folder / "val_annotations.txt", folder / "images"
    if not annotations.is_file() or not images.is_dir():
        raise DataError(f"expected {annotations} and {images}, but found only one or none of them")
    members: dict[str, list[Path]] = {}
    for number, line in enumerate(annotations.read_text().splitlines(), 1):
        fields = line.split("\t")
        if len(fields) < 2:
            raise DataError(
                f"{annotations}, line {number}: expected a file and a class set apart by a tab, got {line!r}"
            )
        members.setdefault(fields[1], []).append(images / fields[0])
    listed, present = {f for files in members.values() for f in files}, set(image_files(images))
    if listed != present:
        odd = min(listed ^ present)
        what = "is annotated but missing" if odd in listed else f"has no line in {annotations.name}"
        raise DataError(f"{odd} {what}")
    return members
