"""The first lines of a report: who won, at what price, what failed and what is missing, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import frames
from reports.caveats import canary_sentence, cost_words
from reports.names import POINTS, method_label, metric, scenario_label, score_unit
from reports.sampled import counted, overlap_sentence
from reports.told import listed, needed_sentence, original_sentence, power_sentence, rivals_sentence
from sweeps.record import SweepRecord, beside_original, remarks, significant, still_tuning, told_apart, uncertain

__all__ = ["Verdict", "cost_sentence", "missing_work", "one_draw_sentence", "protocol_sentence", "verdict"]


_HINDSIGHT = (
    "its numbers are in hindsight: each run at the epoch of the least score on the very forget set and images reported"
)
NOTHING_APART = "no method can be told apart"
NONE_BETTER = "no method is told to be better than no unlearning"
#: What a reader asks of a scenario.
WHICH, SURE, COST, NEXT = QUESTIONS = ("Which method", "How sure", "At what cost", "What to do next")


@dataclass(frozen=True)
class Verdict:
    """A scenario's answer in words.

    Attributes:
        method: one that is told apart from others, None where there is none.
        answers: sentences by the question that they answer, in the order of `QUESTIONS`; without questions that have none.
        limits: what limits the answer, each with its remedy.
    """

    scenario: str
    method: str | None
    headline: str
    answers: dict[str, tuple[str, ...]]
    limits: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """All that is said, in order."""
        return tuple(sentence for said in self.answers.values() for sentence in said)


def protocol_sentence(record: SweepRecord) -> str:
    """How the search was scored and at which epoch numbers stand, and so what they are worth."""
    protocol = record.spec.get("protocol")
    hindsight = (record.protocol_note or _HINDSIGHT).rstrip(".")
    if protocol == "paper":
        return f"Protocol paper: the search itself was scored on the test set, as the paper did, and is optimistic; {hindsight}."
    if protocol != "strict":
        return f"Protocol: {protocol or 'not stored'}."
    strict = "Protocol strict: the search was scored on held-out dev images and tuning forget sets"
    if record.in_hindsight:
        return f"{strict}. But {hindsight}. That is optimistic."
    sources = {winner.source for found in record.winners.values() for winner in found.values()}
    stages = {"evaluation": "the evaluation", "sensitivity": "the sensitivity grids"}
    readers = " and ".join(name for stage, name in stages.items() if len(frames.stage_trials(record, stage)))
    only = (
        f"Only {readers} read the test set, and decided nothing." if readers else "No trial has read the test set yet."
    )
    if sources == {"given"}:
        return f"Protocol strict: configurations and stop epochs were given, and nothing was searched for them here. {only}"
    unless = ", but for what was given" if "given" in sources else ""
    return f"{strict}; configuration and stop epoch were chosen there{unless}. {only}"


def one_draw_sentence(record: SweepRecord) -> str:
    """Which stop epochs were chosen on a single forget set; empty where none was."""
    named = [
        f"{scenario_label(s)}: {', '.join(method_label(m) for m in found)}"
        for s in frames.scenarios(record)
        if (found := frames.on_one_draw(record, s))
    ]
    return (
        f"Stop epochs that rest on one draw, for they were not confirmed on further forget sets: {'; '.join(named)}."
        if named
        else ""
    )


def cost_sentence(record: SweepRecord) -> str:
    """What the epochs chosen beforehand cost against those of hindsight, over all methods and scenarios; empty where unknown."""
    known = [frames.cost_of_not_knowing(record, s) for s in frames.scenarios(record)]
    known = [costs for costs in known if len(costs)]
    if not known:
        return ""
    every = pd.concat(known).dropna(subset=["stop_epoch"])
    if not len(every):
        return ""
    best, known_before = (significant(every[name].mean()) for name in ("hindsight_mean", "score_mean"))
    said = "In hindsight (the paper's convention) the mean score over scenarios and methods with a stop epoch would be"
    if best == known_before:
        return f"{said} the same, {best}."
    return f"{said} {best} instead of {known_before}: the difference is what nobody can know beforehand."


def verdict(record: SweepRecord, scenario: str) -> Verdict:
    """Which methods can be told apart, the least score with its rivals, its trade-off, and where others are better."""
    won = frames.standing(record, scenario)
    label = scenario_label(scenario)
    if won.method is None and not frames.methods(record, scenario):
        return _verdict(
            scenario, f"{label}: no method to compare", {WHICH: ["The sweep has baselines alone: add a method."]}
        )
    if won.method is None:
        return _verdict(
            scenario, f"{label}: nothing known yet", {WHICH: ["No trial of a method has completed in this scenario."]}
        )
    top = won.scores.iloc[0]
    name, score = method_label(won.method), uncertain(top["mean"], top["std"], int(top["n"])) + _unit(record)
    limits = _limits(record, scenario)
    guessing = _remarks(record, scenario, "guessing")  # where there are some, nothing after them is worth reading
    if won.source == "search":
        sentence = (
            f"Least score of a search: {name}, {score}, of one forget set: it flatters, and tells no methods apart."
        )
        return _verdict(scenario, f"{label}: not evaluated yet", {WHICH: [*guessing, sentence]}, limits)
    over = counted(record, scenario, int(top["n"]), won.forget_size)
    apart = told_apart(record, scenario)
    price, elsewhere = _trade_off(record, scenario, won)
    answers = {
        WHICH: [
            *guessing,
            f"{_least(won, name)} {score} over {over} (lower is better).",
            _as_low(won),
            overlap_sentence(record, scenario),
            elsewhere,
        ],
        SURE: [
            *([rivals_sentence(apart), power_sentence(record, apart)] if apart is not None else []),
            original_sentence(record, scenario),
            *_floor(record, scenario, won.forget_size),
            canary_sentence(record, scenario),
            *_remarks(record, scenario, "alike"),
            _uneven(won),
        ],
        COST: [price],
        NEXT: [needed_sentence(record, apart)] if apart is not None else [],
    }
    return _verdict(
        scenario, f"{label}: {_headline(record, won, name)}", answers, limits, won.method if won.behind else None
    )


def _verdict(
    scenario: str,
    headline: str,
    answers: Mapping[str, Sequence[str]],
    limits: tuple[str, ...] = (),
    method: str | None = None,
) -> Verdict:
    """A verdict without what is empty."""
    said = {question: tuple(filter(None, sentences)) for question, sentences in answers.items()}
    return Verdict(scenario, method, headline, {q: sentences for q, sentences in said.items() if sentences}, limits)


def _floor(record: SweepRecord, scenario: str, size: int | None) -> Iterator[str]:
    floor = frames.baseline_summary(record, scenario, frames.FLOOR, ["score"])
    for row in frames.iterate(floor[floor["forget_size"] == size]):
        below = "; a method can lie below it" if row.mean else ""  # below 0 no gap can lie
        yield f"Noise floor: {_value(row)}, the score of one more oracle{below}."


def _limits(record: SweepRecord, scenario: str) -> tuple[str, ...]:
    own = [r for r in remarks(record) if r.scenario == scenario]
    edges: dict[str, list[str]] = {}
    for r in own:
        if r.kind == "edge":
            edges.setdefault(method_label(str(r.method)), []).append(r.brief)
    named = "; ".join(f"{method}: {', '.join(ends)}" for method, ends in edges.items())
    who = "The best so far lie" if edges and scenario in still_tuning(record) else "Winners"
    widen = "widen methods.<method>.<name>.low or .high; for a stop epoch raise epochs, in the method's section or in unlearning"
    rest = [r for r in own if r.kind not in {"edge", "alike", "guessing", "no_better"}]  # those are among the answers
    return (
        *([f"{who} at the end of a range ({widen}): {named}."] if edges else []),
        *(f"{method_label(r.method)}: {r}." if r.method is not None else f"{_capital(str(r))}." for r in rest),
    )


def _remarks(record: SweepRecord, scenario: str, kind: str) -> list[str]:
    """A scenario's remarks of one kind, as sentences."""
    return [f"{_capital(str(r))}." for r in remarks(record) if (r.scenario, r.kind) == (scenario, kind)]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _headline(record: SweepRecord, won: frames.Standing, name: str) -> str:
    """What the comparison supports, and no more."""
    original = beside_original(record, won.scenario)
    if original is not None and not original.untested and not original.better:
        return NONE_BETTER
    if len(won.scores) == 1:
        tested = original is not None and not original.untested
        return f"{name} is told to be better than no unlearning" if tested else f"{name} is the only method evaluated"
    if not won.behind:
        return NOTHING_APART
    if not won.equals:
        return f"{name} wins"
    others = len(won.scores) - 1
    return f"{name} is ahead of {listed(won.behind, 2) or f'{len(won.behind)} of {others} others'}"


