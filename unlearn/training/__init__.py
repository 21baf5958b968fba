"""Original and oracle models: the supervised loop, and the store that keeps what it trained."""

from unlearn.training.store import ModelStore, StoredModel, TrainingCost, content_key
from unlearn.training.supervised import Recipe, train

__all__ = ["ModelStore", "Recipe", "StoredModel", "TrainingCost", "content_key", "train"]
