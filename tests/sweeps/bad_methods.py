"""Methods that fail as methods of users fail, unless $FIXED: named in a sweep file as `tests.sweeps.bad_methods:Name`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from unlearn.methods import UnlearningData
from unlearn.methods.finetune import FineTune
from unlearn.methods.scrub import SCRUB
from unlearn.models import Classifier
from unlearn.steps import Streams


@dataclass(frozen=True, kw_only=True)
class Kills(FineTune):
    """Kills its own process."""

    searched: ClassVar[tuple[str, ...]] = ("lr",)

    def unlearn(self, model: Classifier, data: UnlearningData, rng: np.random.Generator) -> Iterator[None]:
        yield
        if not os.environ.get("FIXED"):
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Raises(FineTune):
    """Has a bug."""

    searched: ClassVar[tuple[str, ...]] = ("lr",)

    def unlearn(self, model: Classifier, data: UnlearningData, rng: np.random.Generator) -> Iterator[None]:
        yield
        if not os.environ.get("FIXED"):
            raise ArithmeticError("a bug in the method")


@dataclass(frozen=True, kw_only=True)
class Quits(FineTune):
    """Ends its process, as scripts do; or as Ray does where that is told to end."""

    searched: ClassVar[tuple[str, ...]] = ()
    by_ray: bool = False

    def unlearn(self, model: Classifier, data: UnlearningData, rng: np.random.Generator) -> Iterator[None]:
        yield
        if self.by_ray:
            from ray._raylet import raise_sys_exit_with_custom_error_message  # noqa: PLC0415  # only here

            raise_sys_exit_with_custom_error_message("The process receives a SIGTERM.")
        sys.exit("no licence for this method")


@dataclass(frozen=True, kw_only=True)
class Hoards(FineTune):
    """Takes more memory than its node has to give."""

    searched: ClassVar[tuple[str, ...]] = ("lr",)

    def unlearn(self, model: Classifier, data: UnlearningData, rng: np.random.Generator) -> Iterator[None]:
        hoard = []
        for _ in range(40):
            hoard.append(np.ones(2**24))  # 128 MiB
            time.sleep(0.1)
            yield
        time.sleep(30)


@dataclass(frozen=True, kw_only=True)
class Sleeps(FineTune):
    """Takes its time."""

    searched: ClassVar[tuple[str, ...]] = ("lr",)

    def unlearn(self, model: Classifier, data: UnlearningData, rng: np.random.Generator) -> Iterator[None]:
        for _ in range(100):
            time.sleep(0.5)
            yield


@dataclass(frozen=True, kw_only=True)
class Hangs(FineTune):
    """Comes to no end."""

    searched: ClassVar[tuple[str, ...]] = ("lr",)

    def unlearn(self, model: Classifier, data: UnlearningData, rng: np.random.Generator) -> Iterator[None]:
        yield
        if not os.environ.get("FIXED"):
            time.sleep(3600)


@dataclass(frozen=True, kw_only=True)
class EditsLate(SCRUB):
    """Calls every image a 5, by which SCRUB-R's rule takes this epoch of forgetting 5s, and once that is over a 0."""

    searched: ClassVar[tuple[str, ...]] = ()
    one_epoch: ClassVar[bool] = True

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        with torch.no_grad():
            model.head.weight.zero_()
            model.head.bias[5] = 9
            yield
            model.head.bias[0] = 99


@dataclass(frozen=True, kw_only=True)
class EndsEarly(FineTune):
    """Is done an epoch before its last one, and breaks the model then."""

    searched: ClassVar[tuple[str, ...]] = ()

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        yield from replace(self, epochs=self.epochs - 1)._whole(model, data, rng)
        with torch.no_grad():
            model.head.weight.zero_()

    def _whole(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        yield from super().unlearn(model, data, rng)
