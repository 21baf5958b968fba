"""What limits a sweep's answer, with remedies: ends of ranges, coarse scores, forget sets, budgets, recipes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from sweeps.codes import changed, in_text
from sweeps.jobs.job import CODE, GUESSING, RETAIN_SAMPLES
from sweeps.record.apart import UNTOUCHED, beside_original, draws_vary, evaluations, groups_in_common
from sweeps.record.numbers import significant, uncertain
from sweeps.record.once import once
from sweeps.record.record import SweepRecord
from sweeps.record.rounding import entering, image_step, images_of
from sweeps.spec.draws import MISLED, REPEAT_LESS, misled
from sweeps.studies.winners import Winner
from unlearn.gaps import Measures

__all__ = ["Remark", "remarks"]

#: A value so near to an end of its range, as a share of the range on its scale, lies at the end.
NEAR = 0.01
#: Accuracies in which an oracle is like the original where both were trained alike, and what they are of.
LEARNT_ALIKE = {"retain_accuracy": "training images to retain", "heldout_accuracy": "test images"}
#: Gaps that a strict search measures on dev images.
ON_DEV = {"utility_gap", "class_test_gap"}
#: It is measured where a scenario forgets of some classes only.
BY_CLASS = "class_accuracy"
#: From how many points of accuracy on, and how many standard deviations of the oracles', it is unlike.
UNLIKE, UNLIKE_SPREAD = 3.0, 3.0
#: Whole numbers of which there are fewer are mostly ends.
FEWEST = 4


@dataclass(frozen=True)
class Remark:
    """One fact and what to do about it.

    Attributes:
        method: None where it is of a whole scenario.
        name: of a hyperparameter, where it is of one. brief: its value and range.
    """

    kind: Literal[
        "edge",
        "coarse",
        "alike",
        "uneven",
        "narrowed",
        "recipe",
        "guessing",
        "original",
        "code",
        "baseline",
        "no_better",
    ]
    scenario: str
    method: str | None
    fact: str
    remedy: str
    name: str = ""
    brief: str = ""

    def __str__(self) -> str:
        return f"{self.fact}: {self.remedy}"


@once
def remarks(record: SweepRecord) -> list[Remark]:
    """All of a sweep, scenario by scenario."""
    scenarios = dict.fromkeys(scenario for _, scenario, _ in record.planned)
    kinds = (
        _at_the_edge,
        _coarse,
        _alike,
        _uneven,
        _narrowed,
        _two_recipes,
        _guessing,
        _original,
        _codes,
        _no_baseline,
        _no_better,
    )
    return [remark for scenario in scenarios for kind in kinds for remark in kind(record, scenario)]


def _at_the_edge(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Winners of searches with a hyperparameter, or their stop epoch, at an end that could be moved."""
    for method, winner in record.winners.get(scenario, {}).items():
        if winner.source not in ("search", "confirmation"):
            continue
        methods = record.spec.get("methods")
        entries = (methods.get(method) or {}) if isinstance(methods, Mapping) else {}
        for name, entry in entries.items():
            value = winner.hyperparameters.get(name)
            if not isinstance(entry, Mapping) or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            end = _end(entry, float(value))
            if end is not None and not _natural(name, end, entry, _epochs(record, winner)):
                where = "lower" if end == "low" else "upper"
                fact = f"{name} = {value:.4g} is at the {where} end of its range ({entry['low']:.4g} … {entry['high']:.4g})"
                brief = f"{name} = {value:.4g} ({entry['low']:.4g} … {entry['high']:.4g})"
                further = "lower" if end == "low" else "raise"
                yield Remark("edge", scenario, method, fact, f"{further} methods.{method}.{name}.{end}", name, brief)
        epochs = _epochs(record, winner)
        if winner.stop_epoch is not None and epochs is not None and winner.stop_epoch >= epochs > 1:
            fact = f"stop_epoch = {winner.stop_epoch} is the last epoch"
            remedy = f"raise {f'methods.{method}' if 'epochs' in entries else 'unlearning'}.epochs"
            brief = f"stop_epoch = {epochs} (of {epochs})"
            yield Remark("edge", scenario, method, fact, remedy, "stop_epoch", brief)


def _epochs(record: SweepRecord, winner: Winner) -> int | None:
    found = winner.hyperparameters.get("epochs", (record.spec.get("unlearning") or {}).get("epochs"))
    return int(found) if isinstance(found, int | float) else None


