"""The replay's arithmetic on a table of three configurations, four forget sets and three epochs, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.score_table import DEV, TEST, Row, ScoreTable
from benchmarks.search_quality import ALONE, markdown, measure, over_tasks
from benchmarks.search_replay import Confirmation, Search, Task, Trial, confirm, deliver, judge, replay, run_search

LUCKY, STEADY, LATE = 0, 1, 2
ORACLE = 60.0


def hand_made() -> Task:
    """LUCKY has one good epoch on forget set 0 only; STEADY is best in its first epoch everywhere, LATE in its last."""
    dev = np.empty((3, 4, 3))
    dev[LUCKY] = [[5, 1, 5], [5, 5, 4], [5, 6, 4], [5, 7, 4]]
    dev[STEADY] = [[3, 2, 3], [2, 3, 3], [2, 3, 3], [2, 3, 4]]
    dev[LATE] = [[9, 9, 2.5], [9, 9, 3], [9, 9, 1], [9, 9, 3]]
    return Task(
        name=("random", "sure"),
        dev=dev,
        test=dev + 0.5,
        samples=np.array([100.0, 200.0, 300.0]),
        oracle=ORACLE,
        unit=np.array([[0.0], [0.5], [1.0]]),
        even=np.array([False, True, True]),
    )


def trials_on(forget_set: int) -> list[Trial]:
    dev = hand_made().dev
    return [Trial(row, forget_set, dev[row, forget_set].min(), 3) for row in range(3)]


def test_the_best_of_one_set_is_the_lucky_one_and_delivers_the_worst() -> None:
    task = hand_made()
    row, epoch, samples = confirm(task, trials_on(0), Confirmation((), "search"), [1, 2, 3])
    assert (row, epoch, samples) == (LUCKY, 1, 0)
    assert deliver(task, row, epoch, [1, 2, 3]) == pytest.approx(((5 + 6 + 7) / 3 + 0.5, 4.5))
    assert confirm(task, trials_on(0), Confirmation((), "last"), [1, 2, 3])[:2] == (LUCKY, 2)
    smooth = Confirmation(
        (), "smooth", smooth_leaders=True
    )  # LUCKY 4, 3, 4; STEADY 2.75, 2.5, 2.75; LATE ends at 4.125
    assert confirm(task, trials_on(0), smooth, [1, 2, 3])[:2] == (STEADY, 1)


def test_rounds_thin_out_by_the_mean_over_all_further_sets_and_pay_for_runs_and_oracles() -> None:
    # set 1 alone: STEADY 2, LATE 3, LUCKY 4; sets 1 and 2: STEADY 2 in its first epoch, LATE (3 + 1) / 2 = 2, later
    task = hand_made()
    row, epoch, samples = confirm(task, trials_on(0), Confirmation(((3, 1), (2, 1)), "mean"), [1, 2, 3])
    assert (row, epoch) == (STEADY, 0)
    assert samples == (100 + 200 + 300) + (200 + 300) + 2 * ORACLE
    narrow = confirm(task, trials_on(0), Confirmation(((2, 1),), "mean"), [2, 3])
    assert narrow == (STEADY, 0, 100 + 200 + ORACLE)  # LATE, the best on set 2, was third in the search


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("search", (5.5, 1)),
        ("last", (4.0, 2)),
        ("mean", (4.0, 2)),
        ("mean_all", (4.0, 1)),
        ("smooth", (4.375, 2)),
        ("smooth_all", (4.25, 2)),
    ],
)
def test_stop_rules(stop: str, expected: tuple[float, int]) -> None:
    trial = Trial(LUCKY, 0, 1.0, 3)
    score, epoch = judge(hand_made(), trial, [1, 2], stop)  # type: ignore[arg-type]
    # mean over sets 1 and 2: 5, 5.5, 4, smoothed 5.125, 5, 4.375; with set 0: 5, 4, 13/3, smoothed 4.75, 13/3, 4.25
    assert (score, epoch) == (pytest.approx(expected[0]), expected[1])


def test_a_pruned_trial_never_leads() -> None:
    pruned = Trial(STEADY, 0, np.inf, 1)
    row, _, samples = confirm(hand_made(), [pruned, Trial(LATE, 0, 2.5, 3)], Confirmation(((2, 1),), "mean"), [1])
    assert (row, samples) == (LATE, 300 + ORACLE)


@pytest.mark.parametrize("sampler", ["random", "tpe", "gp"])
def test_a_search_starts_at_the_first_row_and_takes_each_once(sampler: str) -> None:
    rng = np.random.default_rng(0)
    unit = rng.random((12, 2))
    dev = np.tile(unit.sum(1)[:, None, None], (1, 4, 3))
    task = Task(("s", "m"), dev, dev, np.ones(12), 0.0, unit, np.arange(12) > 0)
    trials = run_search(task, Search(sampler, 12, rotate=3), [3, 1, 2], rng)  # type: ignore[arg-type]
    assert sorted(trial.row for trial in trials) == list(range(12))
    assert trials[0].row == 0
    assert [trial.forget_set for trial in trials] == [3, 1, 2] * 4


def test_a_model_based_sampler_goes_where_scores_are_low() -> None:
    unit = np.linspace(0, 1, 200)[:, None]
    dev = np.tile(((unit - 0.3) ** 2)[:, :, None], (1, 2, 1))
    task = Task(("s", "m"), dev, dev, np.ones(200), 0.0, unit, np.ones(200, dtype=bool))
    distances = {
        sampler: np.mean(
            [abs(unit[t.row, 0] - 0.3) for t in run_search(task, Search(sampler, 40), [0], np.random.default_rng(1))]
        )
        for sampler in ("random", "tpe")
    }
    assert distances["tpe"] < 0.6 * distances["random"]


def test_pruned_epochs_are_not_paid_for() -> None:
    dev = np.ones((20, 2, 8)) + np.arange(20)[:, None, None]
    samples = np.full(20, 800.0)
    task = Task(("s", "m"), dev, dev, samples, ORACLE, np.linspace(0, 1, 20)[:, None], np.ones(20, dtype=bool))
    search = Search("random", 20, "median")
    trials = run_search(task, search, [0], np.random.default_rng(0))
    cut = [trial for trial in trials if trial.epochs < 8]
    assert cut
    assert all(np.isinf(trial.value) for trial in cut)
    assert {trial.epochs for trial in cut} == {1}
    (result,) = next(iter(replay(task, search, [Confirmation((), "search")], [0])))
    rng = np.random.default_rng(0)
    rng.permutation(2)
    again = run_search(task, search, [0], rng)
    assert result.samples == sum(100 * trial.epochs for trial in again) + ORACLE
    assert (result.delivered, task.best) == (1.0, 1.0)


def test_unseen_sets_are_those_that_no_stage_has_used() -> None:
    task = hand_made()
    strange = np.arange(4)[None, :, None] * np.ones((3, 1, 3))  # a test score that tells its forget set
    task = replace(task, test=strange)
    order = np.random.default_rng(5).permutation(4)
    ((alone, confirmed),) = replay(
        task, Search("random", 3), [Confirmation((), "search"), Confirmation(((2, 2),), "mean")], [5]
    )
    assert alone.delivered == order[1:].mean()
    assert confirmed.delivered == order[3]


def table_of(curves: np.ndarray) -> ScoreTable:
    measured = np.ones(curves.shape[1], dtype=bool)
    rows = [
        Row("random", "sure", "sobol" if i else "published", {"lr": 0.1 * i}, [0.5 * i], 100, curve, measured)
        for i, curve in enumerate(curves)
    ]
    return ScoreTable({"date": "today"}, {"random": 900}, {"random": 1.5}, 9, rows)


def test_a_table_comes_back_from_its_file(tmp_path: Path) -> None:
    curves = np.random.default_rng(0).random((3, 4, 5, 2)).astype(np.float32)
    curves[1, 2, 3:] = np.inf
    table = table_of(curves)
    table.save(tmp_path / "table.npz")
    again = ScoreTable.load(tmp_path / "table.npz")
    assert (again.about, again.oracle_samples, again.methods_sharing) == ({"date": "today"}, {"random": 900}, 9)
    assert again.untouched == {"random": 1.5}
    assert again.tasks == [("random", "sure")]
    assert [row.origin for row in again.rows] == ["published", "sobol", "sobol"]
    for row, curve in zip(again.rows, curves, strict=True):
        np.testing.assert_array_equal(row.curves, curve)
    task = Task.of(again, "random", "sure")
    assert task.oracle == 100
    assert (task.dev[1, 2, 3:] == 100).all()  # a diverged run counts as a gap of 100 points
    np.testing.assert_allclose(task.dev[0], curves[0, :, :, DEV])
    np.testing.assert_allclose(task.test[0], curves[0, :, :, TEST])
    assert task.even.tolist() == [False, True, True]


def test_a_search_beyond_the_table_pays_for_all_its_trials() -> None:
    ((result,),) = replay(hand_made(), Search("random", 12), [ALONE], [0])
    assert result.samples == 4 * (100 + 200 + 300) + ORACLE


def test_regret_is_told_against_the_baseline_over_all_tasks() -> None:
    task = hand_made()
    old, new = (Search("random", 3), ALONE), (Search("random", 3), Confirmation(((3, 2),), "mean"))
    other = replace(task, name=("random", "scrub"), samples=2 * task.samples, oracle=2 * ORACLE)
    frame = measure([task, other], [old, new], lambda _: 20)
    summary = over_tasks(frame, old).set_index("rounds")
    before, after = summary.loc["none"], summary.loc["3×2"]
    assert (before["cost"], before["regret_share"]) == (1, 1)
    assert after["cost"] == pytest.approx((600 + ORACLE + 1200 + 2 * ORACLE) / (600 + ORACLE))
    assert after["regret_share"] == pytest.approx((after["delivered"] - task.best) / (before["delivered"] - task.best))
    assert before["optimism"] == pytest.approx(before["delivered"] / before["hindsight"])


def test_the_printed_table_has_the_delivered_score_of_each_task() -> None:
    strategy = Search("random", 50), ALONE  # the baseline: the best of all rows on one set
    text = markdown(measure([hand_made()], [strategy], lambda _: 3), [strategy])
    order = [np.random.default_rng(i).permutation(4) for i in range(3)]
    task = hand_made()
    delivered = []
    for own, *rest in order:
        row = int(task.dev[:, own].min(1).argmin())
        delivered.append(task.test[row, rest][:, task.dev[row, own].argmin()].mean())
    assert f"| 50 random | none | search | 1.00 | {np.mean(delivered):.2f} (" in text
