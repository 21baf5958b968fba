"""What a number is, where its name does not tell: the floor, the score, costs, attacks on few samples, scrambled samples."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import pandas as pd

from reports import frames
from reports.names import measures, method_label, metric, score_label
from reports.sampled import sampled
from sweeps.record import FLOOR, SweepRecord, evaluations

__all__ = [
    "attack_chance_note",
    "canary_sentence",
    "cost_notes",
    "cost_words",
    "fewer_gaps_note",
    "first_trials_sentence",
    "floor_note",
    "oracles_note",
    "own_rule_note",
    "part_note",
    "score_note",
]

#: By whose test set the source paper chose the values that it publishes.
TUNED_ON = "cifar10"
#: The gaps of the source paper's Average Error Gap; that on the class's test images where there is a class.
PAPERS = ("forget_gap", "utility_gap", "retain_gap", "mia_knn_forget_gap")


def floor_note(record: SweepRecord, scenario: str) -> str:
    """What the noise floor is; empty where it was not evaluated."""
    rows = evaluations(record, scenario, FLOOR)
    if not len(rows):
        return ""
    tuned = frames.stage_trials(record, "confirmation", scenario, "COMPLETE")
    stopped = ", at the stop epoch that its tuning sets chose" if (tuned["method"] == FLOOR).any() else ""
    said = f"Noise floor: the gaps of one more oracle, of another seed{stopped}."
    if not rows["value"].any():  # below 0 no gap can lie
        return said
    return f"{said} A method can lie below it: by chance, and by choosing its epoch and hyperparameters."


def oracles_note(record: SweepRecord, scenario: str) -> str:
    """To how many oracles gaps are; empty without evaluations."""
    rows = evaluations(record, scenario)
    counts = _known(rows, "oracles", 1)
    if not len(counts):
        return ""
    low, high = int(min(counts)), int(max(counts))
    if high == 1:
        return "Gaps are to one oracle a forget set: its own seed is in them."
    return f"Gaps are to the mean of {high if low == high else f'{low} to {high}'} oracles a forget set."


def own_rule_note(record: SweepRecord, scenarios: Iterable[str], shown: Collection[str]) -> str:
    """Which of the methods shown are at an epoch that a rule of their own chose; empty where none is."""
    own = dict.fromkeys(m for s in scenarios for m in frames.own_rule(record, s) if m in shown)
    named = ", ".join(map(method_label, own))
    if not own:
        return ""
    if record.in_hindsight:
        return f"Not in hindsight, but at the epoch that its own rule chose in each run: {named}."
    return f"No stop epoch, for the method chooses it in each run itself: {named}."


def part_note(record: SweepRecord, scenario: str) -> str:
    """On how many retain samples the epochs of searches are measured; empty where that is all of them."""
    rows = frames.stage_trials(record, "search", scenario)
    rows = rows[rows["state"].isin(["COMPLETE", "PRUNED"])]
    counts = rows["retain_samples"] if "retain_samples" in rows else pd.Series(dtype=float)
    if not counts.notna().any():
        return ""
    parts = [f"{int(count):,}" for count in sorted(counts.dropna().unique())] + ["all"] * bool(counts.isna().any())
    return (
        f"In searches each epoch is measured on {' or '.join(parts)} retain samples (a part is the same one for every method and "
        "the oracle); a completed trial's epoch that counts is on all of them (search.retain_samples)."
    )


def score_note(record: SweepRecord, scenario: str) -> str:
    """Which gaps an average gap is the mean of, and whether that is the paper's; empty for other scores."""
    if (record.spec.get("objective") or {}).get("name", "average_gap") != "average_gap":
        return ""
    gaps = frames.score_gaps(record, scenario)
    if not gaps:
        return ""
    needed = [*PAPERS, *(["class_test_gap"] if "class_test_gap" in frames.measured_gaps(record, scenario) else [])]
    papers = "as in the paper" if set(needed) == set(gaps) else "not the paper's"
    without = [metric(record, g).short for g in needed if g not in gaps]
    lacks = f", which has {' and '.join(without)} too" if without and papers != "as in the paper" else ""
    shorts = ", ".join(metric(record, g).short for g in gaps)
    return f"{score_label(record)}: the mean of {shorts} ({papers}{lacks})."


def fewer_gaps_note(record: SweepRecord, scenario: str, sizes: Iterable[float]) -> str:
    """At which of these forget sizes an average gap is of fewer gaps than elsewhere; empty where it is not."""
    if (record.spec.get("objective") or {}).get("name", "average_gap") != "average_gap":
        return ""
    rows, parts = evaluations(record, scenario), []
    measured = set(frames.measured_gaps(record, scenario))
    entering = [gap for gap in frames.score_gaps(record, scenario) if gap in measured]
    for size in dict.fromkeys(sizes):
        own = rows[rows["forget_size"] == size].dropna(axis="columns", how="all")
        lacking = [gap for gap in entering if len(own) and f"{frames.EPOCH}{gap}" not in own]
        if lacking:
            parts.append(f"at forget size {size:.0f} without {', '.join(metric(record, g).short for g in lacking)}")
    return f"{score_label(record)}: {'; '.join(parts)}, which has no value there." if parts else ""