def _end(entry: Mapping[str, Any], value: float) -> Literal["low", "high"] | None:
    """At which end of its range a value lies, on the range's own scale."""
    scale = entry.get("scale", "linear")

    def along(x: float) -> float:
        if scale == "linear":
            return x
        return -math.log(max(1 - x, 1e-300)) if scale == "log_complement" else math.log(x)

    try:
        low, high, at = along(entry["low"]), along(entry["high"]), along(value)
    except (KeyError, TypeError, ValueError):
        return None
    if high <= low or _count(entry) < FEWEST:
        return None
    if (at - low) / (high - low) <= NEAR:
        return "low"
    return "high" if (high - at) / (high - low) <= NEAR else None


def _count(entry: Mapping[str, Any]) -> float:
    """How many values a range has, if they are whole numbers."""
    low, high = entry["low"], entry["high"]
    if not (isinstance(low, int) and isinstance(high, int)):
        return math.inf
    return round(math.log2(high / low)) + 1 if entry.get("scale") == "power_of_two" else high - low + 1


def _natural(name: str, end: str, entry: Mapping[str, Any], epochs: int | None) -> bool:
    """Whether there is nothing beyond an end: a count below 1, a weight beyond 0 or 1, a decay after the last epoch but one."""
    bound = entry[end]
    if name == "lr_decay_epoch" and end == "high":
        return epochs is not None and bound >= epochs - 1
    if end == "low":
        return bound == 0 or (isinstance(bound, int) and bound == 1)
    return name == "alpha" and bound == 1


