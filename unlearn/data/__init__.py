"""Data sets, one file each; a data set is uint8 images and integer labels (`ImageDataset`)."""

from unlearn.data._base import ImageDataset, Indices, Labels, Look, Pixels, Summary
from unlearn.data._classes import ClassName, class_index, few
from unlearn.data._open import LOCATIONS, look_at, open_dataset
from unlearn.data._split import Splits, least_images, part_sizes, split

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
    "least_images",
    "look_at",
    "open_dataset",
    "part_sizes",
    "split",
]
