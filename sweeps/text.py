"""Text of others (exceptions, names, typed commands), made fit for storages, files and terminals."""

from __future__ import annotations

import re
from typing import Any

#: Characters that are kept of a text.
LONGEST = 20_000
#: Of a reason in one line.
BRIEF = 400

#: All control characters but tab and newline, and those that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
#: Where in a traceback a call stands.
_FRAME = re.compile(r'  File ".*", line \d+')
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str, longest: int = LONGEST) -> str:
    """`text` as any reader takes it: lone surrogates replaced, control characters escaped, the middle of a long one left out."""
    if len(text) <= longest and text.isprintable():
        return text  # as most are, of thousands of trials
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(_escaped, shortened(text.replace("\r\n", "\n"), longest)))


def shortened(text: str, longest: int) -> str:
    """Head and tail of a text, and how much was left out between them, where it has so many more than `longest` characters that
    this makes it shorter."""
    left_out = len(text) - longest
    head = longest // 2
    said = f" […{left_out:,} characters left out…] "
    if left_out <= len(said):
        return text  # it would be no shorter
    return f"{text[:head]}{said}{text[len(text) - (longest - head) :]}"


def in_brief(reason: str) -> str:
    """A trial's reason in a line of about `BRIEF` characters: of a traceback the exception, all lines of it, of other text the
    last line."""
    lines = reason.strip().splitlines() or [""]
    frames = [number for number, line in enumerate(lines) if _FRAME.match(line)]
    after = range(frames[-1] + 1, len(lines)) if frames else ()
    first = next((number for number in after if lines[number][:1].strip()), len(lines) - 1)
    return shortened(" ".join(filter(None, map(str.strip, lines[first:]))), BRIEF)


def clean_all(data: Any) -> Any:
    """Plain data with every text in it clean."""
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, dict):
        return {clean_all(key): clean_all(value) for key, value in data.items()}
    return [clean_all(item) for item in data] if isinstance(data, list) else data


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")
