"""`sweeps unlearn`: a tuned method applied to a list of images to forget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweeps.cli.options import Options
from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import DONE, echo, errors_to_exit_code, stdout_console, tell
from sweeps.objective import TITLES
from sweeps.requests import (
    FAILED,
    UNFINISHED,
    answer,
    check_empty,
    copies_line,
    oracles_of,
    original_line,
    unchanged_line,
    write_answer,
)
from unlearn.data import read_ids


@errors_to_exit_code
def unlearn_request(options: Options, forget: Path, column: str | None, out: Path, **choices: Any) -> int:
    """Unlearn what the file `forget` lists, and write weights, record and page into the folder `out`."""
    check_empty(out)
    ids = read_ids(forget, column)
    given = answer(options.find(), ids, source=str(forget), tell=echo, **choices)
    paths = write_answer(given, out)
    print_record(given.record)
    print(*paths, sep="\n")
    return DONE


def print_record(record: dict[str, Any]) -> None:
    """What was measured, what is to be expected, in what the request is unlike what was tuned on, and what it left out."""
    measured, oracle = record["measured"], record["oracle"]
    columns = {
        "before": measured["before"],
        "after": measured["after"],
        **({"oracle": oracle["measured"]} if oracle else {}),
    }
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    rows = [
        (name, *(f"{values[name]:.2f}" if name in values else "–" for values in columns.values())) for name in names
    ]
    print_rows(stdout_console(), Rows(("per cent",), tuple(columns), rows))
    if line := unchanged_line(record):
        tell(f"note: {line}")
    tell(expectation_line(record))
    if original := record["expected"].get("original"):
        tell(original_line(record["ran"]["method"], original))
    chosen_by = record["ran"]["method_chosen_by"]
    if UNFINISHED in chosen_by or FAILED in chosen_by:
        tell(f"note: the method was chosen by {chosen_by}")
    for sentence in record["unlike"]:
        tell(f"note: this request is unlike what was tuned on: {sentence}")
    if line := copies_line(record):
        tell(f"note: {line}")


def expectation_line(record: dict[str, Any]) -> str:
    """The gap that is to be expected, and the one that was found."""
    hopes, oracle = record["expected"], record["oracle"]
    name = f"{TITLES[hopes['objective']]} to {oracles_of(record)}"
    if "unknown_because" in hopes:
        line = f"{name}: not known before, as {hopes['unknown_because']}"
        return f"{line}; found {oracle['gaps']['score']:.2f}" if oracle else line
    score = hopes["gaps"]["score"]
    line = (
        f"{name}: {score['mean']:.2f} to be expected, {score['low']:.2f} … {score['high']:.2f} with probability "
        f"{hopes['level']:.0%}, from {hopes['from']} of {hopes['size']:,} samples"
    )
    if not oracle:
        return line
    inside = oracle["as_expected"].get("score")
    held = "a mean of other gaps than those" if inside is None else f"{'inside' if inside else 'outside'} the interval"
    return f"{line}; found {oracle['gaps']['score']:.2f}, {held}"
