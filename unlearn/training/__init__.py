"""Original and oracle models: the supervised loop, the store that keeps what it trained, and checkpoints of users' own."""

from unlearn.training.checkpoint import load_checkpoint, state_digest
from unlearn.training.store import ModelStore, StoredModel, TrainingCost, content_key
from unlearn.training.supervised import Recipe, train

__all__ = [
    "ModelStore",
    "Recipe",
    "StoredModel",
    "TrainingCost",
    "content_key",
    "load_checkpoint",
    "state_digest",
    "train",
]
