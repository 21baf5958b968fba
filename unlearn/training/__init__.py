"""Original and oracle models: the supervised loop, the store that keeps what it trained, and checkpoints of users' own."""

from unlearn.training.checkpoint import load_checkpoint, state_digest
from unlearn.training.store import ModelStore, StoredModel, TrainingCost, content_key
from unlearn.training.supervised import Augmentation, Recipe, flip_crop, train

__all__ = [
    "Augmentation",
    "ModelStore",
    "Recipe",
    "StoredModel",
    "TrainingCost",
    "content_key",
    "flip_crop",
    "load_checkpoint",
    "state_digest",
    "train",
]
