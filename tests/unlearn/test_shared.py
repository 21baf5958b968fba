"""A folder behind a URL: files appear in it whole, machines without a common disk exchange models, errors say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from torch import Tensor

from unlearn.data import open_dataset
from unlearn.shared import SharedFolder, ShareError, local_copy
from unlearn.training import ModelStore, TrainingCost

Trainer = Callable[[], tuple[dict[str, Tensor], TrainingCost]]


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield f"file://{tmp_path}/share" if request.param == "file" else "memory://share"
    if request.param == "memory":
        fsspec.filesystem("memory").rm("/", recursive=True)


def trainer(value: float) -> Trainer:
    return lambda: ({"weight": torch.tensor([value])}, TrainingCost(1.0, 10))


def never() -> tuple[dict[str, Tensor], TrainingCost]:
    raise AssertionError("it is there already")


def test_files_come_back_as_they_were(url: str, tmp_path: Path) -> None:
    share = SharedFolder(url)
    (tmp_path / "one").write_bytes(b"1")
    assert not share.fetch("a", tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()
    share.publish(tmp_path / "one", "a")
    assert share.fetch("a", tmp_path / "deep" / "fetched")
    assert (tmp_path / "deep" / "fetched").read_bytes() == b"1"
    share.remove("a")
    assert not share.fetch("a", tmp_path / "deep" / "again")
    assert {p.name for p in (tmp_path / "deep").iterdir()} == {"fetched"}
    fs, root = fsspec.url_to_fs(url)
    assert fs.find(root) == []


def test_a_model_is_known_and_deleted_everywhere(url: str, tmp_path: Path) -> None:
    here, there = (ModelStore(tmp_path / name, SharedFolder(url)) for name in ("here", "there"))
    assert not here.has("k")
    here.train_or_load("k", trainer(1.0), {})
    assert there.has("k")
    assert there.delete("k") == 0  # it had no copy of its own
    assert here.has("k")
    assert here.delete("k") > 0
    assert not here.has("k")
    assert not there.train_or_load("k", trainer(2.0), {}).loaded


def test_what_was_deleted_under_a_worker_is_shared_again(url: str, tmp_path: Path) -> None:
    worker = ModelStore(tmp_path / "here", SharedFolder(url))
    worker.train_or_load("k", trainer(1.0), {})
    ModelStore(tmp_path / "here", SharedFolder(url)).delete("k")
    assert not worker.train_or_load("k", trainer(2.0), {}).loaded
    assert ModelStore(tmp_path / "there", SharedFolder(url)).train_or_load("k", never, {}).state["weight"].item() == 2.0


def test_what_one_machine_trains_another_loads(url: str, tmp_path: Path) -> None:
    here, there = (ModelStore(tmp_path / name, SharedFolder(url)) for name in ("here", "there"))
    assert not here.train_or_load("k", trainer(1.0), {}).loaded
    found = there.train_or_load("k", never, {})
    assert found.loaded
    assert found.state["weight"].item() == 1.0
    assert found.cost == TrainingCost(1.0, 10)
    assert there.path("k").exists()  # next time without the share


def test_the_shared_model_is_everybodys(url: str, tmp_path: Path) -> None:
    for name, value in (("here", 1.0), ("there", 2.0)):  # both trained it before they shared anything
        ModelStore(tmp_path / name).train_or_load("k", trainer(value), {})
    first = ModelStore(tmp_path / "here", SharedFolder(url)).train_or_load("k", never, {})
    second = ModelStore(tmp_path / "there", SharedFolder(url)).train_or_load("k", never, {})
    third = ModelStore(tmp_path / "elsewhere", SharedFolder(url)).train_or_load("k", never, {})
    assert [found.state["weight"].item() for found in (first, second, third)] == [1.0, 1.0, 1.0]
    assert ModelStore(tmp_path / "there").train_or_load("k", never, {}).state["weight"].item() == 1.0


def test_of_two_that_train_at_once_both_keep_the_first(url: str, tmp_path: Path) -> None:
    here, there = (ModelStore(tmp_path / name, SharedFolder(url)) for name in ("here", "there"))

    def slow() -> tuple[dict[str, Tensor], TrainingCost]:
        here.train_or_load("k", trainer(1.0), {})  # the other machine was quicker
        return trainer(2.0)()

    assert there.train_or_load("k", slow, {}).state["weight"].item() == 1.0
    assert there.train_or_load("k", never, {}).state["weight"].item() == 1.0


def test_a_damaged_shared_model_is_trained_again_and_replaced(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad").write_bytes(b"not a model")
    share = SharedFolder(url)
    share.publish(tmp_path / "bad", "k.safetensors")
    store = ModelStore(tmp_path / "here", share)
    assert store.train_or_load("k", trainer(3.0), {}).state["weight"].item() == 3.0
    assert "is damaged" in caplog.text
    assert ModelStore(tmp_path / "there", share).train_or_load("k", never, {}).state["weight"].item() == 3.0


def test_data_behind_a_url_is_copied_once_and_again_when_it_changes(url: str, tmp_path: Path) -> None:
    fs, root = fsspec.url_to_fs(url)
    rng = np.random.default_rng(0)

    def put(n: int) -> None:
        arrays = {
            "x_train": rng.integers(0, 256, (n, 4, 4), np.uint8),
            "y_train": np.arange(n) % 2,
            "x_test": rng.integers(0, 256, (4, 4, 4), np.uint8),
            "y_test": np.arange(4) % 2,
        }
        np.savez(tmp_path / "data.npz", **arrays)
        fs.makedirs(root, exist_ok=True)
        fs.put_file(str(tmp_path / "data.npz"), f"{root}/data.npz")

    put(10)
    options = {"path": f"{url}/data.npz"}
    first = open_dataset("arrays", tmp_path / "cache", options)
    assert len(first.train_labels) == 10
    copies = list((tmp_path / "cache" / "sources").glob("*/data.npz"))
    again = open_dataset("arrays", tmp_path / "cache", options)
    assert again.fingerprint == first.fingerprint
    assert list((tmp_path / "cache" / "sources").glob("*/data.npz")) == copies
    put(10)  # of the same size
    assert open_dataset("arrays", tmp_path / "cache", options).fingerprint != first.fingerprint

    folder = local_copy(url, tmp_path / "trees")
    assert (folder / "data.npz").read_bytes() == (tmp_path / "data.npz").read_bytes()


@pytest.mark.parametrize(("bad", "why"), [("nope://x", "Protocol not known"), ("s3://bucket/x", "s3fs")])
def test_a_url_that_nothing_opens(bad: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ShareError, match=why):
        SharedFolder(bad)
    with pytest.raises(ShareError, match=why):
        local_copy(bad, tmp_path)


def test_nothing_behind_a_url(tmp_path: Path) -> None:
    with pytest.raises(ShareError, match="none"):
        local_copy(f"file://{tmp_path}/none", tmp_path / "copies")
