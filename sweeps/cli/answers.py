"""What a sweep says so far, in a line or two a scenario: which methods are told apart, what is needed, what limits it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sweeps.cli.terminal import count_of
from sweeps.record import (
    LEAST_UNITS,
    Apart,
    BesideOriginal,
    Remark,
    SweepRecord,
    beside_original,
    command_for,
    remarks,
    significant,
    still_tuning,
    told_apart,
    uncertain,
)

#: Names listed in full; of more, how many they are.
MOST_NAMED = 4
EDGES, EDGES_SO_FAR = "winners at the end of a range", "the best so far lie at the end of a range"


def answers(record: SweepRecord, *, whole: bool) -> Iterator[str]:
    """The lines; with `whole` every remark in full."""
    found = remarks(record)
    tuning = still_tuning(record)
    for scenario in dict.fromkeys(scenario for _, scenario, _ in record.planned):
        apart = told_apart(record, scenario)
        if apart is not None and apart.rivals:
            yield from (f"{scenario}: {line}" for line in _comparison(record, apart))
        original = beside_original(record, scenario)
        if original is not None:
            yield f"{scenario}: {_beside(original)}"
        own = [r for r in found if r.scenario == scenario]
        yield from (
            f"note: {scenario}{line}" for line in (map(_full, own) if whole else _short(own, so_far=scenario in tuning))
        )


def _comparison(record: SweepRecord, apart: Apart) -> Iterator[str]:
    if not apart.tested:
        most = max(apart.rivals, key=lambda r: r.units)
        over, needed = count_of(most.units, apart.unit), command_for(record, apart, most, LEAST_UNITS - most.units)
        yield f"nothing is told apart on {over}, at least {LEAST_UNITS} are needed: {needed}"
        return
    least = sorted(r.least for r in apart.tested)
    low, high = (how(r.units for r in apart.tested) for how in (min, max))
    over = count_of(high, apart.unit) if low == high else f"{low} to {count_of(high, apart.unit)}"
    between = " to ".join(dict.fromkeys(significant(value, 2) for value in (least[0], least[-1])))
    power = f"{over} tell differences of about {between} at 80 % power"
    if apart.apart:
        rest = f"not from {_named(apart.not_apart)}" if apart.not_apart else "so from every other method"
        yield f"{apart.best} is told apart from {_named(apart.apart)} (5 % level), {rest}; {power}"
    else:
        yield f"no method is told apart (5 % level); {power}"
    if apart.untested:
        few = f"fewer than {LEAST_UNITS} {apart.unit}s"
        yield f"{apart.best} shares {few} with {_named(apart.untested)}: nothing is told there"
    if apart.ahead:
        yield f"on the {apart.unit}s that both have, these score less than {apart.best}: {_named(apart.ahead)}"
    rival = apart.next_told
    if rival is not None and rival.needed is not None:
        further = max(rival.needed - rival.units, 1)
        command, more = command_for(record, apart, rival, further), count_of(further, f"more {apart.unit}")
        if rival.units < LEAST_UNITS:
            yield f"at least {more} {'is' if further == 1 else 'are'} needed to tell {rival.method} from {apart.best}: {command}"
            return
        would = f"about {more} would tell {rival.method} from {apart.best}"
        yield f"{would}, if the present difference is the true one: {command}"


def _beside(original: BesideOriginal) -> str:
    """Whether it is any better to unlearn than to leave the model as it is."""
    scores = f"no unlearning (the original) scores {uncertain(original.mean, original.spread, original.runs)}"
    if original.untested:
        return f"{scores}; no method is tested against it: {original.untested}"
    named = "; ".join(f"{what}: {_named(names)}" for what, names in original.told.items() if names)
    return f"{scores}; {named} (5 % level)"


def _full(remark: Remark) -> str:
    return f"{'' if remark.method is None else f'/{remark.method}'}: {remark}"


def _short(found: Sequence[Remark], *, so_far: bool) -> Iterator[str]:
    """Remarks of one kind in one line."""
    edges = [f"{r.method} {r.name}" for r in found if r.kind == "edge"]
    if edges:
        yield f": {EDGES_SO_FAR if so_far else EDGES}: {_named(edges)}; how to widen it: -v"
    whole = {"coarse", "alike", "uneven", "narrowed", "recipe", "guessing", "original", "code"}
    yield from (_full(r) for r in found if r.kind in whole)


def _named(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    return ", ".join(names)
