"""How large everything in `benchmarks.gpu` is."""

from __future__ import annotations

from dataclasses import dataclass

from unlearn.methods import Method
from unlearn.registry import find
from unlearn.scenarios.random import RandomSamples
from unlearn.training import Recipe
from unlearn.workspace import Setting, Task
from unlearn.workspace.precision import Precision

EVERY_EPOCH = ("accuracy", "mia_loss")
#: Of the retain set, in each epoch of a search (`search.retain_samples`).
RETAIN_SAMPLES = 5000


@dataclass(frozen=True)
class Size:
    """How large everything is.

    Attributes:
        matrix: rows of the matrices; trained: epochs of each reference; epochs: of the trial; compared: of those that are taken
            step by step and with CUDA graphs; seconds: of one round.
    """

    width: int = 64
    pixels: int = 32
    batches: tuple[int, ...] = (256, 64)
    images: int = 50_000
    test: int = 10_000
    matrix: int = 8192
    processes: tuple[int, ...] = (2, 4)
    trained: int = 3
    epochs: int = 20
    compared: int = 4
    forget: int = 5000
    seconds: float = 1.0

    def setting(self, precision: Precision) -> Setting:
        """References and trials of this size; references train for a few epochs only."""
        recipe = Recipe(epochs=self.trained, batch_size=self.batches[0], milestones=())
        images = {"train": self.images, "test": self.test, "size": self.pixels}
        return Setting(
            dataset="benchmarks.gpu_images:patterns",
            dataset_options=images,
            model="resnet18",
            model_options={"width": self.width},
            recipe=recipe,
            precision=precision,
        )

    @property
    def task(self) -> Task:
        """What is forgotten."""
        return Task(scenario=RandomSamples(), forget_size=self.forget, forget_seed=0)

    def sure(self, epochs: int) -> Method:
        """The method of the trials."""
        batches = {"retain_batch_size": self.batches[0], "forget_batch_size": self.batches[-1]}
        method: Method = find("methods", "sure")(epochs=epochs, **batches)
        return method


TINY = Size(
    width=2,
    pixels=8,
    batches=(32,),
    images=200,
    test=60,
    matrix=128,
    processes=(1,),
    trained=1,
    epochs=3,
    compared=2,
    forget=20,
    seconds=0.02,
)
