"""Classifiers, one architecture a file; each exposes `features()` and a linear `head`."""

from unlearn.models._base import Classifier

__all__ = ["Classifier"]
