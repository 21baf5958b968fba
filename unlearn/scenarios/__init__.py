"""Scenarios, one file each: which samples to forget, which labels or pixels change."""

from unlearn.scenarios._base import ForgetSet, Scenario, check_drawn, draws_apart, halves, in_common

__all__ = ["ForgetSet", "Scenario", "check_drawn", "draws_apart", "halves", "in_common"]
