"""What a comparison says in words: which methods are told apart, what so many forget sets could tell, and what is needed."""

from __future__ import annotations

from collections.abc import Sequence

from reports.names import POINTS, method_label, score_unit
from sweeps.record import (
    LEAST_UNITS,
    MOST_UNITS,
    Apart,
    SweepRecord,
    beside_original,
    command_for,
    significant,
    uncertain,
)

__all__ = ["COMPARED", "listed", "needed_sentence", "original_sentence", "power_sentence", "rivals_sentence"]

#: How the comparison is made, to be printed wherever its result is.
COMPARED = (
    "Lower is better. Bold: the least mean. ≈: not told apart from it at the 5 % level by paired t-tests of all pairs of methods,"
    " Holm-corrected. The pairs are over forget sets (over trainings where there are several, over runs where there is one "
    "forget set; below three nothing is told apart). There is no correction over metrics, forget sizes or scenarios."
)
_MOST_NAMED = 5


def listed(methods: Sequence[str], most: int) -> str:
    """Names joined by commas and an "and"; empty where there are more than `most`."""
    names = [method_label(m) for m in methods]
    if not names or len(names) > most:
        return ""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def rivals_sentence(apart: Apart) -> str:
    """Which methods are told from the best one, and which are not; which are ahead on what both have; empty without rivals."""
    if not apart.rivals:
        return ""
    if not apart.not_apart:
        return "Told apart from every other method."
    others = len(apart.rivals)
    named = listed(apart.not_apart, _MOST_NAMED) or f"{len(apart.not_apart)} of {others} others"
    worse, ahead = listed(apart.apart, _MOST_NAMED), [method_label(m) for m in apart.ahead]
    sentence = f"Not told apart from it: {named}."
    sentence += f" Told apart, and worse: {worse}." if worse else ""
    sentence += f" On the {apart.unit}s that both have, these score less than it: {', '.join(ahead)}." if ahead else ""
    return sentence


def power_sentence(record: SweepRecord, apart: Apart) -> str:
    """The differences that so many forget sets could have told; why none could, where there are too few."""
    if not apart.rivals:
        return ""
    if not apart.tested:
        shared = max(r.units for r in apart.rivals)
        return f"They share {_units(apart.unit, shared)}: below {LEAST_UNITS} nothing is told apart."
    least = sorted(r.least for r in apart.tested)
    low, high = significant(least[0], 2), significant(least[-1], 2)
    unit = " points" if score_unit(record) == POINTS else ""
    between = f"{low}{unit}" if low == high else f"{low} to {high}{unit}, by method"
    over = _units(apart.unit, *sorted({r.units for r in apart.tested}))
    said = f"Differences that {over} tell with 80 % probability, if their spread is the true one: {between}."
    if not apart.untested:
        return said
    few = listed(apart.untested, _MOST_NAMED) or f"{len(apart.untested)} methods"
    return f"{said} With {few} it shares fewer than {LEAST_UNITS} {apart.unit}s: nothing is told there."


def needed_sentence(record: SweepRecord, apart: Apart) -> str:
    """How many more would tell the next method apart, with the command; empty where all are."""
    if all(r.apart or (r.ahead and r.needed is None) for r in apart.rivals):
        return ""
    rival = apart.next_told
    if rival is None or rival.needed is None:
        most = _units(apart.unit, MOST_UNITS)
        return f"No {most} or fewer would tell the rest apart, if the present differences are the true ones."
    further = max(rival.needed - rival.units, 1)
    name = method_label(rival.method)
    command = command_for(record, apart, rival, further)
    more = f"{further} more {_noun(apart.unit, further)}"
    if rival.units < LEAST_UNITS:
        of = f" to tell {name} from it" if apart.tested else ""
        return f"At least {more} {'is' if further == 1 else 'are'} needed{of}: {command}"
    more = f"About {more} would tell {name} from it"
    return f"{more}, if the present difference is the true one: {command}"


def original_sentence(record: SweepRecord, scenario: str, *, sized: bool = False) -> str:
    """Whether methods are any better than no unlearning; empty where the original was not evaluated.

    Args:
        sized: name the forget size, where others stand beside it.
    """
    original = beside_original(record, scenario)
    if original is None:
        return ""
    unit = " points" if score_unit(record) == POINTS else ""
    score = uncertain(original.mean, original.spread, original.runs) + unit
    scores = f"No unlearning (the original) scores {score}"
    if sized and original.size is not None:
        scores += f" at forget size {original.size:,}"
    if original.untested:
        return f"{scores}; no method is tested against it: {original.untested}."
    of = sum(map(len, original.told.values()))
    named = (
        f"{what}: {listed(found, _MOST_NAMED) or f'{len(found)} of {of} methods'}"
        for what, found in original.told.items()
        if found
    )
    return f"{scores}; {'; '.join(named)} (5 %, Holm-corrected)."


def _units(unit: str, *counts: int) -> str:
    """So many of them, or from the least to the most."""
    return f"{counts[0]}{f' to {counts[-1]}' if len(counts) > 1 else ''} {_noun(unit, counts[-1])}"


def _noun(unit: str, count: int) -> str:
    return unit if count == 1 else f"{unit}s"
