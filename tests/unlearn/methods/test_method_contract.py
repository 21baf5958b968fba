"""What every method must do, whichever it is; a new one adds its line to CASES."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
import yaml
from method_problems import (
    SEED,
    Problem,
    linear_problem,
    network_problem,
    resnet_problem,
    same_state,
)

import search_spaces
from unlearn.errors import UnlearnError
from unlearn.methods import Batches, Bounds, Method, Streams
from unlearn.registry import find, keys
from unlearn.testing import METHOD_CHECKS
from unlearn.testing.methods import changes_the_model, counts_samples, read_by

KEYS = keys("methods")
#: What cannot hold of no unlearning at all.
UNLEARNS = (changes_the_model, counts_samples)
SPACES = Path(search_spaces.__file__).parent
SCALES = {"linear", "log", "log_complement", "power_of_two"}
TINY = {"lr": 0.02, "lr_decay_epoch": 1, "epochs": 2, "retain_batch_size": 16, "forget_batch_size": 4}


@dataclasses.dataclass(frozen=True)
class Case:
    """A method on the small problem: 40 retain, 12 forget, 10 validation samples; two epochs.

    Attributes:
        served: samples passed forward and backward: an epoch's 3 retain steps read 12 forget and 10 validation samples beside.
        forward_only: samples that pass forward only: logits of teachers, and of the stepped images of boundary shrinking.
        settings: what replaces the method's defaults and TINY.
        yields: how often it yields in two epochs.
        trains: whether it reads the retain set in shuffled batches.
        random: whether it draws random numbers at all.
    """

    served: int
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    yields: int = 2
    trains: bool = True
    random: bool = True
    forward_only: int = 0


CASES = {
    "bad_teacher": Case(2 * (40 + 12), forward_only=40 + 12),
    "boundary_expanding": Case(2 * 12, trains=False),
    "boundary_expanding_plus": Case(2 * (40 + 12)),
    "boundary_shrinking": Case(12 + 2 * 12, trains=False, forward_only=12),
    "boundary_shrinking_plus": Case(12 + 2 * (40 + 12), forward_only=12),
    "cf_k": Case(2 * 40),
    "eu_k": Case(2 * 40),
    "finetune": Case(2 * 40),
    "l1_sparse": Case(2 * 40),
    "neg_grad": Case(2 * 12, trains=False),
    "neg_grad_plus": Case(2 * (40 + 12)),
    "oracle": Case(2 * 40, {"milestones": (1,)}, yields=1),
    "original": Case(0, yields=1, trains=False, random=False),
    "random_label": Case(2 * (40 + 12)),
    "salun": Case(12 + 2 * (40 + 12)),
    "scrub": Case(2 * 40 + 12, {"max_epochs": 1}, forward_only=40 + 12),
    "ssd": Case(40 + 12, {"alpha": 0.8, "dampening": 0.5}, yields=1, trains=False, random=False),
    "sure": Case(2 * (40 + 12 + 10)),
}


def build(key: str, **changes: Any) -> Method:
    """The method with the small problem's settings."""
    cls = find("methods", key)
    wanted = TINY | CASES[key].settings | changes
    names = {field.name for field in dataclasses.fields(cls)}
    return cls(**{name: value for name, value in wanted.items() if name in names})


def test_every_method_has_a_case():
    assert set(CASES) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
