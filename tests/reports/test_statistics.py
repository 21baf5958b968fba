"""Means and spreads against hand-made numbers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from reports.frames.statistics import summarise


def test_mean_std_and_n_skip_missing_values():
    frame = pd.DataFrame({"method": ["a", "a", "a", "b"], "x": [1.0, 3.0, np.nan, 5.0]})
    out = summarise(frame, ["method"], ["x"]).set_index("method")
    assert (out.loc["a", "mean"], out.loc["a", "n"]) == (2.0, 2)
    assert out.loc["a", "std"] == pytest.approx(math.sqrt(2))
    assert out.loc["b", "n"] == 1
    assert math.isnan(out.loc["b", "std"])
