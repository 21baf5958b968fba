"""How fast a run says that its trials end."""

from __future__ import annotations

import pytest

from sweeps.cli.progress import ENOUGH, Pace


def test_a_pace_is_of_what_ends_after_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run has done 40 before, and Ray took 500 seconds to start: neither counts."""
    now = [500.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pace = Pace()
    assert pace.per_second(40) is None
    for ended in range(1, 9):
        now[0] += 2
        assert pace.per_second(40 + ended) == (0.5 if ended >= ENOUGH else None)
    now[0] += 16  # nothing ends for as long as all that took
    assert pace.per_second(48) == 0.25
