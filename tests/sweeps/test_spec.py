"""The sweep file: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.errors import SpecError, SweepError
from sweeps.plan import make_plan
from sweeps.spec import check_here, check_sizes, load_spec, parse_spec, published_params, shipped_sweeps
from sweeps.spec.compatibility import check_compatible
from sweeps.spec.space import Space
from tests.sweeps.conftest import TINY


def problems(*overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_spec("digits", overrides)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", sorted(shipped_sweeps()))
def test_every_shipped_sweep_is_valid_and_survives_a_round_trip(name: str) -> None:
    spec = load_spec(name)
    assert spec.name == name
    assert parse_spec(yaml.safe_load(yaml.safe_dump(spec.dump()))).dump() == spec.dump()


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("search.trails=3", "search.trails: unknown key — did you mean 'trials'?"),
        ("trials=3", "trials: unknown key — did you mean 'search.trials'?"),
        ("search.cuda_graphs=true", "search.cuda_graphs: unknown key — did you mean 'resources.cuda_graphs'?"),
        ("momentum=0.5", "momentum: unknown key — did you mean 'training.momentum' or 'unlearning.momentum'?"),
        ("methods.scurb={}", "methods.scurb: unknown method 'scurb' — did you mean 'scrub'?"),
        ("dataset=digit", "dataset.name: unknown data set 'digit' — did you mean 'digits'?"),
        ("model.widht=3", "model.widht: unknown key — did you mean 'width'?"),
        (
            "scenarios.partial_class.target=3",
            "scenarios.partial_class.target: unknown key — did you mean 'target_class'?",
        ),
        (
            "methods.sure.lr='1e-5'",
            "methods.sure.lr: must be a number, or {low: …, high: …, scale: …}, got '1e-5' — remove the",
        ),
        ("methods.sure.lr.low=5.0", "methods.sure.lr: low ≤ high must hold, got low=5, high=0.1"),
        ("methods.sure.alpha=1.5", "methods.sure.alpha: must lie in 0 … 1, got 1.5"),
        ("methods.sure.momentum={low: 0.1, high: 0.9}", "methods.sure.momentum: is not a searched hyperparameter"),
        ("search.trials=0", "search.trials: must be ≥ 1, got 0"),
        ("search.retain_samples=0", "search.retain_samples: must be ≥ 1, got 0"),
        ("search.retain_samples=some", "search.retain_samples: must be a whole number, or all, got 'some'"),
        (
            "search.retain_samples='9'",
            "search.retain_samples: must be a whole number, or all, got '9' — remove the quotes",
        ),
        ("search.retain_samples=0.5", "search.retain_samples: must be a whole number, or all, got 0.5"),
        ("objective.name=avg", "objective.name: must be 'average_gap', 'tow' or 'pareto', got 'avg'"),
        ("name=../escape", "name: must be letters, digits, '.', '_' and '-', beginning with a letter or a digit, got"),
        (
            "scenarios={one bird: {scenario: random, tune_size: 9, sizes: [9]}}",
            "scenarios.one bird: a scenario's name must be letters, digits, '.', '_' and '-', got 'one bird' — its section may "
            "have a label in other words",
        ),
        ("search.forget_seed=1", "search.forget_seed: must be ≥ evaluation.seeds"),
        ("metrics.every_epoch=[acuracy]", "metrics.every_epoch: unknown metric 'acuracy' — did you mean 'accuracy'?"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(override: str, expected: str) -> None:
    (found,) = problems(override)
    assert found.startswith(expected)


def test_all_errors_come_at_once() -> None:
    found = problems("search.trails=3", "methods.scurb={}", "model.widht=3", "unlearning.epochs=0", "seed=x")
    keys = {text.split(":")[0] for text in found}
    assert keys == {"methods.scurb", "search.trails", "seed", "unlearning.epochs", "model.widht"}


def test_an_unknown_sweep_offers_the_nearest() -> None:
    with pytest.raises(SweepError, match=r"unknown sweep 'digit', did you mean 'digits'.*runs/NAME/spec\.yaml"):
        load_spec("digit")


def test_a_forget_size_larger_than_the_class_is_refused_with_the_largest(tmp_path: Path) -> None:
    spec = load_spec("digits", ["scenarios.partial_class.sizes=[5000, 10]"])
    with pytest.raises(SpecError, match=r"scenarios.partial_class.sizes: must be ≤ 1\d\d, all that there is, got 5000"):
        check_sizes(spec, tmp_path)


def test_decay_epochs_end_before_the_last_epoch() -> None:
    space = load_spec("digits", ["unlearning.epochs=6"]).space("sure")
    decay = next(r for r in space.ranges if r.name == "lr_decay_epoch")
    assert (decay.low, decay.high) == (2, 5)


def test_part_of_a_range_keeps_the_rest() -> None:
    space = load_spec("digits", ["methods.sure.lr.high=0.05", "methods.sure.alpha=0.5"]).space("sure")
    ranges = {r.name: r for r in space.ranges}
    assert (ranges["lr"].low, ranges["lr"].high, ranges["lr"].scale) == (1e-3, 0.05, "log")
    assert "alpha" not in ranges
    assert space.fixed["alpha"] == 0.5


def test_narrowing_by_name() -> None:
    spec = load_spec("digits", methods=["sure"], scenarios=["canary"])
    assert (list(spec.methods), list(spec.scenarios)) == (["sure"], ["canary"])
    with pytest.raises(SpecError, match="--methods: must be in the sweep, got 'scrubb'"):
        load_spec("digits", methods=["scrubb"])


def test_a_method_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_method.py").write_text(
        "from dataclasses import dataclass\nfrom unlearn.methods.finetune import FineTune\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Mine(FineTune):\n    strength: float = 1.0\n"
        "    searched = ('lr', 'strength')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SpecError, match=r"methods.own_method:Mine.lr: needs a range or a value"):
        load_spec("digits", ["methods={'own_method:Mine': {strength: {low: 0.1, high: 1.0}}}"])
    spec = load_spec("digits", ["methods={'own_method:Mine': {strength: {low: 0.1, high: 1.0}, lr: 0.1}}"])
    assert [r.name for r in spec.space("own_method:Mine").ranges] == ["strength"]


def test_published_values_encode_into_their_ranges() -> None:
    spec = load_spec("digits", ["unlearning.epochs=20"])
    for methods in published_params().values():
        for method in set(methods) & set(spec.methods):
            space: Space = spec.space(method)
            decoded = space.decode(space.encode(methods[method]))
            for name, value in methods[method].items():
                assert decoded[name] == pytest.approx(value), (method, name)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SECTIONS = sorted(load_spec("digits").dump())


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(SECTIONS), anything, min_size=1, max_size=3), st.data())
def test_whatever_the_file_a_valid_plan_or_listed_errors(changes: dict[str, Any], data: st.DataObject) -> None:
    document = load_spec("digits").dump() | changes
    section = data.draw(st.sampled_from(SECTIONS))
    if isinstance(document[section], dict) and document[section]:
        key = data.draw(st.sampled_from(sorted(document[section], key=str)))
        document[section] = {**document[section], key: data.draw(anything)}
    try:
        spec = parse_spec(document)
    except SpecError as error:
        listed = error.problems
    else:
        listed = ()
        assert make_plan(spec).studies
    assert all(problem.key and problem.rule for problem in listed)


@pytest.mark.parametrize(
    "secret", ["x://me:secret@h/p", "x://me:se/secret@h", "x://:secret@h", "https://h/p?token=secret"]
)
def test_urls_hold_no_secrets(secret: str) -> None:
    dataset = {"name": "arrays", "path": secret}
    with pytest.raises(SpecError) as caught:
        parse_spec({**TINY, "cache": secret, "dataset": dataset, "logging": {"mlflow": secret}})
    assert [problem.key for problem in caught.value.problems] == ["cache", "dataset.path", "logging.mlflow"]
    assert "must hold no secret" in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_a_driver_needs_what_opens_its_urls_and_a_reader_does_not() -> None:
    spec = parse_spec(
        {**TINY, "cache": "nope://bucket/cache", "dataset": {"name": "arrays", "path": "s3://b/data.npz"}}
    )
    with pytest.raises(SpecError) as caught:
        check_here(spec)
    text = str(caught.value)
    assert (
        "cache: must be a path, or a URL that fsspec can open, got nope://bucket/cache: ValueError: Protocol not known"
        in text
    )
    assert (
        "dataset.path: must be a path, or a URL that fsspec can open, got s3://b/data.npz: ImportError: Install s3fs"
        in text
    )
    check_here(
        parse_spec({**TINY, "cache": "memory://x", "dataset": {"name": "arrays", "path": "memory://x/data.npz"}})
    )


def test_decay_epochs_that_nobody_wrote_are_no_errors_beside_the_epochs() -> None:
    begun = parse_spec({**TINY, "unlearning": {"epochs": 3}, "methods": ["finetune", "sure"]}).dump()
    later = {**TINY, "unlearning": {"epochs": 5}, "methods": {"finetune": {"lr_decay_epoch": {"high": 3}}, "sure": {}}}
    with pytest.raises(SpecError) as caught:
        check_compatible(begun, parse_spec(later).dump())
    assert [p.key for p in caught.value.problems] == ["unlearning.epochs", "methods.finetune.lr_decay_epoch.high"]


def test_methods_come_and_go_by_whatever_name_and_their_ranges_do_not() -> None:
    sure, own = {"sure": {"lr": {"low": 0.1, "high": 0.2}}}, {"my.package:Method": {"lr": 0.1}}
    check_compatible({"methods": sure}, {"methods": {**sure, **own}})
    check_compatible({"methods": {**sure, **own}}, {"methods": sure})
    with pytest.raises(SpecError, match=r"methods\.my\.package:Method\.lr: was 0\.1 in the existing sweep, got 0\.2"):
        check_compatible({"methods": own}, {"methods": {"my.package:Method": {"lr": 0.2}}})
