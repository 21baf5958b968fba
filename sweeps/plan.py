"""From spec to studies: which there are, in which order, and what each trial needs before it can start."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sweeps.spec import Spec
from sweeps.spec.components import bounds_of
from sweeps.spec.space import Space
from unlearn.bounds import Bounds

Stage = Literal["reference", "search", "confirmation", "evaluation", "sensitivity"]
STAGES: tuple[Stage, ...] = ("reference", "search", "confirmation", "evaluation", "sensitivity")
#: The method that retrains the oracle with another seed: its gaps are the noise floor.
FLOOR = "oracle"
#: The method that leaves the original as it is: its gaps are those before unlearning.
UNTOUCHED = "original"
#: They are no rivals, and never ranked.
BASELINES = (FLOOR, UNTOUCHED)


@dataclass(frozen=True)
class ForgetDraw:
    """One forget set of a scenario, and whose samples they are: the first training's, or those of a later one.

    Attributes:
        size: None where the scenario fixes it.
        training: number of the original that has learnt it.
        avoids: how many tuning sets it is apart from: those are drawn from one half of the samples, all others from the other.
            None: it is drawn by its seed alone, in sweeps that an older version began.
    """

    scenario: str
    size: int | None
    seed: int
    training: int = 0
    avoids: int | None = None


@dataclass(frozen=True)
class ReferenceNeed:
    """An original or oracle model that trials wait for. An original that serves all draws has no draw of its own.

    Attributes:
        number: of an oracle among those of one forget set and training.
    """

    kind: Literal["original", "oracle"]
    draw: ForgetDraw
    number: int = 0


@dataclass(frozen=True)
class StudyPlan:
    """One study: `<sweep>/<stage>/<scenario>/<method>`.

    Attributes:
        trials: how many it will have when done.
        draws: the forget sets its trials use: one for a search or a sensitivity grid, several for an evaluation.
        space: searched ranges and fixed values; None for references.
        runs: how often a configuration runs on each of them, each time with another run seed (a grid: its centre).
        oracles: of how many oracles of each forget set the mean values are what gaps are to.
        needs: the models that are the trials, of references.
    """

    sweep: str
    stage: Stage
    scenario: str
    method: str
    trials: int
    draws: tuple[ForgetDraw, ...]
    scored_on: Literal["dev", "test"]
    space: Space | None = None
    runs: int = 1
    oracles: int = 1
    needs: tuple[ReferenceNeed, ...] = ()

    @property
    def unlearns(self) -> bool:
        """Whether its trials end in a model other than the original: neither references nor the original as it is."""
        return self.stage != "reference" and self.method != UNTOUCHED

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
    _needs: dict[tuple[ForgetDraw, int], tuple[ReferenceNeed, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def study(self, stage: Stage, scenario: str, method: str) -> StudyPlan | None:
        return next((s for s in self.studies if s.key == (stage, scenario, method)), None)

    @property
    def trials(self) -> dict[tuple[str, str, str], int]:
        """Trials planned, by (stage, scenario, method)."""
        return {study.key: study.trials for study in self.studies}

    def needs(self, draw: ForgetDraw, oracles: int = 1) -> tuple[ReferenceNeed, ...]:
        """The original and the oracles that a trial on `draw` is measured against."""
        known = self._needs.get((draw, oracles))  # asked for of every study at every trial
        if known is None:
            known = self._needs[draw, oracles] = _needs(self.spec, draw, oracles)
        return known


def run_seed(seed: int, stage: Stage, draw: ForgetDraw, run: int = 0) -> int:
    """The seed of an unlearning run, of the sweep's seed, the stage, the forget set and the run's number there.

    It is never the forget set's own.
    """
    text = f"{seed}/{stage}/{draw.scenario}/{draw.seed}" + (f"/{run}" if run else "")
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
    space = spec.space(method)
    evaluation = _evaluation(spec, scenario, method, space)
    studies = [*_tuning(spec, scenario, method, space), evaluation] if space.ranges else [evaluation]
    if has_sensitivity(spec, method, space):
        points, repeats = spec.sensitivity.points, spec.sensitivity.repeats
        trials = points**2 + (repeats - points % 2) * (repeats > 1)  # an odd grid has the centre once itself
        studies.append(
            replace(evaluation, stage="sensitivity", trials=trials, draws=evaluation.draws[:1], runs=repeats)
        )
    return studies


def _tuning(spec: Spec, scenario: str, method: str, space: Space) -> list[StudyPlan]:
    """The search and its confirmation."""
    search = spec.search
    scored_on: Literal["dev", "test"] = "dev" if spec.protocol == "strict" else "test"
    first, *further = tuning_draws(spec, scenario)
    most = search.trials if space.size is None else min(search.trials, space.size)
    studies = [StudyPlan(spec.name, "search", scenario, method, most, (first,), scored_on, space)]
    if search.confirm:
        trials = sum(min(part.leaders, most) * part.sets for part in search.confirm)
        studies.append(StudyPlan(spec.name, "confirmation", scenario, method, trials, tuple(further), scored_on, space))
    return studies


def _evaluation(spec: Spec, scenario: str, method: str, space: Space) -> StudyPlan:
    """The winner on fresh forget sets of every size and training; of a scenario with but one set, so many runs on that."""
    asked, body = spec.evaluation, spec.scenarios[scenario]
    sizes: Sequence[int | None] = body.sizes or [None]
    vary = spec.rules == 1 or draws_vary(spec, scenario)
    sets, runs = (asked.seeds, asked.runs) if vary else (1, asked.seeds * asked.runs)
    avoids = None if spec.rules == 1 else len(tuning_draws(spec, scenario))
    draws = tuple(
        ForgetDraw(scenario, size, seed, training, avoids)
        for training in range(asked.trainings)
        for size in sizes
        for seed in asked.forget_seeds(training)[:sets]
    )
    plan = StudyPlan(spec.name, "evaluation", scenario, method, len(draws) * runs, draws, "test", space, runs)
    return replace(plan, oracles=spec.references.oracles)


def tuning_draws(spec: Spec, scenario: str) -> list[ForgetDraw]:
    """The forget sets of search and confirmation, whatever is searched."""
    size, avoids = spec.scenarios[scenario].tune_size, None if spec.rules == 1 else 0
    return [ForgetDraw(scenario, size, seed, avoids=avoids) for seed in spec.search.seeds]


def draws_vary(spec: Spec, scenario: str) -> bool:
    """Whether a scenario has more than one forget set; facts that an older version kept do not tell."""
    return bool(spec.facts("scenarios", spec.scenario_key(scenario)).declared.get("draws_vary", True))


def has_sensitivity(spec: Spec, method: str, space: Space) -> bool:
    """Whether a method's grid is asked for: it must search both hyperparameters."""
    chosen = spec.sensitivity.methods
    searched = {r.name for r in space.ranges}
    return spec.sensitivity.enabled and (chosen is None or method in chosen) and searched.issuperset(spec.axes)


