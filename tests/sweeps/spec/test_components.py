"""What `validate` finds out about components before a worker does: their kind, their options, their bounds, what they measure."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import SpecError
from sweeps.spec import check_here, load_spec, parse_spec, remarks, stored_spec
from sweeps.spec.compatibility import check_compatible
from sweeps.spec.measured import gaps_of
from tests.sweeps.conftest import TINY
from tests.sweeps.spec import own_components
from unlearn.gaps import MEASURES
from unlearn.registry import find, keys
from unlearn.scenarios import Scenario

OWN = "tests.sweeps.spec.own_components"
#: How a cut range is told.
CUT = "lr_decay_epoch: searched {} instead of 2 … 19, as there are {} epochs: sure, finetune"
SIZED = {"tune_size": 60, "sizes": [60]}


def problems(**changes: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec({**TINY, **changes})
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"model": {"name": "small_resnet", "width": "4"}},
            "model.width: must be a whole number, got '4' — remove the quotes",
        ),
        ({"model": {"name": "small_resnet", "width": 4.5}}, "model.width: must be a whole number, got 4.5"),
        ({"model": {"name": "small_resnet", "width": True}}, "model.width: must be a whole number, got true"),
        ({"model": {"name": "small_resnet", "width": None}}, "model.width: must be a whole number, got nothing"),
        ({"model": {"name": "small_resnet", "width": 0}}, "model.width: must lie in 1 … "),
        ({"model": {"name": "resnet18", "width": -4}}, "model.width: must lie in 1 … "),
        ({"model": {"name": "small_resnet", "image_shape": [1, 8, 8]}}, "model.image_shape: unknown key"),
        ({"model": {"name": "vit_small", "heads": 5}}, "model.heads: is refused by its constructor: "),
        (
            {"model": {"name": f"{OWN}:own_model", "depth": 13}},
            "model.depth: is refused by its constructor: ZeroDivisionError",
        ),
        ({"dataset": {"name": "digits", "cache": "x"}}, "dataset.cache: unknown key — there is none to choose from"),
        ({"dataset": {"name": "image_folder"}}, "dataset.root: is required"),
        ({"dataset": {"name": "image_folder", "root": 5}}, "dataset.root: must be text, got 5"),
        (
            {"dataset": {"name": "image_folder", "root": "x", "train_per_class": "3"}},
            "dataset.train_per_class: must be a whole",
        ),
        ({"dataset": {"name": "cifar10", "download": "no"}}, "dataset.download: must be true or false, got 'no'"),
        (
            {"dataset": {"name": "cifar100", "labels": "medium"}},
            "dataset.labels: must be 'fine' or 'coarse', got 'medium'",
        ),
        ({"dataset": {"name": "svhn", "split": "extra"}}, "dataset.split: unknown key"),
        ({"dataset": {"name": "torchvision:MNIST", "downlaod": True}}, "did you mean 'download'?"),
        ({"dataset": {"name": "torchvision:EMNIST"}}, "dataset.split: is required"),
        ({"dataset": {"name": "torchvision:EMNIST", "split": 3}}, "dataset.split: must be text, got 3"),
        ({"dataset": "torchvision:MNISTT"}, "unknown data set of torchvision 'MNISTT' — did you mean 'MNIST'?"),
        (
            {"dataset": "torchvision:CocoDetection"},
            "dataset.name: must be a data set of images with a class each, from a folder (root), with a training and a test "
            "part, got torchvision:CocoDetection — save its images as an image_folder, or as arrays",
        ),
        ({"dataset": {"name": f"{OWN}:own_data"}}, "dataset.path: is required"),
        (
            {"dataset": {"name": f"{OWN}:own_data", "path": "x", "limit": 1.5}},
            "dataset.limit: must be a whole number, got 1.5",
        ),
        ({"scenarios": {"full_class": {"target_class": [3, 5]}}}, "scenarios.full_class.target_class: must be "),
        (
            {"scenarios": {"confusion": {"classes": [9, 9]}}},
            "scenarios.confusion.classes: classes must be two different ones",
        ),
        ({"scenarios": {"confusion": {"classes": [9]}}}, "scenarios.confusion.classes: must be a list of 2 "),
        ({"scenarios": {"confusion": {"classes": [1, 2, 3]}}}, "scenarios.confusion.classes: must be a list of 2 "),
        (
            {"scenarios": {"confusion": {"fraction": 2}}},
            "scenarios.confusion.fraction: fraction must be in (0, 1), got 2",
        ),
        (
            {"scenarios": {"canary": {"tune_size": 50, "sizes": [51]}}},
            "scenarios.canary.tune_size: must be ≥ 51 for this",
        ),
        ({"scenarios": {"canary": {"tune_size": 51, "sizes": [50]}}}, "scenarios.canary.sizes: must be ≥ 51 for this"),
        ({"scenarios": {"canary": {"canaries": 0, **SIZED}}}, "scenarios.canary.canaries: canaries must be ≥ 1, got 0"),
        (
            {"scenarios": {"random": {"tune_size": 10**17, "sizes": [1]}}},
            "scenarios.random.tune_size: must lie within ±2⁵³",
        ),
        (
            {"scenarios": {"random": {"tune_size": 5, "sizes": [5, 5]}}},
            "scenarios.random.sizes: must list each entry once",
        ),
        (
            {"scenarios": {"random": {"scenario": "full_class", **SIZED}}},
            "scenarios.random: its size is fixed by the scenario",
        ),
        ({"scenarios": {"x": {"scenario": f"{OWN}:Draw", **SIZED}}}, "scenarios.x.share: is required"),
        (
            {"scenarios": {"x": {"scenario": f"{OWN}:Draw", "share": 1, "names": [1], **SIZED}}},
            "scenarios.x.names: must be a list",
        ),
        ({"methods": {"scrub": {"max_epochs": 1.5}}}, "methods.scrub.max_epochs: must be a whole number, got 1.5"),
        ({"methods": {"scrub": {"max_epochs": True}}}, "methods.scrub.max_epochs: must be a whole number, got true"),
        ({"methods": {"scrub": {"max_epochs": 0}}}, "methods.scrub.max_epochs: must lie in 1 … 1,000,000, got 0"),
        (
            {"methods": {"sure": {"lr": "many"}}},
            "methods.sure.lr: must be a number, or {low: …, high: …, scale: …}, got 'many'",
        ),
        ({"methods": {"sure": {"lr": float("nan")}}}, "methods.sure.lr: must be a finite number, got nan"),
        (
            {"methods": {"sure": {"lr": {"high": float("inf")}}}},
            "methods.sure.lr.high: must be a finite number, got inf",
        ),
        (
            {"methods": {"sure": {"lr": {"high": 10**400}}}},
            "methods.sure.lr.high: must lie within ±2⁵³, got a number of more",
        ),
        ({"methods": {"sure": {"lr": {"high": 1000}}}}, "methods.sure.lr.high: must lie in 1e-12 … 100, got 1000"),
        (
            {"methods": {"sure": {"lr": {"scale": "logg"}}}},
            "methods.sure.lr.scale: must be 'linear', 'log', 'log_complement' or",
        ),
        (
            {"methods": {"sure": {"forget_batch_size": {"low": 1.5}}}},
            "methods.sure.forget_batch_size.low: must be a whole",
        ),
        (
            {"methods": {f"{OWN}:Own": {"lr": 0.1, "depth": 8}}},
            f"methods.{OWN}:Own.depth: is refused by its constructor: Value",
        ),
        ({"methods": {f"{OWN}:Own": {"lr": {"low": -1e308, "high": 1e308}, "depth": 3}}}, "high − low must be ≤ 1e300"),
        ({"methods": {f"{OWN}:Own": {"lr": 1, "depth": 3, "flag": {"low": 0, "high": 1}}}}, "is not a searched"),
        ({"metrics": {"every_epoch": ["mia_loss"]}}, "metrics.every_epoch: must have accuracy"),
        (
            {"metrics": {"every_epoch": ["accuracy", f"{OWN}:own_distance"]}},
            f"metrics.every_epoch: {OWN}:own_distance is measured at the best epoch only",
        ),
        (
            {"metrics": {"best_epoch": [f"{OWN}:no_distance"]}},
            f"metrics.best_epoch: must be a function of a model and the oracle, got {OWN}:no_distance",
        ),
        (
            {"metrics": {"every_epoch": ["accuracy", "weight_distance"]}},
            "metrics.every_epoch: weight_distance is measured",
        ),
        (
            {"metrics": {"every_epoch": ["accuracy", "accuracy"]}},
            "metrics.every_epoch: must list each entry once, got accuracy",
        ),
        (
            {"metrics": {"best_epoch": ["weight_distance"]}, "model": {"name": "vit_small"}},
            "metrics.best_epoch: weight_distance is not defined for vit_small",
        ),
        (
            {"objective": {"gaps": ["forget_gap", "utilty_gap"]}},
            "objective.gaps.utilty_gap: is not measured in every epoch of",
        ),
        (
            {"objective": {"gaps": ["mia_knn_forget_gap"]}},
            "objective.gaps.mia_knn_forget_gap: is not measured in every epoch",
        ),
        ({"objective": {"gaps": ["forget_accuracy"]}}, "objective.gaps.forget_accuracy: is not measured"),
        ({"objective": {"gaps": ["forget_gap", "forget_gap"]}}, "objective.gaps: must list each entry once"),
        ({"objective": {"gaps": []}}, "objective.gaps: must have at least 1 entry"),
        ({"objective": {"name": "tow", "gaps": ["forget_gap"]}}, "objective.gaps: is not read with objective.name tow"),
        (
            {"objective": {"gaps": ["class_test_gap"]}, "scenarios": {"random": SIZED}},
            "objective.gaps.class_test_gap: is not measured in every epoch of scenario random",
        ),
        ({"objective": {"name": "pareto"}, "search": {"sampler": "cma_es"}}, "search.sampler: must not be cma_es"),
        ({"sensitivity": {"methods": ["finetune"]}}, "sensitivity.methods.finetune: must search both lr and alpha"),
        ({"sensitivity": {"methods": ["scrub"]}}, "sensitivity.methods.scrub: must be one of the sweep's methods"),
        ({"search": {"forget_seed": 2**53 + 1}}, "search.forget_seed: must lie within ±2⁵³, got 9007199254740993"),
        ({"seed": 10**400}, "seed: must lie within ±2⁵³, got a number of more than 40 digits"),
        ({"seed": -1}, "seed: must be ≥ 0, got -1"),
        ({"evaluation": {"seeds": 10**9}}, "evaluation.seeds: must be ≤ 10,000, got 1000000000"),
        ({"training": {"lr": float("inf")}}, "training.lr: must be a finite number, got inf"),
        (
            {"training": {"epochs": 3, "milestones": ["2"]}},
            "training.milestones: must be a whole number, got '2' — remove the",
        ),
        (
            {"methods": {"sure": {}, "original": {"epochs": 3}}},
            "methods.original.epochs: is not read by this method, got 3 — leave it out",
        ),
        (
            {"methods": {"ssd": {"lr": {"low": 0.01, "high": 0.1}}}},
            "methods.ssd.lr: is not read by this method, got {'low': 0.01, 'high': 0.1} — leave it out",
        ),
        ({"resources": {"custom": {"x": "1"}}}, "resources.custom.x: must be a number, got '1' — remove the quotes"),
        (
            {"search": None},
            "search: must be a section of keys and values, got nothing — give a value, or leave the key out",
        ),
    ],
)
def test_options_that_cannot_work_are_refused_by_their_key(changes: dict[str, Any], told: str) -> None:
    found = problems(**changes)
    assert len(found) == 1, found
    assert told in found[0]
    assert "\n" not in found[0]


@pytest.mark.parametrize(
    ("folder", "name", "told"),
    [
        ("methods", "os:system", "must be a dataclass derived from unlearn.methods.Method"),
        ("methods", f"{OWN}:function", "must be a dataclass derived from unlearn.methods.Method"),
        ("methods", f"{OWN}:NotAMethod", "must be a dataclass derived from unlearn.methods.Method"),
        ("methods", f"{OWN}:Abstract", "must be a dataclass derived from unlearn.methods.Method"),
        ("methods", f"{OWN}:CALLS", "must be a dataclass derived from unlearn.methods.Method"),
        ("methods", f"{OWN}:Draw", "must be a dataclass derived from unlearn.methods.Method"),
        ("scenarios", f"{OWN}:Own", "must be a dataclass derived from unlearn.scenarios.Scenario"),
        ("scenarios", "os:system", "must be a dataclass derived from unlearn.scenarios.Scenario"),
        ("models", "os:system", "must be a function or a class"),
        ("models", f"{OWN}:CALLS", "must be a function or a class"),
        ("models", "torchvision:resnet43", "unknown model of torchvision 'resnet43' — did you mean 'resnet34'?"),
        ("data", "os:system", "must be a function"),
        ("data", f"{OWN}:function", "must be a function that takes cache"),
        ("metrics", "os:system", "must be a function"),
        ("metrics", f"{OWN}:function", "must be a function of a model's outputs"),
        (
            "methods",
            "nowhere_at_all:X",
            "there is no module 'nowhere_at_all' — put the folder that holds it on PYTHONPATH",
        ),
        ("models", "tests.nowhere:X", "there is no module 'tests.nowhere'"),
        (
            "metrics",
            f"{OWN}:own_metrik",
            "has no 'own_metrik', got tests.sweeps.spec.own_components:own_metrik — did you mean 'own_metric'?",
        ),
        ("data", f"{OWN}:", "must be package.module:Name"),
        ("methods", ":X", "must be package.module:Name"),
        ("methods", "..:X", "must be package.module:Name"),
        ("scenarios", "a b:X", "must be package.module:Name"),
        ("methods", "scurb", "unknown method 'scurb' — did you mean 'scrub'?"),
        ("methods", "mine.deeper.Shake", "unknown method 'mine.deeper.Shake' — did you mean 'mine.deeper:Shake'?"),
        ("metrics", "on", "unknown metric 'on'"),
    ],
)
def test_components_that_are_not_what_they_should_be(folder: str, name: str, told: str) -> None:
    sections: dict[str, Any] = {
        "methods": {"methods": {name: {}, "finetune": {}}},
        "scenarios": {"scenarios": {"x": {"scenario": name, **SIZED}}},
        "models": {"model": name},
        "data": {"dataset": name},
        "metrics": {"metrics": {"every_epoch": ["accuracy", name]}},
    }
    own_components.CALLS.clear()
    found = problems(**sections[folder])
    assert len(found) == 1, found
    assert told in found[0]
    assert not own_components.CALLS


def test_an_import_that_fails_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    sources = {
        "raises_key": "{}['x']",
        "exits": "import sys; sys.exit(3)",
        "bad_syntax": "def (",
        "needs_more": "import not_installed_anywhere",
        "from_wrong": "from unlearn.methods import Methot",
    }
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    found = problems(methods={f"{name}:X": {} for name in sources})
    assert [text.partition(": ")[2][:60] for text in found] == [
        text[:60]
        for text in (
            "importing raises_key raised KeyError: 'x' — see that `python -c 'import raises_key'` works",
            "importing exits raised SystemExit: 3 — see that `python -c 'import exits'` works",
            "importing bad_syntax raised SyntaxError: invalid syntax (bad_syntax.py, line 1)",
            "there is no module 'not_installed_anywhere', which needs_more imports — install it",
            "importing from_wrong raised ImportError: cannot import name 'Methot'",
        )
    ]


def test_own_components_that_are_good_are_taken() -> None:
    spec = parse_spec(
        {
            **TINY,
            "dataset": {"name": f"{OWN}:own_data", "path": "x", "limit": None},
            "model": {"name": f"{OWN}:own_model", "depth": 2},
            "methods": [{f"{OWN}:Own": {"lr": {"low": 0.1, "high": 1}, "depth": {"low": 1, "high": 7}}}],
            "scenarios": {"x": {"scenario": f"{OWN}:Draw", "share": 1, "names": ["a"], **SIZED}},
            "metrics": {"every_epoch": ["accuracy", f"{OWN}:own_metric"], "best_epoch": [f"{OWN}:own_distance"]},
            "objective": {"gaps": ["forget_gap", "spread_gap", "first_gap", "forget_first_gap"][:3]},
        }
    )
    assert [(r.name, r.integer) for r in spec.space(f"{OWN}:Own").ranges] == [("lr", False), ("depth", True)]


def test_the_gaps_of_every_scenario_are_those_that_its_sets_give() -> None:
    """Known by hand: group accuracies in `canary`, confusion errors in `confusion`, CTA in class scenarios."""
    common = {"retain_gap", "forget_gap", "utility_gap", "mia_loss_gap"}
    errors = {"retain_error_gap", "heldout_error_gap", "forget_error_gap"}
    errors |= {f"{kind}_error_{part}_gap" for kind in ("ic", "fgt") for part in ("retain", "heldout")}
    extra = {
        "random": set(),
        "partial_class": {"class_test_gap"},
        "full_class": {"class_test_gap"},
        "confusion": {"class_test_gap", *errors},
        "canary": {"forget_ood_accuracy_gap", "forget_in_accuracy_gap"},
    }
    assert set(extra) == set(keys("scenarios")) - {"listed"}  # whose classes are known once its ids are looked up
    assert gaps_of(find("scenarios", "listed")("nowhere.txt"), ("accuracy",)) is None
    for name, more in extra.items():
        scenario: Scenario = find("scenarios", name)()
        assert gaps_of(scenario, ("accuracy", "mia_loss", "confusion")) == common | more, name
    assert {m.gap for m in MEASURES if m.gap} <= common | {"class_test_gap"}


def test_gpus_that_are_not_there_are_refused_at_once_unless_a_cluster_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = parse_spec({**TINY, "resources": {"gpus_per_trial": 1.5}})
    for there in (0, 1):
        monkeypatch.setattr("torch.cuda.device_count", lambda there=there: there)
        with pytest.raises(
            SpecError, match=r"resources\.gpus_per_trial: must be ≤ the GPUs .*1\.5 — --gpus-per-trial 0 runs on"
        ):
            check_here(spec)
        check_here(spec, "auto")
        check_here(spec, runs=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    check_here(spec)
    check_here(parse_spec(TINY))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"unlearning": {"epochs": 3}},
            ["lr_decay_epoch: searched only at 2 instead of 2 … 19, as there are 3 epochs: sure, finetune"],
        ),
        (
            {"unlearning": {"epochs": 2}},
            ["lr_decay_epoch: searched only at 1 instead of 2 … 19, as there are 2 epochs: sure, finetune"],
        ),
        (
            {"unlearning": {"epochs": 8}},
            ["lr_decay_epoch: searched in 2 … 7 instead of 2 … 19, as there are 8 epochs: sure, finetune"],
        ),
        ({"unlearning": {"epochs": 20}}, []),
        (
            {"unlearning": {"epochs": 20}, "methods": {"finetune": {"lr_decay_epoch": {"low": 1, "high": 30}}}},
            [
                "methods.finetune.lr_decay_epoch: from 20 on it has no effect, as there are 20 epochs; it is searched in 1 … 30"
            ],
        ),
        (
            {"unlearning": {"epochs": 20}, "methods": {"finetune": {"epochs": 4}, "sure": {}}},
            ["lr_decay_epoch: searched in 2 … 3 instead of 2 … 19, as there are 4 epochs: finetune"],
        ),
        (
            {"unlearning": {"epochs": 20}, "training": {"epochs": 40, "milestones": [30, 80]}},
            ["training.milestones: [80] has no effect, as there are 40 training epochs"],
        ),
    ],
)
def test_what_is_cut_or_has_no_effect_is_said(changes: dict[str, Any], told: list[str]) -> None:
    assert remarks(parse_spec({**TINY, **changes})) == told


def test_a_stored_spec_opens_though_a_rule_came_later() -> None:
    stored = copy.deepcopy(load_spec("digits").dump())
    stored["objective"]["gaps"] = ["forget_gap", "utilty_gap"]
    with pytest.raises(SpecError):
        parse_spec(stored)
    assert stored_spec(stored).dump() == stored


def test_an_unlearn_of_ones_own_may_read_what_that_of_its_base_does_not() -> None:
    ranges = {"lr": 0.01, "forget_batch_size": 64, "lr_decay_epoch": 3, "retain_batch_size": 64}
    assert parse_spec({**TINY, "methods": {"sure": {}, f"{OWN}:Balanced": ranges}}).methods
    (told,) = problems(methods={"sure": {}, f"{OWN}:Renamed": ranges})
    assert told == f"methods.{OWN}:Renamed.retain_batch_size: is not read by this method, got 64 — leave it out"


def test_a_sweep_that_was_begun_with_what_a_method_does_not_read_goes_on_with_it_or_without() -> None:
    without = parse_spec({**TINY, "methods": {"sure": {}, "ssd": {"alpha": 1.0}}})
    begun = without.dump()
    begun["methods"]["ssd"]["epochs"] = 3
    assert parse_spec(begun).dump() == begun
    check_compatible(begun, without.dump())
    begun["methods"]["sure"]["epochs"] = 3
    with pytest.raises(SpecError, match=r"methods\.sure\.epochs: was 3 in the existing sweep"):
        check_compatible(begun, without.dump())


def test_no_searched_hyperparameter_is_called_as_what_tells_trials_apart() -> None:
    method = f"{OWN}:NamedAsTrialsAre"
    spread = {"low": 1, "high": 8}
    found = problems(methods={method: {"forget_size": spread, "run": spread}})
    assert found == [
        f"methods.{method}.forget_size: is the sweep's own: on which forget set a trial is — rename the method's field",
        f"methods.{method}.run: is the sweep's own: which run on its forget set a trial is — rename the method's field",
    ]
    assert parse_spec({**TINY, "methods": {method: {"forget_size": 5, "run": 1}}}).space(method).fixed["run"] == 1
