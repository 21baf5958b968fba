"""Ids of images as the user has them, and the files that list them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from unlearn.data import Ids, IdsError, ids_digest, look_at, open_dataset, read_ids, splits_of
from unlearn.data.digits import digits

NAMES = [f"train/{name}/{i}.png" for name in ("cat", "dog") for i in range(4)]


def tree(root: Path, *parts: str) -> Path:
    for part in ("train", "test", *parts):
        for name in ("cat", "dog"):
            for i in range(4 if part == "train" else 2):
                file = root / part / name / f"{i}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                value = 16 * len(list(root.rglob("*.png")))
                Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(file)
    return root


def test_row_numbers_of_digits_are_those_of_scikit_learn() -> None:
    data, bundle = digits(), load_digits()
    rows = data.ids.rows([f"0{data.ids.train[3]}", str(data.ids.train[-1])])
    assert rows.tolist() == [3, len(data.train_labels) - 1]
    for row in rows:
        original = int(data.ids.train[row])
        np.testing.assert_array_equal(data.train_images[row, 0], np.rint(bundle.images[original] * 255 / 16))
    assert sorted(map(int, [*data.ids.train, *data.ids.test])) == list(range(1797))
    with pytest.raises(IdsError, match=f"these are test images: {data.ids.test[0]}"):
        data.ids.rows([str(data.ids.test[0])])


def test_file_names_are_relative_to_the_folder(tmp_path: Path) -> None:
    root = tree(tmp_path / "pets")
    data = open_dataset("image_folder", tmp_path / "cache", {"root": str(root)})
    wanted = ["train/dog/1.png", f"{root}/train/cat/0.png", "./train/cat/3.png"]
    assert data.ids.rows(wanted).tolist() == [5, 0, 3]
    assert data.ids.names([5, 0]) == ["train/dog/1.png", "train/cat/0.png"]
    assert list(data.ids.train) == NAMES
    looked = look_at("image_folder", tmp_path / "cache", {"root": str(root)})
    assert looked is not None
    assert looked.ids == data.ids


def test_an_accent_may_be_a_letters_own_or_stand_behind_it(tmp_path: Path) -> None:
    """As in lists made on one system of files that another one named."""
    ids = Ids(
        ["train/ca\u0301t/1.png", "train/caf\u00e9/1.png", "train/o\u0308/1.png", "train/\u00f6/1.png"], (), tmp_path
    )
    both = ["train/c\u00e1t/1.png", f"{tmp_path}/train/cafe\u0301/1.png", "train/\u00f6/1.png", "train/o\u0308/1.png"]
    assert ids.rows(both).tolist() == [0, 1, 3, 2]
    with pytest.raises(IdsError, match="these are there several times"):
        ids.rows(["train/caf\u00e9/1.png", "train/cafe\u0301/1.png"])


def test_every_wrong_id_is_told_at_once() -> None:
    ids = Ids(NAMES, ["test/cat/0.png"], Path("/data"))
    with pytest.raises(IdsError) as told:
        ids.rows(["train/cat/0.png", "train/cat/0.png", "test/cat/0.png", "cat/0.png", "/elsewhere/1.png"])
    assert told.value.problems == (
        "each id must be listed once; these are there several times: train/cat/0.png",
        "ids must be of training images; these are test images: test/cat/0.png",
        "ids must be file names relative to /data, such as train/cat/0.png; these are none: cat/0.png, /elsewhere/1.png",
    )
    with pytest.raises(IdsError, match=r"row numbers of the training images in 0 … 9; these are none: 10, -1, x, 1\.0"):
        Ids.of_rows(10).rows(["10", "-1", "x", "1.0", "9"])
    with pytest.raises(IdsError, match=r"198, 199 and 60 more$"):
        Ids.of_rows(10).rows(list(map(str, range(180, 260))))


@pytest.mark.parametrize(
    ("name", "text", "column", "ids"),
    [
        ("ids.txt", "3\n\n 4 \r\n5", None, ["3", "4", "5"]),
        ("ids.txt", "\ufeffa b.png\n#1.png", None, ["a b.png", "#1.png"]),
        ("ids.csv", "id,why\n3,left\n4,", None, ["3", "4"]),
        ("ids.csv", "file\n3\n4\n", None, ["3", "4"]),
        ("ids.csv", "id\n3,\n4, ,\n", None, ["3", "4"]),
        ("ids.csv", "file.name\n3\n4\n", None, ["3", "4"]),
        ("ids.CSV", 'who,file\n1,"a,b.png"\n2,c.png\n', "file", ["a,b.png", "c.png"]),
        ("ids.txt", "who,file\n1,a\n", "file", ["a"]),
    ],
)
def test_lists_are_read(name: str, text: str, column: str | None, ids: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert read_ids(tmp_path / name, column) == ids


@pytest.mark.parametrize(
    ("content", "column", "told"),
    [
        (b"\n \n", None, "must list at least one id"),
        (b"\xff\xfe\x00", None, "must be text in UTF-8"),
        (b"who,file\n1,a\n", None, "must have a column 'id', got who, file: name the one with the ids"),
        (b"who,file\n1,a\n", "files", "must have a column 'files', got who, file"),
        (b"", None, "must have a column 'id', got none"),
        (b"id,who\n3,a\n ,b\n,\n,c\n", None, "must have an id in each row, and these have none: 2, 4"),
        (b'id,who\n3,"a\n4,b\n5,c\n', None, "must be a CSV file: unexpected end of data"),
        (b"id\n3,4\n5\n6, 7,8\n", None, "must have no more values in a row than columns, and these have more: 1, 3 "),
        (b"id,who,id\n3,a,4\n", None, "must have one column 'id', and has 2 of that name"),
        (b"3\n4\n5\n", None, "must begin with its columns' names, and begins with '3', which is like an id"),
        (b"train/cat/0.png\ntrain/cat/1.png\n", None, "begins with 'train/cat/0.png', which is like an id"),
        (b"a 1.JPG\na 2.JPG\n", None, "begins with 'a 1.JPG', which is like an id"),
        (b"5.0,\n7.0,\n", None, "begins with '5.0', which is like an id"),
        (b"\xef\xbb\xbfid;who\r\n3;a\r\n", None, "must have commas between its columns, and begins with 'id;who'"),
        (b"who\tid\na\t3\n", "id", "must have commas between its columns"),
        (None, None, "cannot be read: No such file"),
    ],
)
def test_files_that_list_nothing_are_told(content: bytes | None, column: str | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / ("ids.txt" if told.startswith(("must list", "must be text")) else "ids.csv")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IdsError, match=told):
        read_ids(path, column)


def test_the_digest_is_of_the_set() -> None:
    assert ids_digest(["b", "a"]) == ids_digest(["a", "b"]) != ids_digest(["ab"])


def test_a_validation_folder_leaves_all_training_images_to_train_on(tmp_path: Path) -> None:
    root = tree(tmp_path / "pets", "val")
    options = {"root": str(root), "validation": "val"}
    data = open_dataset("image_folder", tmp_path / "cache", options)
    splits = splits_of(data, held_out=0.2, dev=0.5, seed=0)
    assert data.ids.names(splits.train) == NAMES
    held = data.ids.names([*splits.validation, *splits.dev])
    assert sorted(held) == [f"val/{name}/{i}.png" for name in ("cat", "dog") for i in range(2)]
    assert splits.sizes(data.train_labels, [1]) == {"train": 4, "validation": 1, "dev": 1}
    for row in (0, 9):
        with Image.open(root / data.ids.names([row])[0]) as image:
            assert np.asarray(image)[0, 0, 0] == data.train_images[row, 0, 0, 0]
    assert data.description.startswith("8 training, 4 validation and 4 test images of 2 classes")
    looked = look_at("image_folder", tmp_path / "cache", options)
    assert looked is not None
    assert looked.train_labels is not None
    assert looked.train_labels.tolist() == data.train_labels.tolist() == [0] * 4 + [1] * 4 + [0, 0, 1, 1]
    without = open_dataset("image_folder", tmp_path / "cache", {"root": str(root)})
    assert len(without.train_labels) == 8
    assert without.held_out is None


@pytest.mark.parametrize("name", ["../pets", "train", "nowhere", "/etc"])
def test_a_validation_folder_stands_beside_the_training_images(name: str, tmp_path: Path) -> None:
    root = tree(tmp_path / "pets")
    looked = look_at("image_folder", tmp_path / "cache", {"root": str(root), "validation": name})
    assert looked is not None
    assert any(
        "validation must name a folder" in p or "expected a folder of class folders" in p for p in looked.problems
    )


def test_held_out_images_may_be_listed(tmp_path: Path) -> None:
    data = open_dataset("image_folder", tmp_path / "cache", {"root": str(tree(tmp_path / "pets"))})
    held = ["train/cat/1.png", "train/dog/0.png", "train/dog/2.png"]
    (tmp_path / "held.txt").write_text("\n".join(held))
    splits = splits_of(data, held_out=str(tmp_path / "held.txt"), dev=0.5, seed=0)
    assert sorted(data.ids.names([*splits.validation, *splits.dev])) == held
    assert data.ids.names(splits.train) == [name for name in NAMES if name not in held]
    assert splits.sizes(data.train_labels, [1]) == {"train": 2, "validation": 1, "dev": 1}
