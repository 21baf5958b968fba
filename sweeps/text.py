"""Text of others (exceptions, names, typed commands), made fit for storages, files and terminals."""

from __future__ import annotations

import re
from typing import Any

#: Characters that are kept of a text.
LONGEST = 20_000

#: All control characters but tab and newline, and those that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str, longest: int = LONGEST) -> str:
    """`text` as any reader takes it: lone surrogates replaced, control characters escaped, the middle of a long one left out."""
    if len(text) <= longest and text.isprintable():
        return text  # as most are, of thousands of trials
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(_escaped, shortened(text.replace("\r\n", "\n"), longest)))


def shortened(text: str, longest: int) -> str:
    """Head and tail of a text, and how much was left out between them, where it has more than `longest` characters."""
    left_out = len(text) - longest
    if left_out <= 0:
        return text
    head = longest // 2
    return f"{text[:head]} […{left_out:,} characters left out…] {text[len(text) - (longest - head) :]}"


def clean_all(data: Any) -> Any:
    """Plain data with every text in it clean."""
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, dict):
        return {clean_all(key): clean_all(value) for key, value in data.items()}
    return [clean_all(item) for item in data] if isinstance(data, list) else data


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")