class TestContract:
    @pytest.mark.parametrize("check", METHOD_CHECKS, ids=lambda check: check.__name__)
    def test_what_every_method_does(self, key, check):
        if key == "original" and check in UNLEARNS:
            pytest.skip("it unlearns nothing")
        check(partial(build, key))

    def test_what_it_does_not_read_is_said(self, key):
        fields = {field.name for field in dataclasses.fields(find("methods", key))}
        assert fields - read_by(build(key)) == set(find("methods", key).unread)

    def test_another_seed_gives_another_model_where_chance_plays(self, key):
        first, second = (resnet_problem().unlearned(build(key), seed) for seed in (SEED, SEED + 1))
        assert same_state(first, second) != CASES[key].random

    def test_it_yields_after_each_epoch_a_model_of_the_same_architecture(self, key):
        problem = resnet_problem()
        model = problem.start()
        modules = [type(module) for module in model.modules()]
        shapes = {name: value.shape for name, value in model.state_dict().items()}
        yields = 0
        for _ in build(key).unlearn(model, problem.data, Streams(SEED)):
            yields += 1
            assert [type(module) for module in model.modules()] == modules
            assert {name: value.shape for name, value in model.state_dict().items()} == shapes
            assert model.eval()(problem.images).shape == (len(problem.images), 4)
            model.train()  # as an evaluation leaves it
        assert yields == CASES[key].yields

    def test_samples_processed_are_counted(self, key):
        problem = resnet_problem()
        problem.unlearned(build(key))
        assert problem.data.served == CASES[key].served
        assert problem.data.forward_only == CASES[key].forward_only

    @pytest.mark.parametrize(("retain", "forget"), [(129, 65), (65, 129), (128, 2), (65, 64)])
    def test_a_last_batch_of_one_sample_is_no_obstacle(self, key, retain, forget):
        problem = network_problem("resnet18", (retain, forget, forget), width=2)
        got = problem.unlearned(build(key, epochs=1, retain_batch_size=64, forget_batch_size=64))
        assert all(torch.isfinite(value).all() for value in got.state_dict().values())

    def test_the_retain_set_is_read_in_the_order_of_its_own_stream(self, key):
        if not CASES[key].trains:
            pytest.skip("it does not train on the retain set")
        problem = resnet_problem()
        problem.unlearned(build(key))
        shuffle = Streams(SEED).generator("retain")
        expected = [problem.retain[torch.randperm(40, generator=shuffle)] for _ in range(2)]
        assert torch.equal(torch.cat(problem.data.retain.served_rows), torch.cat(expected))

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_it_runs_on_a_gpu_as_on_the_cpu(self, key):
        expected = resnet_problem().unlearned(build(key, epochs=1))
        got = on_gpu(resnet_problem()).unlearned(build(key, epochs=1))
        for one, other in zip(got.parameters(), expected.parameters(), strict=True):
            assert one.is_cuda
            torch.testing.assert_close(one.cpu(), other, rtol=1e-2, atol=1e-2)

    def test_its_search_space_has_one_range_per_searched_hyperparameter(self, key):
        searched = find("methods", key).searched
        file = SPACES / "methods" / f"{key}.yaml"
        assert file.exists() == bool(searched)
        if searched:
            assert set(yaml.safe_load(file.read_text())) == set(searched)

    def test_its_ranges_are_possible_values(self, key):
        cls = find("methods", key)
        hints = get_type_hints(cls, include_extras=True)
        for name, span in ranges(key).items():
            kind, bounds = get_args(hints[name])
            assert isinstance(bounds, Bounds)
            assert set(span) == {"low", "high", "scale"}
            assert span["scale"] in SCALES, name
            assert type(span["low"]) is kind, name
            assert type(span["high"]) is kind, name
            assert bounds.low <= span["low"] < span["high"] <= bounds.high, name
            if span["scale"] == "log":
                assert span["low"] > 0, name
            if span["scale"] == "log_complement":
                assert span["high"] < 1, name
            if span["scale"] == "power_of_two":
                assert all(value.bit_count() == 1 for value in (span["low"], span["high"])), name


def ranges(key: str) -> dict[str, dict[str, Any]]:
    file = SPACES / "methods" / f"{key}.yaml"
    return yaml.safe_load(file.read_text()) if file.exists() else {}


def on_gpu(problem: Problem) -> Problem:
    """The same problem on the first GPU."""
    data = problem.data
    for batches in (data.retain, data.forget, data.validation):
        for name in ("images", "labels", "index"):
            setattr(batches, name, getattr(batches, name).cuda())
    make = data.new_model
    data.new_model = lambda seed: make(seed).cuda()
    data.original.cuda()
    return problem


def published() -> list[tuple[str, str, dict[str, Any]]]:
    document = yaml.safe_load((SPACES / "published" / "sure_paper.yaml").read_text())
    return [(setting, key, params) for setting, rows in document["params"].items() for key, params in rows.items()]


