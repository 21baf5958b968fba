"""What the trials on one worker share: data resident on the device, original and oracle models, and their outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from unlearn.arithmetic import arithmetic
from unlearn.data import Indices, open_dataset, splits_of
from unlearn.errors import DivergedError
from unlearn.graphs import recorder_of
from unlearn.hardware import CudaGraphs, may_repeat
from unlearn.methods import Batches, Method, UnlearningData
from unlearn.metrics import Outputs, SetOutputs, compare, comparisons, measure
from unlearn.models import Classifier, in_eval_mode
from unlearn.scenarios import ForgetSet
from unlearn.seal import Seals
from unlearn.shared import SharedFolder
from unlearn.training import ModelStore
from unlearn.workspace.device import synchronize
from unlearn.workspace.references import Reference, References
from unlearn.workspace.samples import Samples, TaskData
from unlearn.workspace.tasks import Setting, Task

#: Samples per evaluation batch: what a core's cache holds is quickest on a CPU (measured: 512 against 2048, 1.25×).
EVALUATION_BATCH = {"cpu": 512, "cuda": 4096}


class Retraining(NamedTuple):
    """What a task's oracles took to train, on average: samples, and seconds of those trained in this place (see `Place`)."""

    seconds: float | None
    samples: float


class Workspace:
    """Loads everything once; thereafter a trial costs its own gradient steps only.

    What it holds is shared by all trials of a process and sealed when it is loaded; `check_unchanged` finds what a method or
    another component has changed all the same. A workspace that was changed is to be replaced.

    Args:
        cache: folder of this machine (or shared path) for decoded data and trained models.
        device: where data and models live; None takes a GPU where there is one.
        share: where machines that do not share the cache exchange trained models.
        keep: how many tasks' data and oracles stay on the device; None keeps all.
        cuda_graphs: whether a GPU is to repeat gradient steps by itself: of all methods and networks, or by `auto` of those of
            this package alone, which are known to keep the rules of `unlearn.graphs.Step`. Other devices cannot.
    """

    def __init__(
        self,
        setting: Setting,
        cache: Path,
        device: torch.device | None = None,
        share: SharedFolder | None = None,
        keep: int | None = 8,
        *,
        cuda_graphs: CudaGraphs = False,
    ) -> None:
        self.setting = setting
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.store = ModelStore(cache / "models", share)
        self.data = open_dataset(setting.dataset, cache / "data", setting.dataset_options)
        splits = splits_of(self.data, held_out=setting.held_out, dev=setting.dev, seed=setting.seed)
        self.seals = Seals()
        self.samples = Samples(self.data, splits, self.device, self.seals, keep=keep, seed=setting.seed)
        self._repeat_all = cuda_graphs is True
        self.recorder = recorder_of(self.device) if may_repeat(cuda_graphs, setting.model) else None
        self.references = References(setting, self.samples, self.store, self.seals, keep, recorder=self.recorder)
        self._oracle_measures: dict[tuple[Task, int, tuple[str, ...], int | None], dict[str, float]] = {}
        self._retraining: dict[Task, Retraining] = {}

    def check_unchanged(self) -> None:
        """Compare everything shared with its seal.

        Raises:
            ChangedError: a component has changed some of it.
        """
        self.seals.check()

    # --- data ---

    @property
    def train_labels(self) -> Indices:
        """True labels of the training split, shape (n,)."""
        return self.samples.train_labels

    def forget_set(self, task: Task) -> ForgetSet:
        """The samples of the training split that `task` forgets.

        Raises:
            UnlearnError: the scenario cannot draw so many, or does not.
        """
        return self.samples.forget_set(task)

    def task_data(self, task: Task) -> TaskData:
        """A task on the device."""
        return self.samples.task_data(task)

    def overlap(self, task: Task) -> float | None:
        """The share of a task's forget set that lies in the sets to avoid, 0 … 1; None where it is not to avoid any."""
        return self.samples.overlap(task)

    def in_first(self, task: Task) -> dict[str, float] | None:
        """The share of a task's forget set that the evaluation's first one of its size holds too: see `Samples.in_first`."""
        return self.samples.in_first(task)

    def unlearning_data(self, task: Task, method: Method) -> UnlearningData:
        """What a method gets: fresh counters over the task's resident samples."""
        data = self.task_data(task)
        retain, forget, validation = (
            Batches(data.images, data.labels, index) for index in (data.retain, data.forget, data.validation)
        )
        original, new_model = self.original(task).model, self.references.new_model
        of_package = type(method).__module__.startswith(f"{Method.__module__.rpartition('.')[0]}.")
        recorder = self.recorder if self._repeat_all or of_package else None
        return UnlearningData(retain, forget, validation, original, new_model, recorder)

    # --- models ---

    def new_model(self, seed: int) -> Classifier:
        """A fresh network, normalised by the data set's mean and deviation."""
        return self.references.new_model(seed)

    def load_model(self, state: Mapping[str, Tensor]) -> Classifier:
        """A network with the given weights, in train mode, with gradients."""
        return self.references.load_model(state)

    def reference_key(self, kind: Literal["original", "oracle"], task: Task, number: int = 0) -> str:
        """The content key under which a task's original or oracle is stored once it is trained."""
        return self.references.key(kind, task, number)

    def original(self, task: Task) -> Reference:
        """The model trained on all samples."""
        return self.references.original(task)

    def oracle(self, task: Task, number: int = 0) -> Reference:
        """The model trained without the forget set; those of other numbers are trained alike from other seeds."""
        return self.references.oracle(task, number)

    def retraining(self, task: Task) -> Retraining:
        """What the task's oracles took to train."""
        if task not in self._retraining:
            oracles = [self.oracle(task, number) for number in range(task.oracles)]
            seconds = [oracle.cost.seconds for oracle in oracles if oracle.place == self.references.place]
            samples = fmean(oracle.cost.samples for oracle in oracles)
            self._retraining[task] = Retraining(fmean(seconds) if seconds else None, samples)
        return self._retraining[task]

    # --- evaluation ---

    def arithmetic(self) -> AbstractContextManager[None]:
        """The context of the setting's `precision`; it may span many steps."""
        return arithmetic(self.device, self.setting.precision)

    def synchronize(self) -> None:
        """Wait for the device, so that clocks tell the truth."""
        synchronize(self.device)

    def outputs(
        self, model: Classifier, task: Task, *, validation: bool = False, retain_samples: int | None = None
    ) -> Outputs:
        """Logits and features of `model` on every set that the task's metrics read, from one pass; each layer's mode is restored.

        With `validation` also on the validation images of the forget set's classes, as the set `validation`. With
        `retain_samples` on so many of the retain set (see `Samples.retain_part`), where it has more.
        """
        data = self.task_data(task)
        retain = data.retain if retain_samples is None else self.samples.retain_part(task, retain_samples)
        sets = {"retain": retain, "forget": data.forget, "heldout": data.heldout}
        if validation:
            sets["validation"] = data.validation_alike
        with in_eval_mode(model):
            whole = self._forward(model, data.images, torch.cat(list(sets.values())))
        out = dict(zip(sets, whole.split([len(index) for index in sets.values()]), strict=True))
        slices = {f"forget_{name}": ("forget", rows) for name, rows in data.groups.items()}
        if data.heldout_class is not None:
            slices["heldout_class"] = ("heldout", data.heldout_class)
        for name, (parent, rows) in slices.items():
            where = torch.isin(sets[parent], rows)
            source = out[parent]
            out[name] = SetOutputs(source.logits[where], source.features[where], source.labels[where])
        return Outputs(out, seed=task.forget_seed, confused=data.forget_set.confused)

    def part_outputs(self, model: Classifier, *parts: Literal["train", "validation", "dev", "test"]) -> SetOutputs:
        """Logits and features of `model`, in eval mode, on all images of some parts of the data, none of them altered."""
        rows = [torch.from_numpy(self.samples.positions[part]) for part in parts]
        with in_eval_mode(model):
            return self._forward(model, self.samples.images, torch.cat(rows).to(self.device))

    def _forward(self, model: Classifier, images: Tensor, index: Tensor) -> SetOutputs:
        with torch.inference_mode(), self.arithmetic():
            parts = []
            for rows in torch.split(index, EVALUATION_BATCH.get(self.device.type, 2048)):
                features = model.features(images[rows])
                truth = self.samples.truth[rows]
                parts.append(SetOutputs(model.head(features).float(), features.float(), truth))
        return SetOutputs.join(parts)

    def oracle_metrics(
        self, task: Task, families: Sequence[str], retain_samples: int | None = None
    ) -> dict[str, float]:
        """The mean over the task's oracles of their own values of the named metric families, each computed once.

        Args:
            retain_samples: see `outputs`.
        """
        alone, named = replace(task, oracles=1), tuple(families)
        return _means([self._oracle_values(alone, n, named, retain_samples) for n in range(task.oracles)])

    def _oracle_values(
        self, task: Task, number: int, families: tuple[str, ...], retain_samples: int | None
    ) -> dict[str, float]:
        wanted = (task, number, families, retain_samples)
        if wanted not in self._oracle_measures:
            oracle = self.oracle(task, number)
            self._oracle_measures[wanted] = self.reference_metrics(oracle, task, families, retain_samples)
        return self._oracle_measures[wanted]

    def oracle_distances(
        self, model: Classifier, task: Task, families: Sequence[str], taken: Collection[str] = ()
    ) -> dict[str, float]:
        """The mean over the task's oracles of what families that compare two models say of `model` and each of them.

        Args:
            taken: names of values that other families have given.
        """
        if not comparisons(families):
            return {}
        return _means([compare(model, self.oracle(task, n).model, families, taken) for n in range(task.oracles)])

    def reference_metrics(
        self, reference: Reference, task: Task, families: Sequence[str], retain_samples: int | None = None
    ) -> dict[str, float]:
        """A reference's own values of the named metric families.

        Args:
            retain_samples: see `outputs`.

        Raises:
            DivergedError: its outputs are not finite.
        """
        outputs = self.outputs(reference.model, task, retain_samples=retain_samples)
        if not outputs.finite:
            raise DivergedError(None)
        return measure(outputs, families)


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each value that all have."""
    return {name: fmean(each[name] for each in values) for name in values[0] if all(name in each for each in values)}
