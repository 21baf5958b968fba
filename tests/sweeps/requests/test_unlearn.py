"""From a model trained in plain PyTorch and a list of file names to unlearned weights that load in plain PyTorch."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from torch import Tensor, nn
from typer.testing import CliRunner

import sweeps
from sweeps.cli.app import app
from sweeps.cli.unlearn import print_record
from sweeps.errors import SweepError
from sweeps.jobs.worker import Worker
from sweeps.kept import kept_models
from sweeps.plan import make_plan
from sweeps.record import beside_original, load_sweep
from sweeps.record.best_params import best_params
from sweeps.requests.choice import choose
from sweeps.requests.expectation import expected
from sweeps.requests.page import page
from sweeps.spec import dump_yaml, load_spec, read_yaml
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep, checked
from tests.own_network import fit, write_ids
from tests.sweeps.conftest import serve
from unlearn.data import IdsError
from unlearn.model_files import model_facts

pytestmark = pytest.mark.together

MEAN, STD = torch.tensor([0.4, 0.3, 0.35]).view(3, 1, 1), torch.tensor([0.3, 0.35, 0.4]).view(3, 1, 1)
CLASSES = ("0", "1", "2")
SWEEP = """
format: unlearn-sweeps/sweep/1
name: own
dataset: {{name: image_folder, root: {root}, validation: val}}
model:
  name: torchvision.models.densenet:DenseNet
  growth_rate: 6
  block_config: [2, 2, 1, 1]
  num_init_features: 8
  normalise: {{mean: [0.4, 0.3, 0.35], std: [0.3, 0.35, 0.4]}}
original: {{weights: {weights}}}
training: {{epochs: 2, lr: 0.05, batch_size: 32, milestones: [2], augment: flip_crop}}
unlearning: {{epochs: 2, retain_batch_size: 64}}
scenarios:
  random: {{tune_size: 40, sizes: [40]}}
methods: {{finetune: {{lr: {{high: 0.01}}}}, neg_grad_plus: {{lr: {{high: 0.01}}, alpha: 0.95}}, oracle: {{}}, original: {{}}}}
search: {{trials: 2, sampler: random, confirm: none}}
evaluation: {{seeds: 3, keep_models: true}}
references: {{oracles: 1}}
sensitivity: {{enabled: false}}
cache: {cache}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, a network trained on them outside of this package, and a sweep that has run."""
    home = tmp_path_factory.mktemp("own")
    paint(home / "pets")
    x, y = images(home / "pets", "train")
    torch.manual_seed(0)
    network = fit(network_of_users(), x, y, epochs=6, batch=16)
    torch.save(
        {"epoch": 6, "state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, home / "model.pt"
    )
    places = {"root": home / "pets", "weights": home / "model.pt", "cache": home / "cache"}
    (home / "own.yaml").write_text(SWEEP.format(**places))
    run(home)
    return home


def network_of_users() -> nn.Module:
    network: nn.Module = torchvision.models.DenseNet(6, (2, 2, 1, 1), 8, num_classes=3)
    return network


def paint(root: Path) -> None:
    """Digits 0, 1 and 2 as colour images of 32×32: 64 of each to train on, 24 for validation, the others to test."""
    bundle = load_digits()
    for label, name in enumerate(CLASSES):
        rows = np.flatnonzero(bundle.target == label)
        for i, row in enumerate(rows):
            part = "train" if i < 64 else "val" if i < 88 else "test"
            file = root / part / name / f"image {i:03d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            grey = np.kron(np.rint(bundle.images[row] * 255 / 16), np.ones((4, 4))).astype(np.uint8)
            Image.fromarray(np.stack([grey, 255 - grey, grey // 2], axis=2)).save(file)


def images(root: Path, part: str, only: set[str] | None = None) -> tuple[Tensor, Tensor]:
    """The images of a folder as a user reads them."""
    files = sorted((root / part).rglob("*.png"))
    files = [f for f in files if only is None or f.relative_to(root).as_posix() in only]
    pixels = [torchvision.transforms.functional.to_tensor(Image.open(file).convert("RGB")) for file in files]
    return (torch.stack(pixels) - MEAN) / STD, torch.tensor([CLASSES.index(file.parent.name) for file in files])


def run(home: Path) -> None:
    """All stages of the sweep, as a pool of one worker would."""
    sweep = Sweep.at(load_spec(str(home / "own.yaml")), home / "runs")
    storage = sweep.prepare()
    sweep.freeze(storage, checked(sweep))
    serve(Multiplexer(make_plan(sweep.spec), storage, warm_start=[]), Worker(sweep.spec, sweep.cache))


def command(home: Path, out: Path, ids: list[str], *more: str, sweep: str = "own") -> Any:
    forget = write_ids(out.with_suffix(".txt"), ids)
    return CliRunner().invoke(
        app, ["unlearn", sweep, "--forget", forget, "--out", str(out), "--runs", str(home / "runs"), *more]
    )


def wanted(home: Path, count: int = 40, start: int = 0) -> list[str]:
    root = home / "pets"
    names = sorted(file.relative_to(root).as_posix() for file in (root / "train").rglob("*.png"))
    return np.random.default_rng(start).permutation(names)[:count].tolist()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def accuracy(network: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return 100 * (network(x).argmax(1) == y).double().mean().item()


def test_weights_do_not_hang_on_the_threads_of_who_asks(home: Path) -> None:
    """The evaluation's workers have one each: so has a request of their sweep."""
    found = set()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            asked = sweeps.unlearn("own", wanted(home), runs=home / "runs", method="finetune")
            assert torch.get_num_threads() == threads
            found.add(asked.record["weights"]["unlearned"]["sha256"])
    finally:
        torch.set_num_threads(1)
    assert len(found) == 1


