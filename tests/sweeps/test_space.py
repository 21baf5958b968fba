"""Ranges: what is sampled and what is shown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution

from sweeps.spec.space import Range, Space

LR = Range("lr", 1e-4, 0.1, "log", integer=False)
ALPHA = Range("alpha", 0.5, 0.999, "log_complement", integer=False)
BATCH = Range("forget_batch_size", 8, 256, "power_of_two", integer=True)
DECAY = Range("lr_decay_epoch", 2, 19, "linear", integer=True)
ALL = [LR, ALPHA, BATCH, DECAY]


@pytest.mark.parametrize(
    ("searched", "raw_name", "value", "raw"),
    [
        (LR, "lr", 0.01, 0.01),
        (ALPHA, "one_minus_alpha", 0.9, 0.1),
        (BATCH, "log2_forget_batch_size", 64, 6),
        (DECAY, "lr_decay_epoch", 7, 7),
    ],
)
def test_encoding_of_known_values(searched: Range, raw_name: str, value: float, raw: float) -> None:
    assert searched.raw_name == raw_name
    assert searched.encode(value) == pytest.approx(raw)
    assert searched.decode(raw) == pytest.approx(value)


def test_distributions_are_numeric() -> None:
    assert LR.distribution == FloatDistribution(1e-4, 0.1, log=True)
    assert BATCH.distribution == IntDistribution(3, 8)
    assert DECAY.distribution == IntDistribution(2, 19)
    distribution = ALPHA.distribution
    assert isinstance(distribution, FloatDistribution)
    assert distribution.log
    assert (distribution.low, distribution.high) == pytest.approx((0.001, 0.5))


def test_a_value_outside_goes_to_the_nearest_end() -> None:
    assert LR.encode(5.0) == 0.1
    assert BATCH.encode(4) == 3


@given(st.sampled_from(ALL), st.floats(0, 1, exclude_max=True))
def test_every_point_of_the_unit_interval_is_in_the_distribution(searched: Range, fraction: float) -> None:
    raw = searched.at(fraction)
    assert searched.distribution._contains(searched.distribution.to_internal_repr(raw))
    tolerance = 1e-9 * abs(searched.high)
    assert searched.low - tolerance <= searched.decode(raw) <= searched.high + tolerance


def test_integers_get_equal_shares() -> None:
    counts = [0] * 18
    for i in range(1800):
        counts[int(DECAY.at(i / 1800)) - 2] += 1
    assert counts == [100] * 18


def test_a_space_decodes_with_its_fixed_values() -> None:
    space = Space((LR, BATCH), {"epochs": 3})
    raw = space.encode({"lr": 0.02, "forget_batch_size": 32, "unrelated": 1})
    assert raw == {"lr": 0.02, "log2_forget_batch_size": 5}
    assert space.decode(raw) == {"epochs": 3, "lr": 0.02, "forget_batch_size": 32}
    assert math.isclose(space.from_unit((0.0, 0.0))["lr"], 1e-4)
