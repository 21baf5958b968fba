"""By which rules a sweep goes on that an older version began: those that it began with, so that no number changes its meaning.

Rules 1: a forget set is drawn by its seed alone, and the evaluation's may share samples with those tuned on; a scenario with one
forget set is evaluated under several forget seeds all the same; every scrambled sample of `canary` is forgotten; sensitivity
varies alpha itself, its centre runs once; gaps are to one oracle; relative costs are up to the epoch that counts, however it was
found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweeps.spec.schema import ReferencesSpec, ScenarioSpec, Spec


def as_begun(data: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved spec with what an older version left unsaid: no confirmation, one oracle, one run of a grid's centre, and each
    epoch on all retain samples."""
    search = data.get("search")
    confirmed = {"search": {"confirm": [], "retain_samples": "all", **search}} if isinstance(search, Mapping) else {}
    if "rules" in data:
        return {**data, **confirmed}
    sensitivity, scenarios = data.get("sensitivity"), data.get("scenarios")
    return {
        **data,
        **confirmed,
        "rules": 1,
        "references": {"oracles": 1},
        "sensitivity": {"repeats": 1, **(sensitivity if isinstance(sensitivity, Mapping) else {})},
        "scenarios": _with_pools(scenarios) if isinstance(scenarios, Mapping) else scenarios,
    }


def _with_pools(scenarios: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of the canary scenario with a pool of as many scrambled samples as one forget set has."""
    return {
        label: {**body, "pool": body.get("canaries", 50), **body}
        if isinstance(body, Mapping) and body.get("scenario", label) == "canary"
        else body
        for label, body in scenarios.items()
    }


def continued(spec: Spec, before: Mapping[str, Any]) -> Spec:
    """`spec` by the rules, in the precision, on as many retain samples and with models under such keys as the sweep that was
    frozen as `before`, as far as its file says nothing else."""
    begun = as_begun(before)
    if "code" not in before:  # its models were trained before their keys said by which code
        spec = spec.model_copy(update={"code": None})
    if "retain_samples" not in spec.search.model_fields_set:
        search = spec.search.model_copy(update={"retain_samples": begun["search"]["retain_samples"]})
        spec = spec.model_copy(update={"search": search})
    if spec.precision == "auto":
        spec = spec.model_copy(update={"precision": begun.get("precision", "float32")})
    if begun["rules"] == spec.rules or "rules" in spec.model_fields_set:
        return spec
    changed: dict[str, Any] = {"rules": begun["rules"]}
    if "oracles" not in spec.references.model_fields_set:
        changed["references"] = ReferencesSpec(**begun["references"])
    if "repeats" not in spec.sensitivity.model_fields_set:
        changed["sensitivity"] = spec.sensitivity.model_copy(update={"repeats": begun["sensitivity"]["repeats"]})
    pools = _with_pools({label: body.model_dump(exclude_none=True) for label, body in spec.scenarios.items()})
    changed["scenarios"] = {label: ScenarioSpec(**body) for label, body in pools.items()}
    return spec.model_copy(update=changed)