@pytest.mark.parametrize(
    "key", ["bad_teacher", "boundary_expanding", "eu_k", "oracle", "random_label", "salun", "sure"]
)
def test_what_it_draws_besides_the_order_of_samples_depends_on_the_seed(key):
    one_batch = {"retain_batch_size": 1000, "forget_batch_size": 1000}
    first, second = (linear_problem().unlearned(build(key, **one_batch), seed) for seed in (SEED, SEED + 1))
    largest = max((a - b).abs().max() for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert largest > 1e-6


@pytest.mark.parametrize(("setting", "key", "params"), published())
def test_published_values_lie_within_the_ranges(setting, key, params):
    spans = ranges(key)
    assert set(params) == set(spans)
    for name, value in params.items():
        assert spans[name]["low"] <= value <= spans[name]["high"], name
        if spans[name]["scale"] == "power_of_two":
            assert value.bit_count() == 1, name


def test_every_range_file_belongs_to_a_method():
    assert {file.stem for file in (SPACES / "methods").glob("*.yaml")} <= set(KEYS)


def test_streams_are_independent_and_repeatable():
    streams = Streams(3)
    drawn = {name: torch.rand(4, generator=streams.generator(name)).tolist() for name in ("retain", "forget", "labels")}
    assert len({tuple(numbers) for numbers in drawn.values()}) == 3
    assert drawn["forget"] == torch.rand(4, generator=streams.generator("forget")).tolist()
    assert Streams(4).integer("model") != streams.integer("model") == Streams(3).integer("model")
    assert 0 <= streams.integer("model") < 2**31


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [
        (65, 64, [65]),
        (129, 64, [64, 65]),
        (3, 2, [3]),
        (66, 64, [64, 2]),
        (64, 64, [64]),
        (63, 64, [63]),
        (1, 64, [1]),
        (3, 1, [1, 1, 1]),
        (0, 64, [0]),
    ],
)
def test_a_last_batch_of_one_sample_joins_the_one_before(n, batch_size, sizes):
    batches = Batches(torch.zeros(n, 1, 2, 2, dtype=torch.uint8), torch.zeros(n, dtype=torch.int64), torch.arange(n))
    rows = list(batches.rows(batch_size, None))
    assert [len(part) for part in rows] == sizes
    assert batches.served == n
    assert [i for part in rows for i in part.tolist()] == list(range(n))
    cycle = batches.cycle_rows(batch_size, Streams(0).generator("forget"))
    assert [len(next(cycle)) for _ in range(2 * len(sizes))] == 2 * sizes


def test_a_lone_sample_that_batch_normalisation_refuses_is_explained():
    problem = network_problem("resnet18", (4, 1, 1), width=2)
    with pytest.raises(UnlearnError, match="≥ 2 samples a batch"):
        problem.unlearned(build("neg_grad"))
    problem.unlearned(build("sure"))  # forget and validation samples pass together


def test_cycles_reshuffle_at_each_pass():
    forget = resnet_problem().data.forget
    cycle = forget.cycle_rows(12, Streams(0).generator("forget"))
    first, second = next(cycle), next(cycle)
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, second.sort().values)
    images, labels = next(forget.cycle(12, Streams(0).generator("forget")))
    assert torch.equal(images, forget.images[first])
    assert torch.equal(labels, forget.labels[first])


@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("oracle", "original")])
def test_what_a_network_has_frozen_stays(key: str) -> None:
    problem = network_problem("small_resnet", width=2)
    model = problem.start()
    frozen = next(module for module in model.modules() if isinstance(module, torch.nn.Conv2d)).weight
    before = frozen.requires_grad_(False).clone()
    fields = {field.name for field in dataclasses.fields(find("methods", key))}
    settings = {**TINY, **CASES[key].settings, **({"k": 1000} if "k" in fields else {})}
    method = find("methods", key)(**{name: value for name, value in settings.items() if name in fields})
    for _ in method.unlearn(model, problem.data, Streams(SEED)):
        pass
    assert torch.equal(frozen, before)
    assert not frozen.requires_grad
    assert not same_state(model, problem.data.original)
