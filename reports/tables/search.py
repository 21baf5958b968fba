"""What was run, and how far the scores of a search hold."""

from __future__ import annotations

from collections.abc import Collection

from reports import frames
from reports.caveats import first_trials_sentence, own_rule_note, part_note
from reports.format import Cell, Row, Table
from reports.names import method_label, scenario_label
from reports.sampled import confirmed_on, overlap_sentence, sampled
from sweeps.record import SweepRecord, significant, uncertain


def progress_table(record: SweepRecord) -> Table:
    """Every study: planned, done, pruned, failed, missing."""
    frame = frames.progress(record)
    rows = [
        Row(
            (
                Cell(scenario_label(r.scenario)),
                Cell(method_label(r.method), method_label(r.method)),
                Cell(r.stage),
                *(Cell(str(v), float(v)) for v in (r.planned, r.complete, r.pruned, r.failed, r.missing)),
                Cell(significant(r.seconds / 60, 2), r.seconds),
            ),
            r.method,
        )
        for r in frames.iterate(frame)
    ]
    columns = ("Scenario", "Method", "Stage", "Planned", "Complete", "Pruned", "Failed", "Not run", "Minutes")
    return Table("progress", "Trials of every study", tuple(map(Cell, columns)), tuple(rows), frame)


def optimism_table(record: SweepRecord, scenario: str) -> Table | None:
    """How much worse the winner of a search is when run again on other forget sets."""
    frame = frames.optimism(record, scenario)
    if not len(frame):
        return None
    confirmed = bool(frame["confirmed_n"].any())

    def again(mean: float, std: float, n: int, optimism: float) -> tuple[Cell, ...]:
        if not n:
            return (Cell("–"), Cell("0", 0.0), Cell("–"))
        return (
            Cell(uncertain(mean, std, n), mean),
            Cell(str(n), float(n)),
            Cell(significant(optimism, 2).replace("-", "−"), optimism),
        )

    rows = [
        Row(
            (
                Cell(method_label(r.method), method_label(r.method)),
                Cell(significant(r.search_score), r.search_score),
                Cell(str(r.trials), float(r.trials)),
                *(again(r.confirmed_mean, r.confirmed_std, r.confirmed_n, r.confirmed_optimism) if confirmed else ()),
                *again(r.evaluation_mean, r.evaluation_std, r.n, r.optimism),
            ),
            r.method,
        )
        for r in frames.iterate(frame)
    ]
    columns = (
        *("Method", "Winner in the search", "of trials"),
        *(("Confirmed", "n", "Optimism") if confirmed else ()),
        *("Evaluated", "n", "Optimism"),
    )
    title = f"{scenario_label(scenario)}: the winner's optimism, forget size {record.tuned_size(scenario)}"
    notes = _optimism_notes(record, scenario, confirmed, set(frame["method"]))
    return Table(f"{scenario}-optimism", title, tuple(map(Cell, columns)), tuple(rows), frame, notes)


def _optimism_notes(record: SweepRecord, scenario: str, confirmed: bool, shown: Collection[str]) -> list[str]:
    searched, images = ("dev", "test") if record.spec.get("protocol") == "strict" else ("test", "test")
    at = "in hindsight" if record.in_hindsight else "at the stop epoch"
    notes = [
        "Optimism: how much worse than in its search the winner does when run again; the least of noisy scores flatters.",
        f"Winner in the search: its best epoch on the one tuning forget set, {searched} images.",
    ]
    if confirmed:
        on = confirmed_on(record, scenario)
        notes.append(f"Confirmed: {on}, {searched} images, {at}; chosen by it, and so still flattered.")
    shared = overlap_sentence(record, scenario)
    decided = "each run's epoch" if record.in_hindsight else "nothing"
    evaluated = f"Evaluated: on {sampled(record, scenario).nouns}, {images} images, {at}; it decides {decided}."
    own_rule, begun = own_rule_note(record, [scenario], shown), first_trials_sentence(record, scenario)
    return [*notes, evaluated, *filter(None, [own_rule, shared, begun, part_note(record, scenario)])]
