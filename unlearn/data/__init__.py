"""Data sets, one file each; a data set is uint8 images and integer labels (`ImageDataset`)."""

from unlearn.data._base import ImageDataset, Indices, Labels, Look, Pixels, Splits, Summary, split
from unlearn.data._classes import ClassName, class_index, few
from unlearn.data._open import LOCATIONS, look_at, open_dataset

__all__ = [
    "LOCATIONS",
    "ClassName",
    "ImageDataset",
    "Indices",
    "Labels",
    "Look",
    "Pixels",
    "Splits",
    "Summary",
    "class_index",
    "few",
    "look_at",
    "open_dataset",
    "split",
]
