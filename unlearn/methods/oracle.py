"""Oracle: exact unlearning, a fresh network trained without the forget set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unlearn.methods._base import Method, UnlearningData
from unlearn.models import Classifier
from unlearn.steps import Count, Streams
from unlearn.training import Augmentation, Recipe, train

__all__ = ["Oracle"]


@dataclass(frozen=True, kw_only=True)
class Oracle(Method):
    """Minimise CE(D_r) from a fresh initialisation, by the recipe of the original model; it yields once, at the end.

    Its gap to the reference oracle, which differs in the seed alone, is the noise floor of every gap.

    Attributes:
        milestones: epochs after which the learning rate is multiplied by 0.1.
        augment: as of `unlearn.training.Recipe`.
    """

    searched: ClassVar[tuple[str, ...]] = ()
    unread: ClassVar[tuple[str, ...]] = ("lr_decay_epoch",)
    one_epoch: ClassVar[bool] = True

    epochs: Count = 150
    milestones: tuple[int, ...] = (80,)
    augment: Augmentation | None = None

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        recipe = Recipe(
            epochs=self.epochs,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            batch_size=self.retain_batch_size,
            milestones=self.milestones,
            augment=self.augment,
        )
        model.load_state_dict(data.new_model(rng.integer("model")).state_dict())
        for _ in train(model, data.retain, recipe, rng.generator("retain"), data.recorder):
            pass
        yield
