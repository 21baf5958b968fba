"""What a plan is, and what it costs on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from rich.filesize import decimal

from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import count_of, duration, stdout_console, tell
from sweeps.cost import Cost, estimate
from sweeps.jobs.cache import Cache
from sweeps.jobs.sharing import shared, speed_of_sharing
from sweeps.jobs.speed import Measuring, Speed, speed_of
from sweeps.plan import Plan
from sweeps.record.record import named_together
from sweeps.spec import Facts, Sizes, Spec, facts, open_data
from sweeps.spec.draws import overlap_notes


def print_plan(spec: Spec, plan: Plan) -> None:
    """The studies, their trials, and what they will cost."""
    rows = [(*study.key, str(study.trials)) for study in plan.studies]
    print_rows(
        stdout_console(), Rows(("stage", "scenario", "method"), ("trials",), rows), title=f"{spec.name}: the plan"
    )
    data = open_data(spec, Cache.at(spec.cache).folder)
    about = facts(spec, data)
    tell(f"data: {about.read}")
    for scenario, classes in about.classes.items():
        tell(f"{scenario} forgets {named_together(classes)}")
    for note in overlap_notes(spec, data):
        tell(f"note: {note}")
    with as_run(plan, about.sizes, tell) as shared_plan:
        for line in cost_lines(shared_plan, about.sizes):
            tell(line)


@contextmanager
def as_run(plan: Plan, sizes: Sizes, tell: Callable[[str], object] = lambda text: None) -> Iterator[Plan]:
    """Within, the plan is as it would be run on this machine: with as many trials on a GPU as would share one."""
    with shared(plan.spec, lambda: sizes, Cache.at(plan.spec.cache).folder, tell) as spec:
        yield replace(plan, spec=spec)


def cost_lines(plan: Plan, sizes: Sizes) -> Iterator[str]:
    """All that is known of it beforehand."""
    cost, speed = cost_of(plan, sizes)
    yield f"all of it: {_counts(cost)}; models that the cache has are not trained again"
    yield f"images to pass forward and backward: {cost.samples:.3g}; forward only, to measure: {cost.passes:.3g}"
    if speed is None or cost.seconds is None or cost.disk is None:
        yield "time: not known, as the network could not be tried out on this machine"
        return
    yield f"time: about {duration(cost.seconds)} on {count_of(cost.workers, 'worker')}, {speed.source}"
    yield f"disk: about {decimal(round(cost.disk))} of models and storage, beside the decoded data"


def first_line(
    plan: Plan,
    sizes: Sizes,
    left: Mapping[tuple[str, str, str], int] | None = None,
    measuring: Measuring | None = None,
) -> str:
    """What a run that begins tells of its length, by the trials that are left of each study."""
    cost, _ = cost_of(plan, sizes, left, measuring)
    if cost.seconds is None:
        return _counts(cost)
    return f"{_counts(cost)}: about {duration(cost.seconds)} on {count_of(cost.workers, 'worker')}"


def cost_of(
    plan: Plan,
    sizes: Sizes,
    left: Mapping[tuple[str, str, str], int] | None = None,
    measuring: Measuring | None = None,
) -> tuple[Cost, Speed | None]:
    """What a plan costs, or what is left of it, by how fast this machine is."""
    spec, cache = plan.spec, Cache.at(plan.spec.cache).folder
    speed = speed_of_sharing(spec, sizes, cache) or speed_of(spec, sizes, cache, measuring)
    return estimate(plan, sizes, speed, left), speed


def open_facts(spec: Spec) -> Facts:
    """What is to be known of a sweep's data, which is opened for it."""
    return facts(spec, open_data(spec, Cache.at(spec.cache).folder))


def _counts(cost: Cost) -> str:
    models = f"up to {count_of(cost.models, 'model')}" if cost.models else "no model"
    return f"{count_of(cost.trials)} and {models} to train"
