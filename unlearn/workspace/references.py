"""Original and oracle models: what each is trained on, under which key it is stored, and its training."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any, Literal

import torch
from torch import Tensor

from unlearn.arithmetic import arithmetic
from unlearn.errors import DivergedError, ModelError, UnlearnError
from unlearn.files import expanded, file_digest
from unlearn.graphs import Recorder
from unlearn.methods import Batches, Streams
from unlearn.models import Classifier, build
from unlearn.seal import Seal, Seals
from unlearn.steps import joins_last
from unlearn.switches import isolated
from unlearn.training import ModelStore, StoredModel, TrainingCost, content_key, load_checkpoint, train
from unlearn.workspace.device import Place, place_of, synchronize
from unlearn.workspace.samples import Samples, TaskData
from unlearn.workspace.tasks import Given, Setting, Task


@dataclass(frozen=True)
class Reference:
    """An original or oracle model in eval mode, without gradients, with what it cost to train.

    Attributes:
        place: on which host and device; None where an older version trained it.
    """

    key: str
    model: Classifier
    cost: TrainingCost
    place: Place | None
    loaded: bool
    seal: Seal


class References:
    """The original and oracle of each task, loaded or trained once.

    Args:
        seals: models are sealed by them.
        keep: how many tasks' oracles stay on the device; None keeps all, and all originals.
        recorder: lets the device repeat steps of training by itself.
    """

    def __init__(
        self,
        setting: Setting,
        samples: Samples,
        store: ModelStore,
        seals: Seals,
        keep: int | None,
        *,
        recorder: Recorder | None = None,
    ) -> None:
        self.setting, self.samples, self.store, self._seals = setting, samples, store, seals
        self._recorder = recorder
        self.place = place_of(samples.device, graphs=recorder is not None)
        self._original = lru_cache(maxsize=None if keep is None else 2)(partial(self._reference, "original"))
        self._oracle = lru_cache(maxsize=keep)(partial(self._reference, "oracle"))

    def original(self, task: Task) -> Reference:
        """The model trained on all samples.

        Raises:
            UnlearnError: it was trained elsewhere, on other images or labels than the task has.
        """
        if self.setting.original is None:
            return self._original(replace(task, oracles=1))
        data = self.samples.task_data(task)
        if data.images is not self.samples.images or not torch.equal(data.labels, data.truth):
            raise UnlearnError(
                "an original that is trained already has not learnt what this scenario alters: leave original out, and let "
                f"{type(task.scenario).__name__} say alters_training = True"
            )
        return self.given

    def oracle(self, task: Task, number: int = 0) -> Reference:
        """The model trained without the forget set; those of other numbers are trained alike from other seeds."""
        return self._oracle(replace(task, oracles=1), number)

    def new_model(self, seed: int) -> Classifier:
        """A fresh network with the setting's normalisation; torch's global generator is left as it was."""
        setting, data = self.setting, self.samples.data
        options = copy.deepcopy(dict(setting.model_options))
        with isolated(seed):
            model = build(setting.model, data.image_shape, data.num_classes, options, setting.head)
        model.normalise(*self._normalisation)
        return model.to(self.samples.device)

    @property
    def _normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        summary = self.samples.data.summary
        return self.setting.normalise or (summary.mean, summary.std)

    def load_model(self, state: Mapping[str, Tensor]) -> Classifier:
        """A network with the given weights, in train mode, with gradients."""
        model = self.new_model(0)
        model.take(state)
        return model

    def key(self, kind: Literal["original", "oracle"], task: Task, number: int = 0) -> str:
        """The content key under which a task's original or oracle is stored once it is trained."""
        if kind == "original" and self.setting.original is not None:
            return content_key(self._given_content(self.setting.original))
        return content_key(self._content(kind, *self._training_set(kind, task), task.training, number))

    @cached_property
    def given(self) -> Reference:
        """The original that was trained elsewhere: the same one for every task.

        Raises:
            ModelError: its checkpoint cannot be used.
        """
        given = self.setting.original
        assert given is not None
        content = self._given_content(given)
        key = content_key(content)
        stored = self.store.train_or_load(key, lambda: (self._read(given), TrainingCost(0.0, 0)), content)
        return self._loaded("original", key, stored)

    def _read(self, given: Given) -> dict[str, Tensor]:
        """The weights in the checkpoint; the file is only read."""
        path = expanded(given.weights)
        model = self.new_model(0)
        load_checkpoint(model, path)
        if (found := file_digest(path)) != given.sha256:
            raise ModelError(
                f"{path} must be the file that was checked before, and its content differs ({found[:12]}…)"
            )
        return model.state_dict()

    def _given_content(self, given: Given) -> dict[str, Any]:
        return {"format": 2, "kind": "given original", "weights_sha256": given.sha256, **self._architecture()}

    def _training_set(self, kind: str, task: Task) -> tuple[TaskData, Tensor]:
        data = self.samples.task_data(task)
        return data, data.train if kind == "original" else data.retain

    def _reference(self, kind: str, task: Task, number: int = 0) -> Reference:
        data, index = self._training_set(kind, task)
        content = self._content(kind, data, index, task.training, number)
        key = content_key(content)
        facts = {name: value for name, value in content.items() if not name.endswith("_sha256")} | asdict(self.place)
        stored = self.store.train_or_load(key, lambda: self._train(key, data, index), facts)
        return self._loaded(kind, key, stored)

    def _loaded(self, kind: str, key: str, stored: StoredModel) -> Reference:
        model = self.load_model(stored.state).eval().requires_grad_(False)
        if not model.finite:
            raise DivergedError(None)
        place = Place(stored.facts["host"], stored.facts["device"]) if "host" in stored.facts else None
        seal = self._seals.put({}, {f"the {kind}": model})
        return Reference(key, model, stored.cost, place, stored.loaded, seal)

    def _content(self, kind: str, data: TaskData, index: Tensor, training: int = 0, number: int = 0) -> dict[str, Any]:
        """Everything that decides which weights a training ends with; the first of several keeps the key of an only one."""
        setting, dataset = self.setting, self.samples.data
        joined = {"last_batch": "joined"} if joins_last(len(index), setting.recipe.batch_size) else {}
        return {
            **joined,  # what was trained before that rule keeps its key, but not where it would differ
            "format": 2,
            "kind": kind,
            "dataset_sha256": dataset.fingerprint,
            "training_samples": len(index),
            "training_samples_sha256": self._digest(data, index),
            "recipe": {name: value for name, value in asdict(setting.recipe).items() if value is not None},
            "precision": setting.precision,
            "seed": setting.seed,
            **{name: value for name, value in (("training", training), ("oracle", number)) if value},
            **self._architecture(),
        }

    def _architecture(self) -> dict[str, Any]:
        """What decides which network it is, and by which names its weights are stored."""
        setting = self.setting
        mean, std = self._normalisation
        given = {"head": setting.head, "code": setting.code}
        return {
            **{name: value for name, value in given.items() if value is not None},
            "dataset": setting.dataset,
            "mean": mean,
            "std": std,
            "model": setting.model,
            "model_options": dict(setting.model_options),
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
            for _ in train(model, batches, self.setting.recipe, streams.generator("retain"), self._recorder):
                pass
        synchronize(device)
        return model.state_dict(), TrainingCost(time.perf_counter() - started, batches.served)
