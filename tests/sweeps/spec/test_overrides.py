"""`--set`, `--methods` and `--scenarios` on every form that a section may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.errors import SpecError
from sweeps.spec import load_spec
from sweeps.spec.read import open_document

BASE = """
name: tiny
dataset: digits
model: small_resnet
training: {epochs: 2, milestones: [1]}
unlearning: {epochs: 2}
scenarios:
  random: {tune_size: 40, sizes: [40]}
  full_class:
"""


def file(folder: Path, methods: str) -> str:
    path = folder / "tiny.yaml"
    path.write_text(f"{BASE}methods: {methods}\n")
    return str(path)


@pytest.mark.parametrize(
    "methods",
    [
        "[finetune, {scrub: {max_epochs: 1}}]",
        "{finetune: , scrub: {max_epochs: 1}}",
        "[{finetune: , scrub: {max_epochs: 1}}]",
    ],
)
def test_methods_with_their_settings_in_every_form(tmp_path: Path, methods: str) -> None:
    source = file(tmp_path, methods)
    spec = load_spec(source)
    assert list(spec.methods) == ["finetune", "scrub"]
    assert spec.methods["scrub"]["max_epochs"] == 1
    spec = load_spec(source, ["methods.scrub.max_epochs=2", "methods.finetune.lr=0.5"])
    assert (spec.methods["scrub"]["max_epochs"], spec.methods["finetune"]["lr"]) == (2, 0.5)
    spec = load_spec(source, ["methods.ssd.alpha=2"])
    assert list(spec.methods) == ["finetune", "scrub", "ssd"]


def test_scenarios_may_be_listed_too(tmp_path: Path) -> None:
    spec = load_spec(file(tmp_path, "[finetune]"), ["scenarios=[full_class, {random: {tune_size: 4, sizes: [4]}}]"])
    assert list(spec.scenarios) == ["full_class", "random"]
    assert list(load_spec(file(tmp_path, "[finetune]")).scenarios) == ["random", "full_class"]


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ("[finetune, 5]", "methods: must list names, or {name: {…}}, got 5"),
        ("[finetune, [scrub]]", "methods: must list names, or {name: {…}}, got ['scrub']"),
        ("[finetune, ]", None),
        ("[finetune, ~]", "methods: must list names, or {name: {…}}, got nothing"),
        ("[finetune, {}]", "methods: must list names, or {name: {…}}, got {}"),
        ("[finetune, scrub, finetune]", "methods.finetune: is listed twice — remove one"),
        ("[finetune, {scrub: {}}, scrub]", "methods.scrub: is listed twice — remove one"),
        ("finetune", "methods: must be a list of names, or a section for each, got 'finetune'"),
        ("[finetune, {scrub: 5}]", "methods.scrub: must be a section of keys and values, got 5"),
        ("{on: {}}", "methods.on: unknown method 'on'"),
        ("{finetune: {lr: 0x1, lr: 2}}", "methods.finetune.lr: is given twice, first on line 10 — remove one"),
        ("[]", "methods: must have at least 1 entry"),
        ("{}", "methods: must have at least 1 entry"),
    ],
)
def test_lists_that_are_not_understood_are_refused(tmp_path: Path, methods: str, told: str | None) -> None:
    if told is None:
        assert load_spec(file(tmp_path, methods)).methods
        return
    with pytest.raises(SpecError) as caught:
        load_spec(file(tmp_path, methods))
    assert [str(problem) for problem in caught.value.problems if str(problem).startswith(told)]


def test_component_names_may_have_dots_in_them(tmp_path: Path) -> None:
    document = open_document(
        file(tmp_path, "{my.pkg:Mine: {lr: 0.1}}"),
        ["methods.my.pkg:Mine.lr=0.2", "methods.other.pkg:Other.k=3", "scenarios.my.own:Draw.tune_size=5"],
    )
    assert document.data["methods"] == {"my.pkg:Mine": {"lr": 0.2}, "other.pkg:Other": {"k": 3}}
    assert document.data["scenarios"]["my.own:Draw"] == {"tune_size": 5}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("nothing", "--set: must be key=value, got 'nothing'"),
        ("=5", "--set: must be key=value, got '=5'"),
        ("a..b=5", "--set: must be key=value, got 'a..b=5'"),
        ("seed=[", "--set seed: the value must be YAML, got '['"),
        ("seed=!!python/name:os.system", "--set seed: the value must be YAML"),
        ("name.x=5", "--set name.x: name must be a section for it, got 'tiny'"),
        ("unlearning.epochs.x=5", "--set unlearning.epochs.x: unlearning.epochs must be a section for it, got 2"),
        ("storage.x=5", None),
        ("name=2024-13-45", None),
        ("name=0100", "--set name: must be text, got 100"),
        ("seed=1:30", "--set seed: must be a whole number, got '1:30'"),
        ("seed=yes", "--set seed: must be a whole number, got 'yes'"),
        ("resources.cuda_graphs=yes", "--set resources.cuda_graphs: must be true, false or 'auto', got 'yes'"),
        (
            "resources.cuda_graphs=auot",
            "--set resources.cuda_graphs: must be true, false or 'auto', got 'auot' — did you mean 'auto'?",
        ),
        ("sensitivity.enabled=yes", "--set sensitivity.enabled: must be true or false, got 'yes'"),
        ("seed=1e3", "--set seed: must be a whole number, got 1000.0"),
        ("seed='7'", "--set seed: must be a whole number, got '7' — remove the quotes"),
        ("search.trials=many", "--set search.trials: must be a whole number, got 'many'\n"),
    ],
)
def test_overrides_that_are_wrong_say_so(tmp_path: Path, override: str, told: str | None) -> None:
    source = file(tmp_path, "[finetune]")
    if told is None and "storage" not in override:
        assert load_spec(source, [override]).name == override.partition("=")[2]
        return
    with pytest.raises(SpecError) as caught:
        load_spec(source, [override, "seed=7" if not override.startswith("seed") else "name=tiny"])
    (line,) = str(caught.value).splitlines()[1:]
    assert f"{line}\n".startswith(f"  {told or '--set storage: must be text'}")


def test_narrowing_takes_methods_out_of_the_sensitivity_too() -> None:
    spec = load_spec("cifar10_resnet18", methods=["scrub", "finetune"])
    assert (list(spec.methods), spec.sensitivity.methods) == (["scrub", "finetune"], [])
    spec = load_spec("cifar10_resnet18", methods=["scrub", "sure"])
    assert spec.sensitivity.methods == ["sure"]
