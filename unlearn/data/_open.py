"""Opens a data set by its key; options may name places behind URLs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearn.data._base import ImageDataset
from unlearn.registry import find
from unlearn.shared import is_url, local_copy


def open_dataset(name: str, cache: Path, options: Mapping[str, Any]) -> ImageDataset:
    """The data set `name`, decoded into the folder `cache`; what an option's URL names is copied there first.

    Raises:
        DataError: the data cannot be read.
        ShareError: a URL cannot be read.
        TypeError: it does not take its options.
    """
    local = {key: local_copy(value, cache / "sources") if is_url(value) else value for key, value in options.items()}
    data: ImageDataset = find("data", name)(cache=cache, **local)
    return data
