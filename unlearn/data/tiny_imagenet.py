"""Tiny ImageNet: 64×64 colour images of 200 ImageNet classes (Le & Yang, 2015)."""

from __future__ import annotations

from pathlib import Path

from unlearn.data._base import ImageDataset, Look
from unlearn.data._classes import few
from unlearn.data._tree import Tree, folder_names, image_files
from unlearn.files import expanded

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
    return _tree(cache, root).dataset(cache, "tiny_imagenet")


def look(cache: Path, *, root: str | Path | None = None) -> Look:
    """What can be told of the tree without decoding it; one image of each class is tried."""
    return _tree(cache, root).look()


def _tree(cache: Path, root: str | Path | None) -> Tree:
    folder = cache / "tiny-imagenet-200" if root is None else expanded(root)
    names, problems = folder_names(folder / "train")
    train: dict[str, list[Path]] = {}
    for wnid in names:
        images = folder / "train" / wnid / "images"
        if images.is_dir():
            train[wnid], found = image_files(images)
        else:
            found = [f"expected the images of class {wnid!r} in {images}, but there is no such folder"]
        problems += found
    test, found = _annotated(folder / "val")
    return Tree(folder, train, test, [*problems, *found])


def _annotated(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """(the images of `val` by class, each class in the order of the annotations; what is wrong with them)."""
    annotations, images = folder / "val_annotations.txt", folder / "images"
    if not annotations.is_file() or not images.is_dir():
        return {}, [f"expected {annotations} and {images}, but found only one or none of them"]
    present, problems = image_files(images)
    members: dict[str, list[Path]] = {}
    for number, line in enumerate(annotations.read_text().splitlines(), 1):
        fields = line.split("\t")
        if len(fields) < 2:
            return {}, [
                f"{annotations}, line {number}: expected a file and a class set apart by a tab, got {line[:100]!r}"
            ]
        members.setdefault(fields[1], []).append(images / fields[0])
    listed, there = {f for files in members.values() for f in files}, set(present)
    for odd, what in (
        (listed - there, "annotated but missing"),
        (there - listed, f"without a line in {annotations.name}"),
    ):
        if odd:
            problems.append(f"these images of {images} are {what}: {few(f.name for f in sorted(odd))}")
    return members, problems
