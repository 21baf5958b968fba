"""By which code a trial computes, where that is not this package's: told with each trial, so that a change of it is seen.

A network's is in the spec, as the models in the cache hang on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sweeps.spec import Spec
from unlearn.code import code_of

__all__ = ["as_text", "changed", "in_text", "own_digests", "used_by"]

#: Hexadecimal digits of a digest that are told.
DIGITS = 12


def own_digests(spec: Spec) -> dict[str, str]:
    """The digests of a sweep's methods, scenarios and metrics from elsewhere as they are now, by their keys."""
    named = [
        *(("methods", method) for method in spec.methods),
        *(("scenarios", spec.scenario_key(label)) for label in spec.scenarios),
        *(("metrics", family) for family in _families(spec)),
    ]
    found = {key: _code(folder, key) for folder, key in named}
    return {key: digest[:DIGITS] for key, digest in found.items() if digest is not None}


def _code(folder: str, key: str) -> str | None:
    try:
        return code_of(folder, key)
    except Exception:  # whatever importing it raises here is told by the trials that use it
        return None


def used_by(codes: Mapping[str, str], spec: Spec, scenario: str, method: str) -> dict[str, str]:
    """Those of `codes` by which a trial of a method in a scenario computes."""
    used = {method, spec.scenario_key(scenario), *_families(spec)}
    return {key: digest for key, digest in codes.items() if key in used}


def as_text(codes: Mapping[str, str]) -> str:
    """As a trial keeps it: `my_metrics:entropy=0123456789ab my_methods:Mine=…`."""
    return " ".join(f"{key}={digest}" for key, digest in codes.items())


def in_text(text: str) -> dict[str, str]:
    """What `as_text` was given."""
    parts = (part.rpartition("=") for part in text.split())
    return {key: digest for key, _, digest in parts}


def changed(before: Iterable[str], now: Mapping[str, str]) -> list[str]:
    """Of which components the code was another in one of the texts, and of those alone that these have too."""
    told = [pair for text in before for pair in in_text(text).items()]
    return list(dict.fromkeys(key for key, digest in told if now.get(key, digest) != digest))


def _families(spec: Spec) -> list[str]:
    return [*spec.metrics.every_epoch, *spec.metrics.best_epoch]
