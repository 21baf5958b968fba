"""Data sets by torchvision's own loaders: `torchvision:EMNIST`, and those that have a key of their own."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from unlearn.data._base import ImageDataset, Labels, Pixels
from unlearn.data._cache import cached, listing, new_pixels, save_labels
from unlearn.errors import ComponentError, DataError, UnknownNameError
from unlearn.files import expanded, locked

__all__ = ["named", "of_torchvision"]

#: Arguments of torchvision's classes that are not options here.
PASSED = {"self", "root", "train", "split", "download", "transform", "target_transform", "transforms", "loader"}
#: Those with such arguments whose targets are no classes: boxes, flows, pairs, attributes; or whose samples are videos.
UNLABELLED = frozenset(
    {
        "CelebA",
        "Cityscapes",
        "FlyingChairs",
        "FlyingThings3D",
        "HD1K",
        "HMDB51",
        "InStereo2k",
        "Kinetics",
        "Kitti",
        "KittiFlow",
        "LFWPairs",
        "MovingMNIST",
        "PhotoTour",
        "Sintel",
        "UCF101",
        "WIDERFace",
    }
)
#: How their values are to be taken, where they are of plain types.
PLAIN = {bool, int, float, str}


def named(name: str) -> Any:
    """The function that reads torchvision's data set `name`.

    Raises:
        UnknownNameError: there is no such class.
        ComponentError: it is no labelled data set with a training and a test part.
    """
    from torchvision import datasets  # noqa: PLC0415  # a second, for those who name one

    if name not in datasets.__all__ or not inspect.isclass(getattr(datasets, name)):
        raise UnknownNameError("data set of torchvision", name, datasets.__all__)
    found = getattr(datasets, name)
    arguments = _arguments(found)
    if name in UNLABELLED or "Stereo" in name or "root" not in arguments or not {"train", "split"} & arguments.keys():
        raise ComponentError(
            f"torchvision:{name}",
            "must be a data set of images with a class each, from a folder (root), with a training and a test part",
            "save its images as an image_folder, or as arrays",
        )

    def dataset(cache: Path, *, root: str | Path | None = None, download: bool = True, **options: Any) -> ImageDataset:
        return of_torchvision(name, cache, root, download=download, options=options)

    dataset.__doc__ = f"torchvision's {name}."
    _declare(dataset, found, arguments)
    return dataset


def of_torchvision(
    name: str, cache: Path, root: str | Path | None, *, download: bool, options: Mapping[str, Any] = {}
) -> ImageDataset:
    """torchvision's data set `name`, decoded once; it is decoded again where any file under `root` has changed.

    Args:
        root: where its files are, as torchvision has them; `<cache>/torchvision/<name>` unless given.
        download: whether torchvision may fetch what is not there.
        options: of its class; `train_split` and `test_split` name the parts of one that has several.

    Raises:
        DataError: it is not there or cannot be read, or its images are not labelled ones of one size.
    """
    folder = cache / "torchvision" / name if root is None else expanded(root)
    lock = cache / f"torchvision-{name}.lock"
    with locked(lock):
        if download and not _files(folder):
            for part in ("train", "test"):
                _opened(name, folder, part, options, download=True)

    def build(into: Path) -> tuple[Sequence[str], str]:
        with locked(lock):
            parts = {part: _opened(name, folder, part, options, download=download) for part in ("train", "test")}
        labels = {part: _labels(name, of) for part, of in parts.items()}
        names, present = _class_names(parts["train"], labels)
        for part, of in parts.items():
            _decode(name, of, into, part)
            save_labels(into, part, np.searchsorted(present, labels[part]))
        return names, f"torchvision's {name}, uint8"

    source = [listing(folder, _files(folder)), dict(options), version("torchvision")]
    return cached(cache, f"torchvision-{name}", source, build)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _opened(name: str, folder: Path, part: str, options: Mapping[str, Any], *, download: bool) -> Any:
    """One part of the data set, by its class."""
    from torchvision import datasets  # noqa: PLC0415  # see above

    found, given = getattr(datasets, name), dict(options)
    arguments = _arguments(found)
    splits = {"train": given.pop("train_split", "train"), "test": given.pop("test_split", "test")}
    which: dict[str, Any] = {"train": part == "train"} if "train" in arguments else {"split": splits[part]}
    fetch = {"download": True} if download and "download" in arguments else {}
    try:
        if fetch:
            folder.mkdir(parents=True, exist_ok=True)
        return found(root=str(folder), **which, **fetch, **given)
    except (OSError, RuntimeError, ValueError, EOFError, ImportError, LookupError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "" if download else ", or say download: true"
        raise DataError(
            f"torchvision's {name} cannot be read from {folder} ({reason}): put its published files there{remedy}"
        ) from error


def _labels(name: str, part: Any) -> Labels:
    """The label of every image; taken from the images one by one where the class has no list of them."""
    for attribute in ("targets", "labels", "_labels"):
        known = getattr(part, attribute, None)
        if known is not None and len(known) == len(part):
            return _whole(name, list(known))
    return _whole(name, [part[i][1] for i in range(len(part))])


def _whole(name: str, labels: Sequence[Any]) -> Labels:
    try:
        found = np.array([int(label) for label in labels], np.int64)
    except (TypeError, ValueError) as error:
        kind = type(labels[0]).__name__
        raise DataError(
            f"torchvision's {name} must have one label for each image, a whole number, got {kind}"
        ) from error
    return found


def _class_names(train: Any, labels: Mapping[str, Labels]) -> tuple[list[str], Labels]:
    """(the names of the classes that have images, their labels, ascending)."""
    present = np.unique(np.concatenate(list(labels.values())))
    given = getattr(train, "classes", None)
    named = isinstance(given, Sequence) and len(present) and present[0] >= 0 and present[-1] < len(given)
    names = [str(given[label]) if named else str(label) for label in present.tolist()]  # type: ignore[index]
    return names, present


def _decode(name: str, part: Any, into: Path, which: str) -> None:
    """Every image as 8-bit grey or RGB, all of one size."""
    first = _pixels(name, _image(name, part, 0), None)
    out: Pixels = new_pixels(into, which, (len(part), *first.shape))
    for i in range(len(part)):
        pixels = _pixels(name, _image(name, part, i), "L" if len(first) == 1 else "RGB")
        if pixels.shape != first.shape:
            shapes = " and ".join(" × ".join(map(str, shape)) for shape in (first.shape, pixels.shape))
            raise DataError(
                f"torchvision's {name} must have images of one size, got {shapes} (channels × height × width): scale them, and "
                "save them as an image_folder"
            )
        out[i] = pixels


def _image(name: str, part: Any, index: int) -> Any:
    try:
        return part[index][0]
    except OSError as error:
        raise DataError(f"image {index} of torchvision's {name} cannot be read: {error}") from error


def _pixels(name: str, image: Any, mode: str | None) -> Pixels:
    from PIL import Image  # noqa: PLC0415  # with torchvision

    if not isinstance(image, Image.Image) or image.mode not in {"1", "L", "P", "RGB"}:
        got = f"mode {image.mode!r}" if isinstance(image, Image.Image) else type(image).__name__
        raise DataError(f"torchvision's {name} must have images of 8 bits, grey or RGB, got {got}")
    wanted = mode or ("L" if image.mode in {"1", "L"} else "RGB")
    array: Pixels = np.asarray(image.convert(wanted), np.uint8)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _arguments(found: type) -> dict[str, inspect.Parameter]:
    """The arguments of a class, those that it passes on to the classes it is derived from among them."""
    arguments: dict[str, inspect.Parameter] = {}
    for of in found.__mro__:
        if "__init__" in vars(of):
            own = inspect.signature(of.__init__).parameters  # type: ignore[misc]
            arguments |= {name: p for name, p in own.items() if name not in arguments}
            if not any(p.kind == p.VAR_KEYWORD for p in own.values()):
                break
    return {name: p for name, p in arguments.items() if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}}


def _declare(dataset: Any, found: type, arguments: Mapping[str, inspect.Parameter]) -> None:
    """Let a function say which options it takes, and of which types, as if they were written out."""
    own = {name: p for name, p in inspect.signature(dataset).parameters.items() if p.kind != p.VAR_KEYWORD}
    hints = {"cache": Path, "root": str | Path | None, "download": bool, "return": ImageDataset}
    keyword = inspect.Parameter.KEYWORD_ONLY
    if "train" in arguments:
        own |= {"split": arguments["split"].replace(kind=keyword)} if "split" in arguments else {}
    else:
        for name, default in (("train_split", "train"), ("test_split", "test")):
            own[name] = inspect.Parameter(name, keyword, default=default)
            hints[name] = str
    own |= {name: p.replace(kind=keyword) for name, p in arguments.items() if name not in PASSED}
    try:
        typed = typing.get_type_hints(found.__init__)  # type: ignore[misc]
    except (NameError, TypeError):
        typed = {}
    hints |= {name: typed[name] for name in own if name not in hints and typed.get(name) in PLAIN}
    dataset.__signature__ = inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in own.values()])
    dataset.__annotations__ = hints
