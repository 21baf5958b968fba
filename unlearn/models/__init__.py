"""Classifiers, one architecture a file; each exposes `features()` and a linear `head`."""

from unlearn.models._base import Classifier
from unlearn.models._symmetry import Symmetries

__all__ = ["Classifier", "Symmetries"]
