"""Rules between the sections of a sweep file."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sweeps.errors import Problem
from sweeps.objective import AVERAGE_GAPS
from sweeps.spec.components import build_model
from sweeps.spec.schema import Spec
from unlearn.errors import suggest
from unlearn.facts import component_facts
from unlearn.registry import find, keys
from unlearn.scenarios import Scenario


def check_between(spec: Spec, wrong: Collection[str], stood_in: Collection[str]) -> Iterator[Problem]:
    """What is wrong between sections; rules that read a key that is `wrong` already are passed over."""
    for read, found in _between(spec, wrong, stood_in):
        if not any(_touches(key, bad) for key in read for bad in wrong):
            yield from found


def _touches(key: str, bad: str) -> bool:
    """Whether one of two keys is the other, or in it."""
    return key == bad or key.startswith(f"{bad}.") or bad.startswith(f"{key}.")


def _between(
    spec: Spec, wrong: Collection[str], stood_in: Collection[str]
) -> Iterator[tuple[tuple[str, ...], list[Problem]]]:
    """(keys read, what is wrong between them)."""
    search = spec.search
    if search.forget_seed < spec.evaluation.seeds:
        rule = "must be ≥ evaluation.seeds, so that no tuning forget set is evaluated on"
        got = f"{search.forget_seed} with {spec.evaluation.seeds} seeds"
        yield ("search.forget_seed", "evaluation.seeds"), [Problem("search.forget_seed", rule, got)]
    elif shared := [
        t for t in range(spec.evaluation.trainings) if _meet(search.seeds, spec.evaluation.forget_seeds(t))
    ]:
        seeds = spec.evaluation.forget_seeds(shared[0])
        rule = "must leave alone the forget sets that are evaluated on"
        got = f"{search.forget_seed}, and training {shared[0]} has the seeds {seeds[0]} … {seeds[-1]}"
        keys = ("search.forget_seed", "search.confirm", "evaluation.seeds", "evaluation.trainings")
        yield keys, [Problem("search.forget_seed", rule, got, "e.g. 1000")]
    if spec.objective.name == "pareto":
        if search.pruner != "none":
            rule = "must be none with objective.name pareto"
            yield ("search.pruner", "objective.name"), [Problem("search.pruner", rule, search.pruner)]
        if search.sampler == "cma_es":
            rule = "must not be cma_es with objective.name pareto: it knows one score only"
            yield ("search.sampler", "objective.name"), [Problem("search.sampler", rule, "", "e.g. nsga2, or auto")]
    if search.sampler == "nsga2" and search.pruner != "none":
        found = [Problem("search.pruner", "must be none with search.sampler nsga2", search.pruner)]
        yield ("search.pruner", "search.sampler"), found
    yield ("sensitivity",), [p for p in _check_sensitivity(spec) if not _of_wrong_method(p, wrong)]
    yield ("metrics", "model"), _check_comparisons(spec)
    if "accuracy" not in spec.metrics.every_epoch:
        rule = "must have accuracy, from which scores are computed"
        got = f"[{', '.join(spec.metrics.every_epoch)}]"
        yield ("metrics.every_epoch",), [Problem("metrics.every_epoch", rule, got, "add it")]
    if "scenarios" not in stood_in:
        yield ("metrics.every_epoch", "objective"), _check_gaps(spec)
        yield ("original",), _check_original(spec)
    if spec.original is not None and spec.evaluation.trainings > 1:
        rule = "must be 1 with an original that is trained already: there is no other of it"
        found = [Problem("evaluation.trainings", rule, str(spec.evaluation.trainings))]
        yield ("evaluation.trainings", "original"), found


def _check_original(spec: Spec) -> list[Problem]:
    """Scenarios for which an original that is trained already cannot serve."""
    altering = [
        label
        for label in spec.scenarios
        if spec.original is not None and find("scenarios", spec.scenario_key(label)).alters_training
    ]
    rule = "must be left out for scenarios that alter the training data, which this model has not learnt"
    return [Problem("original", rule, "", f"or leave out {', '.join(altering)}")] if altering else []


def _of_wrong_method(problem: Problem, wrong: Collection[str]) -> bool:
    """Whether a method's grid is complained of for what is wrong in the method's own section."""
    method = problem.key.removeprefix("sensitivity.methods.")
    return method != problem.key and any(_touches(f"methods.{method}", bad) for bad in wrong)


def _meet(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


def built_scenario(spec: Spec, label: str) -> Scenario | None:
    """The scenario behind a section; None where its options are wrong."""
    body = spec.scenarios[label]
    try:
        scenario: Scenario = find("scenarios", spec.scenario_key(label))(**body.options)
    except Exception:  # told by `_check_scenarios`
        return None
    return scenario


def _check_sensitivity(spec: Spec) -> list[Problem]:
    problems = _check_axes(spec)
    for name in [] if problems else spec.sensitivity.methods or []:
        key = f"sensitivity.methods.{name}"
        if name not in spec.methods:
            problems.append(Problem(key, "must be one of the sweep's methods", "", suggest(name, spec.methods)))
        elif spec.sensitivity.enabled and not set(spec.axes) <= {r.name for r in spec.space(name).ranges}:
            rule = f"must search both {' and '.join(spec.axes)} to have a grid of them"
            problems.append(Problem(key, rule, "", "leave it out"))
    return problems


def _check_axes(spec: Spec) -> list[Problem]:
    """Hyperparameters that a grid was asked for, but which no method searches, or which have no values in between."""
    if not spec.sensitivity.enabled or spec.axes == ("lr", "alpha"):
        return []
    ranges = {r.name: r for method in spec.methods for r in spec.space(method).ranges}
    if spec.sensitivity.x == spec.sensitivity.y:
        return [Problem("sensitivity.y", "must be another hyperparameter than x", spec.sensitivity.y)]
    problems = []
    for axis, name in zip("xy", spec.axes, strict=True):
        if name not in ranges:
            rule = "must be a hyperparameter that a method of the sweep searches"
            problems.append(
                Problem(
                    f"sensitivity.{axis}", rule, repr(name), f"{suggest(name, ranges)}; or sensitivity.enabled: false"
                )
            )
        elif ranges[name].integer:
            problems.append(Problem(f"sensitivity.{axis}", "must be a hyperparameter with real values", name))
    if not problems and not any(set(spec.axes) <= {r.name for r in spec.space(m).ranges} for m in spec.methods):
        problems.append(
            Problem("sensitivity.y", "must be searched together with x by a method", " and ".join(spec.axes))
        )
    return problems


def _check_comparisons(spec: Spec) -> list[Problem]:
    """Metrics that compare a model with the oracle: where they may stand, and for which models they are defined."""
    problems = [
        Problem("metrics.every_epoch", f"{name} is measured at the best epoch only", "", f"best_epoch: [{name}]")
        for name in spec.metrics.every_epoch
        if _compares(name)
    ]
    declared = component_facts("models", spec.model.name).declared
    if "weight_distance" in spec.metrics.best_epoch and not declared.get("has_symmetries"):
        try:
            symmetries = getattr(build_model(spec.model.name, spec.model.options), "symmetries", None)
        except Exception:  # told by `_check_model`
            return problems
        if symmetries is None:
            rule = f"weight_distance is not defined for {spec.model.name}: which of its units may be renumbered is not"
            problems.append(Problem("metrics.best_epoch", rule, "", "leave it out"))
    return problems


def _check_gaps(spec: Spec) -> list[Problem]:
    """Gaps that are named but not measured; of the default ones, the mean is over those that are."""
    objective, families = spec.objective, tuple(dict.fromkeys([*spec.metrics.every_epoch, "accuracy"]))
    if objective.gaps == list(AVERAGE_GAPS):
        return []
    if objective.name != "average_gap":
        return [Problem("objective.gaps", f"is not read with objective.name {objective.name}", "", "leave it out")]
    from sweeps.spec.measured import gaps_of  # noqa: PLC0415  # it measures, with torch

    problems: dict[str, Problem] = {}
    for label in spec.scenarios:
        scenario = built_scenario(spec, label)
        measured = None if scenario is None else gaps_of(scenario, families)
        for name in objective.gaps:
            if measured is not None and name not in measured:
                rule = f"is not measured in every epoch of scenario {label}"
                problems.setdefault(
                    name, Problem(f"objective.gaps.{name}", rule, "", _gap_remedy(name, families, measured))
                )
    return list(problems.values())


def _gap_remedy(name: str, families: Collection[str], measured: Collection[str]) -> str:
    family = name.removesuffix("_gap")
    if family in set(keys("metrics")) - set(families) and not _compares(family):
        return f"add {family} to metrics.every_epoch"
    return suggest(name, measured)


def _compares(family: str) -> bool:
    """Whether a metric compares a model with the oracle."""
    return bool(component_facts("metrics", family).declared.get("compares_models"))
