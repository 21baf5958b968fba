"""`sweeps validate`, and the lists of methods, scenarios, data sets, models and metrics."""

from __future__ import annotations

from sweeps.cli.tables import Rows, print_rows
from sweeps.cli.terminal import DONE, echo, errors_to_exit_code, stdout_console, tell
from sweeps.errors import at_once
from sweeps.jobs.cache import Cache
from sweeps.plan import make_plan
from sweeps.spec import check_data, check_here, gpus_lacking, open_document, own_code, parse_document, remarks
from sweeps.sweep import warm_start
from unlearn.facts import component_facts
from unlearn.registry import keys


@errors_to_exit_code
def validate_file(file: str, overrides: list[str] | None) -> int:
    """Every error of a sweep file and of its data, as far as they are seen without decoding them; or that there is none."""
    document = open_document(file, overrides or [])
    for name in own_code(document.data):
        echo(f"code of its own, imported now and called by a run: {name}")
    spec = parse_document(document, file)
    seen: list[str] = []
    at_once(
        spec.name,
        lambda: check_here(spec, runs=False),
        lambda: warm_start(spec),
        lambda: seen.append(check_data(spec, Cache.at(spec.cache).folder)),
    )
    plan = make_plan(spec)
    tell(f"{spec.name}: valid; {len(plan.studies)} studies, {sum(plan.trials.values())} trials")
    tell(f"data: {seen[0]}")
    for remark in remarks(spec):
        tell(f"note: {remark}")
    if lack := gpus_lacking(spec):
        tell(f"note: to run it on this machine: {lack}")
    return DONE


@errors_to_exit_code
def list_folder(folder: str) -> int:
    """The keys of one kind, each with its first line of documentation."""
    texts = ("what it is", "searches") if folder == "methods" else ("what it is",)
    rows = []
    for key in keys(folder):
        facts = component_facts(folder, key)
        searched = ", ".join(facts.declared["searched"]) or "–" if folder == "methods" else ""
        rows.append((key, facts.about, searched)[: 1 + len(texts)])
    print_rows(stdout_console(), Rows(("key",), texts, rows, frozenset(texts)))
    return DONE
