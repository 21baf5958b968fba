"""How methods are drawn: one colour, one dash and one marker each, everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reports.names import method_label

FLOOR_COLOUR = "#BFC3C7"


# Okabe and Ito's colours, less black and yellow, which vanish on dark and on light paper; grey takes their place.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A8A8A")
_DASHES = ("solid", "dash", "dot")
_SYMBOLS = ("circle", "square", "diamond")
_PATTERNS = ("", "/", "x")

#: Fixed places of known methods: a variant shares its relative's colour and differs in dash, marker and pattern.
_SLOTS = {
    "sure": (0, 0),
    "l1_sparse": (1, 0),
    "scrub": (2, 0),
    "random_label": (3, 0),
    "neg_grad_plus": (4, 0),
    "bad_teacher": (5, 0),
    "finetune": (6, 0),
    "boundary_expanding_plus": (5, 1),
    "boundary_expanding": (5, 2),
    "boundary_shrinking_plus": (2, 1),
    "boundary_shrinking": (2, 2),
    "neg_grad": (4, 1),
    "salun": (3, 1),
    "ssd": (1, 1),
    "cf_k": (6, 1),
    "eu_k": (6, 2),
}
_FREE = [(c, s) for s in (1, 2, 0) for c in range(len(_COLOURS)) if (c, s) not in _SLOTS.values()]


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn, in every figure of every report."""

    key: str
    label: str
    colour: str
    dash: str
    symbol: str
    pattern: str


def method_styles(methods: Iterable[str]) -> dict[str, MethodStyle]:
    """A style for each method, in the given order; known methods look the same in every report, others fill the free places."""
    keys = list(dict.fromkeys(methods))
    unknown = sorted(k for k in keys if k not in _SLOTS)
    slots = _SLOTS | {key: _FREE[i % len(_FREE)] for i, key in enumerate(unknown)}
    return {
        key: MethodStyle(key, method_label(key), _COLOURS[c], _DASHES[s], _SYMBOLS[s], _PATTERNS[s])
        for key, (c, s) in ((k, slots[k]) for k in keys)
    }
