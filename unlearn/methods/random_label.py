"""Random Label: learn wrong labels on the forget set, then the true ones on the retain set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from unlearn.methods._base import ForgetMethod, UnlearningData
from unlearn.methods._labels import with_wrong_labels
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["RandomLabel"]


@dataclass(frozen=True, kw_only=True)
class RandomLabel(ForgetMethod):
    """Each epoch: CE(D_f → labels redrawn uniformly from the other classes), then CE(D_r). It has no α."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        step = data.step(model, optimizer)
        shuffle, shuffle_forget, draw = map(rng.generator, ("retain", "forget", "labels"))
        for _ in self.passes(optimizer):
            model.train()
            wrong = with_wrong_labels(data.forget, model.num_classes, draw)
            for rows in data.forget.rows(self.forget_batch_size, shuffle_forget):
                step(data.forget.images[rows], wrong[rows])
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y)
            yield
