"""Classifiers, one architecture a file; each exposes `features()` and a linear `head`. Any other network is adapted."""

from unlearn.models._adapt import adapt
from unlearn.models._base import Classifier, in_eval_mode
from unlearn.models._build import build, construct
from unlearn.models._symmetry import Symmetries

__all__ = ["Classifier", "Symmetries", "adapt", "build", "construct", "in_eval_mode"]
