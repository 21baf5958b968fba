"""Opens a data set by its key; options may name places behind URLs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearn.data._base import ImageDataset, Look
from unlearn.errors import DataError
from unlearn.registry import find
from unlearn.shared import is_url, local_copy

#: Options that say where a data set lies. Any other option is the data set's own business.
LOCATIONS = ("root", "path")


def open_dataset(name: str, cache: Path, options: Mapping[str, Any]) -> ImageDataset:
    """The data set `name`, decoded into the folder `cache`; what the URL in a `root` or `path` names is copied there first.

    Raises:
        DataError: the data cannot be read.
        ShareError: a URL cannot be read.
        TypeError: it does not take its options.
    """
    local = {key: local_copy(options[key], cache / "sources") for key in LOCATIONS if is_url(options.get(key))}
    data: ImageDataset = find("data", name)(cache=cache, **{**options, **local})
    return data


def look_at(name: str, cache: Path, options: Mapping[str, Any]) -> Look | None:
    """What can be told of a data set without decoding it, by the function `look` beside its own.

    None where there is none, as for data sets of users, or where the data lies behind a URL.

    Raises:
        TypeError: it does not take its options.
    """
    look = getattr(sys.modules[find("data", name).__module__], "look", None)
    if look is None or any(is_url(options.get(key)) for key in LOCATIONS):
        return None
    try:
        seen: Look = look(cache=cache, **options)
    except DataError as error:
        return Look((str(error),))
    return seen
