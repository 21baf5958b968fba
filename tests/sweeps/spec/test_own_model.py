"""A user's own network with its checkpoint, held-out images and lists of ids: what is taken, and what is refused at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sweeps.errors import SpecError
from sweeps.jobs.cache import Cache
from sweeps.jobs.original import look_at_original, order_problem
from sweeps.jobs.worker import Worker
from sweeps.plan import ForgetDraw
from sweeps.spec import (
    Spec,
    check_files,
    check_sizes,
    continued,
    dump_yaml,
    load_stored,
    own_code,
    parse_spec,
    stored_spec,
)
from sweeps.spec.compatibility import check_compatible
from sweeps.spec.files import files_in
from tests import own_network
from tests.own_network import MEAN, STD, trained_on_digits, write_ids
from tests.sweeps.conftest import TINY
from unlearn.data import split
from unlearn.data.digits import digits
from unlearn.files import file_digest

NET = "tests.own_network:Net"
MODEL = {"name": NET, "normalise": {"mean": [MEAN], "std": [STD]}}
DATA = digits()
PARTS = split(DATA.train_labels, held_out=0.2, dev=0.5, seed=7)
TRAINED = DATA.ids.names(PARTS.train)
HELD = DATA.ids.names(np.concatenate([PARTS.validation, PARTS.dev]))
Maker = Callable[..., Spec]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "model.pt"
    torch.save({"state_dict": trained_on_digits(list(map(int, TRAINED))).state_dict()}, path)
    return path


@pytest.fixture
def make(tmp_path: Path, weights: Path) -> Maker:
    """The sweep of the own network, with some sections replaced."""

    def spec(**changes: Any) -> Spec:
        body = {
            **TINY,
            "model": MODEL,
            "original": {"weights": str(weights)},
            "held_out": write_ids(tmp_path / "held_out.txt", HELD),
            "scenarios": {"request": {"scenario": "listed", "forget": write_ids(tmp_path / "ids.txt", TRAINED[:30])}},
            **changes,
        }
        return parse_spec(body)

    return spec


def problems(call: Callable[[], object]) -> list[str]:
    with pytest.raises(SpecError) as told:
        call()
    return [str(problem) for problem in told.value.problems]


def test_the_original_is_the_users_own(make: Maker, weights: Path, cache: Path) -> None:
    before = file_digest(weights)
    spec = make()
    check_sizes(spec, cache)
    seen = look_at_original(spec, Cache(cache))
    assert seen is not None
    assert look_at_original(make(precision="auto"), Cache(cache)) == seen
    x, y = own_network.digits_rows()
    network = own_network.Net()
    network.load_state_dict(torch.load(weights, weights_only=True)["state_dict"])
    network.eval()
    for accuracy, ids in ((seen.train, TRAINED), (seen.test, DATA.ids.test)):
        rows = list(map(int, ids))
        expected = 100 * (network(x[rows]).argmax(1) == y[rows]).double().mean().item()
        assert accuracy == pytest.approx(expected, abs=1e-6)

    worker = Worker(spec, Cache(cache))
    task = worker.task(ForgetDraw("request", None, 0), "test")
    data = worker.workspace.task_data(task)
    assert DATA.ids.names(PARTS.train[data.forget.numpy()]) == TRAINED[:30]
    assert len(data.retain) == len(TRAINED) - 30
    reference = worker.workspace.original(task)
    assert reference.key == worker.workspace.reference_key("original", task)
    for name, tensor in reference.model.own_state().items():
        torch.testing.assert_close(tensor, network.state_dict()[name])
    assert file_digest(weights) == before


def test_the_cache_has_it_where_the_file_is_not(make: Maker, weights: Path, tmp_path: Path, cache: Path) -> None:
    copy = tmp_path / "copy.pt"
    copy.write_bytes(weights.read_bytes())
    spec = make(original={"weights": str(copy)})
    look_at_original(spec, Cache(cache))
    copy.unlink()
    assert Worker(stored_spec(json.loads(json.dumps(spec.dump()))), Cache(cache)).workspace.references.given.loaded


def saved(path: Path, network: nn.Module) -> dict[str, str]:
    torch.save(network.state_dict(), path)
    return {"weights": str(path)}


def test_a_model_that_does_not_classify_the_data_is_refused(make: Maker, tmp_path: Path, cache: Path) -> None:
    rows = list(map(int, TRAINED))
    torch.manual_seed(1)
    for network, told in (
        (own_network.Net(), "must classify the data, but on training images it is no better than guessing"),
        (
            trained_on_digits(rows, order=[1, 0, 2, 3, 4, 5, 6, 7, 8, 9]),
            "must classify the data, but it takes most images of 0 for 1, 1 for 0: its classes stand in another order than the "
            "data's, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, got original",
        ),
        (
            trained_on_digits(rows, order=[9, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
            "3 for 4, 4 for 5 and 5 more: its classes stand in another",
        ),
        (
            own_network.Net(classes=7),
            r"these have other shapes: answer.weight (7×24, not 10×24), answer.bias (7, not 10)",
        ),
        (own_network.Net(hidden=5), "these have other shapes: hidden.weight (5×128, not 24×128)"),
        (nn.Linear(3, 3), "it lacks conv.weight"),
    ):
        spec = make(original=saved(tmp_path / "other.pt", network))
        (found,) = problems(lambda spec=spec: look_at_original(spec, Cache(cache)))
        assert told in found, found


def test_orders_are_told_from_plain_mistakes() -> None:
    good = np.diag([10, 10, 10, 10])
    assert order_problem(good, "abcd") == ""
    assert order_problem(good + 9 * (1 - np.eye(4, dtype=int)), "abcd") == ""
    never_learnt = good[[0, 1, 2, 2]]  # all of d are taken for c, none of c for d
    assert order_problem(never_learnt, "abcd") == ""
    assert order_problem(good[[1, 2, 0, 3]], "abcd").startswith("it takes most images of a for b, b for c, c for a:")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scenarios": {"canary": {"tune_size": 60, "sizes": [60]}}}, "original: must be left out for scenarios that alter"),
        ({"original": {"weights": "nowhere.pt"}}, "original.weights: must be a file that can be read: No such file"),
        ({"original": {"weights": 3}}, "original.weights: must be text, got 3"),
        ({"original": {"weight": "x"}}, "original.weight: unknown key — did you mean 'weights'?"),
        ({"held_out": "nowhere.txt"}, "held_out: must be a fraction, or a file that can be read: No such file"),
        ({"held_out": 1.5}, "held_out: must be < 1, got 1.5"),
        ({"held_out": ""}, "held_out: must not be empty"),
        ({"held_out": [1]}, "held_out: must be a number"),
        ({"scenarios": {"listed": {}}}, "scenarios.listed.forget: is required"),
        ({"scenarios": {"listed": {"forget": "no.txt"}}}, "scenarios.listed.forget: must be a file that can be read"),
        ({"scenarios": {"listed": {"forget": __file__, "tune_size": 3}}}, "its size is fixed by the scenario"),
        ({"model": {**MODEL, "normalise": {"mean": [0.1]}}}, "model.normalise.std: is required"),
        ({"model": {**MODEL, "normalise": {"mean": [0.1], "std": [0]}}}, "model.normalise.std: must be > 0"),
        ({"model": {**MODEL, "hiden": 3}}, "model.hiden: unknown key — did you mean 'hidden'?"),
        ({"model": {**MODEL, "hidden": -1}}, "model.hidden: is refused by its constructor: RuntimeError"),
        ({"model": {**MODEL, "head": 3}}, "model.head: must be text, got 3"),
        ({"model": "tests.own_network:digits_rows"}, "must be a class or function that makes a torch.nn.Module, got tuple"),
        ({"metrics": {"best_epoch": ["weight_distance"]}}, "weight_distance is not defined for tests.own_network:Net"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_file_is_told(changes: dict[str, Any], told: str, make: Maker) -> None:
    found = problems(lambda: make(**changes))
    assert any(told in text for text in found), found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"held_out": 0.2}, "held_out: must say which training images the original has not seen, as a fraction cannot"),
        ({"model": {**MODEL, "head": "hidden"}}, "model: the network's output must be the logits of a linear layer"),
        ({"model": {**MODEL, "classes": 4}}, "head 'answer' must give one logit for each of the data set's 10 classes, got 4"),
        ({"model": {**MODEL, "normalise": {"mean": [0, 0, 0], "std": [1]}}}, "model.normalise.mean: must have one value, or"),
        ({"model": "torchvision:vit_b_32"}, "model: the network must take images of 1 × 8 × 8"),
    ],
)  # fmt: skip
def test_what_the_data_cannot_give_is_told(changes: dict[str, Any], told: str, make: Maker, cache: Path) -> None:
    changes = {**changes, **({"original": None} if "model" in changes else {})}
    found = problems(lambda: check_sizes(make(**changes), cache))
    assert any(told in text for text in found), found


def test_all_wrong_ids_are_told_at_once(make: Maker, tmp_path: Path, cache: Path) -> None:
    wrong = [TRAINED[0], TRAINED[0], HELD[0], DATA.ids.test[0], 5000]
    scenarios = {
        "one": {"scenario": "listed", "forget": write_ids(tmp_path / "wrong.txt", wrong)},
        "all": {"scenario": "listed", "forget": write_ids(tmp_path / "all.txt", TRAINED)},
        "none": {"scenario": "listed", "forget": write_ids(tmp_path / "none.txt", [])},
    }
    assert problems(lambda: check_sizes(make(scenarios=scenarios), cache)) == [
        f"scenarios.one: each id must be listed once; these are there several times: {TRAINED[0]}",
        f"scenarios.one: ids must be of training images; these are test images: {DATA.ids.test[0]}",
        "scenarios.one: ids must be row numbers of the training images in "
        f"{min(DATA.ids.train)} … {max(DATA.ids.train)}; these are none: 5000",
        f"scenarios.one: ids must be of images that were trained on; these are held out for validation: {HELD[0]}",
        f"scenarios.all: must leave samples to retain: it forgets all {len(TRAINED)} training samples",
        f"scenarios.none: {tmp_path / 'none.txt'} must list at least one id, and it lists none",
    ]


def test_files_that_change_under_a_sweep_are_told(make: Maker, tmp_path: Path, cache: Path) -> None:
    spec = make()
    assert set(spec.files or {}) == {"original.weights", "held_out", "scenarios.request.forget"}
    assert parse_spec(spec.dump()) == spec
    write_ids(tmp_path / "ids.txt", TRAINED[:29])
    changed = "scenarios.request.forget: must be the file that this sweep began with, and its content differs"
    assert any(changed in text for text in problems(lambda: parse_spec(spec.dump())))
    assert any(changed in text for text in problems(lambda: check_files(spec)))
    with pytest.raises(SpecError, match="content differs"):
        Worker(spec, Cache(cache))
    again = {**spec.dump(), "files": None}
    found = problems(lambda: check_compatible(spec.dump(), parse_spec(again).dump()))
    assert [text.partition(":")[0] for text in found] == ["files.scenarios.request.forget"]


NETWORK = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(x.flatten(1).relu())
"""