def test_forty_file_names_to_unlearned_weights(home: Path, tmp_path: Path) -> None:
    before, forget = sha256(home / "model.pt"), wanted(home)
    result = command(home, tmp_path / "out", forget)
    assert result.exit_code == 0, result.output
    assert sha256(home / "model.pt") == before
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    network = network_of_users()
    network.load_state_dict(load_file(tmp_path / "out" / "unlearned.safetensors"), strict=True)
    network.eval()
    root, gone = home / "pets", set(forget)
    all_names = {f.relative_to(root).as_posix() for f in (root / "train").rglob("*.png")}
    sets = {
        "forget": images(root, "train", gone),
        "retain": images(root, "train", all_names - gone),
        "validation": images(root, "val"),
        "test": images(root, "test"),
    }
    original = network_of_users()
    original.load_state_dict(
        {k.removeprefix("module."): v for k, v in torch.load(home / "model.pt")["state_dict"].items()}
    )
    original.eval()
    for name, (x, y) in sets.items():
        assert record["measured"]["samples"][name] == len(y)
        assert record["measured"]["after"][f"{name}_accuracy"] == pytest.approx(accuracy(network, x, y), abs=1e-6)
        assert record["measured"]["before"][f"{name}_accuracy"] == pytest.approx(accuracy(original, x, y), abs=1e-6)
    assert record["asked"]["ids"] == sorted(forget)
    assert record["weights"]["original"]["file_sha256"] == before
    assert record["weights"]["original"]["sha256"] != record["weights"]["unlearned"]["sha256"]
    assert record["expected"]["from"] == "3 forget sets (on which it was the best of 2 methods, which flatters)"
    assert record["unlike"] == []
    assert record["oracle"] is None
    page = (tmp_path / "out" / "record.html").read_text()
    for name in ("forget", "test"):
        assert f"{record['measured']['after'][f'{name}_accuracy']:.2f}" in page


