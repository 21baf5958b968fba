"""Requests served with methods that misbehave, and by SCRUB-R's own rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from sweeps.requests.choice import Configuration
from sweeps.requests.serve import measured, run_seed, serve
from unlearn.errors import DivergedError
from unlearn.methods import UnlearningData
from unlearn.methods.finetune import FineTune
from unlearn.models import Classifier
from unlearn.scenarios.listed import ListedRows
from unlearn.seal import ChangedError
from unlearn.steps import Streams
from unlearn.training import Recipe, state_digest
from unlearn.workspace import Setting, Task, Workspace

HERE = __name__
TASK = Task(scenario=ListedRows(tuple(range(0, 60, 2))), forget_size=30, forget_seed=3)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    setting = Setting(model_options={"width": 2}, recipe=Recipe(epochs=2, lr=0.1))
    return Workspace(setting, tmp_path_factory.mktemp("cache"), torch.device("cpu"))


@dataclass(frozen=True, kw_only=True)
class Tampers(FineTune):
    """Changes the original that it is given to look at."""

    searched: ClassVar[tuple[str, ...]] = ()

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        with torch.no_grad():
            data.original.head.weight.zero_()
        yield


@dataclass(frozen=True, kw_only=True)
class Breaks(FineTune):
    """Ends in weights that are no numbers."""

    searched: ClassVar[tuple[str, ...]] = ()

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        yield
        with torch.no_grad():
            model.head.weight.fill_(torch.nan)
        yield


@dataclass(frozen=True, kw_only=True)
class Overflows(FineTune):
    """Ends in weights that are numbers, and logits that are none."""

    searched: ClassVar[tuple[str, ...]] = ()

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        with torch.no_grad():
            model.head.weight.fill_(torch.finfo(torch.float32).max)
        yield


@dataclass(frozen=True, kw_only=True)
class EndsBadly(FineTune):
    """Breaks the model once its last epoch is over."""

    searched: ClassVar[tuple[str, ...]] = ()

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        yield from super().unlearn(model, data, rng)
        with torch.no_grad():
            model.head.weight.fill_(torch.nan)


def by(method: str, stop: int | None = None, **hyperparameters: float) -> Configuration:
    return Configuration("random", method, hyperparameters, stop, "given")


def test_a_method_that_changes_the_original_is_found_out(workspace: Workspace) -> None:
    own = Workspace(workspace.setting, workspace.store.folder.parent, torch.device("cpu"))
    with pytest.raises(ChangedError, match="weights of the original"):
        serve(own, TASK, by(f"{HERE}:Tampers"), seed=0)
    again = Workspace(workspace.setting, workspace.store.folder.parent, torch.device("cpu"))
    assert state_digest(again.original(TASK).model.own_state()) == state_digest(
        workspace.original(TASK).model.own_state()
    )


def test_the_original_is_as_before_after_a_run(workspace: Workspace) -> None:
    before = state_digest(workspace.original(TASK).model.own_state())
    served = serve(workspace, TASK, by("finetune", stop=2, epochs=4, lr=0.05), seed=0)
    assert (served.epoch, served.rule) == (2, "the stop epoch that was given")
    assert state_digest(workspace.original(TASK).model.own_state()) == before
    assert state_digest(served.model.own_state()) != before
    whole = serve(workspace, TASK, by("finetune", epochs=2, lr=0.05), seed=0)
    assert (whole.epoch, whole.rule) == (2, "the last epoch")


@pytest.mark.parametrize(
    ("source", "stop", "rule"),
    [
        ("confirmation", 1, "the stop epoch that was tuned"),
        ("search", 2, "the stop epoch that was tuned"),
        ("fixed", 2, "the last epoch"),
        ("given", 2, "the last epoch"),
    ],
)
def test_only_a_stop_epoch_that_was_tuned_is_called_so(workspace: Workspace, source: str, stop: int, rule: str) -> None:
    chosen = Configuration("random", "finetune", {"epochs": 2, "lr": 0.05}, stop, source)
    assert serve(workspace, TASK, chosen, seed=0).rule == rule


def test_a_retraining_of_several_epochs_is_not_told_to_be_of_one(workspace: Workspace) -> None:
    served = serve(workspace, TASK, by("oracle", stop=1, epochs=2, lr=0.05), seed=0)
    assert (served.epoch, served.rule) == (1, "the end of its run, all of which counts as one epoch")


def test_weights_that_are_no_numbers_are_told_with_their_epoch(workspace: Workspace) -> None:
    with pytest.raises(DivergedError, match="diverged at epoch 2"):
        serve(workspace, TASK, by(f"{HERE}:Breaks"), seed=0)
    assert serve(workspace, TASK, by(f"{HERE}:Breaks", stop=1), seed=0).epoch == 1


def test_outputs_that_are_no_numbers_are_told_with_their_epoch(workspace: Workspace) -> None:
    served = serve(workspace, TASK, by(f"{HERE}:Overflows"), seed=0)
    assert served.model.finite
    with pytest.raises(DivergedError, match="diverged at epoch 1"):
        measured(workspace, served.model, TASK, served.epoch)


def test_what_comes_after_the_last_epoch_is_not_served(workspace: Workspace) -> None:
    served, whole = (serve(workspace, TASK, by(name, epochs=2), seed=0) for name in (f"{HERE}:EndsBadly", "finetune"))
    assert (served.epoch, served.rule) == (2, "the last epoch")
    assert state_digest(served.model.own_state()) == state_digest(whole.model.own_state())


@pytest.mark.parametrize("stop", [2, None])
def test_nor_what_comes_after_a_run_that_ends_early(workspace: Workspace, stop: int | None) -> None:
    served = serve(workspace, TASK, by("tests.sweeps.bad_methods:EndsEarly", stop=stop, epochs=2), seed=0)
    whole = serve(workspace, TASK, by("finetune", epochs=1), seed=0)
    assert (served.epoch, served.rule) == (1, "the last epoch")
    assert state_digest(served.model.own_state()) == state_digest(whole.model.own_state())


def test_scrub_chooses_its_epoch_itself(workspace: Workspace) -> None:
    served = serve(workspace, TASK, by("scrub", epochs=3, lr=0.05), seed=0)
    assert 0 <= served.epoch <= 3
    assert served.rule.startswith("SCRUB-R's rule")
    accuracies = measured(workspace, served.model, TASK)
    assert {
        "forget_accuracy",
        "retain_accuracy",
        "validation_accuracy",
        "test_accuracy",
        "mia_loss",
    } <= accuracies.keys()


def test_the_seed_is_of_the_request() -> None:
    seeds: list[Callable[[], int]] = [lambda: run_seed(0, "a"), lambda: run_seed(0, "b"), lambda: run_seed(1, "a")]
    assert len({seed() for seed in seeds}) == 3
    assert run_seed(0, "a") == run_seed(0, "a")
