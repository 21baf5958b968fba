"""Search ranges in true units, and the Optuna distributions they are sampled from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # workers, and commands that read a sweep file only, do not wait for Optuna
    from optuna.distributions import BaseDistribution

Scale = Literal["linear", "log", "log_complement", "power_of_two"]
Value = float | int
Values = dict[str, Value]

PREFIX = {"power_of_two": "log2_", "log_complement": "one_minus_"}


@dataclass(frozen=True)
class Range:
    """One hyperparameter's range, ends included, in true units.

    `log_complement` samples 1 − value on a log scale (for weights that crowd towards 1); `power_of_two` samples log2.
    """

    name: str
    low: Value
    high: Value
    scale: Scale
    integer: bool

    @property
    def raw_name(self) -> str:
        """The name of the parameter that Optuna samples."""
        return PREFIX.get(self.scale, "") + self.name

    def encode(self, value: Value) -> Value:
        """From true units to what Optuna samples; values outside the range go to its nearest end."""
        value = min(max(value, self.low), self.high)
        if self.scale == "power_of_two":
            return round(math.log2(value))
        if self.scale == "log_complement":
            return 1 - value
        return round(value) if self.integer else float(value)

    def decode(self, raw: Value) -> Value:
        """From what Optuna samples to true units."""
        if self.scale == "power_of_two":
            return int(2 ** int(raw))
        if self.scale == "log_complement":
            return 1 - raw
        return int(raw) if self.integer else float(raw)

    def shown(self, sampled: BaseDistribution) -> BaseDistribution:
        """What Optuna samples, `distribution` or that of an earlier range, in true units: for readers, not to sample from."""
        from optuna.distributions import FloatDistribution, IntDistribution  # noqa: PLC0415  # see above

        assert isinstance(sampled, FloatDistribution | IntDistribution)
        low, high = sorted((self.decode(sampled.low), self.decode(sampled.high)))
        if self.scale == "power_of_two":
            return IntDistribution(int(low), int(high), log=True)
        return FloatDistribution(low, high) if self.scale == "log_complement" else sampled

    @property
    def distribution(self) -> BaseDistribution:
        """What Optuna samples: numeric always, never categorical, so that every sampler may be used."""
        from optuna.distributions import FloatDistribution, IntDistribution  # noqa: PLC0415  # see above

        if self.scale == "power_of_two":
            return IntDistribution(round(math.log2(self.low)), round(math.log2(self.high)))
        if self.scale == "log_complement":
            return FloatDistribution(1 - self.high, 1 - self.low, log=True)
        log = self.scale == "log"
        if self.integer:
            return IntDistribution(int(self.low), int(self.high), log=log)
        return FloatDistribution(float(self.low), float(self.high), log=log)

    @property
    def size(self) -> int | None:
        """How many values there are; None for endless ones."""
        if self.low == self.high:
            return 1
        if self.integer or self.scale == "power_of_two":
            return int(self.encode(self.high)) - int(self.encode(self.low)) + 1
        return None

    def at(self, fraction: float) -> Value:
        """The raw value a fraction in [0, 1) along the sampled axis; integers get equal shares."""
        from optuna.distributions import FloatDistribution, IntDistribution  # noqa: PLC0415  # see above

        distribution = self.distribution
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        low, high = distribution.low, distribution.high
        if isinstance(distribution, IntDistribution):
            if distribution.log:
                low, high = math.log(low - 0.5), math.log(high + 0.5)
                return min(max(round(math.exp(low + fraction * (high - low))), distribution.low), distribution.high)
            return min(int(low + fraction * (high - low + 1)), int(high))
        if distribution.log:
            return min(max(math.exp(math.log(low) + fraction * math.log(high / low)), low), high)
        return min(low + fraction * (high - low), high)


@dataclass(frozen=True)
class Space:
    """The searched ranges of one method, and the hyperparameters that are fixed."""

    ranges: tuple[Range, ...]
    fixed: Mapping[str, Value]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        return {r.raw_name: r.distribution for r in self.ranges}

    @property
    def size(self) -> int | None:
        """How many configurations there are; None of endlessly many."""
        sizes = [r.size for r in self.ranges]
        return None if None in sizes else math.prod(filter(None, sizes))

    def nth(self, index: int) -> Values:
        """The raw parameters of one of `size` configurations."""
        point: Values = {}
        for r in self.ranges:
            index, step = divmod(index, r.size or 1)
            point[r.raw_name] = r.encode(r.low) + step
        return point

    def decode(self, raw: Mapping[str, Value]) -> Values:
        """Hyperparameters in true units, the fixed ones too."""
        return {**self.fixed, **{r.name: r.decode(raw[r.raw_name]) for r in self.ranges}}

    def encode(self, values: Mapping[str, Value]) -> Values:
        """What Optuna samples for `values`; ranges that `values` does not mention are left to the sampler."""
        return {r.raw_name: r.encode(values[r.name]) for r in self.ranges if r.name in values}

    def from_unit(self, point: tuple[float, ...]) -> Values:
        """Raw parameters at a point of the unit cube, one coordinate per range."""
        return {r.raw_name: r.at(u) for r, u in zip(self.ranges, point, strict=True)}
