"""The first lines of a report: who won, at what price, what failed and what is missing, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reports import frames
from reports.format import uncertain
from reports.names import method_label, metric, scenario_label
from sweeps.record import SweepRecord

__all__ = ["Verdict", "missing_work", "protocol_sentence", "verdict"]


_MOST_NAMED = 5


@dataclass(frozen=True)
class Verdict:
    """A scenario's answer: the winner and sentences about it."""

    scenario: str
    method: str | None
    headline: str
    sentences: tuple[str, ...]


def protocol_sentence(record: SweepRecord) -> str:
    """How the search was scored, and so what its numbers are worth."""
    protocol = record.spec.get("protocol")
    if protocol == "strict":
        return (
            "Protocol strict: the search was scored on held-out dev images and on forget sets used nowhere else; "
            "only the final evaluation read the test set, on fresh forget sets."
        )
    if protocol == "paper":
        return (
            "Protocol paper: the search itself was scored on the test set, as the paper did; its scores are optimistic."
        )
    return f"Protocol: {protocol or 'not stored'}."


def verdict(record: SweepRecord, scenario: str) -> Verdict:
    """The winner of a scenario with its score, its rivals, its trade-off and where others lead."""
    won = frames.winner(record, scenario)
    label = scenario_label(scenario)
    if won.method is None:
        return Verdict(scenario, None, f"{label}: no winner yet", ("No search trial of this scenario has completed.",))
    top = won.scores.iloc[0]
    name, score = method_label(won.method), uncertain(top["mean"], top["std"], int(top["n"]))
    unit = " points" if (record.spec.get("objective") or {}).get("name", "average_gap") == "average_gap" else ""
    if won.source == "search":
        sentence = f"Best search score {score}{unit}. Nothing is evaluated yet: a search score flatters, and no spread is known."
        return Verdict(scenario, won.method, f"{label}: {name} leads the search", (sentence,))
    sets = "forget set" if top["n"] == 1 else "forget sets"
    sentences = [f"Score {score}{unit} over {int(top['n'])} fresh {sets} of {won.forget_size} (lower is better)."]
    floor = frames.floor_summary(record, scenario, ["score"])
    for row in frames.iterate(floor[floor["forget_size"] == won.forget_size]):
        sentences.append(f"Noise floor {_value(row)}: what a second oracle scores that differs in its seed only.")
    sentences += [_rivals(won), *_trade_off(record, scenario, won)]
    verb = "leads" if won.equals else "wins"
    return Verdict(scenario, won.method, f"{label}: {name} {verb}", tuple(s for s in sentences if s))


def missing_work(record: SweepRecord) -> list[str]:
    """One sentence per stage and scenario that is not complete; empty where all that was planned is done."""
    progress = frames.progress(record)
    sentences = []
    for (scenario, stage), part in progress.groupby(["scenario", "stage"], sort=False):
        where = f"{scenario_label(str(scenario))}, {stage}"
        if not part["planned"].sum():
            if not part[["complete", "pruned", "failed"]].to_numpy().sum():
                sentences.append(f"{where}: not planned, not run.")
            continue
        rows = part[part["missing"] > 0]
        if len(rows):
            each = ", ".join(f"{method_label(r.method)} {r.missing} of {r.planned}" for r in frames.iterate(rows))
            sentences.append(f"{where}: not run yet: {each}.")
    return sentences


def _rivals(won: frames.Winner) -> str:
    others = [method_label(m) for m in won.equals]
    if len(others) > _MOST_NAMED:
        sets = int(won.scores["n"].max())
        rest = len(won.scores) - 1
        return f"Not distinguishable from it: {len(others)} of {rest} others (n = {sets}; more evaluation seeds tell more apart)."
    if others:
        return f"Not distinguishable from it: {', '.join(others)}."
    if len(won.scores) > 1:
        return "Distinguishable from every other method."
    return "It is the only method evaluated."


def _trade_off(record: SweepRecord, scenario: str, won: frames.Winner) -> list[str]:
    metrics = frames.gap_metrics(frames.evaluations(record, scenario))
    frame = frames.metric_summary(record, scenario, [*metrics, "relative_run_time"])
    frame = frame[frame["forget_size"] == won.forget_size]
    own = {r.metric: r for r in frames.iterate(frame[frame["method"] == won.method])}
    sides = []
    for side, keys in (("utility", frames.UTILITY), ("forgetting", frames.FORGETTING)):
        values = [f"{metric(m).short} {_value(own[m])}" for m in keys if m in own]
        if values:
            sides.append(f"{side}: {', '.join(values)}")
    cost = f" It took {_value(own['relative_run_time'])} of the oracle's time." if "relative_run_time" in own else ""
    sentences = [f"Trade-off, {'; '.join(sides)}.{cost}"] if sides else []
    led = [
        r
        for r in frames.iterate(frame)
        if r.best and r.metric in own and not (own[r.metric].best or own[r.metric].tied)
    ]
    if led:
        elsewhere = (f"{metric(r.metric).short}: {method_label(r.method)} ({_value(r)})" for r in led)
        sentences.append(f"Distinguishably better elsewhere: {', '.join(elsewhere)}.")
    return sentences


def _value(row: Any) -> str:
    return uncertain(row.mean, row.std, row.n)
