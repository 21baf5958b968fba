"""Data sets, one file each; a data set is uint8 images and integer labels (`ImageDataset`)."""

from unlearn.data._base import ImageDataset, Indices, Labels, Pixels, Splits, Summary, split
from unlearn.data._open import LOCATIONS, open_dataset

__all__ = ["LOCATIONS", "ImageDataset", "Indices", "Labels", "Pixels", "Splits", "Summary", "open_dataset", "split"]
