"""Data sets, one file each; a data set is uint8 images and integer labels (`ImageDataset`)."""

from unlearn.data._base import ImageDataset, Labels, Look, Pixels, Summary
from unlearn.data._classes import ClassName, class_index, few
from unlearn.data._copies import copies_of
from unlearn.data._ids import Ids, IdsError, Indices, ids_digest, listed, read_ids
from unlearn.data._open import LOCATIONS, look_at, open_dataset
from unlearn.data._split import Splits, least_images, split, splits_of

__all__ = [
    "LOCATIONS",
    "ClassName",
    "Ids",
    "IdsError",
    "ImageDataset",
    "Indices",
    "Labels",
    "Look",
    "Pixels",
    "Splits",
    "Summary",
    "class_index",
    "copies_of",
    "few",
    "ids_digest",
    "least_images",
    "listed",
    "look_at",
    "open_dataset",
    "read_ids",
    "split",
    "splits_of",
]
