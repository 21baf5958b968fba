"""How far an evaluation's forget sets can be kept apart, from those tuned on and from each other: drawn beforehand, by labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean

import numpy as np

from sweeps.spec.data import scenario_of, split_data
from sweeps.spec.schema import ScenarioSpec, Spec
from unlearn.data import ImageDataset, Indices, Labels, Look, look_at
from unlearn.registry import is_own
from unlearn.scenarios import ForgetSet, Scenario, halves, in_common

#: Where two of an evaluation's forget sets have more of their samples in common, intervals from them are said to be narrow: their
#: standard deviations are by 18 % and more below those between sets that are drawn from all samples and not from one half.
ALIKE = 0.5
#: Where equal methods are told apart more often than that, for what forget sets have in common, it is said: twice the level.
MISLED = 0.1
#: What makes the samples of a group repeat each other less, such as canary's scrambled ones, which a smaller set has as many of.
REPEAT_LESS = "fewer samples of that group, or more to draw them from (canaries, pool, sizes)"
#: Of so few forget sets no test is made.
UNTESTED = 2


def overlap_notes(spec: Spec, data: ImageDataset | Look) -> Iterator[str]:
    """One sentence for each scenario whose evaluation's forget sets share samples with tuning sets, or most with each other.

    Scenarios of the user's own, which may want the images, are passed over.
    """
    assert data.train_labels is not None
    splits = split_data(spec, data)
    labels = data.train_labels[splits.train]
    for label, body in spec.scenarios.items():
        scenario = scenario_of(spec, label, data, splits)
        if spec.rules > 1 and scenario.draws_vary and is_own("scenarios", spec.scenario_key(label)):
            shares = dict(_shares(spec, body, scenario, labels))
            if any(shares.values()):
                sets = len(spec.search.seeds)
                yield (
                    f"scenarios.{label}: its evaluation's forget sets share samples with the {sets} sets tuned on "
                    f"({_each(shares)}): one of the two is larger than half of the samples; smaller sets are apart"
                )
            shared = dict(_in_common(spec, body, scenario, labels))
            sets, trainings = len(spec.evaluation.forget_seeds(0)), spec.evaluation.trainings
            found = {size: misled(sets, max(of.values()), trainings) for size, of in shared.items()}
            common = {size: shared[size] for size, level in found.items() if level > MISLED}
            if common:
                by_group = any(map(_most, common.values()))
                yield (
                    f"scenarios.{label}: its evaluation's first forget set and another have many of their samples in common "
                    f"({_repeated(common)}), so that two methods that are equal on all samples are told apart in up to "
                    f"{max(found.values()):.0%} of such evaluations, not 5%; "
                    f"{f'what helps: {REPEAT_LESS}' if by_group else 'smaller sets repeat each other less'}"
                )


def misled(sets: int, share: float, trainings: int = 1) -> float:
    """How often a paired t-test at 5 % tells two methods apart that are equal on all samples, but not on the half drawn from.

    Of sets that have `share` of their samples in common, on average, for they are drawn from one half. Their means vary about
    that half's, which differs from all samples' by chance: by √(k·share / 2(1 − share)) standard errors of the mean of k sets. It
    is as much where runs of one method on one set are alike, and less where they vary.

    Args:
        sets: how many forget sets each training has. trainings: which are what is tested over where there are several.
    """
    units = trainings if trainings > 1 else sets
    if units <= UNTESTED or share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415  # a quarter of a second, which `sweeps validate` mostly does not wait

    wider = math.sqrt(1 + sets * trainings * share / (2 * (1 - share)))
    return float(2 * stdtr(units - 1, -stdtrit(units - 1, 0.975) / wider))


def seen_overlap(spec: Spec, cache: Path) -> list[str]:
    """The same of data that can be looked at without being decoded; nothing of other data, which must be sound."""
    seen = look_at(spec.dataset.name, cache / "data", spec.dataset.options)
    known = seen is not None and seen.train_labels is not None and seen.class_names is not None
    if seen is None or not known or (seen.ids is None and isinstance(spec.held_out, str)):
        return []
    return list(overlap_notes(spec, seen))


def _shares(spec: Spec, body: ScenarioSpec, scenario: Scenario, labels: Labels) -> Iterator[tuple[int, float]]:
    """(size, share of a forget set of that size that tuning sets have too)."""
    limit = scenario.limit(labels)
    tuning, evaluation = halves(labels, spec.seed)
    tuned = [_draw(scenario, labels, body.tune_size or limit, seed, evaluation).indices for seed in spec.search.seeds]
    seen = np.unique(np.concatenate(tuned))
    for size in body.sizes or [limit]:
        yield size, float(np.isin(_draw(scenario, labels, size, 0, tuning).indices, seen).mean())


def _in_common(
    spec: Spec, body: ScenarioSpec, scenario: Scenario, labels: Labels
) -> Iterator[tuple[int, dict[str, float]]]:
    """(size, shares of one of the evaluation's forget sets of that size that another has too, on average); of one set nothing.

    The shares are of all samples (under ""), and of each group of them.
    """
    tuning, _ = halves(labels, spec.seed)
    for size in body.sizes or [scenario.limit(labels)]:
        first, *others = (_draw(scenario, labels, size, seed, tuning) for seed in spec.evaluation.forget_seeds(0))
        shares = [in_common(other, first) for other in others]
        if shares:
            yield size, {name: fmean(share[name] for share in shares) for name in shares[0]}


def _each(shares: Mapping[int, float]) -> str:
    return ", ".join(f"{share:.0%} of {size}" for size, share in shares.items())


def _repeated(shares: Mapping[int, Mapping[str, float]]) -> str:
    found = {size: (_most(of), of) for size, of in shares.items()}
    return ", ".join(
        f"{of['']:.0%} of {size}" + (f" and {of[most]:.0%} of the group {most}" if most else "")
        for size, (most, of) in found.items()
    )


def _most(shares: Mapping[str, float]) -> str:
    """The group that repeats most; empty where that is the whole set."""
    return max(shares, key=shares.__getitem__)


def _draw(scenario: Scenario, labels: Labels, size: int, seed: int, avoid: Indices) -> ForgetSet:
    images = np.zeros((len(labels), 1, 1, 1), np.uint8)  # which samples are drawn does not depend on them
    return scenario.draw(images, labels, size, seed, avoid)
