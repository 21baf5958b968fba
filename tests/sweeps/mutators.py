"""Components that leave behind what no trial may: changes of shared data and models, and process-wide switches turned."""

from __future__ import annotations

import gc
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearn.data import Labels, Pixels
from unlearn.methods import Streams, UnlearningData
from unlearn.methods.finetune import FineTune
from unlearn.metrics import Outputs
from unlearn.models import Classifier
from unlearn.scenarios import ForgetSet
from unlearn.scenarios.random import RandomSamples

Action = Callable[[UnlearningData], Any]
held: list[Any] = []


def hooked(data: UnlearningData) -> None:
    data.original.register_forward_hook(lambda module, args, output: output * 0)


def hooked_inside(data: UnlearningData) -> None:
    data.original.head.register_forward_pre_hook(lambda module, args: (args[0] * 0,))


def patched(data: UnlearningData) -> None:
    data.original.forward = lambda x: data.original.head(data.original.features(x)) * 0  # type: ignore[method-assign]


def left_gradients(data: UnlearningData) -> None:
    data.original.requires_grad_(True)
    data.original(data.forget.images[data.forget.index]).sum().backward()
    data.original.requires_grad_(False)


def oracle_changed(data: UnlearningData) -> None:
    references = data.new_model.__self__  # type: ignore[attr-defined]
    for seal in references._seals:
        if "the oracle" in seal.models:
            next(seal.models["the oracle"].parameters()).data.zero_()


def one_pixel(data: UnlearningData) -> None:
    data.retain.images[data.retain.index[0], 0, 0, 0] += 1


def weight_replaced(data: UnlearningData) -> None:
    weight = data.original.head.weight
    data.original.head.weight = nn.Parameter(torch.zeros_like(weight), requires_grad=False)


#: By name: the change, and a word of the reason that the trial must give.
SHARED: dict[str, tuple[Action, str]] = {
    "images to zero": (lambda data: data.retain.images.zero_(), "images"),
    "images by .data": (lambda data: data.retain.images.data.fill_(7), "images"),
    "images by NumPy": (lambda data: data.retain.images.cpu().numpy().fill(7), "images"),
    "images in another order": (lambda data: data.retain.images.copy_(data.retain.images.roll(1, 0)), "images"),
    "one pixel": (one_pixel, "images"),
    "images as a view of another shape": (lambda data: data.retain.images.unsqueeze_(0), "images"),
    "labels": (lambda data: data.retain.labels.zero_(), "labels"),
    "labels shifted": (lambda data: data.forget.labels.copy_(data.forget.labels.roll(1)), "labels"),
    "index of retain": (lambda data: data.retain.index.fill_(3), "index of retain"),
    "index of retain in another order": (lambda data: data.retain.index.copy_(data.retain.index.roll(1)), "retain"),
    "index of forget": (lambda data: data.forget.index.data.sub_(1), "index of forget"),
    "index of validation": (lambda data: data.validation.index.zero_(), "index of validation"),
    "weights of the original": (lambda data: data.original.head.weight.data.mul_(2), "weights of the original"),
    "another weight for the original": (weight_replaced, "weights of the original"),
    "buffers of the original": (lambda data: data.original.mean.add_(1), "buffers of the original"),
    "the original in train mode": (lambda data: data.original.train(), "modes"),
    "a part of it in train mode": (lambda data: next(data.original.backbone.children()).train(), "modes"),
    "the original needs gradients": (lambda data: data.original.requires_grad_(True), "gradients"),
    "gradients of the original": (left_gradients, "gradients"),
    "a hook on the original": (hooked, "hooks"),
    "a hook inside it": (hooked_inside, "hooks"),
    "forward of the original": (patched, "hooks"),
    "the original in double precision": (lambda data: data.original.double(), "the original"),
    "weights of the oracle": (oracle_changed, "weights of the oracle"),
}


def enter_inference_mode(data: UnlearningData) -> None:
    held.append(torch.inference_mode())
    held[-1].__enter__()


def enter_autocast(data: UnlearningData) -> None:
    held.append(torch.autocast("cpu", dtype=torch.bfloat16))
    held[-1].__enter__()


def all_warnings_off(data: UnlearningData) -> None:
    warnings.simplefilter("ignore")


def numpy_errors_raised(data: UnlearningData) -> None:
    np.seterr(all="raise")


def cudnn_flags(data: UnlearningData) -> None:
    torch.backends.cudnn.deterministic = torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.enabled = False


