"""Finds a method, data set, model, scenario or metric by its key.

A key is a file name: `scrub` is the public class (or function) of `unlearn/methods/scrub.py`. A component from elsewhere is named
`package.module:Name`, or registered as an entry point in the group `unlearn.<folder>`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from unlearn.errors import UnknownNameError

KINDS = {
    "methods": "method",
    "data": "data set",
    "models": "model",
    "scenarios": "scenario",
    "metrics": "metric",
}


@cache
def keys(folder: str) -> tuple[str, ...]:
    """The keys of one folder, sorted; nothing in it is imported beyond the folder itself."""
    package = importlib.import_module(f"unlearn.{folder}")
    own = [m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")]
    return tuple(sorted({*own, *(e.name for e in entry_points(group=f"unlearn.{folder}"))}))


@cache
def find(folder: str, key: str) -> Any:
    """The class or function that `key` names in `folder`.

    Raises:
        UnknownNameError: nothing is registered under that key.
    """
    if ":" in key:
        module_name, _, attribute = key.partition(":")
        try:
            return getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError, ValueError, TypeError) as error:  # the last two: "" or ".name" as a module
            raise UnknownNameError(KINDS[folder], key, keys(folder)) from error
    for entry in entry_points(group=f"unlearn.{folder}"):
        if entry.name == key:
            return entry.load()
    if key not in keys(folder):
        raise UnknownNameError(KINDS[folder], key, keys(folder))
    module = importlib.import_module(f"unlearn.{folder}.{key}")
    return getattr(module, module.__all__[0])
