"""Secrets in URLs: told apart from the rest, and masked wherever a URL is shown or kept."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]+@")
_PARAMETER = re.compile(r"([?&][^=&\s]*(?:token|password|secret|key|sig)[^=&\s]*=)[^&\s]+", re.IGNORECASE)


def holds_secret(url: str) -> bool:
    """Whether a URL has a password, or a parameter that sounds like one."""
    return mask(url) != url


def mask(text: str) -> str:
    """`text` with the password of any URL in it, and parameters that sound like one, replaced by ***."""
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))
