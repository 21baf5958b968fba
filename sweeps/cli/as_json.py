"""What `--json` prints: the same facts as the tables, for programs. What is not known is null."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from sweeps.cli.options import Options
from sweeps.cli.status import driver_of
from sweeps.cli.terminal import BAD_INPUT, DONE, FAILED, errors_to_exit_code
from sweeps.cli.validate import validated
from sweeps.errors import SpecError
from sweeps.plan import make_plan
from sweeps.record import SweepRecord, load_sweep
from sweeps.record.best_params import best_params
from sweeps.record.progress import progress
from sweeps.spec import remarks
from sweeps.text import clean_all
from unlearn.facts import component_facts
from unlearn.registry import keys


def print_json(data: Any) -> None:
    """One document on stdout."""
    print(json.dumps(_known(clean_all(data)), indent=2, ensure_ascii=False, allow_nan=False))


def _known(data: Any) -> Any:
    """Plain data, with null for every number that is none."""
    if isinstance(data, dict):
        return {str(key): _known(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_known(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data.item() if hasattr(data, "item") else data


@errors_to_exit_code
def status_json(options: Options) -> int:
    """`sweeps status`."""
    sweep = options.find()
    storage = sweep.open_to_read()
    record = load_sweep(storage, sweep.spec.name, importances=False)
    held = driver_of(storage, record.name)
    studies = [asdict(study) | {"left": study.left} for study in progress(record)]
    failures = _failures(record)
    left = any(study["left"] for study in studies)
    print_json(
        {
            "name": record.name,
            "protocol": record.spec["protocol"],
            "state": "running" if held else "unfinished" if left else "done",
            "driver": held and {key: held[key] for key in ("host", "pid")},
            "note": record.protocol_note or None,
            "studies": studies,
            "failures": failures,
            "winners": {s: {m: w.dump() for m, w in methods.items()} for s, methods in record.winners.items()},
        }
    )
    return FAILED if failures else DONE


def _failures(record: SweepRecord) -> list[dict[str, Any]]:
    failed = record.counted[record.counted["state"] == "FAIL"]
    columns = {"study": "study", "number": "trial", "outcome": "outcome", "fail_reason": "reason"}
    return [dict(zip(columns.values(), row, strict=True)) for row in failed[list(columns)].itertuples(index=False)]


@errors_to_exit_code
def export_json(options: Options) -> int:
    """`sweeps export`."""
    print_json(best_params(options.find().record()))
    return DONE


@errors_to_exit_code
def validate_json(file: str, overrides: list[str] | None) -> int:
    """`sweeps validate`; what is wrong is part of the document, and the exit code 2."""
    try:
        found = validated(file, overrides or [])
    except SpecError as error:
        print_json({"valid": False, "problems": [asdict(problem) for problem in error.problems]})
        return BAD_INPUT
    plan = make_plan(found.spec)
    print_json(
        {
            "valid": True,
            "name": found.spec.name,
            "studies": [_study(key, trials) for key, trials in plan.trials.items()],
            "trials": sum(plan.trials.values()),
            "data": found.data,
            "notes": remarks(found.spec),
            "code": found.code,
        }
    )
    return DONE


def _study(key: tuple[str, str, str], trials: int) -> dict[str, Any]:
    return {**dict(zip(("stage", "scenario", "method"), key, strict=True)), "trials": trials}


@errors_to_exit_code
def list_json(folder: str) -> int:
    """The keys of one kind: what each is, and its options (of a method: which are searched)."""
    print_json([{"key": key, **_facts(folder, key)} for key in keys(folder)])
    return DONE


def _facts(folder: str, key: str) -> dict[str, Any]:
    facts = component_facts(folder, key)
    searched = {"searched": list(facts.declared["searched"])} if folder == "methods" else {}
    return {"about": facts.about, **searched}
