"""YAML as sweep files are read and written: version 1.2's core schema, duplicates refused, bounded."""

from __future__ import annotations

import datetime
import math
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweeps.errors import SpecError, SweepError
from sweeps.spec.document import dump_yaml, kind_of, parse_yaml, read_document, read_stored, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [  # the examples of YAML 1.2.2, section 10.3.2, and what 1.1 takes for something else
        ("0o7", 7),
        ("0x3A", 58),
        ("-19", -19),
        ("0100", 100),
        ("0o14", 12),
        ("+12", 12),
        ("0.", 0.0),
        ("-0.0", -0.0),
        (".5", 0.5),
        ("+12e03", 12000.0),
        ("-2E+05", -200000.0),
        ("1e-5", 1e-5),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("~", None),
        ("null", None),
        ("", None),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2024-01-05", "2024-01-05"),
        ("2024-13-45", "2024-13-45"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!float 1", 1.0),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: object) -> None:
    read = parse_yaml(text)
    assert read == value
    assert type(read) is type(value)
    assert parse_yaml(f"{{a: [{text}]}}")["a"][:1] == ([value] if text else [])


def test_nan_is_a_number() -> None:
    assert math.isnan(parse_yaml(".NaN"))


def test_a_key_is_text_whatever_it_looks_like() -> None:
    assert parse_yaml("{1: a, on: b, null: c, 1e5: d, 2024-01-05: e}") == {
        "1": "a",
        "on": "b",
        "null": "c",
        "1e5": "d",
        "2024-01-05": "e",
    }


def written(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_that_is_given_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n'a': 3\n")
    document = read_document(path)
    assert document.data == {"a": 1, "b": {"c": 1, "d": 2}}
    assert [(p.place, p.key, p.rule) for p in document.problems] == [
        ("line 5", "b.c", "is given twice, first on line 3"),
        ("line 6", "a", "is given twice, first on line 1"),
        ("line 7", "a", "is given twice, first on line 1"),
    ]
    with pytest.raises(SpecError, match=r"file.yaml: 3 errors\n  line 5: b.c: is given twice, first on line 3"):
        read_yaml(path)


def test_the_place_of_a_key_is_its_line_or_that_of_the_nearest_above(tmp_path: Path) -> None:
    document = read_document(written(tmp_path, "a: 1\nmethods:\n- sure\n- scrub: {lr: 1}\n- finetune\n"))
    places = {
        key: document.place_of(key) for key in ("a", "methods.sure", "methods.scrub.lr", "methods.scrub.x.y", "z")
    }
    assert list(places.values()) == ["line 1", "line 3", "line 4", "line 4", ""]
    assert document.place_of("methods.finetune") == "line 5"


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (bomb(9), "must be ≤ 50000 values, aliases written out"),
        (
            "a: &a {p: 1, q: 1, r: 1, s: 1}\n" + "\n".join(f"b{n}: {{<<: *a}}" for n in range(10_000)),
            "must be ≤ 50000 values",
        ),
        ("a: &a [*a]", "must not be nested deeper than 40 levels"),
        ("a: &a {<<: *a}", "must not be nested deeper than 40 levels"),
        ("[" * 42 + "]" * 42, "must not be nested deeper than 40 levels"),
        ("[" * 100_000, "must not be nested deeper than 40 levels"),
        ("{a: " * 5_000, "must not be nested deeper than 40 levels"),
        ("a: " + "x" * 2**20, "must be ≤ 1048576 bytes"),
    ],
    ids=["aliases", "merges", "recursive", "recursive merge", "nested", "deep", "deep mappings", "large"],
)
def test_what_grows_without_bounds_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    with pytest.raises(SweepError) as caught:
        read_yaml(written(tmp_path, text))
    assert rule in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_alias_bomb_is_refused_before_it_has_grown(tmp_path: Path) -> None:
    """9⁸ values would take minutes: that this ends at all is the test."""
    path = written(tmp_path, bomb(30))
    started = time.process_time()
    with pytest.raises(SweepError, match="50000"):
        read_yaml(path)
    assert time.process_time() - started < 60


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1", "line 1, column 6"),
        ("a: 1\n\tb: 2", "line 2, column 1"),
        ("a: b: c", "line 1, column 5"),
        ("a: *nope", "line 1, column 4"),
        ("a: 1\n--- \nb: 2", "line 2, column 1"),
        ("a: \x00", "not valid YAML"),
        ('a: "\\ud800"', "half a surrogate pair"),
        ("a: !!python/object:os.system {}", "is not understood"),
        ("a: !!binary x", "is not understood"),
        ("a: !!int many", "is not understood"),
        ("? [a, b]\n: 1", "a key must be text"),
        ("<<: 5", "must name mappings"),
        ("a: " + "9" * 5000, "fewer digits than 5000"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SweepError) as caught:
        read_yaml(written(tmp_path, text))
    assert told in str(caught.value)


def test_merge_keys_give_way_to_what_is_written_out(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: {x: 4, <<: *a}\n'<<': 5"
    path = written(tmp_path, text)
    read = read_yaml(path)
    assert read["c"] == {"x": 3, "y": 1, "z": 2}
    assert read["d"] == {"x": 4, "y": 1}
    assert read["<<"] == 5


AMBIGUOUS = [
    "1e5",
    "1e-05",
    "0o14",
    "1:30",
    "yes",
    "on",
    "n",
    "Y",
    "0100",
    "1_0",
    "null",
    "~",
    "",
    "2024-01-05",
    "<<",
    "=",
]
AMBIGUOUS += [
    ".5e3",
    "+1",
    "0x1F",
    ".inf",
    "-.INF",
    ".NaN",
    "True",
    "12",
    "1.5",
    "- a",
    "a: b",
    "#x",
    "*a",
    "ä\n",
    "0b1",
]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_text_stays_text_for_readers_of_both_versions(text: str) -> None:
    for data in (text, {text: text}, [text]):
        for stored in (False, True):
            dumped = dump_yaml(data, stored=stored)
            assert parse_yaml(dumped) == data
            assert yaml.safe_load(dumped) == data


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
    | st.sampled_from(AMBIGUOUS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc1.~", max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_what_is_written_reads_back_the_same_in_both_versions(data: Any) -> None:
    dumped = dump_yaml(data)
    assert parse_yaml(dumped) == data
    assert yaml.safe_load(dumped) == data


@given(plain)
def test_what_the_first_version_wrote_reads_back_the_same(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "old.yaml"
    path.write_text(yaml.safe_dump({"data": data}, sort_keys=False, allow_unicode=True), encoding="utf-8")
    assert read_stored(path) == {"data": data}
    path.write_text(dump_yaml({"data": data}, stored=True), encoding="utf-8")
    assert read_stored(path) == {"data": data}


def test_a_stored_file_is_read_by_the_rules_that_it_was_written_by(tmp_path: Path) -> None:
    old = written(tmp_path, "name: 1e5\nday: 2024-01-05\n")
    assert read_stored(old) == {"name": "1e5", "day": datetime.date(2024, 1, 5)}
    assert read_yaml(old) == {"name": 1e5, "day": "2024-01-05"}


@given(st.floats(allow_nan=False) | st.integers(-(10**15), 10**15))
def test_numbers_are_known_by_their_text(value: float) -> None:
    assert kind_of(repr(value).replace("inf", ".inf")) in {"int", "float"}
