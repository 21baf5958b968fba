"""Classes by name or by position: which one is meant, and in which order they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from unlearn.errors import DataError, suggest

#: A class as a user names it: by its name, or by its position from 0.
ClassName = int | str

FEW = 5


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A key that sorts names as people do: runs of digits by their number (`2` before `10`), all else as text."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), "") if p[0] in "0123456789" else (1, 0, p) for p in parts], name


def few(names: Iterable[object]) -> str:
    """The first of them, and how many more there are."""
    listed = [str(name) for name in names]
    more = len(listed) - FEW
    return ", ".join(listed[:FEW]) + (f" and {more:,} more" if more > 0 else "")


def class_index(wanted: ClassName, names: Sequence[str]) -> int:
    """The position of the class that `wanted` means among `names`.

    Text is a name. A number is a position, unless names are numbers themselves and another class might be meant by it; where
    it is no position, it is the name that reads so.

    Raises:
        DataError: there is no such class, or two may be meant.
    """
    if isinstance(wanted, str):
        return _named(wanted, names)
    if type(wanted) is not int:
        raise DataError(f"a class must be a name or a position, got {wanted!r}")
    named = [i for i, name in enumerate(names) if re.fullmatch("[0-9]+", name) and int(name) == wanted]
    if not 0 <= wanted < len(names):
        if len(named) == 1:
            return named[0]
        raise DataError(f"a class must be a name, or a position in 0 … {len(names) - 1}, got {wanted}")
    at = names[wanted]
    if named == [wanted] or (not named and not re.fullmatch("[0-9]+", at)):
        return wanted
    other = f"the class named {names[named[0]]!r}" if named else f"a class named '{wanted}', which there is not"
    raise DataError(
        f"{wanted} may mean the class at position {wanted}, which is {at!r}, or {other}: write the name in quotes, "
        + (f"'{at}'" if not named else f"{names[named[0]]!r} or {at!r}")
    )


def _named(wanted: str, names: Sequence[str]) -> int:
    if wanted in names:
        return names.index(wanted)
    near = suggest(wanted, names)
    hint = f"valid: {few(names)}" if near.startswith("valid:") else near
    if re.fullmatch("[0-9]+", wanted) and int(wanted) < len(names):
        hint = f"without quotes it is the class at position {wanted}, {names[int(wanted)]!r}"
    raise DataError(f"no class is named {wanted!r}: {hint}")


__all__ = ["ClassName", "class_index", "few", "natural"]
