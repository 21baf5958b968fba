"""What is known of components without importing them: facts of those that need torch are kept in the user's cache folder.

Kept facts hold for one state of this package's files: where any of them has another time or size, all facts are found anew.
Components from elsewhere are imported always.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unlearn.component import ComponentFacts
from unlearn.files import user_cache, write_atomically
from unlearn.registry import find, is_own, keys

__all__ = ["ComponentFacts", "component_facts"]

PACKAGE = Path(__file__).parent
#: Folders whose components import torch.
KEPT = ("methods", "models", "metrics")

Kept = Mapping[str, Mapping[str, ComponentFacts]]


def component_facts(folder: str, key: str) -> ComponentFacts:
    """The facts of what `key` names in `folder`; a component that is imported already, or is not this package's, is looked at.

    Raises:
        UnknownNameError, ComponentError: as `unlearn.registry.find`.
    """
    if folder in KEPT and is_own(folder, key) and f"unlearn.{folder}.{key}" not in sys.modules:
        kept = _kept()
        if key in kept.get(folder, {}):
            return kept[folder][key]
    return _look(folder, key)


def _look(folder: str, key: str) -> ComponentFacts:
    look = _seen if is_own(folder, key) else ComponentFacts.of
    return look(find(folder, key), options=folder != "metrics")


@cache
def _seen(found: Any, *, options: bool) -> ComponentFacts:
    """Of a class or function of this package, which a run asks for trial after trial."""
    return ComponentFacts.of(found, options=options)


@cache
def _kept() -> Kept:
    """The facts of this package's components as they now are; none where they cannot be kept."""
    stamp = _stamp()
    if stamp is None:
        return {}
    with contextlib.suppress(OSError):
        file = user_cache() / "facts" / f"{hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:16]}.json"
        return _read(file, stamp) or _make(file, stamp)
    return {}


def _stamp() -> str | None:
    """Of the state of everything that facts are made from; None where the package does not lie in files."""
    try:
        release = version("unlearn-sweeps")
    except PackageNotFoundError:
        release = "unknown"
    files = sorted((str(path), path.stat()) for path in PACKAGE.rglob("*.py"))
    if not files:
        return None
    without_docs = sys.flags.optimize > 1  # as under PYTHONOPTIMIZE=2: what components are is not known then
    state = [
        release,
        platform.python_version(),
        without_docs,
        [(name, stat.st_mtime_ns, stat.st_size) for name, stat in files],
    ]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def _read(file: Path, stamp: str) -> Kept | None:
    try:
        held = json.loads(file.read_bytes())
        if held["stamp"] != stamp:
            return None
        return {
            folder: {key: ComponentFacts.load(facts) for key, facts in held["facts"][folder].items()} for folder in KEPT
        }
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _make(file: Path, stamp: str) -> Kept:
    """Import every component and keep what is seen.

    Nothing is kept where one of them was imported before: its file may have changed since.
    """
    if any(_in_kept(name) for name in list(sys.modules)):
        return {}
    file.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(file.parent, os.W_OK):
        return {}
    found = {folder: dict(_facts_of(folder)) for folder in KEPT}
    if _stamp() == stamp:  # else a file was changed meanwhile
        held = {folder: {key: facts.dump() for key, facts in of.items()} for folder, of in found.items()}
        write_atomically(file, json.dumps({"stamp": stamp, "facts": held}).encode())
    return found


def _in_kept(module: str) -> bool:
    return module == "unlearn.steps" or any(module.startswith(f"unlearn.{folder}") for folder in KEPT)


def _facts_of(folder: str) -> Iterator[tuple[str, ComponentFacts]]:
    """Of those of which nothing would be lost by keeping them."""
    for key in keys(folder):
        if is_own(folder, key):
            facts = _look(folder, key)
            if ComponentFacts.load(json.loads(json.dumps(facts.dump()))) == facts:
                yield key, facts
