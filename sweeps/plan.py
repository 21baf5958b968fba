"""From spec to studies: which there are, in which order, and what each trial needs before it can start."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sweeps.spec import Spec
from sweeps.spec.space import Space

Stage = Literal["reference", "search", "confirmation", "evaluation", "sensitivity"]
STAGES: tuple[Stage, ...] = ("reference", "search", "confirmation", "evaluation", "sensitivity")
AXES = ("lr", "alpha")


@dataclass(frozen=True)
class ForgetDraw:
    """One forget set of a scenario: its size (None where the scenario fixes it) and seed."""

    scenario: str
    size: int | None
    seed: int


@dataclass(frozen=True)
class ReferenceNeed:
    """An original or oracle model that trials wait for. An original that serves all draws has no draw of its own."""

    kind: Literal["original", "oracle"]
    draw: ForgetDraw


@dataclass(frozen=True)
class StudyPlan:
    """One study: `<sweep>/<stage>/<scenario>/<method>`.

    Attributes:
        trials: how many it will have when done.
        draws: the forget sets its trials use: one for a search or a sensitivity grid, several for an evaluation.
        space: searched ranges and fixed values; None for references.
    """

    sweep: str
    stage: Stage
    scenario: str
    method: str
    trials: int
    draws: tuple[ForgetDraw, ...]
    scored_on: Literal["dev", "test"]
    space: Space | None = None

    @property
    def name(self) -> str:
        return f"{self.sweep}/{self.stage}/{self.scenario}/{self.method}"

    @property
    def key(self) -> tuple[Stage, str, str]:
        return self.stage, self.scenario, self.method


@dataclass(frozen=True)
class Plan:
    """All studies of a sweep, references first."""

    spec: Spec
    studies: tuple[StudyPlan, ...]

    def study(self, stage: Stage, scenario: str, method: str) -> StudyPlan | None:
        return next((s for s in self.studies if s.key == (stage, scenario, method)), None)

    @property
    def trials(self) -> dict[tuple[str, str, str], int]:
        """Trials planned, by (stage, scenario, method)."""
        return {study.key: study.trials for study in self.studies}

    def needs(self, draw: ForgetDraw) -> tuple[ReferenceNeed, ReferenceNeed]:
        """The original and the oracle that a trial on `draw` is measured against."""
        return original_need(self.spec, draw), ReferenceNeed("oracle", draw)


def run_seed(seed: int, stage: Stage, draw: ForgetDraw) -> int:
    """The seed of an unlearning run, a function of the sweep's seed, the stage and the forget set; never the forget set's own."""
    text = f"{seed}/{stage}/{draw.scenario}/{draw.seed}"
    found = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    return found + (found == draw.seed)


def make_plan(spec: Spec, stages: Iterable[Stage] = STAGES) -> Plan:
    """The studies that `spec` asks for, of the given stages and the references that these need.

    `reference` alone means the references of all stages.
    """
    wanted = set(stages)
    every = [s for scenario in spec.scenarios for method in spec.methods for s in _studies(spec, scenario, method)]
    studies = [study for study in every if study.stage in wanted]
    return Plan(spec, (*_references(spec, every if wanted == {"reference"} else studies), *studies))


def _studies(spec: Spec, scenario: str, method: str) -> list[StudyPlan]:
    body = spec.scenarios[scenario]
    space = spec.space(method)
    sizes: list[int | None] = list(body.sizes) if body.sizes else [None]
    fresh = tuple(ForgetDraw(scenario, size, seed) for size in sizes for seed in range(spec.evaluation.seeds))
    studies = []
    if space.ranges:
        draw = ForgetDraw(scenario, body.tune_size, spec.search.forget_seed)
        scored_on: Literal["dev", "test"] = "dev" if spec.protocol == "strict" else "test"
        studies.append(StudyPlan(spec.name, "search", scenario, method, spec.search.trials, (draw,), scored_on, space))
        if spec.search.confirm:
            sets = sum(part.sets for part in spec.search.confirm)
            trials = sum(min(part.leaders, spec.search.trials) * part.sets for part in spec.search.confirm)
            further = tuple(ForgetDraw(scenario, body.tune_size, draw.seed + 1 + i) for i in range(sets))
            studies.append(StudyPlan(spec.name, "confirmation", scenario, method, trials, further, scored_on, space))
    studies.append(StudyPlan(spec.name, "evaluation", scenario, method, len(fresh), fresh, "test", space))
    if has_sensitivity(spec, method, space):
        studies.append(
            StudyPlan(
                spec.name, "sensitivity", scenario, method, spec.sensitivity.points**2, (fresh[0],), "test", space
            )
        )
    return studies


def has_sensitivity(spec: Spec, method: str, space: Space) -> bool:
    """Whether a method's lr × alpha grid is asked for: it must search both."""
    chosen = spec.sensitivity.methods
    searched = {r.name for r in space.ranges}
    return spec.sensitivity.enabled and (chosen is None or method in chosen) and searched.issuperset(AXES)


def _references(spec: Spec, studies: Iterable[StudyPlan]) -> list[StudyPlan]:
    draws = dict.fromkeys(draw for study in studies for draw in study.draws)
    needs = dict.fromkeys(need for draw in draws for need in (original_need(spec, draw), ReferenceNeed("oracle", draw)))
    grouped: dict[tuple[str, str], list[ForgetDraw]] = {}
    for need in needs:
        grouped.setdefault((need.draw.scenario, need.kind), []).append(need.draw)
    return [
        StudyPlan(spec.name, "reference", scenario, kind, len(found), tuple(found), "test")
        for (scenario, kind), found in sorted(grouped.items(), key=lambda item: item[0][1] != "original")
    ]


def original_need(spec: Spec, draw: ForgetDraw) -> ReferenceNeed:
    """The original behind `draw`. One that does not depend on the draw stands under the first scenario that shares it."""
    declared = spec.facts("scenarios", spec.scenario_key(draw.scenario)).declared
    if declared["original_per_draw"]:
        return ReferenceNeed("original", draw)
    body = spec.scenarios[draw.scenario]
    if declared["alters_training"]:
        sizes: list[int | None] = [*(body.sizes or []), None]
        size = body.tune_size or sizes[0]
        return ReferenceNeed("original", ForgetDraw(draw.scenario, size, spec.search.forget_seed))
    for label, first in spec.scenarios.items():
        if not spec.facts("scenarios", spec.scenario_key(label)).declared["alters_training"]:
            return ReferenceNeed("original", ForgetDraw(label, first.tune_size, spec.search.forget_seed))
    raise AssertionError("the draw's own scenario is among the spec's")


def sensitivity_grid(spec: Spec, centre: dict[str, Any]) -> list[dict[str, Any]]:
    """Hyperparameters of the sensitivity study: ±span round the best lr and alpha, evenly spaced, the rest as at the centre.

    A weight never leaves (0, 1): values beyond are moved to its end.
    """
    points, span = spec.sensitivity.points, spec.sensitivity.span
    factors = [1 - span + 2 * span * i / (points - 1) for i in range(points)]
    if points % 2:
        factors[points // 2] = 1.0
    alphas = [min(centre["alpha"] * f, 0.9999) for f in factors]
    return [{**centre, "lr": centre["lr"] * f, "alpha": alpha} for f in factors for alpha in alphas]
