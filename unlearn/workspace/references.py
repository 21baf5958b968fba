"""Original and oracle models: what each is trained on, under which key it is stored, and its training."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from unlearn.errors import DivergedError
from unlearn.methods import Batches, Streams
from unlearn.models import Classifier
from unlearn.registry import find
from unlearn.seal import Seal, Seals
from unlearn.steps import joins_last
from unlearn.switches import isolated
from unlearn.training import ModelStore, StoredModel, TrainingCost, content_key, train
from unlearn.workspace.device import arithmetic, synchronize
from unlearn.workspace.samples import Samples, TaskData
from unlearn.workspace.tasks import Setting, Task


@dataclass(frozen=True)
class Reference:
    """An original or oracle model in eval mode, without gradients, with what it cost to train."""

    key: str
    model: Classifier
    cost: TrainingCost
    loaded: bool
    seal: Seal


class References:
    """The original and oracle of each task, loaded or trained once.

    Args:
        seals: models are sealed by them.
        keep: how many tasks' oracles stay on the device; None keeps all, and all originals.
    """

    def __init__(self, setting: Setting, samples: Samples, store: ModelStore, seals: Seals, keep: int | None) -> None:
        self.setting, self.samples, self.store, self._seals = setting, samples, store, seals
        self.original = lru_cache(maxsize=None if keep is None else 2)(self._original)
        self.oracle = lru_cache(maxsize=keep)(self._oracle)

    def new_model(self, seed: int) -> Classifier:
        """A fresh network, normalised by the data set's mean and deviation; torch's global generator is left as it was."""
        data, options = self.samples.data, copy.deepcopy(dict(self.setting.model_options))
        with isolated(seed):
            model: Classifier = find("models", self.setting.model)(data.image_shape, data.num_classes, **options)
        model.normalise(data.summary.mean, data.summary.std)
        return model.to(self.samples.device)

    def load_model(self, state: Mapping[str, Tensor]) -> Classifier:
        """A network with the given weights, in train mode, with gradients."""
        model = self.new_model(0)
        model.load_state_dict(dict(state))
        return model

    def key(self, kind: Literal["original", "oracle"], task: Task) -> str:
        """The content key under which a task's original or oracle is stored once it is trained."""
        return content_key(self._content(kind, *self._training_set(kind, task)))

    def _original(self, task: Task) -> Reference:
        return self._reference("original", task)

    def _oracle(self, task: Task) -> Reference:
        return self._reference("oracle", task)

    def _training_set(self, kind: str, task: Task) -> tuple[TaskData, Tensor]:
        data = self.samples.task_data(task)
        return data, data.train if kind == "original" else data.retain

    def _reference(self, kind: str, task: Task) -> Reference:
        data, index = self._training_set(kind, task)
        content = self._content(kind, data, index)
        key = content_key(content)
        facts = {name: value for name, value in content.items() if not name.endswith("_sha256")}
        stored: StoredModel = self.store.train_or_load(key, lambda: self._train(key, data, index), facts)
        model = self.load_model(stored.state).eval().requires_grad_(False)
        if not model.finite:
            raise DivergedError(None)
        return Reference(key, model, stored.cost, stored.loaded, self._seals.put({}, {f"the {kind}": model}))

    def _content(self, kind: str, data: TaskData, index: Tensor) -> dict[str, Any]:
        """Everything that decides which weights a training ends with."""
        setting, dataset = self.setting, self.samples.data
        joined = {"last_batch": "joined"} if joins_last(len(index), setting.recipe.batch_size) else {}
        return {
            **joined,  # what was trained before that rule keeps its key, but not where it would differ
            "format": 2,
            "kind": kind,
            "dataset": setting.dataset,
            "dataset_sha256": dataset.fingerprint,
            "training_samples": len(index),
            "training_samples_sha256": self._digest(data, index),
            "mean": dataset.summary.mean,
            "std": dataset.summary.std,
            "model": setting.model,
            "model_options": dict(setting.model_options),
            "recipe": asdict(setting.recipe),
            "precision": setting.precision,
            "seed": setting.seed,
        }

    def _digest(self, data: TaskData, index: Tensor) -> str:
        """Which samples are trained on, and what of them a scenario has changed."""
        train, clean_images = self.samples.splits.train, self.samples.images
        samples = hashlib.sha256(train[index.cpu().numpy()].tobytes())
        changed = (data.labels[index] != data.truth[index]).cpu().numpy()
        if data.images is not clean_images:
            different = data.images[index] != clean_images[index]
            changed |= different.flatten(1).any(1).cpu().numpy()
        if changed.any():
            where = index[torch.from_numpy(changed).to(index.device)]
            samples.update(train[where.cpu().numpy()].tobytes())
            samples.update(data.images[where].cpu().numpy().tobytes())
            samples.update(data.labels[where].cpu().numpy().tobytes())
        return samples.hexdigest()

    def _train(self, key: str, data: TaskData, index: Tensor) -> tuple[dict[str, Tensor], TrainingCost]:
        self._seals.check()  # a model that has learnt from changed data would be kept for good
        streams = Streams(int(key[:12], 16))
        model = self.new_model(streams.generator("model").initial_seed() % 2**31)
        batches = Batches(data.images, data.labels, index)
        device, precision = self.samples.device, self.setting.precision
        started = time.perf_counter()
        # dropout, say, draws from global generators
        with isolated(streams.integer("global")), arithmetic(device, precision):
            for _ in train(model, batches, self.setting.recipe, streams.generator("retain")):
                pass
        synchronize(device)
        return model.state_dict(), TrainingCost(time.perf_counter() - started, batches.served)
