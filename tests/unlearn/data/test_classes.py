import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearn.data._classes import class_index, few, natural
from unlearn.errors import DataError

PETS = ("cat", "dog", "hamster")
FOLDERS = tuple(map(str, range(1, 11)))
DIGITS = tuple(map(str, range(10)))
YEARS = ("2019", "2020", "2021")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["10", "2", "1"], ["1", "2", "10"]),
        (["img12b", "img2a", "img2"], ["img2", "img2a", "img12b"]),
        (["b", "a", "10", "A"], ["10", "A", "a", "b"]),
        (["02", "2", "1"], ["1", "02", "2"]),
        (["2-10", "2-9", "2"], ["2", "2-9", "2-10"]),
        (["²", "1"], ["1", "²"]),
    ],
)
def test_natural_order(names, expected):
    assert sorted(names, key=natural) == expected


@given(st.lists(st.text(max_size=6), max_size=8))
def test_natural_order_is_total(names):
    assert sorted(names, key=natural) == sorted(names[1:] + names[:1], key=natural)


@pytest.mark.parametrize(
    ("wanted", "names", "index"),
    [
        ("dog", PETS, 1),
        (0, PETS, 0),
        (3, DIGITS, 3),
        ("3", DIGITS, 3),
        ("1", FOLDERS, 0),
        ("10", FOLDERS, 9),
        (10, FOLDERS, 9),  # no position, so only the name can be meant
        (2020, YEARS, 1),
        (1, ("00", "01", "02"), 1),
        (1, ("1st", "2nd"), 1),
    ],
)
def test_a_class_by_name_or_position(wanted, names, index):
    assert class_index(wanted, names) == index


@pytest.mark.parametrize(
    ("wanted", "names", "message"),
    [
        ("dgo", PETS, "no class is named 'dgo': did you mean 'dog'"),
        ("xyz", tuple(map(str, range(500))), r"valid: 0, 1, 2, 3, 4 and 495 more$"),
        ("1", PETS, "without quotes it is the class at position 1, 'dog'"),
        (3, PETS, r"position in 0 … 2, got 3"),
        (-1, PETS, r"position in 0 … 2, got -1"),
        (1, FOLDERS, "1 may mean the class at position 1, which is '2', or the class named '1'.*'1' or '2'"),
        (0, FOLDERS, "0 may mean the class at position 0, which is '1', or a class named '0', which there is not"),
        (1, ("01", "02", "03"), "'01' or '02'"),
        (True, PETS, "a class must be a name or a position, got True"),
        ([0], PETS, r"a class must be a name or a position, got \[0\]"),
        (1.0, PETS, "a class must be a name or a position, got 1.0"),
        (2, ("cat", "2", "dog"), "2 may mean the class at position 2, which is 'dog', or the class named '2'"),
    ],
)
def test_what_is_not_one_class_is_refused(wanted, names, message):
    with pytest.raises(DataError, match=message):
        class_index(wanted, names)


def test_a_list_is_short():
    assert few(range(3)) == "0, 1, 2"
    assert few(range(10**5)) == "0, 1, 2, 3, 4 and 99,995 more"
