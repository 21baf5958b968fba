"""scikit-learn's bundled 8×8 digits: the embedded default, nothing to download."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from unlearn.data._base import ImageDataset, Labels, Look, Pixels
from unlearn.data._cache import cached, new_pixels, save_ids, save_labels
from unlearn.data._ids import Ids

__all__ = ["digits"]

SOURCE = "scikit-learn's digits, 0 … 16 stretched to 0 … 255"
CLASSES = tuple(map(str, range(10)))
#: The class of each image, in order, told here so that a look need not wait for scikit-learn: draws go by positions.
TRAIN = (
    "012345678901234567890235679095508847751002782016337334666491509528016321763139176434066175472822754884908980356789012345"
    "679012345678095565098941735100227820233733466915982001631731391768434053696175442825488498801234567902345678124568995565"
    "089847735182023373346664959528201762174339176843140536961544728259488908931234568902345680235689055508841735002278026337"
    "334669150952820017632174631391784314053696757225795488490898012356789034567890134567890955650894177351022016337334666491"
    "095280017632174313168431405696175447282257958408980124578901234567892345678095565098984177351022782373466649505282001763"
    "217431317841405696175447222579898980123456894567901235789569898417310022782012633733466649150952217631746139176843105369"
    "617442225795489089124567890124567890235678909565094177312782012337334666491095820017621419176431431478257954908980234570"
    "123456789123568909556509898417351007801263346664109282006321746191643140536961744722257958089813678934589012456789955609"
    "898417735002278201263736649150952001763274631391764314053675482257954884908981234678012346789012346789095650989841510022"
    "720126337364915095280017637431391768431405369615447282254884908123456780123567891234689095560989417735100282263334664159"
    "528201321746339168140536617544722795488498012345789012469012567890956509884177351022720126373464909280176327313976431405"
    "396174472579549090234589012456789023567809556588417735102782012633346649150958201762174319176843105617472225794890898"
)
#: Images of each class.
TEST = (36, 36, 35, 37, 36, 37, 36, 36, 35, 36)


def digits(cache: Path | None = None) -> ImageDataset:
    """1,797 grey 8×8 images of ten digits; scikit-learn ships no test set, so a fixed fifth of each class is one.

    Ids are the row numbers of `load_digits`. Pixels 0 … 16 are stretched to 0 … 255. With a `cache`, scikit-learn is imported
    once only.
    """
    if cache is None:
        train_images, train_labels, test_images, test_labels, ids = _read()
        return ImageDataset(train_images, train_labels, test_images, test_labels, CLASSES, SOURCE, given_ids=ids)
    return cached(cache, "digits", ["scikit-learn", version("scikit-learn")], _build)


def _build(folder: Path) -> tuple[Sequence[str], str]:
    train_images, train_labels, test_images, test_labels, ids = _read()
    for part, images, labels in (("train", train_images, train_labels), ("test", test_images, test_labels)):
        new_pixels(folder, part, images.shape)[:] = images
        save_labels(folder, part, labels)
    save_ids(folder, ids)
    return CLASSES, SOURCE


def _read() -> tuple[Pixels, Labels, Pixels, Labels, Ids]:
    """Images and labels to train on, then those to test on, and their ids."""
    from sklearn.datasets import load_digits  # noqa: PLC0415  # a second, which commands that only name the data set do not wait
    from sklearn.model_selection import train_test_split  # noqa: PLC0415  # likewise

    bundle = load_digits()
    images = np.rint(bundle.images[:, None] * (255 / 16)).astype(np.uint8)
    labels = bundle.target.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0)
    train, test = np.sort(train), np.sort(test)
    return images[train], labels[train], images[test], labels[test], Ids(train, test)


def look(cache: Path | None = None) -> Look:
    """The labels; those to test on class after class."""
    return Look.of(CLASSES, np.array([*map(int, TRAIN)]), np.repeat(np.arange(10), TEST))
