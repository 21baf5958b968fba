import logging
import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from unlearn.files import locked, write_atomically
from unlearn.training import ModelStore, TrainingCost, content_key
from unlearn.training.store import _metadata

COST = TrainingCost(seconds=1.5, samples=640)
FACTS = {"kind": "oracle", "recipe": {"epochs": 3}}


def state():
    return {
        "weight": torch.arange(6.0).view(2, 3).contiguous(),
        "images": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "half": torch.rand(3).bfloat16(),
        "count": torch.tensor(7),
    }


def trained():
    return state(), COST


def forbidden():
    pytest.fail("trained again")


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def stored(store, key="abc"):
    store.train_or_load(key, trained, FACTS)
    return store.path(key)


def test_what_was_trained_is_loaded(store):
    expected = state()
    first = store.train_or_load("abc", lambda: (expected, COST), FACTS)
    second = store.train_or_load("abc", forbidden, FACTS)

    assert (first.loaded, second.loaded) == (False, True)
    assert second.cost == COST
    assert second.state.keys() == expected.keys()
    assert all(torch.equal(second.state[name], expected[name]) for name in expected)
    assert list(store.keys()) == ["abc"]
    assert store.facts("abc") == {**FACTS, "seconds": 1.5, "samples": 640}


def test_what_was_never_trained_is_absent(store):
    assert store.load("abc") is None
    assert store.facts("abc") is None
    assert list(store.keys()) == []


def test_tied_weights_are_stored_under_each_of_their_names(store):
    tied = torch.rand(2, 3)
    stored = {"first": tied, "second": tied, "part": tied[:1]}
    store.train_or_load("abc", lambda: (stored, COST), FACTS)
    found = store.load("abc").state
    assert {name: tensor.tolist() for name, tensor in found.items()} == {n: t.tolist() for n, t in stored.items()}


def flip_last_byte(raw):
    return raw[:-1] + bytes([raw[-1] ^ 1])


DAMAGES = {
    "a flipped bit": flip_last_byte,
    "a shorter training time": lambda raw: raw.replace(b"1.5", b"0.5"),
    "truncated": lambda raw: raw[:-10],
    "empty": lambda raw: b"",
    "not a model": lambda raw: b"x" * len(raw),
    "no checksum": lambda raw: raw.replace(b"checksum", b"checkers"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("ask", ["load", "train_or_load"])
def test_damage_is_set_aside_reported_and_rebuilt(store, caplog, damage, ask):
    path = stored(store)
    raw = path.read_bytes()
    assert damage(raw) != raw
    path.write_bytes(damage(raw))

    assert store.facts("abc") is None or path.stat().st_size == len(raw)  # its header may be whole
    with caplog.at_level(logging.WARNING):
        if ask == "load":
            assert store.load("abc") is None
        rebuilt = store.train_or_load("abc", trained, FACTS)
    assert not rebuilt.loaded
    assert "abc.safetensors is damaged" in caplog.text
    (aside,) = store.folder.glob("abc.damaged-*")
    assert aside.read_bytes() == damage(raw)
    assert store.train_or_load("abc", forbidden, FACTS).loaded


def test_a_model_under_anothers_name_is_not_taken_for_it(store, caplog):
    path = stored(store)
    path.rename(store.path("xyz"))
    with caplog.at_level(logging.WARNING):
        assert not store.train_or_load("xyz", trained, FACTS).loaded
    assert "xyz.safetensors is damaged (it is the model abc)" in caplog.text


def test_a_model_of_an_older_version_which_does_not_say_its_key_is_loaded(store):
    path = stored(store)
    tensors, header = load_tensors(path.read_bytes()), _metadata(path.read_bytes())
    assert header.pop("key") == "abc"
    path.write_bytes(save_tensors(tensors, header))
    assert store.train_or_load("abc", forbidden, FACTS).loaded


def test_a_file_that_another_process_has_just_rebuilt_is_not_set_aside(store):
    path = stored(store)
    good = path.read_bytes()
    path.write_bytes(flip_last_byte(good))
    found = []
    with locked(store.folder / "abc.lock"):  # the other process is rebuilding; ours has read the damage, and waits
        reader = threading.Thread(target=lambda: found.append(store.load("abc")))
        reader.start()
        time.sleep(0.2)
        assert reader.is_alive()
        write_atomically(path, good)
    reader.join(10)

    assert found[0] is not None
    assert found[0].loaded
    assert list(store.folder.glob("*.damaged-*")) == []


def _train_slowly(arguments):
    folder, log = arguments

    def train():
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.5)
        return trained()

    return ModelStore(folder).train_or_load("abc", train, {}).loaded


def test_two_processes_train_once(store, tmp_path):
    log = tmp_path / "log"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        other = pool.apply_async(_train_slowly, [(store.folder, log)])
        while not other.ready() and not log.exists():  # this one comes while the other trains
            time.sleep(0.01)
        loaded = [_train_slowly((store.folder, log)), other.get()]

    assert sorted(loaded) == [False, True]
    assert len(log.read_text().splitlines()) == 1


def test_a_failed_training_leaves_nothing_and_releases_its_lock(store):
    def fail():
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        store.train_or_load("abc", fail, {})

    assert [f.name for f in store.folder.iterdir()] == ["abc.lock"]
    assert not store.train_or_load("abc", trained, {}).loaded


def test_what_a_killed_process_left_is_swept_away(store):
    store.folder.mkdir(parents=True)
    stale, of_another = store.folder / ".abc.safetensors.0a1b.tmp", store.folder / ".xyz.safetensors.0a1b.tmp"
    stale.touch()
    of_another.touch()
    stored(store)

    assert not stale.exists()
    assert of_another.exists()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_):
        raise OSError("no space left on device")

    monkeypatch.setattr("unlearn.files.os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_called_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "best.yaml").mkdir()
    with pytest.raises(OSError, match="directory") as caught:
        write_atomically(tmp_path / "best.yaml", b"x")
    assert caught.value.filename == str(tmp_path / "best.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["best.yaml"]


def test_writers_of_one_file_never_mix(tmp_path):
    path = tmp_path / "deep" / "file"
    contents = [bytes([i]) * 100_000 for i in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert path.read_bytes() in contents
    assert [Path(f).name for f in path.parent.iterdir()] == ["file"]


def test_equal_content_has_an_equal_key():
    assert content_key({"a": 1, "b": [1, 2]}) == content_key({"b": (1, 2), "a": 1})
    assert len(content_key({})) == 32
    keys = [content_key(c) for c in ({}, {"a": 1}, {"a": 2}, {"b": 1}, {"a": "1"}, {"a": [1]}, {"a": 1.5})]
    assert len(set(keys)) == len(keys)