def _references(spec: Spec, studies: Iterable[StudyPlan]) -> list[StudyPlan]:
    draws = dict.fromkeys((draw, study.oracles) for study in studies for draw in study.draws)
    needs = dict.fromkeys(need for draw, oracles in draws for need in _needs(spec, draw, oracles))
    grouped: dict[tuple[str, str], list[ReferenceNeed]] = {}
    for need in needs:
        grouped.setdefault((need.draw.scenario, need.kind), []).append(need)
    return [
        StudyPlan(spec.name, "reference", scenario, kind, len(found), (), "test", needs=tuple(found))
        for (scenario, kind), found in sorted(grouped.items(), key=lambda item: item[0][1] != "original")
    ]


def _needs(spec: Spec, draw: ForgetDraw, oracles: int) -> tuple[ReferenceNeed, ...]:
    return original_need(spec, draw), *(ReferenceNeed("oracle", draw, number) for number in range(oracles))


def original_need(spec: Spec, draw: ForgetDraw) -> ReferenceNeed:
    """The original behind `draw`. One that does not depend on the draw stands under the first scenario that shares it."""
    declared = spec.facts("scenarios", spec.scenario_key(draw.scenario)).declared
    if declared["original_per_draw"]:
        return ReferenceNeed("original", draw)
    if declared["alters_training"]:
        return ReferenceNeed("original", replace(tuning_draws(spec, draw.scenario)[0], training=draw.training))
    for label in spec.scenarios:
        if not spec.facts("scenarios", spec.scenario_key(label)).declared["alters_training"]:
            return ReferenceNeed("original", replace(tuning_draws(spec, label)[0], training=draw.training))
    raise AssertionError("the draw's own scenario is among the spec's")


def sensitivity_grid(spec: Spec, method: str, centre: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Hyperparameters of the sensitivity study: ±span round the best of two, evenly spaced, the rest as at the centre.

    Where one is searched by its distance from 1 (`log_complement`), that distance is what varies: ±20 % round 0.973 are 0.968
    and 0.978, not 0.778 and 0.9999. What the method would refuse is moved to the end of what it takes; a weight stays below 1, or
    where it is.
    """
    points, span = spec.sensitivity.points, spec.sensitivity.span
    factors = [1 - span + 2 * span * i / (points - 1) for i in range(points)]
    if points % 2:
        factors[points // 2] = 1.0
    (x, xs), (y, ys) = ((name, _along(spec, method, name, centre[name], factors)) for name in spec.axes)
    return [{**centre, x: one, y: other} for one in xs for other in ys]


def _along(spec: Spec, method: str, name: str, best: float, factors: Sequence[float]) -> list[float]:
    """The values of one hyperparameter, in the order of the factors or, where its distance from 1 varies, of the values."""
    if spec.rules > 1 and varies_complement(spec.space(method), name):
        return [best if f == 1 else max(1 - (1 - best) * f, 0.0001) for f in reversed(factors)]
    known = bounds_of(spec.facts("methods", method).options.get(name))
    bounds = known or Bounds(-math.inf, math.inf)
    most = next(r.high for r in spec.space(method).ranges if r.name == name) if known is None else known.high
    weight = name == "alpha" and most <= 1  # SSD's is none
    most = max(0.9999, best) if weight else bounds.high
    return [min(max(best * f, bounds.low), most) for f in factors]


def varies_complement(space: Space, name: str) -> bool:
    """Whether a hyperparameter is searched by its distance from 1."""
    return any(r.name == name and r.scale == "log_complement" for r in space.ranges)
