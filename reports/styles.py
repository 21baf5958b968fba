"""How methods are drawn: one colour, one dash and one marker each, everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from reports.names import method_label
from sweeps.record import FLOOR, UNTOUCHED

# Okabe and Ito's colours, less black and yellow, which vanish on dark and on light paper; grey takes their place. In the order
# in which they are given to methods that have none: each contrasts with those before it.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#757575")
_DASHES = ("solid", "dash", "dot")
_SYMBOLS = ("circle", "square", "diamond")
_PATTERNS = ("", "/", "x")

#: Fixed places of known methods: a variant shares its relative's colour and differs in dash, marker and pattern.
_SLOTS = {
    "sure": (0, 0),
    "scrub": (1, 0),
    "l1_sparse": (2, 0),
    "random_label": (3, 0),
    "finetune": (4, 0),
    "neg_grad_plus": (5, 0),
    "bad_teacher": (6, 0),
    "boundary_expanding_plus": (6, 1),
    "boundary_expanding": (6, 2),
    "boundary_shrinking_plus": (2, 1),
    "boundary_shrinking": (2, 2),
    "neg_grad": (5, 1),
    "salun": (3, 1),
    "ssd": (1, 1),
    "cf_k": (4, 1),
    "eu_k": (4, 2),
}
_PLACES = [(c, s) for s in range(len(_SYMBOLS)) for c in range(len(_COLOURS))]


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn, in every figure of every report."""

    key: str
    label: str
    colour: str
    dash: str
    symbol: str
    pattern: str


#: How the baselines are drawn: in grey.
BASELINE_STYLES = {
    FLOOR: MethodStyle(FLOOR, "Noise floor", "#BFC3C7", "solid", "circle", ""),
    UNTOUCHED: MethodStyle(UNTOUCHED, "Original", "#BFC3C7", "dash", "circle", "/"),
}


def method_styles(methods: Iterable[str]) -> dict[str, MethodStyle]:
    """A style for each method, in the given order.

    Known methods look the same in every report; each other one gets the colour that is rarest in this one.
    """
    keys = list(dict.fromkeys(methods))
    slots = {key: _SLOTS[key] for key in keys if key in _SLOTS}
    for key in sorted(set(keys) - set(slots)):
        slots[key] = _rarest(list(slots.values()))
    return {
        key: MethodStyle(key, method_label(key), _COLOURS[c], _DASHES[s], _SYMBOLS[s], _PATTERNS[s])
        for key, (c, s) in ((k, slots[k]) for k in keys)
    }


def _rarest(taken: list[tuple[int, int]]) -> tuple[int, int]:
    """The place that is taken least often, of the colour that is; the first one of equals."""
    colours = Counter(c for c, _ in taken)
    return min(_PLACES, key=lambda place: (colours[place[0]], taken.count(place)))
