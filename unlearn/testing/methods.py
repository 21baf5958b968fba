"""What a sweep expects of every method."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from logging.handlers import QueueHandler
from queue import SimpleQueue
from typing import Any, get_args, get_type_hints

import torch
from torch import nn

from unlearn.bounds import Bounds
from unlearn.graphs import DIFFERS, Step
from unlearn.methods import Method, Streams
from unlearn.testing._contract import all_of, must
from unlearn.testing.problems import SEED, same_state, small_problem
from unlearn.testing.recording import Recording

#: Settings of a small run, for those hyperparameters that a method has.
SMALL = {"lr": 0.02, "lr_decay_epoch": 1, "epochs": 2, "retain_batch_size": 16, "forget_batch_size": 4}

Build = Callable[..., Method]


def check_method(method: type[Method], **settings: Any) -> None:
    """Everything that a sweep expects of a method.

    Args:
        settings: hyperparameters of a small run, instead of `SMALL` and the method's defaults.

    Raises:
        ContractError: with all that is wrong.
    """

    def build(**changes: Any) -> Method:
        names = {field.name for field in dataclasses.fields(method)}
        wanted = SMALL | settings | changes
        return method(**{name: value for name, value in wanted.items() if name in names})

    all_of([lambda check=check: check(build) for check in METHOD_CHECKS])  # type: ignore[misc]


def repeats(build: Build) -> None:
    """The same seed gives the same model whatever the global generator, which stays as it was."""
    torch.manual_seed(1)
    first = small_problem().unlearned(build())
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = small_problem().unlearned(build())
    must(torch.equal(torch.get_rng_state(), before), "it must not draw from the global generator: use rng.generator(…)")
    must(same_state(first, second), "the same seed must give the same model")


def changes_the_model(build: Build) -> None:
    """The model changes and stays finite."""
    problem = small_problem()
    got = problem.unlearned(build())
    must(not same_state(got, problem.data.original), "it must change the model")
    must(_finite(got), "it must leave the model finite")


def leaves_the_rest(build: Build) -> None:
    """The original model and the data stay as they were."""
    problem, untouched = small_problem(), small_problem()
    problem.unlearned(build())
    original = problem.data.original
    must(same_state(original, untouched.data.original), "it must not change the original model: work on a copy")
    must(not original.training, "it must leave the original model in eval mode")
    parameters = list(original.parameters())
    must(not any(p.requires_grad or p.grad is not None for p in parameters), "the original must get no gradients")
    for name in ("retain", "forget", "validation"):
        for part in ("images", "labels", "index"):
            one, other = (getattr(getattr(p.data, name), part) for p in (problem, untouched))
            must(torch.equal(one, other), f"it must not change the {name} set's {part}")


def yields_each_epoch(build: Build) -> None:
    """It yields after each epoch, `last_epoch` times, a model of the same architecture, and does not mind its mode."""
    problem, method = small_problem(), build()
    model = problem.start()
    modules = [type(module) for module in model.modules()]
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    yields = 0
    for _ in method.unlearn(model, problem.data, Streams(SEED)):
        yields += 1
        must([type(m) for m in model.modules()] == modules, "at a yield the model must have its own modules")
        now = {name: value.shape for name, value in model.state_dict().items()}
        must(now == shapes, "at a yield the model's tensors must have their own shapes")
        model.eval()
    must(yields == method.last_epoch, f"it must yield last_epoch = {method.last_epoch} times, it did {yields} times")
    alone = small_problem().unlearned(build())
    must(same_state(model, alone), "an evaluation between epochs must change nothing: call model.train() in each epoch")


def takes_one_sample(build: Build) -> None:
    """One epoch and one forget sample are enough."""
    got = small_problem(forget=1, validation=1).unlearned(build(epochs=1) if _has(build(), "epochs") else build())
    must(_finite(got), "with one forget sample the model must stay finite")


def counts_samples(build: Build) -> None:
    """What it reads is counted: batches come from `data`."""
    problem = small_problem()
    problem.unlearned(build())
    must(problem.data.served > 0, "it must read its samples through data.retain, data.forget and data.validation")


def searches_what_matters(build: Build) -> None:
    """Each hyperparameter in `searched` changes the weights."""
    method = build()
    reference = small_problem().unlearned(method)
    for name in type(method).searched:
        must(_has(method, name), f"searched names {name!r}, which is none of its fields")
        got = small_problem().unlearned(build(**{name: _another(method, name)}))
        same = all(torch.equal(a, b) for a, b in zip(reference.parameters(), got.parameters(), strict=True))
        must(not same, f"searched names {name!r}, which changes nothing")


def reads_the_rest(build: Build) -> None:
    """No hyperparameter in `unread` is read."""
    method = build()
    read = read_by(method)
    for name in type(method).unread:
        must(_has(method, name), f"unread names {name!r}, which is none of its fields")
        must(name not in read, f"unread names {name!r}, which it reads")


def read_by(method: Method) -> set[str]:
    """The hyperparameters that a small run reads."""
    fields, found = [field.name for field in dataclasses.fields(method)], set[str]()

    class Watched(type(method)):  # type: ignore[misc]  # its base is known only here
        def __getattribute__(self, name: str) -> Any:
            found.add(name)
            return super().__getattribute__(name)

    watched = Watched(**{name: getattr(method, name) for name in fields if method.__dataclass_fields__[name].init})
    found.clear()
    small_problem().unlearned(watched)
    return found & set(fields)


def runs_under_autocast(build: Build) -> None:
    """It runs in bfloat16."""
    problem = small_problem()
    model = problem.start()
    run = iter(build().unlearn(model, problem.data, Streams(SEED)))
    done = False
    while not done:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            done = next(run, run) is run
    must(_finite(model), "in bfloat16 the model must stay finite")


def repeats_its_steps(build: Build) -> None:
    """What changes between its steps is an argument of them, so that a device may repeat them (`resources.cuda_graphs`)."""
    method = build(epochs=3, lr_decay_epoch=3) if _has(build(), "epochs") else build()
    problem = small_problem()
    problem.data.recorder = Recording()
    told: SimpleQueue[logging.LogRecord] = SimpleQueue()
    listener, log = QueueHandler(told), logging.getLogger(Step.__module__)
    log.addHandler(listener)
    try:
        repeated = problem.unlearned(method)
    finally:
        log.removeHandler(listener)
    differ = any(DIFFERS in told.get().getMessage() for _ in range(told.qsize()))
    must(
        not differ and same_state(repeated, small_problem().unlearned(method)),
        "its steps must give the same model where a device repeats them: what changes from step to step must be among the "
        "tensors that data.step(…) is called with, and a step may change the model and nothing else",
    )


METHOD_CHECKS: tuple[Callable[[Build], None], ...] = (
    repeats,
    changes_the_model,
    leaves_the_rest,
    yields_each_epoch,
    takes_one_sample,
    counts_samples,
    searches_what_matters,
    reads_the_rest,
    runs_under_autocast,
    repeats_its_steps,
)


def _finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in model.state_dict().values())


def _has(method: Method, name: str) -> bool:
    return name in {field.name for field in dataclasses.fields(method)}


def _another(method: Method, name: str) -> Any:
    """Another value of a hyperparameter, within its bounds where its type tells them."""
    value = getattr(method, name)
    hint = get_type_hints(type(method), include_extras=True)[name]
    bounds = next((part for part in get_args(hint) if isinstance(part, Bounds)), None)
    tried = [value + 1, value - 1] if isinstance(value, int) else [value * 0.5, value * 1.5, value + 0.1]
    allowed = [v for v in tried if v != value and (bounds is None or bounds.low <= v <= bounds.high)]
    must(allowed, f"no other value of {name!r} lies within its bounds")
    return allowed[0]