def _least(won: frames.Standing, name: str) -> str:
    if len(won.scores) == 1:
        return f"{name} is the only method evaluated: score"
    return f"Least mean score: {name},"


def _as_low(won: frames.Standing) -> str:
    """Who has the least mean too; empty where nobody has."""
    rows = won.scores
    names = [str(method) for method in rows.loc[rows["best"], "method"] if method != won.method]
    return f"{listed(names, len(names))} {'has' if len(names) == 1 else 'have'} the same mean." if names else ""


def _uneven(won: frames.Standing) -> str:
    """Where methods were not evaluated on equally many forget sets, their means are of different things."""
    counts = won.scores.set_index("method")["n"]
    fewer = [f"{method_label(str(m))} {int(n)}" for m, n in counts.items() if n < counts.max()]
    return f"Evaluated fewer than {int(counts.max())} times: {', '.join(fewer)}." if fewer else ""


def _unit(record: SweepRecord) -> str:
    return " points" if score_unit(record) == POINTS else ""


def missing_work(record: SweepRecord) -> list[str]:
    """One sentence per stage and scenario that is not complete, or lacks models that were to be kept; empty where none is."""
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
    return [*sentences, *_models_not_kept(record)]


def _models_not_kept(record: SweepRecord) -> Iterator[str]:
    """Of each scenario, how many runs of the evaluation left no unlearned model, and why; where models are to be kept."""
    if not (record.spec.get("evaluation") or {}).get("keep_models"):
        return
    for scenario in frames.scenarios(record):
        done = frames.stage_trials(record, "evaluation", scenario, "COMPLETE")
        done = done[done["method"] != frames.UNTOUCHED] if len(done) else done
        without = done[done["kept_model"].isna()] if len(done) else done
        if len(without):
            why = without["not_kept"].fillna("they ran while evaluation.keep_models was off").value_counts()
            reasons = "; ".join(f"{n} × {reason}" for reason, n in why.items())
            yield f"{scenario_label(scenario)}, evaluation: no unlearned model of {len(without)} of {len(done)} runs ({reasons})."


