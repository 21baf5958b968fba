"""`sweeps validate`: every error of a sweep file at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sweeps.cli.as_json import print_json
from sweeps.cli.terminal import BAD_INPUT, DONE, echo, errors_to_exit_code, tell
from sweeps.errors import Problem, SpecError, SweepError, at_once
from sweeps.jobs.cache import Cache
from sweeps.plan import make_plan
from sweeps.secrets import mask
from sweeps.spec import Spec, check_data, check_here, gpus_lacking, open_document, own_code, parse_document, remarks
from sweeps.spec.draws import seen_overlap
from sweeps.studies.given import moved_first_points, warm_start
from unlearn.errors import UnlearnError


@dataclass(frozen=True)
class Validated:
    """A sweep file in which nothing is wrong.

    Attributes:
        data: what was read as its data set. notes: what is no error, but should be known. code: the names of code of its own.
    """

    spec: Spec
    data: str
    notes: list[str]
    code: list[str]


def validated(file: str, overrides: list[str], tell_code: Callable[[str], None] = lambda _: None) -> Validated:
    """A sweep file and its data, checked as far as they are seen without decoding them.

    Args:
        tell_code: is told each name of code of its own before that is imported.

    Raises:
        SpecError: everything that is wrong.
    """
    document = open_document(file, overrides)
    code = own_code(document.data)
    for name in code:
        tell_code(name)
    spec = parse_document(document, file, lambda spec: check_data(spec, Cache.at(spec.cache).folder))
    seen: list[str] = []
    at_once(
        spec.name,
        lambda: check_here(spec, runs=False),
        lambda: warm_start(spec),
        lambda: seen.append(check_data(spec, Cache.at(spec.cache).folder)),
    )
    notes = [*remarks(spec), *moved_first_points(spec), *seen_overlap(spec, Cache.at(spec.cache).folder)]
    return Validated(spec, seen[0], notes, code)


@errors_to_exit_code
def validate_file(file: str, overrides: list[str] | None, *, explain: bool = False) -> int:
    """Every error of a sweep file and of its data; or that there is none, and what else should be known.

    Args:
        explain: show the plan and its cost too, for which the data is decoded.
    """
    found = validated(file, overrides or [], lambda name: echo(f"importing code of its own, which a run calls: {name}"))
    plan = make_plan(found.spec)
    tell(f"{found.spec.name}: valid; {len(plan.studies)} studies, {sum(plan.trials.values())} trials")
    tell(f"data: {found.data}")
    for note in found.notes:
        tell(f"note: {note}")
    if lack := gpus_lacking(found.spec):
        tell(f"note: to run it on this machine: {lack}")
    if explain:
        from sweeps.cli.cost import print_plan  # noqa: PLC0415  # a mere check does not wait for pandas

        print_plan(found.spec, make_plan(found.spec))
    return DONE


@errors_to_exit_code
def validate_json(file: str, overrides: list[str] | None, *, explain: bool = False) -> int:
    """`sweeps validate`; what is wrong is part of the document, and the exit code 2."""
    try:
        found = validated(file, overrides or [])
    except (SweepError, UnlearnError) as error:
        problems = error.problems if isinstance(error, SpecError) else [Problem("(file)", mask(str(error)))]
        print_json({"valid": False, "problems": [asdict(problem) for problem in problems]})
        return BAD_INPUT
    plan = make_plan(found.spec)
    costs: dict[str, Any] = {}
    if explain:
        from sweeps.cli.cost import as_run, cost_of, open_facts  # noqa: PLC0415  # likewise

        sizes = open_facts(found.spec).sizes
        with as_run(plan, sizes) as shared_plan:
            costs["cost"] = asdict(cost_of(shared_plan, sizes)[0])
    print_json(
        {
            "valid": True,
            "name": found.spec.name,
            "studies": [_study(key, trials) for key, trials in plan.trials.items()],
            "trials": sum(plan.trials.values()),
            "data": found.data,
            "notes": found.notes,
            "code": found.code,
            **costs,
        }
    )
    return DONE


def _study(key: tuple[str, str, str], trials: int) -> dict[str, Any]:
    return {**dict(zip(("stage", "scenario", "method"), key, strict=True)), "trials": trials}