def hooked_everywhere(data: UnlearningData) -> None:
    nn.modules.module.register_module_forward_hook(lambda module, args, output: output * 0)


def hooked_backward_everywhere(data: UnlearningData) -> None:
    nn.modules.module.register_module_full_backward_hook(lambda module, inputs, outputs: None)


def environment(data: UnlearningData) -> None:
    os.environ["UNLEARN_SWEEPS_TEST"] = "left behind"
    os.environ.pop("HOME", None)


SWITCHES: dict[str, Action] = {
    "gradients off": lambda data: torch.set_grad_enabled(False),
    "inference mode": enter_inference_mode,
    "autocast": enter_autocast,
    "anomaly detection": lambda data: torch.autograd.set_detect_anomaly(True),
    "threads": lambda data: torch.set_num_threads(2),
    "default type": lambda data: torch.set_default_dtype(torch.float64),
    "default device": lambda data: torch.set_default_device("meta"),
    "deterministic algorithms": lambda data: torch.use_deterministic_algorithms(True),
    "precision of products": lambda data: torch.set_float32_matmul_precision("medium"),
    "precision by its newer name": lambda data: setattr(torch.backends, "fp32_precision", "tf32"),
    "cudnn": cudnn_flags,
    "hooks of all modules": hooked_everywhere,
    "hooks of all modules on gradients": hooked_backward_everywhere,
    "fast attention": lambda data: torch.backends.mha.set_fastpath_enabled(False),
    "denormal numbers": lambda data: torch.set_flush_denormal(True),
    "seed of torch": lambda data: torch.manual_seed(5),
    "seed of NumPy": lambda data: np.random.seed(5),
    "seed of Python": lambda data: random.seed(5),
    "errors of NumPy": numpy_errors_raised,
    "warnings": all_warnings_off,
    "working folder": lambda data: os.chdir("/"),
    "environment": environment,
    "sys.path": lambda data: sys.path.insert(0, "/nowhere"),
    "recursion limit": lambda data: sys.setrecursionlimit(5000),
    "garbage collection": lambda data: gc.disable(),
}
if not hasattr(torch.backends, "fp32_precision"):  # before PyTorch 2.9
    del SWITCHES["precision by its newer name"]
ACTIONS: dict[str, Action] = {**{name: action for name, (action, _) in SHARED.items()}, **SWITCHES}


@dataclass(frozen=True, kw_only=True)
class Mutates(FineTune):
    """FineTune that does ACTIONS[`what`] before its first yield, and then what `then` says."""

    what: str = ""
    then: str = "goes on"

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        for _ in super().unlearn(model, data, rng):
            if self.then == "cleans up":
                try:
                    yield
                finally:
                    ACTIONS[self.what](data)
            ACTIONS[self.what](data)
            if self.then == "raises":
                raise ArithmeticError("a bug in the method")
            if self.then == "diverges":
                model.head.bias.data.fill_(torch.nan)
            yield


@dataclass(frozen=True, kw_only=True)
class Draws(FineTune):
    """Adds noise of the global generators; no epoch's is another's."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        seen = set()
        with torch.no_grad():  # held over every yield
            for _ in range(self.epochs):
                assert not torch.is_grad_enabled()
                noise = torch.rand(model.num_classes) + np.random.rand() + random.random()
                seen.add(float(noise.sum()))
                model.head.bias.add_(noise.to(model.head.bias))
                yield
        assert len(seen) == self.epochs


@dataclass(frozen=True)
class WritesImages(RandomSamples):
    """Writes into the images that it is shown, at once or, with `force`, once it has made them writeable."""

    force: bool = False

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        if self.force:
            assert images.base is not None
            images.base.setflags(write=True)  # type: ignore[union-attr]
            images.base[:] = 0  # type: ignore[index]
        else:
            images[:] = 0
        return super().draw(images, labels, size, seed)


@dataclass(frozen=True)
class KeepsIndices(RandomSamples):
    """Draws into one array, again and again."""

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        if not held or not isinstance(held[-1], np.ndarray):
            held.append(np.zeros(size, dtype=np.int64))
        held[-1][:] = super().draw(images, labels, size, seed).indices
        return ForgetSet(held[-1])


def turns_switches(outputs: Outputs) -> dict[str, float]:
    """A metric that draws, and leaves switches turned."""
    value = float(torch.rand(()) + np.random.rand())
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    return {"drawn": value}