def _trade_off(record: SweepRecord, scenario: str, won: frames.Standing) -> tuple[str, str]:
    """The price of the least score, and where others are better; each empty where it is not known."""
    metrics = frames.gap_metrics(record, frames.evaluations(record, scenario))
    frame = frames.metric_summary(record, scenario, [*metrics, "relative_run_time"])
    frame = frame[frame["forget_size"] == won.forget_size]
    own = {r.metric: r for r in frames.iterate(frame[frame["method"] == won.method])}
    sides = []
    for side, keys in frames.sides(record, metrics).items():
        values = [f"{metric(record, m).short} {_value(own[m])}" for m in keys if m in own]
        if values:
            sides.append(f"{side} {', '.join(values)}")
    cost = ""
    if "relative_run_time" in own:
        counted_as = cost_words(record, scenario, str(won.method))
        cost = f" It took {_value(own['relative_run_time'])} of the oracle's time, {counted_as}."
    led = [f"{metric(record, r.metric).short}: {method_label(r.method)} ({_value(r)})" for r in _led(frame, own)]
    elsewhere = f"Better than it in a single measure, each told apart at 5 %: {', '.join(led)}." if led else ""
    return f"Its trade-off: {'; '.join(sides)}.{cost}" if sides else "", elsewhere


def _led(frame: pd.DataFrame, own: Mapping[str, Any]) -> list[Any]:
    """By metric the best method, where it is told apart from ours: of several with the same mean the one that was compared."""
    found: dict[str, Any] = {}
    for row in frames.iterate(frame):
        led = row.metric in own and not (own[row.metric].best or own[row.metric].tied)
        if row.best and led and str(row.method) <= str(found.get(row.metric, row).method):
            found[row.metric] = row
    return list(found.values())


def _value(row: Any) -> str:
    return uncertain(row.mean, row.std, row.n)
