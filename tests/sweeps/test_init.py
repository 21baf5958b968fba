"""A new sweep file fits its data and validates; the schema takes what the program takes, and every key is documented."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

from sweeps.cli.app import app
from sweeps.errors import SweepError
from sweeps.spec import load_spec, parse_spec, shipped_sweeps
from sweeps.spec.json_schema import json_schema, meanings, sections

README = Path(__file__).parents[2] / "README.md"
SCHEMA = jsonschema.Draft202012Validator(json_schema())


def init(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["init", *arguments])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def image_tree(root: Path, counts: dict[str, int]) -> Path:
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name, count in counts.items():
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(root / part / name / f"{i}.png")
    return root


def test_without_answers_the_embedded_data(folder: Path) -> None:
    assert init().exit_code == 0
    spec = load_spec("my-sweep.yaml")
    assert (spec.name, spec.dataset.name) == ("my-sweep", "digits")
    first = (folder / "my-sweep.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=unlearn-sweeps.schema.json"
    assert json.loads((folder / "unlearn-sweeps.schema.json").read_text()) == json_schema()


def test_sizes_fit_a_folder_of_images(folder: Path) -> None:
    image_tree(folder / "of birds", {"wren": 30, "no": 40, "10": 20})
    result = init("birds", "--data", "of birds")
    assert result.exit_code == 0, result.output
    assert "90 training and 90 test images of 3 classes" in result.stderr
    spec = load_spec("birds.yaml")
    assert spec.dataset.options["root"] == str(folder / "of birds")
    assert spec.scenarios["partial_class"].options == {"target_class": "no"}  # the largest; in YAML 1.1 it is no text
    assert spec.scenarios["random"].tune_size == 9  # an eighth of the 72 that are left to train on
    assert spec.scenarios["random"].sizes == [9]


@pytest.mark.parametrize("complete", [True, False])
def test_validation_images_beside_the_training_images_are_held_out(folder: Path, complete: bool) -> None:
    image_tree(folder / "birds", {"wren": 20, "robin": 20})
    for name in ("wren", "robin") if complete else ("wren",):
        shutil.copytree(folder / "birds/test" / name, folder / "birds/val" / name)
    result = init("birds", "--data", "birds")
    assert result.exit_code == 0, result.output
    assert ("40 training, 40 validation and 40 test" in result.stderr) is complete
    assert load_spec("birds.yaml").dataset.options.get("validation") == ("val" if complete else None)
    text = (folder / "birds.yaml").read_text()
    assert "# 40 training images of 2 classes" in text
    assert ("The images of val are held out from it." in text) is complete
    assert ("20 % of each class are held out from it." in text) is not complete
    assert f"# of {40 if complete else 32} samples that the original trains on" in text


def test_an_archive(folder: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (400, 3, 8, 8), np.uint8), np.arange(400) % 4
    np.savez(folder / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    result = init("mine", "--data", "data.npz", "--model", "resnet18")
    assert result.exit_code == 0, result.output
    spec = load_spec("mine.yaml")
    assert (spec.dataset.name, spec.model.name) == ("arrays", "resnet18")
    assert spec.scenarios["random"].sizes == [40]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a b"], "NAME must be letters"),
        (["../x"], "NAME must be letters"),
        (["x", "--data", "nowhere"], "--data must be a folder"),
        (["x", "--data", "digit"], "did you mean 'digits'?"),
        (["x", "--data", "."], "expected a folder of class folders"),
        (["x", "--data", "image_folder"], "needs options"),
        (["x", "--model", "resnet19"], "did you mean 'resnet18'?"),
    ],
)
def test_bad_input_leaves_nothing(folder: Path, arguments: list[str], message: str) -> None:
    result = init(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(folder.iterdir()) == []


def test_a_file_that_is_there_stays_unless_forced(folder: Path) -> None:
    (folder / "mine.yaml").write_text("precious")
    assert init("mine").exit_code == 2
    assert (folder / "mine.yaml").read_text() == "precious"
    assert init("mine", "--force").exit_code == 0
    assert load_spec("mine.yaml").name == "mine"


def test_every_key_is_documented() -> None:
    for name, section in sections():
        assert set(meanings(section)) == set(section.model_fields), name


def examples() -> list[tuple[str, str]]:
    readme = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return [*((name, path.read_text()) for name, path in shipped_sweeps().items()), ("README", readme[0])]


@pytest.mark.parametrize(("name", "text"), examples())
def test_the_schema_takes_what_is_shipped(name: str, text: str) -> None:
    assert [error.message for error in SCHEMA.iter_errors(yaml.safe_load(text))] == []


BASE: dict[str, Any] = {
    "name": "x",
    "dataset": "digits",
    "model": {"name": "small_resnet"},
    "scenarios": {"random": {"tune_size": 50, "sizes": [50]}},
    "methods": ["finetune"],
}


@pytest.mark.parametrize(
    "change",
    [
        {"methods": {"finetune": None, "sure": {"lr": 0.1, "alpha": {"low": 0.5, "high": 0.9}}}},
        {"methods": {"finetune": {"lr": {"low": 1e-3}}}},
        {"methods": ["finetune", {"sure": {"lr": {"low": 1e-3, "high": 0.1, "scale": "log"}}}]},
        {"scenarios": {"twos": {"scenario": "partial_class", "target_class": 2, "tune_size": 50, "sizes": [50]}}},
        {"search": {"confirm": "none"}},
        {"search": {"confirm": {"top": 2, "seeds": 2}}},
        {"search": {"confirm": [{"leaders": 2, "sets": 1}]}},
    ],
)
def test_the_schema_takes_every_form_that_the_program_takes(change: dict[str, Any]) -> None:
    parse_spec({**BASE, **change})
    assert [error.message for error in SCHEMA.iter_errors({**BASE, **change})] == []


@pytest.mark.parametrize(
    "change",
    [
        {"nmae": "y"},
        {"search": {"trial": 5}},
        {"search": {"trials": 0}},
        {"search": {"trials": "5"}},
        {"methods": ["sur"]},
        {"methods": {"finetune": {"lrr": 1}}},
        {"methods": {"original": {"epochs": 3}}},
        {"methods": {"finetune": {"lr": "fast"}}},
        {"methods": {"finetune": {"lr": {"lowest": 1}}}},
        {"model": {"name": "resnet18", "widht": 4}},
        {"dataset": {"name": "image_folder"}},
        {"scenarios": {"random": {"size": [5]}}},
        {"protocol": "loose"},
    ],
)
def test_the_schema_refuses_what_the_program_refuses(change: dict[str, Any]) -> None:
    with pytest.raises(SweepError):
        parse_spec({**BASE, **change})
    assert list(SCHEMA.iter_errors({**BASE, **change}))


def test_the_schema_does_without_what_keys_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under python -OO there is no documentation to take it from."""
    monkeypatch.setattr("sweeps.spec.json_schema.meanings", lambda section: {})
    assert json_schema()["properties"].keys() == SCHEMA.schema["properties"].keys()


def test_the_schema_is_printed() -> None:
    assert json.loads(CliRunner().invoke(app, ["schema"]).stdout) == json_schema()
