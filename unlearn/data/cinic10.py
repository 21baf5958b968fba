"""CINIC-10: 32×32 colour images of CIFAR-10's ten classes, from CIFAR-10 and ImageNet (Darlow et al., 2018)."""

from __future__ import annotations

from pathlib import Path

from unlearn.data._base import ImageDataset, Look
from unlearn.data._tree import Tree, class_folders
from unlearn.files import expanded

__all__ = ["cinic10"]


def cinic10(cache: Path, *, root: str | Path | None = None, with_valid: bool = False) -> ImageDataset:
    """90,000 training and 90,000 test images in the published layout, `{train,valid,test}/<class>/*.png`.

    Our reading: the training set is the folder `train` alone, of which a part is held out as in any data set here; `with_valid`
    adds the 90,000 images of `valid`, as the authors propose for a larger one.

    Args:
        root: the unpacked archive (CINIC-10.tar.gz); `<cache>/cinic10` unless given.

    Raises:
        DataError: a folder or a class is missing, or an image cannot be decoded.
    """
    return _tree(cache, root, with_valid).dataset(cache, "cinic10")


def look(cache: Path, *, root: str | Path | None = None, with_valid: bool = False) -> Look:
    """What can be told of the tree without decoding it; one image of each class is tried."""
    return _tree(cache, root, with_valid).look()


def _tree(cache: Path, root: str | Path | None, with_valid: bool) -> Tree:
    folder = cache / "cinic10" if root is None else expanded(root)
    (train, problems), (test, wrong) = class_folders(folder / "train"), class_folders(folder / "test")
    problems += wrong
    if with_valid:
        valid, wrong = class_folders(folder / "valid")
        problems += wrong
        for name, files in valid.items():
            train[name] = train.get(name, []) + files
    return Tree(folder, train, test, problems)
