"""Forget a list of samples of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unlearn.data import Ids, IdsError, Indices, Labels, Pixels, Splits, listed, read_ids
from unlearn.errors import UnlearnError
from unlearn.files import expanded
from unlearn.scenarios._base import ForgetSet, Scenario

__all__ = ["Listed", "ListedRows", "training_rows"]


@dataclass(frozen=True)
class Listed(Scenario):
    """The samples whose ids stand in the file `forget`; the seed changes nothing.

    Ids are file names relative to the data set's folder, or row numbers of an array: one a line, or a column of a CSV file.

    Attributes:
        column: of the CSV file; `id` by default, or its only one.
    """

    sized: ClassVar[bool] = False
    draws_vary: ClassVar[bool] = False
    forget: str
    column: str | None = None

    def located(self, ids: Ids, splits: Splits) -> Scenario:
        return ListedRows(training_rows(self.ids, ids, splits))

    @property
    def ids(self) -> list[str]:
        """What the file lists.

        Raises:
            IdsError: it cannot be read, or lists nothing.
        """
        return read_ids(expanded(self.forget), self.column)

    def limit(self, labels: Labels) -> int:
        return len(self.ids)

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        raise UnlearnError("a list must be looked up first: scenario.located(ids, splits)")


@dataclass(frozen=True)
class ListedRows(Scenario):
    """Given positions in the training split. Where they leave classes out, the forget classes are those that they have.

    Attributes:
        by_class: False lets every class count all the same, as for random samples.
    """

    sized: ClassVar[bool] = False
    draws_vary: ClassVar[bool] = False
    rows: tuple[int, ...]
    by_class: bool = True

    def limit(self, labels: Labels) -> int:
        return len(self.rows)

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        self.check_size(size, labels)
        return ForgetSet(np.array(self.rows, np.int64), classes=self.classes_among(labels) or None)

    def classes_among(self, labels: Labels) -> tuple[int, ...]:
        classes = np.unique(labels[list(self.rows)])
        return () if not self.by_class or len(classes) == len(np.unique(labels)) else tuple(map(int, classes))


def training_rows(wanted: list[str], ids: Ids, splits: Splits) -> tuple[int, ...]:
    """The positions in the training split of the images with these ids, sorted.

    Raises:
        IdsError: with every id that is doubled, or that names no image that was trained on.
    """
    problems: list[str] = []
    try:
        rows = ids.rows(wanted)
    except IdsError as error:
        problems += error.problems
        rows = ids.rows(ids.only_known(wanted))
    found = np.searchsorted(splits.train, rows)
    trained = np.isin(rows, splits.train)
    if not trained.all():
        held_out = listed(ids.names(rows[~trained]))
        problems.append(f"ids must be of images that were trained on; these are held out for validation: {held_out}")
    if problems:
        raise IdsError(problems)
    return tuple(sorted(found.tolist()))
