"""What a sweep file asks of its data, told before anything runs and before anything is decoded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.errors import SpecError
from sweeps.spec import Spec, check_data, check_sizes, facts, open_data, scenario_of, split_data
from unlearn.data import Labels, Pixels
from unlearn.scenarios import ForgetSet, Scenario

SpecMaker = Callable[..., Spec]
SIZED = {"tune_size": 2, "sizes": [2]}


def archive(path: Path, per_class: int, names: list[str] | None = None, test: int = 5) -> dict[str, Any]:
    """A data set of three classes with so many training images each."""
    y_train, y_test = np.repeat(np.arange(3), per_class), np.repeat(np.arange(3), test)
    images = np.random.default_rng(0).integers(0, 256, (len(y_train) + len(y_test), 8, 8), dtype=np.uint8)
    arrays = {"x_train": images[: len(y_train)], "x_test": images[len(y_train) :], "y_train": y_train, "y_test": y_test}
    np.savez(path, **arrays, **({"class_names": np.array(names)} if names else {}))
    return {"name": "arrays", "path": str(path)}


def both_ways(spec: Spec, cache: Path) -> list[str]:
    """What a look without decoding says, which must be what the data themselves say."""
    with pytest.raises(SpecError) as seen:
        check_data(spec, cache)
    assert not (cache / "data").exists()
    with pytest.raises(SpecError) as known:
        check_sizes(spec, cache)
    assert seen.value.problems == known.value.problems
    return [str(problem) for problem in seen.value.problems]


def test_an_empty_dev_set_is_told_with_the_size_from_which_it_is_not(tiny: SpecMaker, tmp_path: Path) -> None:
    scenarios = {"partial_class": {"target_class": 1, **SIZED}}
    (told,) = both_ways(tiny(dataset=archive(tmp_path / "7.npz", 7), scenarios=scenarios), tmp_path)
    assert told == (
        "dataset: a class must have dev images, on which a strict search is scored: with held_out 0.2 and dev 0.5 there is one "
        "from 8 training images a class on, and the largest class has 7 — more images, or other shares, or protocol: paper"
    )
    for enough in (
        tiny(dataset=archive(tmp_path / "8.npz", 8), scenarios=scenarios),
        tiny(dataset=archive(tmp_path / "7.npz", 7), scenarios=scenarios, protocol="paper"),
        tiny(dataset=archive(tmp_path / "7.npz", 7), scenarios=scenarios, held_out=0.4),
    ):
        assert check_data(enough, tmp_path)
        assert check_sizes(enough, tmp_path).classes == {"partial_class": [(1, "1")]}


def test_a_list_that_holds_all_out_or_too_few_is_told_with_what_to_do(tiny: SpecMaker, tmp_path: Path) -> None:
    dataset, listed = archive(tmp_path / "20.npz", 20), tmp_path / "held_out.txt"
    listed.write_text("\n".join(map(str, range(60))), encoding="utf-8")
    told = both_ways(tiny(dataset=dataset, held_out=str(listed), scenarios={"random": SIZED}), tmp_path)
    assert told[0] == "dataset: a class must have train images, to train on: hold fewer images out"
    listed.write_text("5\n", encoding="utf-8")
    told = both_ways(tiny(dataset=dataset, held_out=str(listed), scenarios={"random": SIZED}), tmp_path / "again")
    assert told[0].endswith("scored: hold more images out, or choose another dev, or protocol: paper")


def test_a_list_that_holds_a_whole_class_out_is_told(tiny: SpecMaker, tmp_path: Path) -> None:
    dataset, listed = archive(tmp_path / "pets.npz", 20, ["cat", "dog", "emu"]), tmp_path / "held_out.txt"
    listed.write_text("\n".join(map(str, [*range(5), *range(20, 40), *range(40, 45)])), encoding="utf-8")
    spec = tiny(dataset=dataset, held_out=str(listed), scenarios={"random": SIZED})
    (told,) = both_ways(spec, tmp_path)
    assert told == "held_out: must leave training images of every class, got none of dog — hold fewer of them out"
    listed.write_text("\n".join(map(str, [*range(5), *range(20, 39), *range(40, 45)])), encoding="utf-8")
    assert check_data(spec, tmp_path)


def test_an_empty_part_of_the_forget_class_alone_is_told(tiny: SpecMaker, tmp_path: Path) -> None:
    dataset = archive(tmp_path / "data.npz", 20, ["cat", "dog", "emu"])
    with np.load(dataset["path"]) as loaded:
        arrays = dict(loaded)
    keep = np.r_[0:20, 20:40, 40:47]  # seven of the last class
    np.savez(dataset["path"], **{**arrays, "x_train": arrays["x_train"][keep], "y_train": arrays["y_train"][keep]})
    scenarios = {"partial_class": {"target_class": "emu", **SIZED}, "random": SIZED}
    (told,) = both_ways(tiny(dataset=dataset, scenarios=scenarios), tmp_path)
    assert told.startswith(
        "scenarios.partial_class: class 2 (emu) must have dev images, on which a strict search is scored: with held_out 0.2 and "
        "dev 0.5 there is one from 8 training images a class on, and it has 7"
    )


def test_no_share_for_validation_is_told(tiny: SpecMaker, tmp_path: Path) -> None:
    spec = tiny(dataset=archive(tmp_path / "2.npz", 2), scenarios={"random": SIZED})
    told = both_ways(spec, tmp_path)
    assert [re.findall("(validation|dev) images", line) for line in told] == [["validation"], ["dev"]]
    assert "from 3 training images a class on" in told[0]


def test_nothing_left_to_retain_is_told(tiny: SpecMaker, tmp_path: Path) -> None:
    file, held_out = tmp_path / "one.npz", tmp_path / "held_out.txt"
    images, labels = np.random.default_rng(0).integers(0, 256, (41, 8, 8), dtype=np.uint8), np.eye(41, dtype=int)[40]
    held_out.write_text("".join(f"{row}\n" for row in range(32, 41)))  # the other class's only image among them
    np.savez(file, x_train=images, y_train=labels, x_test=images, y_test=labels)
    scenarios = {
        "full_class": {"target_class": 0},
        "partial_class": {"target_class": 0, "tune_size": 32, "sizes": [31]},
    }
    dataset = {"name": "arrays", "path": str(file)}
    told = both_ways(tiny(dataset=dataset, scenarios=scenarios, held_out=str(held_out)), tmp_path)
    assert told == [
        "held_out: must leave training images of every class, got none of 1 — hold fewer of them out",
        "scenarios.full_class: must leave samples to retain: it forgets all 32 training samples",
        "scenarios.partial_class.tune_size: must be ≤ 31, all that there is, got 32 — at most 31 of '0'",
    ]


def test_classes_by_name_are_those_positions(tiny: SpecMaker, tmp_path: Path) -> None:
    dataset = archive(tmp_path / "pets.npz", 20, ["cat", "dog", "emu"])
    scenarios = {
        "partial_class": {"target_class": "emu", **SIZED},
        "full_class": {"target_class": "dog"},
        "confusion": {"classes": ["emu", "cat"]},
    }
    spec = tiny(dataset=dataset, scenarios=scenarios)
    assert check_sizes(spec, tmp_path).classes == {
        "partial_class": [(2, "emu")],
        "full_class": [(1, "dog")],
        "confusion": [(2, "emu"), (0, "cat")],
    }
    assert check_sizes(
        spec, tmp_path
    ).class_images == {  # of each class a tenth of twenty, and the five of the test set
        "partial_class": {"dev": 2, "test": 5},
        "full_class": {"dev": 2, "test": 5},
        "confusion": {"dev": 4, "test": 10},
    }
    by_position = tiny(dataset=dataset, scenarios={**scenarios, "confusion": {"classes": [2, 0]}})
    data = open_data(spec, tmp_path)
    splits = split_data(spec, data)
    assert scenario_of(spec, "confusion", data, splits) == scenario_of(by_position, "confusion", data, splits)


def test_classes_that_are_not_there_are_all_told(tiny: SpecMaker, tmp_path: Path) -> None:
    dataset = archive(tmp_path / "pets.npz", 20, ["cat", "dog", "emu"])
    scenarios = {
        "partial_class": {"target_class": "dgo", **SIZED},
        "full_class": {"target_class": 3},
        "confusion": {"classes": ["cat", 0]},
    }
    assert both_ways(tiny(dataset=dataset, scenarios=scenarios), tmp_path) == [
        "scenarios.partial_class: target_class: no class is named 'dgo': did you mean 'dog'?",
        "scenarios.full_class: target_class: a class must be a name, or a position in 0 … 2, got 3",
        "scenarios.confusion: classes must be two different ones, got (0, 0)",
    ]


def folders(root: Path, names: list[str], images: int = 10) -> None:
    for part in ("train", "test"):
        for name in names:
            (root / part / name).mkdir(parents=True)
            for i in range(images):
                grey = np.random.default_rng([int(name), i]).integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(grey).save(root / part / name / f"{i}.png")


def test_a_number_among_numbered_folders_is_never_guessed(tiny: SpecMaker, tmp_path: Path) -> None:
    folders(tmp_path / "numbered", [str(i) for i in range(1, 11)])
    dataset = {"name": "image_folder", "root": str(tmp_path / "numbered")}

    def spec(target: int | str) -> Spec:
        return tiny(dataset=dataset, scenarios={"partial_class": {"target_class": target, **SIZED}})

    (told,) = both_ways(spec(1), tmp_path / "cache")
    assert "1 may mean the class at position 1, which is '2', or the class named '1'" in told
    assert check_sizes(spec("1"), tmp_path / "cache").classes == {"partial_class": [(0, "1")]}
    assert check_sizes(spec("10"), tmp_path / "cache").classes == {"partial_class": [(9, "10")]}


def test_validate_looks_at_the_data_and_tells_everything_at_once(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        f"name: mine\ndataset: {{name: image_folder, root: {tmp_path}}}\nmodel: small_resnet\nmethods: [finetune]\n"
        "scenarios: {partial_class: {target_class: '3', tune_size: 900, sizes: [2]}}\n"
    )
    result = CliRunner().invoke(app, ["validate", str(file)])
    assert result.exit_code == 2
    assert "/train, but there is none" in result.output
    assert "/test, but there is none" in result.output

    folders(tmp_path, ["1", "2", "3"])
    result = CliRunner().invoke(app, ["validate", str(file)])
    assert result.exit_code == 2
    assert (
        "scenarios.partial_class.tune_size: must be ≤ 8, all that there is, got 900 — at most 8 of '3'" in result.output
    )

    file.write_text(file.read_text().replace("900", "8"))
    result = CliRunner().invoke(app, ["validate", str(file)])
    assert result.exit_code == 0
    assert "data: 30 training and 30 test images of 3 classes" in result.output


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("seed: 1", ["tune_size: must be ≤ 15", "no class is named 'z'"]),
        ("scenarios.random.sizes: [0]", ["no class is named 'z'"]),
        ("scenarios.partial_class.target: 1", ["tune_size: must be ≤ 15"]),
        ("dataset.rooot: x", []),
        ("held_out: 2", []),
    ],
)
def test_what_the_data_cannot_give_is_told_beside_other_errors(tmp_path: Path, wrong: str, told: list[str]) -> None:
    folders(tmp_path, ["1", "2"])
    file, (key, _, value) = tmp_path / "sweep.yaml", wrong.partition(": ")
    file.write_text(
        f"name: mine\ndataset: {{name: image_folder, root: {tmp_path}}}\nmodel: small_resnet\nsearch: {{trials: 0}}\n"
        "methods: {finetune: {lr: {low: 1, high: 0.1}}}\nscenarios:\n  random: {tune_size: 400, sizes: [4]}\n"
        "  partial_class: {target_class: z, tune_size: 4, sizes: [2]}\n"
    )
    out = CliRunner().invoke(app, ["validate", str(file), "--set", f"{key}={value}"]).output
    lines = [line for line in out.splitlines() if "scenarios." in line and "--set" not in line]
    assert "search.trials: must be ≥ 1" in out
    assert "methods.finetune.lr: low ≤ high must hold" in out
    assert len(lines) == len(told)
    assert all(words in line for words, line in zip(told, lines, strict=True))


def test_validate_tells_what_is_wrong_with_the_lists_of_data_without_files(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "ids.txt").write_text("5\n05\n9999\n")
    (tmp_path / "two.csv").write_text("a,b\n1,2\n")
    file = tmp_path / "sweep.yaml"
    lists = f"a: {{scenario: listed, forget: {tmp_path}/ids.txt}}, b: {{scenario: listed, forget: {tmp_path}/two.csv}}"
    file.write_text(f"name: mine\nmodel: small_resnet\nmethods: [finetune]\nscenarios: {{{lists}}}\ndataset: digits\n")
    told = CliRunner().invoke(app, ["validate", str(file)])
    assert told.exit_code == 2
    assert "mine: 3 errors" in told.output
    assert "scenarios.a: each id must be listed once; these are there several times: 5\n" in told.output
    assert (
        "scenarios.a: ids must be row numbers of the training images in 0 … 1796; these are none: 9999" in told.output
    )
    assert "scenarios.b: " in told.output
    held_out = ["--set", f"held_out={tmp_path}/ids.txt"]
    assert "held_out: each id must be listed once" in CliRunner().invoke(app, ["validate", str(file), *held_out]).output


def test_a_plan_is_of_data_that_was_checked(tmp_path: Path, cache: Path, tiny: SpecMaker) -> None:
    (tmp_path / "ids.txt").write_text("9999\n")
    spec = tiny(scenarios={"mine": {"scenario": "listed", "forget": str(tmp_path / "ids.txt")}})
    with pytest.raises(SpecError, match=r"scenarios\.mine: ids must be row numbers"):
        facts(spec, open_data(spec, cache))


@dataclass(frozen=True)
class Listed(Scenario):
    """A user's list of 24 samples, of which those from 40 on are held out."""

    sized: ClassVar[bool] = False

    def limit(self, labels: Labels) -> int:
        return 24

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        listed = np.arange(0, 48, 2)
        found = listed[listed < 34]
        return ForgetSet(found, missing=[f"image{i}.png" for i in listed[listed >= 34]])


def test_a_size_that_is_not_met_is_an_error_that_names_what_is_missing(tiny: SpecMaker, tmp_path: Path) -> None:
    spec = tiny(scenarios={f"{__name__}:Listed".replace(":", "."): {"scenario": f"{__name__}:Listed"}})
    with pytest.raises(
        SpecError,
        match=r"Listed must forget 24 samples, got 17; not in the training split: image34\.png, image36\.png, .* and 2 more",
    ):
        check_sizes(spec, tmp_path)
