"""Secrets in URLs: told apart from the rest, and masked wherever a URL is shown or kept."""

from __future__ import annotations

import re

#: A text that is a URL, perhaps that of a key or an option: spaces are part of it.
_URL = re.compile(r"\s*(?:[^\s:/=]+=)?[A-Za-z][\w+.-]*://")
_NAMES = "token|password|passwd|pwd|secret|key|sig|odbc_connect"


def _patterns(end: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A password and a parameter of a URL that ends at such a character; a password at the last @, as a user may be `me@corp`."""
    password = rf"(://[^:/{end}]*):[^{end}]+@"
    return re.compile(password), re.compile(rf"([?&](?!sslkey=)[^=&\s]*(?:{_NAMES})[^=&\s]*=)[^&{end}]+", re.IGNORECASE)


_ALONE, _AMONG_WORDS = _patterns(r"\0"), _patterns(r"\s")


def holds_secret(url: str) -> bool:
    """Whether a URL has a password, or a parameter that sounds like one."""
    return mask(url) != url


def mask(text: str) -> str:
    """`text` with the password of any URL in it, and parameters that sound like one, replaced by ***."""
    password, parameter = _ALONE if _URL.match(text) else _AMONG_WORDS
    return parameter.sub(r"\1***", password.sub(r"\1:***@", text))
