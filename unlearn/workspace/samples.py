"""A data set on the device, and each task's part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from unlearn.data import ImageDataset, Indices, Pixels, Splits
from unlearn.scenarios import ForgetSet, Scenario, check_drawn, draws_apart, halves, in_common
from unlearn.seal import Seal, Seals
from unlearn.switches import isolated
from unlearn.workspace.subset import stratified
from unlearn.workspace.tasks import Task

#: Seeds, with a task's own, the choice of its part of the retain set.
RETAIN = 7
#: Seeds the evaluation's first forget set.
FIRST = 0


@dataclass(frozen=True)
class TaskData:
    """A task on the device. All index tensors are positions in `images`; `labels` are those trained on, `truth` the true ones.

    `validation` is what methods see, as many as the forget set; `validation_alike` all of the forget set's classes.
    `seals` are on all that is not the whole pool's.
    """

    images: Tensor
    labels: Tensor
    truth: Tensor
    train: Tensor
    retain: Tensor
    forget: Tensor
    validation: Tensor
    validation_alike: Tensor
    heldout: Tensor
    heldout_class: Tensor | None
    groups: Mapping[str, Tensor]
    forget_set: ForgetSet
    seals: tuple[Seal, ...]


class Samples:
    """All images and labels, resident and sealed; a task is positions among them.

    Args:
        seals: what is made here is sealed by them.
        keep: how many tasks' data stay on the device; None keeps all.
        seed: decides which half of the samples is for sets to tune on.
    """

    def __init__(
        self, data: ImageDataset, splits: Splits, device: torch.device, seals: Seals, *, keep: int | None, seed: int
    ) -> None:
        self.data, self.splits, self.device, self._seals, self.seed = data, splits, device, seals, seed
        parts = [splits.train, splits.validation, splits.dev]
        pool = np.concatenate([data.train_images[p] for p in parts] + [data.test_images])
        truth = np.concatenate([data.train_labels[p] for p in parts] + [data.test_labels])
        self.images = torch.from_numpy(pool).to(device)
        pool.setflags(write=False)  # on a CPU it is the memory of `images`
        self.train_images = pool[: len(splits.train)]
        self.truth = torch.from_numpy(truth).to(device)
        ends = np.cumsum([0, *map(len, parts), len(data.test_images)])
        self.positions = {
            name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(("train", "validation", "dev", "test"))
        }
        self._of_task = lru_cache(maxsize=keep)(self._task_data)
        self._of_sets = lru_cache(maxsize=8)(self._union)
        self._first = lru_cache(maxsize=8)(self._first_set)
        self._part_of_task = lru_cache(maxsize=keep)(self._retain_part)
        self._seal = seals.put({"images": self.images, "true labels": self.truth})
        self._altered: tuple[Scenario | None, Tensor, Seal] = (None, self.images, self._seal)

    @property
    def train_labels(self) -> Indices:
        """True labels of the training split, shape (n,)."""
        return self.data.train_labels[self.splits.train]

    def forget_set(self, task: Task) -> ForgetSet:
        """The samples of the training split that `task` forgets.

        Raises:
            UnlearnError: the scenario cannot draw so many, or does not.
        """
        return self._draw(task.scenario, task.forget_size, task.forget_seed, self._to_avoid(task))

    def task_data(self, task: Task) -> TaskData:
        """A task on the device."""
        return self._of_task(task.alone)

    def retain_part(self, task: Task, size: int) -> Tensor:
        """Positions of `size` samples of a task's retain set, each (true) class in its proportion; all where there are no more.

        A function of the task and the size: all methods and oracles are measured on the same ones.
        """
        retain = self.task_data(task).retain
        return retain if size >= len(retain) else self._part_of_task(task.alone, size)[0]

    def overlap(self, task: Task) -> float | None:
        """The share of a task's forget set that lies in the sets tuned on, 0 … 1; None where that was drawn by older rules."""
        if task.tuned is None:
            return None
        seen = self._of_sets(task.scenario, task.tuned)
        return float(np.isin(self.task_data(task).forget_set.indices, seen).mean())

    def in_first(self, task: Task) -> dict[str, float] | None:
        """The share of a task's forget set that the evaluation's first one of its size holds too: see `scenarios.in_common`.

        Of two sets as good as any, it tells how far an evaluation's sets repeat each other. None for that first one itself, for
        a set to tune on, where it was drawn by older rules, and where the first one cannot be drawn.
        """
        if not task.tuned or task.forget_seed == FIRST:
            return None
        try:
            first = self._first(task.scenario, task.forget_size)
        except Exception:  # of a scenario of the user's own; the trials on that very set fail, and say why
            return None
        return in_common(self.task_data(task).forget_set, first)

    def _to_avoid(self, task: Task) -> Indices | None:
        """The half of the samples that is for the other stages: a set to tune on avoids that of the evaluation."""
        return None if task.tuned is None else self._halves[1 if not task.tuned else 0]

    @cached_property
    def _halves(self) -> tuple[Indices, Indices]:
        return halves(self.train_labels, self.seed)

    def _union(self, scenario: Scenario, sets: tuple[tuple[int, int], ...]) -> Indices:
        """The samples of several sets tuned on, sorted."""
        drawn = [self._draw(scenario, size, seed, self._halves[1]).indices for size, seed in sets]
        return np.unique(np.concatenate(drawn))

    def _first_set(self, scenario: Scenario, size: int) -> ForgetSet:
        """The evaluation's first set of a size, without what it alters: only which samples it has is asked."""
        return replace(self._draw(scenario, size, FIRST, self._halves[0]), images=None, labels=None)

    def _draw(self, scenario: Scenario, size: int, seed: int, avoid: Indices | None) -> ForgetSet:
        apart = {"avoid": avoid} if avoid is not None and draws_apart(scenario) else {}
        with isolated(seed):
            drawn = scenario.draw(self.train_images, self.train_labels, size, seed, **apart)
        check_drawn(scenario, drawn, size, len(self.train_labels))
        return drawn

    def _task_data(self, task: Task) -> TaskData:
        forget_set = self.forget_set(task)
        self._seals.check()  # by the scenario: what is drawn and trained from here on is kept
        images, labels, seals = self.images, self.truth, [self._seal]
        n = len(self.positions["train"])
        if forget_set.images is not None:
            images, seal = self._altered_pool(task.scenario, forget_set.images)
            seals.append(seal)
        if forget_set.labels is not None:
            labels = torch.cat([torch.from_numpy(forget_set.labels).to(self.device), labels[n:]])
        retain = np.setdiff1d(self.positions["train"], forget_set.indices)
        heldout = self.positions[task.scored_on]
        validation = self.positions["validation"]
        heldout_class = None
        truth = self.truth.cpu().numpy()
        if forget_set.classes is not None:
            heldout_class = heldout[np.isin(truth[heldout], forget_set.classes)]
            validation = validation[np.isin(truth[validation], forget_set.classes)]
        alike = self.positions["validation"]
        alike = alike[np.isin(truth[alike], truth[forget_set.indices])]
        rng = np.random.default_rng(task.forget_seed)
        validation = rng.permutation(validation)[: len(forget_set.indices)]

        def on_device(index: Indices) -> Tensor:
            return torch.tensor(index, device=self.device)  # a copy: a scenario may keep its arrays

        index = {
            "train": on_device(self.positions["train"]),
            "retain": on_device(retain),
            "forget": on_device(forget_set.indices),
            "validation": on_device(np.sort(validation)),
            "validation_alike": on_device(alike),
            "heldout": on_device(heldout),
        }
        of_class = {} if heldout_class is None else {"heldout_class": on_device(heldout_class)}
        groups = {name: on_device(rows) for name, rows in forget_set.groups.items()}
        everything = {f"index of {name}": rows for name, rows in {**index, **of_class, **groups}.items()}
        seals.append(self._seals.put({"labels": labels, **everything}))
        return TaskData(
            images=images,
            labels=labels,
            truth=self.truth,
            heldout_class=of_class.get("heldout_class"),
            groups=groups,
            forget_set=forget_set,
            seals=tuple(seals),
            **index,
        )

    def _retain_part(self, task: Task, size: int) -> tuple[Tensor, Seal]:
        retain = self.task_data(task).retain
        rng = np.random.default_rng((RETAIN, task.forget_seed))
        chosen = stratified(self.truth[retain].cpu().numpy(), size, rng)
        part = retain[torch.from_numpy(chosen).to(self.device)]
        return part, self._seals.put({"index of a part of retain": part})

    def _altered_pool(self, scenario: Scenario, train_images: Pixels) -> tuple[Tensor, Seal]:
        """The pool with other training images, sealed; tasks whose scenario alters them alike share one copy."""
        altered = torch.tensor(train_images, device=self.device)
        if self._altered[0] == scenario and torch.equal(self._altered[1][: len(altered)], altered):
            return self._altered[1:]
        pool = torch.cat([altered, self.images[len(altered) :]])
        self._altered = (scenario, pool, self._seals.put({"altered images": pool}))
        return self._altered[1:]