def test_the_models_of_the_evaluation_load_in_plain_pytorch(home: Path) -> None:
    sweep = Sweep.at(load_spec(str(home / "own.yaml")), home / "runs")
    models = kept_models(sweep)
    assert [(m.method, m.forget_seed, m.state) for m in models] == [
        (method, seed, "kept") for method in ("finetune", "neg_grad_plus", "oracle") for seed in range(3)
    ]
    result = CliRunner().invoke(app, ["models", "own", "--runs", str(home / "runs"), "--json"])
    assert json.loads(result.output) == [asdict(model) for model in models]
    trials = sweep.record().counted.set_index(["stage", "method", "number"])
    splits, tests = Worker(sweep.spec, sweep.cache).workspace.samples.splits, images(home / "pets", "test")
    assert len(splits.train) == 192
    for model in models:
        assert model.place is not None
        network = network_of_users()
        network.load_state_dict(load_file(model.place), strict=True)
        trial = trials.loc["evaluation", model.method, model.trial]
        assert accuracy(network.eval(), *tests) == pytest.approx(trial["metric.heldout_accuracy"], abs=1e-6)
        rest, gone = (trial[f"metric.{name}_accuracy"] for name in ("retain", "forget"))
        assert accuracy(network, *images(home / "pets", "train")) * 192 == pytest.approx(
            152 * rest + 40 * gone, abs=1e-4
        )
        about = model_facts(Path(model.place))
        assert about is not None
        told = {
            name: about[name] for name in ("sweep", "scenario", "method", "epoch", "forget_seed", "forget_size", "seed")
        }
        assert told == {"sweep": "own", **{name: getattr(model, name) for name in told if name != "sweep"}}


def test_the_same_request_gives_the_same_weights_and_never_overwrites(home: Path, tmp_path: Path) -> None:
    forget = wanted(home)
    for name, ids in (("first", forget), ("again", forget[::-1])):
        assert command(home, tmp_path / name, ids, "--method", "finetune").exit_code == 0
    states = [load_file(tmp_path / name / "unlearned.safetensors") for name in ("first", "again")]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    result = command(home, tmp_path / "first", forget)
    assert result.exit_code == 2
    assert "--out must be a new or an empty folder" in result.output


def test_a_notebook_resumes_the_sweep_and_applies_its_winner(home: Path, tmp_path: Path) -> None:
    record = sweeps.run(
        sweeps.load_spec(read_yaml(home / "own.yaml")), runs=home / "runs"
    )  # a dict; nothing is missing
    assert record.best["random"].keys() == {"finetune", "neg_grad_plus"}
    assert (home / "runs" / "own" / "report" / "index.html").is_file()
    forget = wanted(home, start=2)
    given = sweeps.unlearn("own", forget, runs=home / "runs", method="finetune")
    result = command(home, tmp_path / "out", forget, "--method", "finetune")
    assert result.exit_code == 0, result.output
    written = load_file(tmp_path / "out" / "unlearned.safetensors")
    assert given.state.keys() == written.keys()
    assert all(torch.equal(tensor, written[name]) for name, tensor in given.state.items())
    told = json.loads((tmp_path / "out" / "record.json").read_text())
    assert given.record["measured"] == told["measured"]
    chosen = choose(sweeps.load_spec(home / "own.yaml"), record, scenario="random", method="finetune", params=None)
    assert not isinstance(expected(record, chosen, 40, draws_vary=True), str)
    hindsight = expected(replace(record, in_hindsight=True), chosen, 40, draws_vary=True)
    assert isinstance(hindsight, str)
    assert "in hindsight" in hindsight
    with pytest.raises(AttributeError, match="no attribute 'anything'"):
        _ = sweeps.anything


def test_an_oracle_says_whether_the_interval_held(home: Path, tmp_path: Path) -> None:
    result = command(home, tmp_path / "out", wanted(home, start=1), "--with-oracle", "--method", "finetune")
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    found, after, oracle = record["oracle"]["gaps"], record["measured"]["after"], record["oracle"]["measured"]
    assert found["forget_gap"] == pytest.approx(abs(after["forget_accuracy"] - oracle["forget_accuracy"]))
    assert found["utility_gap"] == pytest.approx(abs(after["test_accuracy"] - oracle["test_accuracy"]))
    score = record["expected"]["gaps"]["score"]
    inside = score["low"] <= found["score"] <= score["high"]
    assert record["oracle"]["as_expected"]["score"] is inside
    assert f"{'inside' if inside else 'outside'} the interval" in result.output


