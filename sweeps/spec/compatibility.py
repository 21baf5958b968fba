"""Whether a changed spec may continue an existing sweep: more work is welcome, different work is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sweeps.errors import Problem, SpecError
from sweeps.spec.files import CHANGED_CODE, REMEDY
from sweeps.spec.read import decay_range
from unlearn.facts import component_facts

#: Sections and keys that may change between two runs of one sweep.
FREE = {
    "resources",
    "logging",
    "storage",
    "cache",
    "evaluation",
    "labels",
    "sensitivity",
    "search.trials",
    "search.confirm",
    "search.max_retries",
    "search.retain_samples",  # of a finished trial the epoch that counts is on all of them, and its curve says what it is on
    "metrics.best_epoch",
}

#: Of whose entries a run may leave some out.
COME_AND_GO = ("methods", "scenarios", "files")


def check_compatible(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse a spec under which finished trials would mean something else.

    More trials, seeds and sizes, and added (or left out) methods and scenarios continue; and so do files and data that lie
    elsewhere now: a file's content is compared here, that of the data by whoever freezes the spec.

    Args:
        before: with what runs before the last one had and that one left out (`sections_of`): its trials would count again.

    Raises:
        SpecError: with every key that differs.
    """
    moved = {*_files(before, now), *_places(before, now), *_derived(before, now)}
    problems = [
        Problem("model.name", CHANGED_CODE, _short(now["model"]["name"]), REMEDY)
        if key == "code.model"
        else Problem(
            key,
            f"was {_short(old)} in the existing sweep",
            _short(new),
            "give the sweep another name, or restore the key",
        )
        for key, old, new in _differences(before, now)
        if key not in moved
    ]
    if problems:
        raise SpecError(str(now.get("name")), problems)


def sections_of(*dumps: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The methods and scenarios of resolved specs, each as the last one has it that has it at all, and their files."""
    found = {part: {k: v for dump in dumps for k, v in (dump.get(part) or {}).items()} for part in COME_AND_GO}
    return {part: of for part, of in found.items() if of}


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], parents: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*before, *now]):
        parts = (*parents, name)
        key = ".".join(parts)
        old, new = before.get(name), now.get(name)
        if key in FREE or old == new or _may_come_and_go(parts, old, new):
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, parts)
        else:
            yield key, old, new


def _files(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """The keys of files whose content is known to be the same."""
    known, found = before.get("files") or {}, now.get("files") or {}
    yield from (key for key, content in found.items() if known.get(key) == content)


def _places(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """The keys of the data set that say where it lies."""
    data = now.get("dataset")
    if isinstance(data, Mapping) and isinstance(before.get("dataset"), Mapping):
        yield from (f"dataset.{name}" for name in component_facts("data", data["name"]).places)


def _derived(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """The keys of decay epochs that nobody wrote: they follow the epochs, which are told where they differ."""
    for method in now.get("methods") or {}:
        if all(_shipped_decay(method, of) for of in (before, now)):
            yield from (f"methods.{method}.lr_decay_epoch.{end}" for end in ("low", "high"))


def _shipped_decay(method: str, dump: Mapping[str, Any]) -> bool:
    entries = (dump.get("methods") or {}).get(method) or {}
    epochs = entries.get("epochs") or (dump.get("unlearning") or {}).get("epochs", 0)
    return bool(entries.get("lr_decay_epoch") == decay_range(method, epochs))


def _may_come_and_go(parts: tuple[str, ...], old: Any, new: Any) -> bool:
    """Methods and scenarios, by whatever name (one of a package has dots in it), their files, and the sizes of a scenario;
    the code of a network goes with its name. What a method does not read may go: older versions took it."""
    if parts[0] in {"files", "code"}:
        return old is None or new is None
    if len(parts) == 2 and parts[0] in {"methods", "scenarios"}:
        return old is None or new is None
    if len(parts) == 3 and parts[0] == "methods" and new is None:
        return parts[2] in component_facts("methods", parts[1]).declared.get("unread", ())
    return len(parts) == 3 and parts[0] == "scenarios" and parts[2] in {"sizes", "label"}


def _short(value: Any) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