def _coarse(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Where one image more or less would turn the first two of most searches round."""
    curves = record.curves
    own = curves[(curves["stage"] == "search") & (curves["scenario"] == scenario)] if len(curves) else curves
    objective = record.spec.get("objective") or {}
    if not len(own) or objective.get("name", "average_gap") != "average_gap":
        return
    steps = _steps(record, scenario, own, list(objective.get("gaps") or []))
    if not steps:
        return
    gap = max(steps, key=lambda g: steps[g])
    step = steps[gap] / max(len(steps), len(entering(record, own)))  # a gap that never moved is in the mean too
    leads = [lead for _, rows in _searches(record, scenario) if (lead := _lead(rows)) is not None]
    close = sum(lead < step for lead in leads)
    if 2 * close > len(leads):
        label = Measures(record.measures).label(gap).short
        moved, by = significant(steps[gap], 2), significant(step, 2)
        fact = (
            f"one image moves {label} by {moved} points and the score by {by}, which is more than lies between "
            f"the first two of {close} of {len(leads)} searches"
        )
        remedies = [
            *_finer(record, scenario, gap),
            f"more {'sets' if draws_vary(record, scenario) else 'runs'} to confirm on (search.confirm)",
        ]
        yield Remark("coarse", scenario, None, fact, ", or ".join(remedies))


def _finer(record: SweepRecord, scenario: str, gap: str) -> Iterator[str]:
    """By which images a gap would be measured more finely in the search, where there can be more of them."""
    sized = ((record.spec.get("scenarios") or {}).get(scenario) or {}).get("tune_size")
    if gap in ON_DEV and record.spec.get("protocol") == "strict":
        yield "more dev images (dev, held_out)"
    if (
        gap == "forget_gap" and sized and not any(_alike(record, scenario))
    ):  # larger sets would repeat each other even more
        yield "a larger forget set (tune_size)"


def _steps(record: SweepRecord, scenario: str, curves: pd.DataFrame, gaps: list[str]) -> dict[str, float]:
    """One image's worth of each accuracy whose gap enters the score, and which has moved."""
    measures = Measures(record.measures)
    accuracies = measures.family("accuracy", map(str, curves.columns))
    found, size = {}, record.tuned_size(scenario)
    part: Literal["dev", "test"] = "dev" if record.spec.get("protocol") == "strict" else "test"
    for name in accuracies:
        rows = _whole(curves) if name == "retain_accuracy" else curves
        values = rows[name].astype(float).round(6)
        if measures.gap_name(name) in gaps and values.nunique() > 1:
            found[measures.gap_name(name)] = image_step(name, values, images_of(record, scenario, name, size, part))
    return found


def _whole(curves: pd.DataFrame) -> pd.DataFrame:
    """The rows of a scenario's search curves that are of all retain samples: those by which trials are ranked."""
    counts = curves.get(RETAIN_SAMPLES)
    return curves if counts is None else curves[counts.isna() | (counts == counts.max())]


def _alike(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Forget sets of an evaluation that repeat each other so far that equal methods are told apart on them."""
    size = record.shown_size(scenario)
    shares = groups_in_common(record, scenario, size)
    most = max(shares, key=shares.__getitem__, default="")
    rows = evaluations(record, scenario)
    sets = rows.loc[rows["forget_size"] == size, ["training", "draw"]].drop_duplicates().groupby("training").size()
    level = misled(int(sets.max()), shares[most], len(sets)) if "" in shares and len(sets) else 0.0
    if level > MISLED:
        of_group = f", and {100 * shares[most]:.0f} % of the group {most}" if most else ""
        groups = Measures(record.measures).groups(
            str(c).removeprefix("metric.") for c in rows.columns[rows.notna().any()]
        )
        unknown = groups and len(shares) == 1  # an older version did not keep them
        more = ", or in more where they differ on a group of the samples alone" if unknown else ""
        fact = (
            f"the evaluation's first forget set of {size} and another have {100 * shares['']:.0f} % in common on average"
            f"{of_group}, so that two methods that are equal on all samples are told apart in up to {100 * level:.0f} % of such "
            f"evaluations{more}, not 5 %"
        )
        remedy = REPEAT_LESS if of_group else "forget fewer samples (tune_size, sizes), or of a scenario with more"
        yield Remark("alike", scenario, None, fact, remedy)


def _uneven(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Searches that had more trials than the sweep now plans, beside others that had not: run with another `search.trials`."""
    trials = record.counted
    mine = trials[(trials["stage"] == "search") & (trials["scenario"] == scenario) & (trials["state"] != "RUNNING")]
    ended = mine["method"].value_counts()
    counts = {m: int(ended.get(m, 0)) for stage, of, m in record.planned if (stage, of) == ("search", scenario)}
    most = max((n for m, n in counts.items() if n > record.planned["search", scenario, m]), default=0)
    if most > min(counts.values(), default=0):
        named = ", ".join(f"{method} {n}" for method, n in counts.items())
        fact = f"searches had budgets that are not equal (trials: {named}), and more trials find better scores"
        yield Remark("uneven", scenario, None, fact, f"give all of them as many (--set search.trials={most})")


def _narrowed(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Methods that ran, and are not in what is compared."""
    methods = record.left_out.get(scenario, [])
    if methods:
        fact = f"methods that ran before are not compared here, as the last run left them out ({', '.join(methods)})"
        yield Remark("narrowed", scenario, None, fact, "run the sweep with them again; what is done is not repeated")


def _two_recipes(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Oracles whose accuracy is unlike that of an original that was given, on images that both or neither have learnt."""
    trials = record.counted
    references = trials[(trials["stage"] == "reference") & (trials["state"] == "COMPLETE")]
    originals = references[references["method"] == "original"]
    oracles = references[(references["method"] == "oracle") & (references["scenario"] == scenario)]
    if not record.spec.get("original") or not len(originals) or not len(oracles):
        return
    by_class = f"metric.{BY_CLASS}" in oracles and bool(oracles[f"metric.{BY_CLASS}"].notna().any())
    differ = []
    for name, images in LEARNT_ALIKE.items():
        column = f"metric.{name}"
        if column not in references or (by_class and name == "heldout_accuracy"):
            continue  # of the test images' forget classes an oracle knows less, whatever its recipe
        theirs, own = oracles[column].dropna().astype(float), originals[column].dropna().astype(float)
        spread = float(theirs.std()) if len(theirs) > 1 else 0.0
        if len(theirs) and len(own) and abs(theirs.mean() - own.iloc[0]) > max(UNLIKE, UNLIKE_SPREAD * spread):
            differ.append(f"{theirs.mean():.1f} % of the {images} (the original that was given: {own.iloc[0]:.1f} %)")
    if differ:
        fact = f"the oracles, trained by the sweep's own recipe, classify {' and '.join(differ)}, so that gaps are of two recipes"
        yield Remark("recipe", scenario, None, fact, "write under training how the original was trained, augment too")


def _guessing(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Originals and oracles that have learnt nothing: gaps to them are small whatever a method does."""
    trials, accuracy = record.counted, "metric.retain_accuracy"
    models = trials[(trials["stage"] == "reference") & (trials["state"] == "COMPLETE")]
    if accuracy not in models or GUESSING not in models:
        return
    own = models[models["scenario"] == scenario]
    if not (own["method"] == "original").any():  # it stands under the first scenario that shares it
        own = pd.concat([own, models[models["method"] == "original"]])
    found = own[accuracy].astype(float)
    guess = own[GUESSING].astype(float)
    poor = found[(found <= guess) & (guess < 100)]  # of one class alone every guess is right
    if len(poor):
        fact = (
            f"{len(poor)} of {len(own)} originals and oracles {'is' if len(poor) == 1 else 'are'} no better than guessing on the "
            f"training images to retain ({poor.mean():.1f} %), so that gaps say nothing of forgetting"
        )
        yield Remark("guessing", scenario, None, fact, "train them longer, or with another learning rate (training)")


def _original(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Methods whose own rule took the original itself (epoch 0) in runs of the evaluation."""
    for method, own in evaluations(record, scenario).groupby("method", sort=False):
        if left := int((own["epoch"] == 0).sum()):
            fact = f"in {left} of {len(own)} evaluation runs its own rule took the original itself, and nothing was unlearned"
            yield Remark("original", scenario, str(method), fact, "the score of these is that of doing nothing")


def _codes(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Methods whose trials ran with code of one's own that has changed in between."""
    trials = record.counted
    if CODE not in trials:
        return
    mine = trials[(trials["scenario"] == scenario) & (trials["state"] == "COMPLETE") & trials[CODE].notna()]
    for method, own in mine.groupby("method", sort=False):
        last = in_text(own.sort_values("completed", kind="stable")[CODE].iloc[-1])
        if newer := changed(own[CODE].unique(), last):
            before = sum(bool(changed([text], last)) for text in own[CODE])
            fact = (
                f"{before} of {len(own)} trials ran before the code of {' and '.join(newer)} was changed, and count beside the "
                "others"
            )
            yield Remark("code", scenario, str(method), fact, "run all of them anew, under another name (--set name=…)")


def _searches(record: SweepRecord, scenario: str) -> Iterator[tuple[object, pd.DataFrame]]:
    """The completed trials of each method's search."""
    trials = record.counted
    yield from trials[
        (trials["stage"] == "search") & (trials["scenario"] == scenario) & (trials["state"] == "COMPLETE")
    ].groupby("method", sort=False)


def _lead(rows: pd.DataFrame) -> float | None:
    """By how much the best configuration of a search is ahead of the next; None where there is one only."""
    names = [c for c in rows if str(c).startswith("hp.")]
    scores = rows.assign(value=rows["value"].astype(float)).groupby(names, dropna=False)["value"].min().sort_values()
    return float(scores.iloc[1] - scores.iloc[0]) if len(scores) > 1 else None


def _no_baseline(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Where nobody can say whether it is any better to unlearn than to leave the model as it is."""
    if record.in_hindsight:  # nothing would be tested against it: see `beside_original`
        return
    if UNTOUCHED in record.left_out.get(scenario, []):  # it was evaluated: `_narrowed` says that it is left out
        return
    planned = ("evaluation", scenario, UNTOUCHED) in record.planned
    if not planned and len(evaluations(record, scenario)) and not len(evaluations(record, scenario, UNTOUCHED)):
        fact = "the original as it is was not evaluated, so that it is not known which methods are better than no unlearning"
        yield Remark("baseline", scenario, None, fact, "add original to methods; what is done is not repeated")


def _no_better(record: SweepRecord, scenario: str) -> Iterator[Remark]:
    """Methods that are not told to be better than no unlearning."""
    original = beside_original(record, scenario)
    if original is None or original.untested:
        return
    score = uncertain(original.mean, original.spread, original.runs)
    more_units = f"more {original.unit}s ({original.key})"
    not_apart = original.not_apart, "is not told to be better", [more_units]
    worse = original.worse, "is told to be worse", list[str]()  # on more of those it is worse, too
    for methods, said, remedies in (not_apart, worse):
        for method in methods:
            fact = f"it {said} than no unlearning, which scores {score}"
            found = record.winners.get(scenario, {}).get(method)
            searched = ("search", scenario, method) in record.planned and (found is None or found.source != "given")
            tuning = "more trials (search.trials)" if searched else "other hyperparameters (methods, or --params)"
            yield Remark("no_better", scenario, method, fact, ", or ".join([tuning, *remedies]))
