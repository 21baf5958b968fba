"""How a sweep scores an epoch: the same for the workers that measure it and for the choice of a winner."""

from __future__ import annotations

from sweeps.objective import Objective
from sweeps.spec.schema import Spec
from unlearn.facts import component_facts
from unlearn.gaps import Measures


def objective_of(spec: Spec) -> Objective:
    """The objective of a sweep, which knows what the metrics of the user's own declare of themselves."""
    own = [facts for family in spec.metrics.every_epoch for facts in component_facts("metrics", family).measures]
    return Objective(spec.objective.name, tuple(spec.objective.gaps), Measures(own))
