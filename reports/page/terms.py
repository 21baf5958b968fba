"""Abbreviations, explained where they stand: on hover, and in a list for who cannot hover."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape

from reports.names import measures
from sweeps.record import SweepRecord

__all__ = ["NO_TERMS", "Terms", "terms_of"]


@dataclass(frozen=True)
class Terms:
    """What abbreviations mean."""

    meanings: Mapping[str, str]

    def explained(self, text: str) -> str:
        """Any text as HTML, with every abbreviation in it marked up."""
        if not self.meanings:
            return escape(text)
        return "".join(
            f'<abbr title="{escape(self.meanings[part], quote=True)}">{escape(part)}</abbr>' if i % 2 else escape(part)
            for i, part in enumerate(self._pattern.split(text))
        )

    @property
    def listed(self) -> str:
        """All of them, as a list."""
        return "".join(
            f"<dt>{escape(short)}</dt><dd>{escape(meaning)}</dd>" for short, meaning in self.meanings.items()
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest = sorted(self.meanings, key=len, reverse=True)
        return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest))})(?![\w-])")


NO_TERMS = Terms({})


def terms_of(record: SweepRecord) -> Terms:
    """The abbreviations of what a sweep measured, values and gaps; names that are words already need none."""
    known, columns = measures(record), set(record.trials.columns)
    keys = [c.removeprefix("metric.") for c in record.trials.columns if c.startswith("metric.")]
    labels = [known.label(key) for key in keys if f"metric.{key}" in columns]
    return Terms({label.short: _meaning(label.title, label.short) for label in labels if _is_short(label.short)})


def _is_short(text: str) -> bool:
    return bool(re.match(r"Δ?[A-Z]{2,}|Δ", text))


def _meaning(title: str, short: str) -> str:
    if short.startswith("Δ"):
        return f"{title}: distance to the oracle's value"
    attack = title.removeprefix(f"{short}: ")
    return f"Membership inference attack on {attack}" if attack != title else title