def test_what_is_expected_has_its_unit(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tug-of-war lies between 0 and 1: it is no percentage points, nor is its name that of the key."""
    assert command(home, tmp_path / "out", wanted(home, start=1), "--method", "finetune").exit_code == 0
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert set(record["expected"]["units"].values()) == {"percentage points"}
    assert "<td>score (average gap)</td>" in page(record)
    record["expected"] |= {"objective": "tow", "units": record["expected"]["units"] | {"score": ""}}
    assert "<td>score (tug-of-war) (no unit)</td>" in page(record)
    print_record(record)
    assert "tug-of-war to an oracle: " in capsys.readouterr().out


def test_what_test_images_were_used_for_is_told_as_far_as_it_is_known(home: Path) -> None:
    record = sweeps.unlearn("own", wanted(home), runs=home / "runs", method="finetune").record

    def said(source: str, protocol: str) -> list[str]:
        record["ran"] |= {"source": source, "protocol": protocol}
        told = (
            "neither trained nor tuned on",
            "was tuned on the test images",
            "given parameters were tuned is not known",
        )
        return [text for text in told if text in page(record)]

    assert record["ran"]["source"] == "search"
    assert said("search", "strict") == said("fixed", "paper") == ["neither trained nor tuned on"]
    assert said("search", "paper") == ["was tuned on the test images"]
    assert said("given", "strict") == said("given", "paper") == ["given parameters were tuned is not known"]


def test_what_the_model_as_it_is_scores_is_told(home: Path, tmp_path: Path) -> None:
    record = load_sweep(open_storage(f"sqlite:///{home}/runs/own/study.db"), "own")
    trials = record.trials[(record.trials["stage"] == "evaluation") & (record.trials["method"] == "original")]
    assert len(trials) == 3
    network = network_of_users()
    stored = torch.load(home / "model.pt", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("module."): value for name, value in stored.items()})
    on_test = accuracy(network.eval(), *images(home / "pets", "test"))
    assert trials["metric.heldout_accuracy"].tolist() == pytest.approx([on_test] * 3)

    result = command(home, tmp_path / "out", wanted(home, start=3), "--method", "finetune")
    assert result.exit_code == 0, result.output
    original = json.loads((tmp_path / "out" / "record.json").read_text())["expected"]["original"]
    assert original["score"] == pytest.approx(trials["value"].mean())
    beside = beside_original(record, "random")
    assert beside is not None
    (expected_of,) = [w for w in ("better", "worse", "not_apart") if "finetune" in getattr(beside, w)]
    assert original["method_is"] == {"not_apart": "not told apart"}.get(expected_of, expected_of)
    assert f"without any unlearning: {original['score']:.2f} there; finetune is " in result.output
    assert f"without any unlearning: {original['score']:.2f} there" in (tmp_path / "out" / "record.html").read_text()

    refused = command(home, tmp_path / "other", wanted(home), "--method", "original")
    assert refused.exit_code == 2
    assert "method must be one that unlearns, got 'original', which leaves the model as it is" in refused.output
    assert not (tmp_path / "other").exists()


def test_a_request_unlike_those_tuned_on_is_called_so(home: Path, tmp_path: Path) -> None:
    ones = [f"train/1/image {i:03d}.png" for i in range(64)]
    result = command(home, tmp_path / "out", ones)
    assert result.exit_code == 0, result.output
    unlike = json.loads((tmp_path / "out" / "record.json").read_text())["unlike"]
    assert unlike == [
        "it has 64 samples, and the forget sets of the evaluation had 40",
        "its classes are not those of a random draw, on which the sweep was tuned: of 64 samples 64 of '1'",
        "it takes every training sample of '1', and no forget set of the sweep did",
    ]
    assert all(f"note: this request is unlike what was tuned on: {sentence}" in result.output for sentence in unlike)


def test_the_best_of_an_evaluation_that_is_not_finished_is_called_so(home: Path, tmp_path: Path) -> None:
    lacks = "which is not finished (trials done: neg_grad_plus 0 of 3)"
    whole = command(home, tmp_path / "whole", wanted(home))
    assert whole.exit_code == 0
    assert "not finished" not in whole.output
    shutil.copytree(home / "runs", tmp_path / "home" / "runs")
    url = f"sqlite:///{tmp_path / 'home' / 'runs' / 'own' / 'study.db'}"
    optuna.delete_study(study_name="own/evaluation/random/neg_grad_plus", storage=url)
    half = command(tmp_path / "home", tmp_path / "half", wanted(home))
    assert f"note: the method was chosen by the least mean score in the evaluation, {lacks}" in half.output
    assert lacks in (tmp_path / "half" / "record.html").read_text()
    named = command(tmp_path / "home", tmp_path / "named", wanted(home), "--method", "finetune")
    assert named.exit_code == 0
    assert lacks not in named.output


def test_the_best_of_an_evaluation_in_which_trials_failed_is_called_so(home: Path, tmp_path: Path) -> None:
    """A method that fails on the hard sets has the least mean of all."""
    shutil.copytree(home / "runs", tmp_path / "home" / "runs")
    with closing(sqlite3.connect(tmp_path / "home" / "runs" / "own" / "study.db")) as database, database:
        study = "(SELECT study_id FROM studies WHERE study_name = 'own/evaluation/random/finetune')"
        database.execute(f"UPDATE trials SET state = 'FAIL' WHERE study_id = {study} AND number = 0")
    result = command(tmp_path / "home", tmp_path / "out", wanted(home))
    said = (
        "the method was chosen by the least mean score in the evaluation, in which trials have failed (finetune 1 of 3)"
    )
    assert f"note: {said}" in result.output


def test_one_image_is_one_sample(home: Path, tmp_path: Path) -> None:
    result = command(home, tmp_path / "out", wanted(home)[:1], "--method", "finetune")
    assert result.exit_code == 0
    assert "forgets 1 training sample\n" in result.output
    assert "<h1>1 sample unlearned by finetune</h1>" in (tmp_path / "out" / "record.html").read_text()


def test_weights_that_stayed_the_originals_are_not_called_unlearned(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = sweeps.unlearn("own", wanted(home), runs=home / "runs", method="finetune").record
    told = "nothing was unlearned: the weights are those of the original, to the last bit (epoch "
    print_record(record)
    assert told not in capsys.readouterr().out + page(record)
    record["weights"]["unlearned"]["sha256"] = record["weights"]["original"]["sha256"]  # as after SCRUB-R's rule
    print_record(record)
    assert f"note: {told}" in " ".join(capsys.readouterr().out.split())
    assert told in page(record)


def test_a_request_on_a_cpu_of_a_sweep_for_gpus_is_called_so(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    told = "it ran on a CPU, which rounds otherwise, and trials of the sweep ask for GPUs"
    assert told not in sweeps.unlearn("own", wanted(home), runs=home / "runs", method="finetune").record["unlike"]
    shutil.copytree(home / "runs", tmp_path / "runs")
    spec = tmp_path / "runs" / "own" / "spec.yaml"
    spec.write_text(re.sub(r"gpus_per_trial: 0(\.0)?\b", "gpus_per_trial: 0.5", spec.read_text()))
    assert sweeps.unlearn("own", wanted(home), runs=tmp_path / "runs", method="finetune").record["unlike"] == [told]


def test_given_parameters_need_no_sweep_that_has_run_and_no_oracle(home: Path, tmp_path: Path) -> None:
    sweep = Sweep.at(load_spec(str(home / "own.yaml")), home / "runs")
    (tmp_path / "best.yaml").write_text(dump_yaml(best_params(sweep.record())))
    text = (home / "own.yaml").read_text().replace("name: own", "name: fresh")
    (tmp_path / "fresh.yaml").write_text(text.replace(str(home / "cache"), str(tmp_path / "cache")))
    forget, chosen = wanted(home, start=4), ("--method", "neg_grad_plus", "--params", str(tmp_path / "best.yaml"))
    result = command(home, tmp_path / "out", forget, *chosen, sweep=str(tmp_path / "fresh.yaml"))
    assert result.exit_code == 0, result.output
    assert "not known before, as this configuration is not evaluated in the sweep" in result.output
    assert "neg_grad_plus, with parameters that were given, forgets 40 training samples" in result.output
    assert (
        "with parameters that were given (sweep fresh, chosen by: given)"
        in (tmp_path / "out" / "record.html").read_text()
    )
    assert len(list((tmp_path / "cache" / "models").glob("*.safetensors"))) == 1  # the original, as it was given
    document = best_params(sweep.record())
    document["params"]["random"]["neg_grad_plus"].pop("stop_epoch")
    (tmp_path / "no_stop.yaml").write_text(dump_yaml(document))
    whole = choose(
        sweep.spec, sweep.record(), scenario="random", method="neg_grad_plus", params=tmp_path / "no_stop.yaml"
    )
    assert whole.stop_epoch == 2  # the last one, as an evaluation of them would have it
    by_sweep = command(home, tmp_path / "same", forget, "--method", "neg_grad_plus")
    assert by_sweep.exit_code == 0
    assert "neg_grad_plus, tuned on random, forgets 40 training samples" in by_sweep.output
    states = [load_file(tmp_path / name / "unlearned.safetensors") for name in ("out", "same")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert command(home, tmp_path / "none", forget, sweep=str(tmp_path / "fresh.yaml")).exit_code == 2
    result = command(home, tmp_path / "none", forget, *chosen[2:], sweep=str(tmp_path / "fresh.yaml"))
    assert result.exit_code == 2
    assert "no method of random is evaluated yet: run the sweep first, or name one by --method" in result.output


def moved(home: Path, to: Path, change: Callable[[Path], object], without: str = "") -> Path:
    """The sweep as it was left, and a copy of its images that was changed since; returns the folder of sweeps."""
    shutil.copytree(home / "runs", to / "runs")
    shutil.copytree(home / "pets", to / "pets")
    change(to / "pets")
    spec = to / "runs" / "own" / "spec.yaml"
    document = read_yaml(spec)
    document["dataset"]["root"] = str(to / "pets")
    document.pop(without, None)
    spec.write_text(dump_yaml(document, stored=True))
    return to / "runs"


def replace_one(root: Path) -> None:
    shutil.copy(root / "train" / "1" / "image 000.png", root / "train" / "0" / "image 000.png")


def reorder(root: Path) -> None:
    """Two classes change places."""
    for part in ("train", "val", "test"):
        for old, new in (("1", "other"), ("2", "1"), ("other", "2")):
            (root / part / old).rename(root / part / new)


def test_images_that_were_changed_since_the_sweep_are_told(home: Path, tmp_path: Path) -> None:
    told = "the data set is not the one that the sweep ran on: images, labels or class names differ"
    forget = sorted(set(wanted(home)) - {"train/0/image 000.png"})[:30]
    assert told not in sweeps.unlearn("own", forget, runs=home / "runs", method="finetune").record["unlike"]
    runs = moved(home, tmp_path / "one", replace_one)
    assert told in sweeps.unlearn("own", forget, runs=runs, method="finetune").record["unlike"]


def test_images_of_which_another_original_would_be_trained_are_refused(home: Path, tmp_path: Path) -> None:
    models = sorted((home / "cache" / "models").iterdir())
    runs = moved(home, tmp_path, replace_one, without="original")
    with pytest.raises(SweepError, match="is not the one that this sweep began with"):
        sweeps.unlearn("own", ["train/1/image 001.png"], runs=runs, method="finetune")
    assert sorted((home / "cache" / "models").iterdir()) == models


def test_an_original_is_looked_at_before_it_is_unlearned_from(home: Path, tmp_path: Path) -> None:
    ids = ["train/1/image 001.png"]
    with pytest.raises(SweepError, match="its classes stand in another order"):
        sweeps.unlearn("own", ids, runs=moved(home, tmp_path / "left", reorder), method="finetune")
    best = tmp_path / "best.yaml"
    best.write_text(dump_yaml(best_params(Sweep.at(load_spec(str(home / "own.yaml")), home / "runs").record())))
    document = read_yaml(home / "own.yaml")
    document |= {"name": "never-run", "dataset": document["dataset"] | {"root": str(tmp_path / "left" / "pets")}}
    with pytest.raises(SweepError, match="its classes stand in another order"):
        sweeps.unlearn(document, ids, runs=home / "runs", method="finetune", params=best)


def test_copies_that_a_request_leaves_out_are_told(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "pets", tmp_path / "pets")
    first, twin = (f"train/0/{name}.png" for name in ("image 000", "a <twin>"))
    shutil.copy(tmp_path / "pets" / first, tmp_path / "pets" / twin)
    text = (home / "own.yaml").read_text().replace("name: own", "name: twins")
    (tmp_path / "twins.yaml").write_text(text.replace(str(home / "pets"), str(tmp_path / "pets")))
    best = tmp_path / "best.yaml"
    best.write_text(dump_yaml(best_params(Sweep.at(load_spec(str(home / "own.yaml")), home / "runs").record())))
    told = (
        "note: 1 training image that was not to be forgotten is the same as listed ones, pixel for pixel, and stays "
        "among the retained: "
    )
    for out, ids, copies in (("one", wanted(home), [twin]), ("both", [*wanted(home), twin], [])):
        chosen = ("--method", "finetune", "--params", str(best))
        result = command(home, tmp_path / out, ids, *chosen, sweep=str(tmp_path / "twins.yaml"))
        assert result.exit_code == 0, result.output
        assert (told + twin in result.output.replace("\n", " ")) == bool(copies)
        assert ("pixel for pixel" in result.output) == bool(copies)
        assert json.loads((tmp_path / out / "record.json").read_text())["asked"]["copies_retained"] == copies
        assert (
            "among the retained: train/0/a &lt;twin&gt;.png" in (tmp_path / out / "record.html").read_text()
        ) == bool(copies)


@pytest.mark.parametrize(
    ("ids", "more", "told"),
    [
        ([], (), "must list at least one id"),
        (["train/0/image 000.png"] * 2, (), "these are there several times: train/0/image 000.png"),
        (["test/0/image 090.png", "0/image 000.png"], (), "these are test images: test/0/image 090.png"),
        (["test/0/image 090.png", "0/image 000.png"], (), "these are none: 0/image 000.png"),
        (["val/0/image 070.png"], (), "these are held out for validation: val/0/image 070.png"),
        (["train/0/image 000.png"], ("--method", "finetun"), "did you mean 'finetune'?"),
        (["train/0/image 000.png"], ("--scenario", "full"), "scenario must be one of the sweep's, got 'full'"),
        (["train/0/image 000.png"], ("--params", "nowhere.yaml"), "nowhere.yaml"),
        (None, (), "it lists all 192 training samples"),
    ],
)
def test_what_cannot_be_served_is_told_before_anything_is_written(
    ids: list[str] | None, more: tuple[str, ...], told: str, home: Path, tmp_path: Path
) -> None:
    result = command(home, tmp_path / "out", wanted(home, 192) if ids is None else ids, *more)
    assert result.exit_code == 2
    assert told in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        ("25", "forget must be a list of ids, or the Path of a file that lists them, got the text '25'"),
        (b"25", "forget must be a list of ids, or the Path of a file that lists them, got the bytes b'25'"),
        ([], "forget must list at least one id"),
        (["5", 2.0, True, None], "ids must be text or whole numbers; these are none: 2.0, True, None"),
        (np.array([5, 25]), "these are none: 5, 25"),
        (iter(["val/0/image 070.png"] * 2), "these are there several times: val/0/image 070.png"),
    ],
)
def test_lists_of_a_notebook_that_are_none(ids: Any, told: str, home: Path) -> None:
    with pytest.raises(IdsError, match=re.escape(told)):
        sweeps.unlearn("own", ids, runs=home / "runs")


def test_stages_of_a_notebook_that_are_none(home: Path) -> None:
    with pytest.raises(SweepError, match=r"stages must be among search, .*, got s, e, a, r, c, h"):
        sweeps.run(sweeps.load_spec(home / "own.yaml"), runs=home / "runs", stages="search")  # type: ignore[arg-type]


def test_overrides_of_what_is_no_file_are_not_passed_over(home: Path) -> None:
    wanted = ["search.trials=77"]
    assert sweeps.load_spec(home / "own.yaml", wanted).search.trials == 77
    for source in (sweeps.load_spec(home / "own.yaml"), read_yaml(home / "own.yaml")):
        with pytest.raises(SweepError, match=r"overrides are of a file or a name; .*, got search\.trials=77"):
            sweeps.load_spec(source, wanted)
    assert sweeps.load_spec(home / "own.yaml", "search.trials=77").search.trials == 77
