"""Which configuration each method's numbers belong to, as the storage tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from optuna.study import Study
from optuna.trial import TrialState

from sweeps.plan import StudyPlan
from sweeps.spec import Spec
from sweeps.spec.space import Space, Values
from sweeps.studies.design import Design, ended_trials
from sweeps.studies.trials import point_key
from sweeps.studies.winners import Ranking, Source, Winner

StudyKey = tuple[str, str, str]
Studies = Mapping[StudyKey, tuple[StudyPlan, Study]]


def find_winners(spec: Spec, studies: Studies, designs: Mapping[StudyKey, Design]) -> dict[str, dict[str, Winner]]:
    """{scenario: {method: winner}} of every method that searches.

    What the evaluation runs (or ran) with, so that parameters and scores are of the same trials; before there is one, what
    came out of the confirmation; before that, what is best in the search so far.
    """
    found: dict[str, dict[str, Winner]] = {}
    for scenario, method in dict.fromkeys((scenario, method) for _, scenario, method in studies):
        if method not in spec.methods or not spec.space(method).ranges:
            continue
        winner = next(_known(spec, scenario, method, studies, designs), None)
        if winner is not None:
            found.setdefault(scenario, {})[method] = winner
    return found


def _known(
    spec: Spec, scenario: str, method: str, studies: Studies, designs: Mapping[StudyKey, Design]
) -> Iterator[Winner]:
    """What is known of a pair's winner, the surest first."""
    space = spec.space(method)
    confirmation, evaluation = ("confirmation", scenario, method), ("evaluation", scenario, method)
    confirmed = _of_design(designs.get(confirmation))
    if confirmed is None and confirmation in studies and confirmation in designs:
        confirmed = _confirmed_before(studies[confirmation][1], designs[confirmation], space)
    search = studies.get(("search", scenario, method))
    evaluated = _of_design(designs.get(evaluation))
    if evaluated is None and evaluation in designs:
        evaluated = _evaluated_before(designs[evaluation], space, confirmed, search and search[1])
    for winner in (evaluated, confirmed):
        if winner is not None:
            yield winner
    if search is not None and (searched := Ranking(spec, search[0]).winner(search[1])) is not None:
        yield searched


def _of_design(design: Design | None) -> Winner | None:
    return None if design is None else design.winner


def _evaluated_before(design: Design, space: Space, confirmed: Winner | None, search: Study | None) -> Winner:
    """What an older version evaluated: each run at an epoch of its own."""
    values = _configuration(design.points[0], space)
    source: Source = "given"
    if confirmed is not None and confirmed.hyperparameters == values:
        return confirmed
    if search is not None and any(space.decode(trial.params) == values for trial in search.get_trials(deepcopy=False)):
        source = "search"
    return Winner(values, None, source, 0 if source == "given" else 1)


def _confirmed_before(study: Study, design: Design, space: Space) -> Winner | None:
    """The least mean over an older version's confirmation; the earliest of equals. One that failed on any set is not chosen."""
    ended = ended_trials(study)
    scores: dict[tuple[tuple[str, float], ...], list[float]] = {}
    failed = set()
    for point in design.points:
        key, trial = point_key(_configuration(point, space)), ended.get(point_key(point))
        scores.setdefault(key, [])
        if trial is None or trial.state != TrialState.COMPLETE:
            failed.add(key)
        else:
            scores[key].append(sum(trial.values) / len(trial.values))
    through = {key: sum(values) for key, values in scores.items() if key not in failed}
    if not through:
        return None
    best = min(through, key=through.__getitem__)
    return Winner(dict(best), None, "confirmation", len(scores[best]))


def _configuration(point: Mapping[str, float], space: Space) -> Values:
    """The hyperparameters behind a point of a design."""
    return {**space.fixed, **{r.name: point[r.name] for r in space.ranges}}
