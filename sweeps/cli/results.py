"""What a run came to: a small table, one row per scenario and method."""

from __future__ import annotations

from collections.abc import Iterator

from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import stderr_console
from sweeps.record import FLOOR, UNTOUCHED, SweepRecord, evaluations, told_apart, uncertain
from unlearn.gaps import POINTS, Measures

#: What each baseline is.
BASELINE_NAMES = {FLOOR: "noise floor", UNTOUCHED: "nothing unlearned"}
NAMES, VALUES = ("scenario", "method"), ("score", "told apart", "stop epoch")


def print_results(record: SweepRecord) -> None:
    """Methods by their mean score, the baselines last, on stderr; nothing before an evaluation."""
    rows = [row for scenario in record.spec.get("scenarios", {}) for row in _rows(record, scenario)]
    if rows:
        title = f"{record.name}: {_score(record)}, mean ± std (n forget sets or runs), lower is better"
        print_rows(stderr_console(), Rows(NAMES, VALUES, rows), title=title)


def _rows(record: SweepRecord, scenario: str) -> Iterator[tuple[str, ...]]:
    apart = told_apart(record, scenario)
    if apart is None:
        return
    told = {rival.method: "worse" if rival.apart else "no" for rival in apart.rivals}
    told |= {
        rival.method: "least" for rival in apart.rivals if rival.units == apart.units and not round(rival.difference, 9)
    }
    for method in (apart.best, *told):
        winner = record.winners.get(scenario, {}).get(method)
        stop = "" if winner is None or winner.stop_epoch is None else str(winner.stop_epoch)
        yield scenario, method, _mean(record, scenario, method), told.get(method, "least"), stop
    for baseline, what in BASELINE_NAMES.items():
        if mean := _mean(record, scenario, baseline, baseline):
            yield scenario, f"{baseline} ({what})", mean, "", ""


def _mean(record: SweepRecord, scenario: str, method: str, baseline: str | None = None) -> str:
    rows, size = evaluations(record, scenario, baseline), record.shown_size(scenario)
    rows = rows if size is None else rows[rows["forget_size"] == size]
    scores = rows.loc[rows["method"] == method, "score"].dropna()
    if not len(scores):
        return ""
    return f"{uncertain(scores.mean(), scores.std(), len(scores))} ({len(scores)})"


def _score(record: SweepRecord) -> str:
    """What the score is called, with its unit where all that enters it has the same."""
    objective = record.spec.get("objective") or {}
    name = objective.get("name", "average_gap")
    units = {Measures(record.measures).label(gap).unit for gap in objective.get("gaps") or ()} or {POINTS}
    return f"{name} (points)" if name == "average_gap" and units == {POINTS} else str(name)
