"""What the trials on one worker share: data resident on the device, original and oracle models, and their outputs."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor

from unlearn.data import Indices, Pixels, open_dataset, split
from unlearn.errors import DivergedError
from unlearn.methods import Batches, Streams, UnlearningData
from unlearn.metrics import Outputs, SetOutputs, measure
from unlearn.models import Classifier
from unlearn.registry import find
from unlearn.scenarios import ForgetSet, Scenario, check_drawn
from unlearn.seal import ChangedError, Seal
from unlearn.shared import SharedFolder
from unlearn.steps import joins_last
from unlearn.switches import isolated
from unlearn.training import ModelStore, Recipe, StoredModel, TrainingCost, content_key, train

__all__ = ["Reference", "Setting", "Task", "TaskData", "Workspace"]

#: Samples per evaluation batch: what a core's cache holds is quickest on a CPU (measured: 512 against 2048, 1.25×).
EVALUATION_BATCH = {"cpu": 512, "cuda": 4096}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all tasks of a sweep have in common; it decides which original and oracle models belong to it.

    Attributes:
        dataset, model: keys, with the options of each as keyword arguments.
        held_out: fraction of each class kept from training (0.2 in the paper).
        dev: fraction of the held-out images reserved for scoring a strict search.
        precision: arithmetic of forward passes; `bfloat16` uses autocast.
    """

    dataset: str = "digits"
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    model: str = "small_resnet"
    model_options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)
    held_out: float = 0.2
    dev: float = 0.5
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One forget set to unlearn, and the images on which utility is scored (`dev` or `test`)."""

    scenario: Scenario
    forget_size: int
    forget_seed: int
    scored_on: Literal["dev", "test"] = "test"


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


@dataclass(frozen=True)
class Reference:
    """An original or oracle model in eval mode, without gradients, with what it cost to train."""

    key: str
    model: Classifier
    cost: TrainingCost
    loaded: bool
    seal: Seal


class Workspace:
    """Loads everything once; thereafter a trial costs its own gradient steps only.

    What it holds is shared by all trials of a process and sealed when it is loaded; `check_unchanged` finds what a method or
    another component has changed all the same. A workspace that was changed is to be replaced.

    Args:
        cache: folder of this machine (or shared path) for decoded data and trained models.
        device: where data and models live; None takes a GPU where there is one.
        share: where machines that do not share the cache exchange trained models.
    """

    def __init__(
        self,
        setting: Setting,
        cache: Path,
        device: torch.device | None = None,
        share: SharedFolder | None = None,
    ) -> None:
        self.setting = setting
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.store = ModelStore(cache / "models", share)
        self.data = open_dataset(setting.dataset, cache / "data", setting.dataset_options)
        self.splits = split(self.data.train_labels, held_out=setting.held_out, dev=setting.dev, seed=setting.seed)
        splits = self.splits
        parts = [splits.train, splits.validation, splits.dev]
        pool = np.concatenate([self.data.train_images[p] for p in parts] + [self.data.test_images])
        truth = np.concatenate([self.data.train_labels[p] for p in parts] + [self.data.test_labels])
        self.images = torch.from_numpy(pool).to(self.device)
        pool.setflags(write=False)  # on a CPU it is the memory of `images`
        self.train_images = pool[: len(splits.train)]
        self.truth = torch.from_numpy(truth).to(self.device)
        ends = np.cumsum([0, *map(len, parts), len(self.data.test_images)])
        self.positions = {
            name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(("train", "validation", "dev", "test"))
        }
        self.task_data = lru_cache(maxsize=8)(self._task_data)
        self.original = lru_cache(maxsize=2)(self._original)
        self.oracle = lru_cache(maxsize=8)(self._oracle)
        self._seal = Seal({"images": self.images, "true labels": self.truth})
        self._altered: tuple[Scenario | None, Tensor, Seal] = (None, self.images, self._seal)
        self._seals = WeakSet([self._seal])  # of what is held; with the tensors a seal goes too
        self._oracle_measures: dict[tuple[Task, tuple[str, ...]], dict[str, float]] = {}

    def check_unchanged(self) -> None:
        """Compare everything shared with its seal.

        Raises:
            ChangedError: a component has changed some of it.
        """
        changed = {name for seal in list(self._seals) for name in seal.broken()}
        if changed:
            raise ChangedError(sorted(changed))

    def _sealed(self, tensors: Mapping[str, Tensor], models: Mapping[str, Classifier] | None = None) -> Seal:
        seal = Seal(tensors, models)
        self._seals.add(seal)
        return seal

    # --- data ---

    @property
    def train_labels(self) -> Indices:
        """True labels of the training split, shape (n,)."""
        return self.data.train_labels[self.splits.train]

    def forget_set(self, task: Task) -> ForgetSet:
        """The samples of the training split that `task` forgets.

        Raises:
            UnlearnError: the scenario cannot draw so many, or does not.
        """
        with isolated(task.forget_seed):
            drawn = task.scenario.draw(self.train_images, self.train_labels, task.forget_size, task.forget_seed)
        check_drawn(task.scenario, drawn, task.forget_size, len(self.train_labels))
        return drawn

    def _task_data(self, task: Task) -> TaskData:
        forget_set = self.forget_set(task)
        self.check_unchanged()  # by the scenario: what is drawn and trained from here on is kept
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
        seals.append(self._sealed({"labels": labels, **everything}))
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

    def _altered_pool(self, scenario: Scenario, train_images: Pixels) -> tuple[Tensor, Seal]:
        """The pool with other training images, sealed; tasks whose scenario alters them alike share one copy."""
        if not scenario.original_per_draw and self._altered[0] == scenario:
            return self._altered[1:]
        altered = torch.tensor(train_images, device=self.device)
        pool = torch.cat([altered, self.images[len(altered) :]])
        self._altered = (scenario, pool, self._sealed({"altered images": pool}))
        return self._altered[1:]

    def unlearning_data(self, task: Task) -> UnlearningData:
        """What a method gets: fresh counters over the task's resident samples."""
        data = self.task_data(task)
        retain, forget, validation = (
            Batches(data.images, data.labels, index) for index in (data.retain, data.forget, data.validation)
        )
        return UnlearningData(retain, forget, validation, self.original(task).model, self.new_model)

    # --- models ---

    def new_model(self, seed: int) -> Classifier:
        """A fresh network, normalised by the data set's mean and deviation; torch's global generator is left as it was."""
        setting = self.setting
        with isolated(seed):
            model: Classifier = find("models", setting.model)(
                self.data.image_shape, self.data.num_classes, **copy.deepcopy(dict(setting.model_options))
            )
        model.normalise(self.data.summary.mean, self.data.summary.std)
        return model.to(self.device)

    def load_model(self, state: Mapping[str, Tensor]) -> Classifier:
        """A network with the given weights, in train mode, with gradients."""
        model = self.new_model(0)
        model.load_state_dict(dict(state))
        return model

    def reference_key(self, kind: Literal["original", "oracle"], task: Task) -> str:
        """The content key under which a task's original or oracle is stored once it is trained."""
        return content_key(self._content(kind, *self._training_set(kind, task)))

    def _original(self, task: Task) -> Reference:
        return self._reference("original", task)

    def _oracle(self, task: Task) -> Reference:
        return self._reference("oracle", task)

    def _training_set(self, kind: str, task: Task) -> tuple[TaskData, Tensor]:
        data = self.task_data(task)
        return data, data.train if kind == "original" else data.retain

    def _reference(self, kind: str, task: Task) -> Reference:
        data, index = self._training_set(kind, task)
        content = self._content(kind, data, index)
        key = content_key(content)
        about = {name: value for name, value in content.items() if not name.endswith("_sha256")}
        stored: StoredModel = self.store.train_or_load(key, lambda: self._train(key, data, index), about)
        model = self.load_model(stored.state).eval().requires_grad_(False)
        if not model.finite:
            raise DivergedError(None)
        return Reference(key, model, stored.cost, stored.loaded, self._sealed({}, {f"the {kind}": model}))

    def _content(self, kind: str, data: TaskData, index: Tensor) -> dict[str, Any]:
        setting, rows = self.setting, index.cpu().numpy()
        samples = hashlib.sha256(self.splits.train[rows].tobytes())
        clean_images = self.images if data.images is not self.images else None
        changed = (data.labels[index] != data.truth[index]).cpu().numpy()
        if clean_images is not None:
            different = data.images[index] != clean_images[index]
            changed |= different.flatten(1).any(1).cpu().numpy()
        if changed.any():
            where = index[torch.from_numpy(changed).to(index.device)]
            samples.update(self.splits.train[where.cpu().numpy()].tobytes())
            samples.update(data.images[where].cpu().numpy().tobytes())
            samples.update(data.labels[where].cpu().numpy().tobytes())
        joined = {"last_batch": "joined"} if joins_last(len(rows), setting.recipe.batch_size) else {}
        return {
            **joined,  # what was trained before that rule keeps its key, but not where it would differ
            "format": 2,
            "kind": kind,
            "dataset": setting.dataset,
            "dataset_sha256": self.data.fingerprint,
            "training_samples": len(rows),
            "training_samples_sha256": samples.hexdigest(),
            "mean": self.data.summary.mean,
            "std": self.data.summary.std,
            "model": setting.model,
            "model_options": dict(setting.model_options),
            "recipe": asdict(setting.recipe),
            "precision": setting.precision,
            "seed": setting.seed,
        }

    def _train(self, key: str, data: TaskData, index: Tensor) -> tuple[dict[str, Tensor], TrainingCost]:
        self.check_unchanged()  # a model that has learnt from changed data would be kept for good
        streams = Streams(int(key[:12], 16))
        model = self.new_model(streams.generator("model").initial_seed() % 2**31)
        batches = Batches(data.images, data.labels, index)
        started = time.perf_counter()
        with isolated(streams.integer("global")), self.arithmetic():  # dropout, say, draws from global generators
            for _ in train(model, batches, self.setting.recipe, streams.generator("retain")):
                pass
        self.synchronize()
        return model.state_dict(), TrainingCost(time.perf_counter() - started, batches.served)

    # --- evaluation ---

    def arithmetic(self) -> AbstractContextManager[None]:
        """The autocast context that `precision` asks for; it may span many steps.

        Without the cache: autocast would keep the weights that it first cast, and a model that trains under it never learn.
        """
        enabled = self.setting.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False)

    def synchronize(self) -> None:
        """Wait for the device, so that clocks tell the truth."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def outputs(self, model: Classifier, task: Task, *, validation: bool = False) -> Outputs:
        """Logits and features of `model` on every set that the task's metrics read, from one pass; the mode is restored.

        With `validation` also on the validation images of the forget set's classes, as the set `validation`.
        """
        data = self.task_data(task)
        sets = {"retain": data.retain, "forget": data.forget, "heldout": data.heldout}
        if validation:
            sets["validation"] = data.validation_alike
        was_training = model.training
        model.eval()
        whole = self._forward(model, data, torch.cat(list(sets.values())))
        model.train(was_training)
        out = dict(zip(sets, whole.split([len(index) for index in sets.values()]), strict=True))
        slices = {f"forget_{name}": ("forget", rows) for name, rows in data.groups.items()}
        if data.heldout_class is not None:
            slices["heldout_class"] = ("heldout", data.heldout_class)
        for name, (parent, rows) in slices.items():
            where = torch.isin(sets[parent], rows)
            source = out[parent]
            out[name] = SetOutputs(source.logits[where], source.features[where], source.labels[where])
        return Outputs(out, seed=task.forget_seed, confused=data.forget_set.confused)

    def _forward(self, model: Classifier, data: TaskData, index: Tensor) -> SetOutputs:
        with torch.inference_mode(), self.arithmetic():
            parts = []
            for rows in torch.split(index, EVALUATION_BATCH.get(self.device.type, 2048)):
                features = model.features(data.images[rows])
                parts.append(SetOutputs(model.head(features).float(), features.float(), data.truth[rows]))
        return SetOutputs.join(parts)

    def oracle_metrics(self, task: Task, families: Sequence[str]) -> dict[str, float]:
        """The oracle's own values of the named metric families, computed once."""
        wanted = (task, tuple(families))
        if wanted not in self._oracle_measures:
            self._oracle_measures[wanted] = self.reference_metrics(self.oracle(task), task, families)
        return self._oracle_measures[wanted]

    def reference_metrics(self, reference: Reference, task: Task, families: Sequence[str]) -> dict[str, float]:
        """A reference's own values of the named metric families.

        Raises:
            DivergedError: its outputs are not finite.
        """
        outputs = self.outputs(reference.model, task)
        if not outputs.finite:
            raise DivergedError(None)
        return measure(outputs, families)
