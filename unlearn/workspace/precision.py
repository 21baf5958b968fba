"""Whether a setting's network learns in bfloat16 as it does in float32, and how much sooner: short trainings in both, in turn."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, fields, replace
from functools import partial
from statistics import fmean, variance
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearn.arithmetic import arithmetic
from unlearn.graphs import UNCOMPARED, Step, recorder_of
from unlearn.methods import Batches, Streams
from unlearn.models import Classifier
from unlearn.steps import SGD, batch_sizes
from unlearn.switches import isolated
from unlearn.training import Recipe, train
from unlearn.workspace.device import seconds_a_call, synchronize
from unlearn.workspace.workspace import Workspace

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, Precision] = ("float32", "bfloat16")

#: Gradient steps of one training, at most a third more where they do not fill whole epochs; never more epochs than the recipe.
STEPS = 60
#: Trainings in each precision, of the same seeds; fewer where bfloat16 turns out to be the slower.
SEEDS = 3
#: Where a device repeats steps, one is recorded after so many, to be timed.
BEFORE = 3
#: Validation images that the networks are compared on, at most.
IMAGES = 2000
#: By how many standard deviations between seeds the means may differ.
SPREADS = 2.0
#: By how much bfloat16 must be the faster.
MARGIN = 1.2


@dataclass(frozen=True)
class Learnt:
    """One network after its short training: accuracy in per cent and mean cross-entropy on validation images, and its seconds.

    Where the device repeats steps by itself, `seconds` are of as many such steps: of a short training half are not repeated.
    """

    accuracy: float
    loss: float
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """Networks of equal seeds, trained in either precision; `failure` says why there are none."""

    images: int = 0
    float32: tuple[Learnt, ...] = ()
    bfloat16: tuple[Learnt, ...] = ()
    failure: str | None = None

    @property
    def speedup(self) -> float:
        """How many times as fast bfloat16 is, by the quickest training of each: what else a machine does only delays."""
        return min(each.seconds for each in self.float32) / min(each.seconds for each in self.bfloat16)

    @property
    def differences(self) -> dict[str, tuple[float, float]]:
        """By measure: how far the means of the two precisions lie apart, and how far they may, from the spread between seeds.

        The least that they may is what one image makes of an accuracy, and a thousandth of a loss.
        """
        floors = {"accuracy": 100 / self.images, "loss": 1e-3 * fmean(each.loss for each in self.float32)}
        found = {}
        for name, floor in floors.items():
            groups = [[getattr(each, name) for each in group] for group in (self.float32, self.bfloat16)]
            spread = math.sqrt(fmean(map(variance, groups)))
            found[name] = abs(fmean(groups[0]) - fmean(groups[1])), max(SPREADS * spread, floor)
        return found

    @property
    def reason(self) -> str | None:
        """Why it must be float32; None where bfloat16 serves as well, and sooner."""
        if self.failure is not None:
            return f"a short training of this model failed: {self.failure}"
        if not all(math.isfinite(each.loss) for each in (*self.float32, *self.bfloat16)):
            return "short trainings of this model do not stay finite"
        if self.speedup < MARGIN:
            return f"bfloat16 trains this model {self.speedup:.2f} times as fast here, and less than {MARGIN} is not worth it"
        for name, (difference, limit) in self.differences.items():
            if difference > limit:
                unit = " points" if name == "accuracy" else ""
                return (
                    f"in bfloat16 this model's {name} after a short training differs by {difference:.3g}{unit} from float32's, "
                    f"more than seeds do ({limit:.3g}{unit})"
                )
        return None

    @property
    def choice(self) -> Precision:
        return "bfloat16" if self.reason is None else "float32"

    def figures(self) -> dict[str, Any]:
        """Everything measured, as plain data."""
        if self.failure is not None:
            return {}
        groups = {"float32": self.float32, "bfloat16": self.bfloat16}
        measured = {
            name: {field.name: [getattr(each, field.name) for each in group] for field in fields(Learnt)}
            for name, group in groups.items()
        }
        return {**measured, "validation_images": self.images, "speedup": self.speedup}


def compare_precisions(workspace: Workspace, threads: int = 1) -> Comparison:
    """Train the workspace's network for `STEPS` steps by its recipe in both precisions, from the same seeds.

    The training split is learnt; test and dev images are not read. Weights are a function of the setting and the machine, as
    everywhere; seconds are not.

    Args:
        threads: of a CPU, as many as a worker has.
    """
    positions, streams = workspace.samples.positions, Streams(workspace.setting.seed)
    seen = positions["validation"] if len(positions["validation"]) else positions["train"]
    order = torch.randperm(len(seen), generator=streams.generator("precision/images"))[:IMAGES]
    with isolated(0):
        torch.set_num_threads(threads)
        try:
            return _in_turn(workspace, torch.from_numpy(seen)[order].to(workspace.device))
        except Exception as error:  # whatever a network of the user's own raises: its reference will tell all of it
            return Comparison(failure=f"{type(error).__name__}: {error}")


def _in_turn(workspace: Workspace, images: Tensor) -> Comparison:
    """The trainings of each seed in both precisions; no more of them where bfloat16 turns out to be the slower."""
    for precision in PRECISIONS:
        _learn(workspace, precision, 0, images, steps=2)  # kernels are chosen and compiled at first
    found = Comparison(len(images))
    for seed in range(SEEDS):
        one, other = (_learn(workspace, precision, seed, images, STEPS) for precision in PRECISIONS)
        found = replace(found, float32=(*found.float32, one), bfloat16=(*found.bfloat16, other))
        if found.speedup < 1:
            break
    return found


def _learn(workspace: Workspace, precision: Precision, seed: int, images: Tensor, steps: int) -> Learnt:
    """One short training, and what it comes to on `images`."""
    recipe, samples = workspace.setting.recipe, workspace.samples
    streams = Streams(Streams(workspace.setting.seed).integer(f"precision/{seed}"))
    train_rows = torch.from_numpy(samples.positions["train"])
    chosen = torch.randperm(len(train_rows), generator=streams.generator("samples"))[: steps * recipe.batch_size]
    batches = Batches(samples.images, samples.truth, train_rows[chosen].to(workspace.device))
    epochs = max(1, min(recipe.epochs, round(steps / len(batch_sizes(len(chosen), recipe.batch_size)))))
    model = workspace.new_model(streams.integer("model"))
    with isolated(streams.integer("global")), arithmetic(workspace.device, precision):
        synchronize(workspace.device)
        started = time.perf_counter()
        for _ in train(model, batches, replace(recipe, epochs=epochs, milestones=()), streams.generator("retain")):
            pass
        synchronize(workspace.device)
        seconds = time.perf_counter() - started
        model.eval()
        with torch.inference_mode():
            logits = torch.cat([model(samples.images[rows]).double() for rows in torch.split(images, 512)])
        if workspace.recorder is not None and steps == STEPS:
            seconds = STEPS * _seconds_a_repeated_step(model, batches, recipe)
    truth = samples.truth[images]
    accuracy = 100 * (logits.argmax(1) == truth).double().mean()
    return Learnt(accuracy.item(), F.cross_entropy(logits, truth).item(), seconds)


def _seconds_a_repeated_step(model: Classifier, batches: Batches, recipe: Recipe) -> float:
    """Of training, once it is recorded; the model goes on learning from one batch."""
    model.train()
    optimizer = SGD(model.parameters(), lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    x, y = next(batches.epoch(recipe.batch_size, torch.Generator()))
    step = Step(model, optimizer, recorder=recorder_of(x.device, before=BEFORE))
    return seconds_a_call(partial(step, x, y), x.device, least=0.2, ready=BEFORE + UNCOMPARED)
