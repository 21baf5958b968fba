"""Original: no unlearning at all, what every other method has to improve on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unlearn.methods._base import OF_TRAINING, Method, UnlearningData
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["Original"]


@dataclass(frozen=True, kw_only=True)
class Original(Method):
    """Leave the model as it is; it yields once. Its gaps are those before unlearning (the paper's *Original*)."""

    searched: ClassVar[tuple[str, ...]] = ()
    unread: ClassVar[tuple[str, ...]] = OF_TRAINING
    one_epoch: ClassVar[bool] = True

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        yield
