"""Finds a method, data set, model, scenario or metric by its key.

A key is a file name: `scrub` is the public class (or function) of `unlearn/methods/scrub.py`. A component from elsewhere is named
`package.module:Name`, or registered as an entry point in the group `unlearn.<folder>`. What a library has is named as there:
`torchvision:resnet34`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from unlearn.errors import ComponentError, UnknownNameError, suggest

KINDS = {
    "methods": "method",
    "data": "data set",
    "models": "model",
    "scenarios": "scenario",
    "metrics": "metric",
}


#: Libraries whose components are known by their names there; each has a file of its own in the folder.
LIBRARIES = {("data", "torchvision"), ("models", "timm"), ("models", "torchvision")}


@cache
def keys(folder: str) -> tuple[str, ...]:
    """The keys of one folder, sorted; nothing is imported for it."""
    return tuple(sorted({*_own_keys(folder), *(e.name for e in entry_points(group=f"unlearn.{folder}"))}))


@cache
def is_own(folder: str, key: str) -> bool:
    """Whether `key` names a component of this package, which no entry point stands in for."""
    return key in _own_keys(folder) and all(e.name != key for e in entry_points(group=f"unlearn.{folder}"))


def of_library(folder: str, key: str) -> bool:
    """Whether `key` names what a known library has."""
    return (folder, key.partition(":")[0]) in LIBRARIES and ":" in key


def _own_keys(folder: str) -> list[str]:
    modules = pkgutil.iter_modules([str(Path(__file__).parent / folder)])
    return [module.name for module in modules if not module.name.startswith("_")]


@cache
def find(folder: str, key: str) -> Any:
    """The class or function that `key` names in `folder`.

    Raises:
        UnknownNameError: nothing is registered under that key.
        ComponentError: it is of the form `package.module:Name`, and cannot be imported.
    """
    if of_library(folder, key):
        library, _, name = key.partition(":")
        return importlib.import_module(f"unlearn.{folder}._{library}").named(name)
    if ":" in key:
        return _from_elsewhere(key)
    for entry in entry_points(group=f"unlearn.{folder}"):
        if entry.name == key:
            return entry.load()
    if key not in keys(folder):
        raise UnknownNameError(KINDS[folder], key, keys(folder))
    module = importlib.import_module(f"unlearn.{folder}.{key}")
    return getattr(module, module.__all__[0])


def _from_elsewhere(key: str) -> Any:
    module_name, _, attribute = key.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise ComponentError(key, "must be package.module:Name", "name one class or function of one module")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = f"there is no module {error.name!r}"
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ComponentError(key, missing, "put the folder that holds it on PYTHONPATH") from error
        raise ComponentError(key, f"{missing}, which {module_name} imports", "install it") from error
    except (Exception, SystemExit) as error:  # whatever the user's module raises
        reason = f"importing {module_name} raised {type(error).__name__}: {error}"
        raise ComponentError(key, reason, f"see that `python -c 'import {module_name}'` works") from error
    if not hasattr(module, attribute):
        names = [name for name in vars(module) if not name.startswith("_")]
        raise ComponentError(key, f"module {module_name} has no {attribute!r}", suggest(attribute, names))
    return getattr(module, attribute)
