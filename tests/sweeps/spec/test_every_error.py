"""Whatever is wrong with a file: everything at once, in this program's words, with the line where it stands."""

from __future__ import annotations

import contextlib
import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.errors import SpecError, SweepError
from sweeps.plan import make_plan
from sweeps.spec import Spec, dump_yaml, load_spec, parse_spec, remarks
from sweeps.studies.given import read_best_params, read_warm_start
from tests.sweeps.conftest import TINY

MISTAKES = """\
format: unlearn-sweeps/sweep/1
name: ten
dataset: digits
model: {name: small_resnet, width: "4"}
training: {epochs: 4, milestones: [many]}
unlearning: {epochs: 0}
scenarios:
  partial_class: {target_class: 5, tune_size: 50, sizes: [1:30]}
  canary: {tune_size: 50, sizes: [60]}
  confusion: {classes: [9, 9]}
methods:
  - finetune
  - scurb
  - os:system
  - nowhere:Mine
  - sure: {lr: {low: 1e-3, high: 1e400}}
  - finetune
search: {trials: 3, trials: 4, sampeler: tpe}
objective: {gaps: [forget_gap, utilty_gap]}
resources: {gpus_per_trial: -1}
storage: journal://j.log
"""
TOLD = """\
  line 4: model.width: must be a whole number, got '4' — remove the quotes
  line 5: training.milestones: must be a whole number, got 'many'
  line 6: unlearning.epochs: must be ≥ 1, got 0
  line 8: scenarios.partial_class.sizes: must be a whole number, got '1:30'
  line 9: scenarios.canary.tune_size: must be ≥ 51 for this scenario, got 50
  line 10: scenarios.confusion.classes: classes must be two different ones, got (9, 9)
  line 12: methods.finetune: is listed twice — remove one
  line 13: methods.scurb: unknown method 'scurb' — did you mean 'scrub'?
  line 14: methods.os:system: must be a dataclass derived from unlearn.methods.Method
  line 15: methods.nowhere:Mine: there is no module 'nowhere' — put the folder that holds it on PYTHONPATH
  line 16: methods.sure.lr.high: must be a finite number, got inf
  line 18: search.trials: is given twice, first on line 18 — remove one
  line 18: search.sampeler: unknown key — did you mean 'sampler'?
  line 19: objective.gaps.utilty_gap: is not measured in every epoch of scenario partial_class — did you mean 'utility_gap'?
  line 20: resources.gpus_per_trial: must be ≥ 0, got -1
  line 21: storage: must be journal:PATH, got 'journal://j.log' — e.g. journal:j.log, or journal:/data/j.log
"""


def test_validate_prints_everything_that_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ten.yaml"
    path.write_text(MISTAKES)
    result = CliRunner().invoke(app, ["validate", str(path), "--set", "seed=x", "--set", "dataset.foo=1"])
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert lines[:2] == [
        "importing code of its own, which a run calls: os:system",
        "importing code of its own, which a run calls: nowhere:Mine",
    ]
    assert lines[2] == f"{path}: 18 errors"
    assert sorted(lines[3:5]) == [
        "  --set dataset.foo: unknown key — there is none to choose from",
        "  --set seed: must be a whole number, got 'x'",
    ]
    # a key that was given twice is one line of several of the same number: their order is that of the checks
    assert sorted(lines[5:]) == sorted(TOLD.splitlines())
    numbers = [int(re.match(r"  line (\d+): ", line)[1]) for line in lines[5:]]  # type: ignore[index]
    assert numbers == sorted(numbers)


def test_each_mistake_alone_is_told_in_the_same_words(tmp_path: Path) -> None:
    """None of them hides another one, and none is there for want of another."""
    good = yaml.safe_load(dump_yaml(TINY))
    for section, value in {"methods": ["scurb"], "scenarios": {"randum": {}}, "dataset": "digit", "model": "x"}.items():
        with pytest.raises(SpecError) as caught:
            parse_spec({**good, section: value, "seed": "x", "objective": {"gaps": ["utilty_gap"]}, "dev": 2})
        told = {problem.key for problem in caught.value.problems}
        assert {"seed", "dev"} < told
        assert any(key.startswith(section) for key in told)
        assert section == "scenarios" or "objective.gaps.utilty_gap" in told