def test_another_model_is_trained_where_a_networks_code_has_changed(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net_of_ours.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    sweep = {**TINY, "model": "net_of_ours:Net"}
    spec = parse_spec(sweep)

    def key(of: Spec) -> str:
        worker = Worker(of, Cache(cache))
        return worker.workspace.reference_key("oracle", worker.task(ForgetDraw("partial_class", 40, 0), "dev"))

    before = key(spec)
    assert key(parse_spec(sweep)) == before
    frozen = tmp_path / "spec.yaml"
    frozen.write_text(dump_yaml(spec.dump(), stored=True))
    (tmp_path / "net_of_ours.py").write_text(NETWORK.replace("relu", "sin"))
    changed = parse_spec(sweep)
    assert key(changed) != before
    told = [
        "model.name: must have the code that this sweep began with, in other files too that it uses, and it differs"
    ]
    for refused in (
        lambda: check_compatible(spec.dump(), changed.dump()),
        lambda: load_stored(frozen),
        lambda: Worker(spec, Cache(cache)),  # on a machine that has other code
    ):
        assert [text.partition(", got")[0] for text in problems(refused)] == told
    assert load_stored(frozen, ["name=second"]).code == changed.code
    assert stored_spec(spec.dump()) == spec  # to be looked at


def test_models_that_were_trained_before_code_counted_keep_their_keys() -> None:
    spec = parse_spec({**TINY, "model": NET})
    older = {name: value for name, value in spec.dump().items() if name != "code"}
    assert spec.code is not None
    assert continued(spec, spec.dump()).code == spec.code
    assert continued(spec, older).code is None
    check_compatible(older, continued(spec, older).dump())


def test_another_sweep_begins_with_files_as_they_are_now(make: Maker, tmp_path: Path) -> None:
    frozen = tmp_path / "spec.yaml"
    frozen.write_text(dump_yaml(make().dump(), stored=True))
    write_ids(tmp_path / "ids.txt", TRAINED[:29])
    assert problems(lambda: load_stored(frozen)) != []
    assert load_stored(frozen, ["name=second"]).name == "second"


def test_files_that_lie_elsewhere_now_are_the_same_files(make: Maker, weights: Path, tmp_path: Path) -> None:
    spec = make()
    (tmp_path / "moved").mkdir()
    there = {key: shutil.copy(path, tmp_path / "moved") for key, path in files_in(spec.dump())}
    moved: dict[str, Any] = {
        "original": {"weights": there["original.weights"]},
        "held_out": there["held_out"],
        "scenarios": {"request": {"scenario": "listed", "forget": there["scenarios.request.forget"]}},
    }
    check_compatible(spec.dump(), make(**moved).dump())
    moved["held_out"] = write_ids(tmp_path / "other.txt", HELD[1:])
    found = problems(lambda: check_compatible(spec.dump(), make(**moved).dump()))
    assert [text.partition(":")[0] for text in found] == ["held_out", "files.held_out"]


def test_files_come_and_go_with_their_scenarios(make: Maker, tmp_path: Path) -> None:
    spec = make()
    more = make(scenarios={"other": {"scenario": "listed", "forget": write_ids(tmp_path / "more.txt", TRAINED[:5])}})
    check_compatible(spec.dump(), more.dump())
    check_compatible(parse_spec(TINY).dump(), parse_spec(TINY).dump())
    assert "files" not in parse_spec(TINY).dump()


def test_code_of_libraries_is_no_code_of_ones_own() -> None:
    assert own_code({"model": "torchvision:resnet18", "dataset": "tests.own:data"}) == ["tests.own:data"]