def cost_notes(record: SweepRecord, scenario: str) -> list[str]:
    """What relative costs count, method by method, and why one is left out."""
    rows = evaluations(record, scenario)
    kinds = {str(m): _cost_of(own) for m, own in rows.groupby("method", sort=False)}
    names = {k: [method_label(m) for m, kind in kinds.items() if kind == k] for k in ("stop", "run", "epoch")}
    notes = []
    if names["stop"]:
        notes.append("Counted up to the stop epoch, which is known beforehand.")
    if names["run"]:
        notes.append(f"Counted to the last epoch, for the epoch is chosen after the run: {', '.join(names['run'])}.")
    if names["epoch"]:
        notes.append(
            "Counted up to the epoch that the numbers are of, though it may have been chosen after the whole run."
        )
    timed, sampled_ = f"{frames.EPOCH}relative_run_time", f"{frames.EPOCH}relative_samples"
    if sampled_ in rows and (timed not in rows or (rows[timed].isna() & rows[sampled_].notna()).any()):
        notes.append(
            "No time where the oracle was trained on another host or device, or by other resources.cuda_graphs."
        )
    return notes


def cost_words(record: SweepRecord, scenario: str, method: str) -> str:
    """Of what a method's relative cost is."""
    rows = evaluations(record, scenario)
    kind = _cost_of(rows[rows["method"] == method])
    return {"stop": "up to its stop epoch", "run": "for the whole run"}.get(kind, "up to the epoch shown")


def _cost_of(rows: pd.DataFrame) -> str:
    kinds = set(rows["cost_of"].dropna()) if "cost_of" in rows else set()
    return next((k for k in ("run", "stop") if k in kinds), "epoch")


def attack_chance_note(record: SweepRecord, scenario: str, sizes: Iterable[int]) -> str:
    """What chance alone adds to an attack on a forget set of each size; empty where no attack's decisions are known.

    An attack that decides on unseen images too takes as many of both: no more than there are of either.
    """
    trials = evaluations(record, scenario)
    unseen = record.class_images.get(scenario, record.images).get("test")
    known = {
        k: n
        for k in measures(record).family("attack", frames.metrics_of(trials))
        if (n := measures(record).decisions(k))
    }
    if not known:
        return ""
    parts = []
    for size in sorted(dict.fromkeys(sizes), reverse=True):
        rows = trials[trials["forget_size"] == size]
        each = []
        for name, factor in known.items():
            share = float(rows[f"{frames.EPOCH}{name}"].mean()) / 100
            if math.isfinite(share):
                each_kind = size if factor == 1 or unseen is None else min(size, unseen)
                chance = 100 * math.sqrt(max(share * (1 - share), 0) / (factor * each_kind))
                each.append(f"{metric(record, name).short} ± {chance:.2g}")
        parts += [f"at size {size} {', '.join(each)}"] if each else []
    if not parts:
        return ""
    return (
        "What one run's attack varies by for its few decisions alone, roughly (binomial, points; less where it calls most "
        f"samples alike): {'; '.join(parts)}."
    )


def canary_sentence(record: SweepRecord, scenario: str) -> str:
    """Which scrambled images are forgotten, in tuning and in evaluation; empty in other scenarios."""
    settings = (record.spec.get("scenarios") or {}).get(scenario) or {}
    if (settings.get("scenario") or scenario) != "canary":
        return ""
    canaries = int(settings.get("canaries", 50))
    pool = settings.get("pool") or (canaries if record.spec.get("rules", 1) == 1 else None)
    if pool == canaries:
        return f"Tuning and evaluation forget the same {canaries} scrambled images."
    avoids = sampled(record, scenario).overlap is not None
    apart = "in the evaluation others than in tuning, as far as they reach" if avoids else "drawn by seed"
    many = f"up to {4 * canaries}" if pool is None else str(pool)
    return f"Of {many} scrambled images that the original was trained on, each set forgets {canaries}, {apart}."


def first_trials_sentence(record: SweepRecord, scenario: str) -> str:
    """Whether searches began at known values, and what these had seen; empty where none were asked for."""
    sources = [str(s) for s in (record.spec.get("search") or {}).get("warm_start") or []]
    rows = frames.stage_trials(record, "search", scenario)
    begun = int((rows["origin"] == "warm start").sum()) if "origin" in rows else 0
    if begun:
        seen = f"; the published values were chosen by the test set of {TUNED_ON}" if "published" in sources else ""
        trials = "trial was" if begun == 1 else "trials were"
        known = " or ".join(sources)
        return f"{begun} search {trials} at values known beforehand ({known}), as far as the ranges hold them{seen}."
    if "published" in sources and record.spec.get("protocol") == "strict" and _dataset(record) == TUNED_ON:
        return f"The published values were no first trials, for they were chosen by the test set of {TUNED_ON}."
    return ""


def _dataset(record: SweepRecord) -> str:
    found = record.spec.get("dataset") or ""
    return str(found.get("name", "")) if isinstance(found, dict) else str(found)


def _known(rows: pd.DataFrame, name: str, otherwise: int) -> list[float]:
    if not len(rows):
        return []
    found = rows[name] if name in rows else pd.Series(otherwise, index=rows.index)
    return [float(v) for v in found.astype(float).fillna(otherwise)]