PARAMS = {"partial_class": {"sure": {"lr": 0.01, "alpha": 0.5, "forget_batch_size": 64, "lr_decay_epoch": 1}}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (".nan", "must be a finite number, got nan"),
        (".inf", "must be a finite number, got inf"),
        ("-.inf", "must be a finite number, got -inf"),
        ("1e400", "must be a finite number, got inf"),
        ("many", "must be a number, got 'many'"),
        ("'0.5'", "must be a number, got '0.5' — remove the quotes"),
        ("true", "must be a number, got true"),
        ("", "must be a number, got nothing"),
        ("[1]", "must be a number, got [1]"),
        ("{low: 1}", "must be a number, got {'low': 1}"),
        ("1.5", "must lie in 0 … 1, got 1.5"),
        ("-1e-3", "must lie in 0 … 1, got -0.001"),
        ("1:30", "must be a number, got '1:30'"),
    ],
)
def test_best_parameters_of_a_file_are_checked_by_type_and_bounds(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "params.yaml"
    document = {"format": "unlearn-sweeps/best-params/1", "params": PARAMS}
    path.write_text(dump_yaml(document).replace("alpha: 0.5", f"alpha: {text}"))
    spec = parse_spec({**TINY, "methods": ["sure"]})
    with pytest.raises(SpecError) as caught:
        read_best_params(path, spec)
    assert [str(problem) for problem in caught.value.problems] == [
        f"params.partial_class.sure.alpha: {told}" + (" — give a value, or leave the key out" if not text else "")
    ]
    if "lie in" not in told:
        with pytest.raises(SpecError, match=r"params\.partial_class\.sure\.alpha"):
            read_warm_start(path)


def test_a_key_that_best_parameters_do_not_know_is_told_with_all_that_they_do(tmp_path: Path) -> None:
    path, spec = tmp_path / "params.yaml", parse_spec({**TINY, "methods": ["sure"]})
    path.write_text(dump_yaml({"params": PARAMS}))
    with pytest.raises(SpecError, match="format: must be unlearn-sweeps/best-params/1, got nothing"):
        read_best_params(path, spec)
    sure = {**PARAMS["partial_class"]["sure"], "temper": 1}
    path.write_text(dump_yaml({"format": "unlearn-sweeps/best-params/1", "params": {"partial_class": {"sure": sure}}}))
    with pytest.raises(SpecError, match="valid: alpha, forget_batch_size, lr, lr_decay_epoch, stop_epoch"):
        read_best_params(path, spec)


numbers = st.integers() | st.floats() | st.sampled_from([10**400, 2**53 + 1, -(10**30), 1e308, 5e-324, 0, 1, 3])
scalars = (
    st.none() | st.booleans() | numbers | st.text(max_size=6) | st.sampled_from(["os:system", "a.b:c", "yes", "1e-5"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
BASE = {
    **load_spec("digits").dump(),
    "methods": {"sure": {}, "scrub": {"max_epochs": 2}, "l1_sparse": {"lr": 0.1}},
}
BASE["scenarios"] |= {"confusion": {"classes": [0, 1]}, "canary": {"tune_size": 60, "sizes": [60]}, "full_class": {}}


def spots(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [spot for key, value in items for spot in ((*path, key), *spots(value, (*path, key)))]


SPOTS = spots(BASE)
PYDANTIC = re.compile(
    r"\b(Input|String|Dictionary|List|Value|Keys|Tuple|Field) (should|required|must)\b|pydantic|validation"
)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(SPOTS), st.sampled_from(["replace", "remove", "add"]), anything), max_size=3))
def test_a_mutated_file_is_valid_or_its_errors_are_listed(mutations: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    document = copy.deepcopy(BASE)
    for path, how, value in mutations:
        node: Any = document
        for part in path[:-1]:
            node = node[part] if isinstance(node, dict | list) and part in spots_of(node) else None
        if not isinstance(node, dict) or path[-1] not in node:
            continue
        if how == "replace":
            node[path[-1]] = value
        elif how == "remove":
            del node[path[-1]]
        else:
            node["added"] = value
    try:
        spec = parse_spec(document)
    except SpecError as error:
        text, listed = str(error), error.problems
    else:
        text, listed = "", ()
        check_usable(spec)
    assert all(problem.key and problem.rule for problem in listed)
    assert not PYDANTIC.search(text), text
    assert not text.rstrip().endswith("valid:"), text
    assert all(len(str(problem)) < 600 for problem in listed)


def check_usable(spec: Spec) -> None:
    """A valid spec makes a plan whose spaces can be sampled, and reads back the same."""
    plan = make_plan(spec)
    assert plan.studies
    for study in plan.studies:
        assert study.space is None or study.space.distributions is not None
    assert parse_spec(yaml.safe_load(dump_yaml(spec.dump()))).dump() == spec.dump()
    assert isinstance(remarks(spec), list)


def spots_of(node: Any) -> set[Any]:
    return set(node) if isinstance(node, dict) else set(range(len(node)))


@settings(max_examples=150)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.text(max_size=12))
def test_any_text_as_a_file_or_an_option(tmp_path_factory: pytest.TempPathFactory, text: str, option: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SweepError):
        load_spec(str(path))
    with contextlib.suppress(SweepError):
        load_spec("smoke", [option, f"search.trials={option}"])
