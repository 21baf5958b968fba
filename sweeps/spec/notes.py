"""What is no error in a sweep file, but should be known: ranges that were cut, code that it names, settings without effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sweeps.spec.components import names_in
from sweeps.spec.read import leaves_published_out, shipped_ranges, uniform
from sweeps.spec.schema import RangeSpec, Spec
from unlearn.hardware import cpu_has_bfloat16
from unlearn.registry import of_library


def remarks(spec: Spec) -> list[str]:
    """One sentence each."""
    told_by = (_cut_ranges, _few_configurations, _milestones, _one_forget_set, _first_points, _precision)
    return [remark for tell in told_by for remark in tell(spec)]


def own_code(document: Mapping[str, Any]) -> list[str]:
    """The names of code of a document's own, `package.module:Name`, which reading it imports and running it calls."""
    named = names_in(uniform(document)[0])
    own = (name for _, folder, name in named if isinstance(name, str) and ":" in name and not of_library(folder, name))
    return list(dict.fromkeys(own))


def _cut_ranges(spec: Spec) -> Iterator[str]:
    """Decay epochs that reach no further than the epochs, or reach too far."""
    cut: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for method, entries in spec.methods.items():
        own = entries.get("lr_decay_epoch")
        shipped = shipped_ranges(method).get("lr_decay_epoch")
        epochs = entries.get("epochs", spec.unlearning.epochs)
        if not isinstance(own, RangeSpec):
            continue
        if own.high >= epochs:  # type: ignore[operator]  # epochs is no range
            yield (
                f"methods.{method}.lr_decay_epoch: from {epochs} on it has no effect, as {_there_are(epochs)}; "
                f"it is searched in {own.low} … {own.high}"
            )
        elif shipped and own.high < shipped["high"] and own.high == max(1, epochs - 1):  # type: ignore[operator]
            cut[own.low, own.high, shipped["low"], shipped["high"], epochs].append(method)
    for (low, high, was_low, was_high, epochs), methods in cut.items():
        reach = f"only at {low}" if low == high else f"in {low} … {high}"
        shipped_reach = f"{was_low} … {was_high}, as {_there_are(epochs)}"
        yield f"lr_decay_epoch: searched {reach} instead of {shipped_reach}: {', '.join(methods)}"


def _few_configurations(spec: Spec) -> Iterator[str]:
    """Ranges that hold fewer configurations than a search has trials."""
    for method in spec.methods:
        space = spec.space(method)
        if space.ranges and space.size is not None and space.size < spec.search.trials:
            held = "1 configuration" if space.size == 1 else f"{space.size} configurations"
            yield (
                f"methods.{method}: its ranges hold {held}, each of which is tried once, and not search.trials "
                f"= {spec.search.trials}"
            )


def _one_forget_set(spec: Spec) -> Iterator[str]:
    """Scenarios whose evaluation repeats runs on the only forget set that there is."""
    asked = spec.evaluation
    for label in spec.scenarios:
        facts = spec.facts("scenarios", spec.scenario_key(label))
        if spec.rules > 1 and not facts.declared.get("draws_vary", True):
            each = f" for each of {asked.trainings} trainings" if asked.trainings > 1 else ""
            yield (
                f"scenarios.{label}: it has one forget set, the one tuned on; its evaluation is {asked.seeds * asked.runs} runs "
                f"with seeds of their own on it{each}, so that its spread is that of runs"
                f"{' and trainings' if asked.trainings > 1 else ''}, not of forget sets"
            )


def _first_points(spec: Spec) -> Iterator[str]:
    if leaves_published_out(spec):
        yield (
            f"search.warm_start: published is left out, as those values were chosen by the test set of {spec.dataset.name}, on "
            "which a strict sweep is evaluated; protocol: paper takes them"
        )


def _precision(spec: Spec) -> Iterator[str]:
    if spec.precision == "auto":
        yield (
            "precision: auto is decided when the sweep is first run, by short trainings of its model, and then stays; write "
            "float32 or bfloat16 to have the same on every machine"
        )
    elif spec.precision == "bfloat16" and not spec.resources.gpus_per_trial and not cpu_has_bfloat16():
        yield "precision: this machine's processor has no bfloat16 in hardware, and emulates it"


def _milestones(spec: Spec) -> Iterator[str]:
    late = [epoch for epoch in spec.training.milestones if epoch >= spec.training.epochs]
    if late:
        yield f"training.milestones: {late} has no effect, as {_there_are(spec.training.epochs, 'training epoch')}"


def _there_are(count: object, what: str = "epoch") -> str:
    return f"there is 1 {what}" if count == 1 else f"there are {count} {what}s"
