"""Numbers as they are printed, on terminals and in reports alike: with no more digits than they carry."""

from __future__ import annotations

import math

__all__ = ["MISSING", "decimals", "number", "signed", "significant", "uncertain"]

MISSING = "–"
#: Decimals that a number has at most.
PLACES = 6


def decimals(error: float) -> int | None:
    """Decimal places that an error justifies: one significant digit, two where it begins with 1; None without an error."""
    if not math.isfinite(error) or error <= 0:
        return None
    exponent = math.floor(math.log10(error))
    digits = 2 if error / 10**exponent < 1.95 else 1
    return max(0, digits - 1 - exponent)


def significant(value: float, digits: int = 3) -> str:
    """`digits` significant digits, plain between 1e-4 and 1e6, else scientific."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    scientific = f"{value:.{digits - 1}e}"
    exponent = int(scientific.partition("e")[2])  # once rounded: 9.996 is 10.0
    if not -5 < exponent < 6:
        return scientific
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def number(value: object) -> str:
    """A hyperparameter or count as a person writes it."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.4g}"


def uncertain(mean: float, std: float, n: int, of: int = 0) -> str:
    """`mean ± std` to the digits that the std carries; without a std (n = 1), the mean alone.

    Of fewer than the `of` that stand beside it, their number is told. A spread that is rounding alone (below 1e-9 of the mean)
    is none; no more than `PLACES` decimals are printed.
    """
    if n == 0 or not math.isfinite(mean):
        return MISSING
    if n < of:
        return f"{uncertain(mean, std, n)} (n = {n})"
    if not math.isfinite(std) or _is_rounding(std, mean):
        spread = " ± 0" if n > 1 and math.isfinite(std) else ""
        return _plain(mean) + spread
    places = decimals(std)
    if places is None or places > PLACES:
        return f"{_plain(mean)} ± {significant(std, 1)}"
    return f"{signed(mean, places)} ± {std:.{places}f}"


def _is_rounding(std: float, mean: float) -> bool:
    return std <= max(1e-9 * abs(mean), 1e-12)


def _plain(mean: float) -> str:
    """A mean without a spread to tell its digits."""
    if abs(mean) < 1e-12:
        return "0.00"
    return signed(mean, 2) if 0.01 <= abs(mean) < 1000 else significant(mean).replace("-", "−", int(mean < 0))


def signed(value: float, places: int) -> str:
    """With a minus sign, and none before a zero."""
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")
