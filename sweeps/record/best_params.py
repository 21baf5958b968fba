"""Best parameters as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.errors import SweepError
from sweeps.record.apart import draws_vary, forget_sets
from sweeps.record.record import SweepRecord
from sweeps.record.remarks import remarks
from sweeps.spec import dump_yaml, read_yaml
from sweeps.studies.given import FORMAT, Params
from sweeps.studies.trials import STOP_EPOCH
from sweeps.studies.winners import Winner
from unlearn.files import write_atomically

FINGERPRINT = "fingerprint"


def best_params(record: SweepRecord) -> dict[str, Any]:
    """The document of `best_params.yaml`: format, sweep, protocol, dataset, params, scores, remarks, fingerprint, provenance.

    `params` is {scenario: {method: {hyperparameter: value}}}, the searched ones and the `stop_epoch`; `scores` is what those very
    parameters scored at each stage (see `_scores`).
    """
    searched = record.spec["methods"]
    params: Params = {}
    scores: dict[str, dict[str, dict[str, Any]]] = {}
    for scenario, methods in record.winners.items():
        for method, winner in methods.items():
            names = [name for name, entry in searched[method].items() if isinstance(entry, dict)]
            stop = {} if winner.stop_epoch is None else {STOP_EPOCH: winner.stop_epoch}
            params.setdefault(scenario, {})[method] = {name: winner.hyperparameters[name] for name in names} | stop
            scores.setdefault(scenario, {})[method] = _scores(record, scenario, method, winner)
    return {
        "format": FORMAT,
        "sweep": record.name,
        "protocol": record.spec["protocol"],
        "dataset": _dataset(record),
        **({"note": record.protocol_note} if record.protocol_note else {}),
        "params": params,
        "scores": scores,
        **_remarked(record),
        FINGERPRINT: record.fingerprint,
        "provenance": record.provenance,
    }


def _remarked(record: SweepRecord) -> dict[str, Any]:
    """What limits these parameters, and the remedy: {scenario: [what is of all methods], scenario/method: […]}."""
    found: dict[str, list[str]] = {}
    for remark in remarks(record):
        of = remark.scenario if remark.method is None else f"{remark.scenario}/{remark.method}"
        found.setdefault(of, []).append(str(remark))
    return {"remarks": found} if found else {}


def _dataset(record: SweepRecord) -> dict[str, Any]:
    """Which data set, what was read of it, and which classes each scenario forgets."""
    forget = {
        scenario: [{"position": position, "name": name} for position, name in classes]
        for scenario, classes in record.classes.items()
    }
    read = {"read": record.data} if record.data else {}
    return {"name": record.spec["dataset"]["name"], **read, **({"forget_classes": forget} if forget else {})}


def _scores(record: SweepRecord, scenario: str, method: str, winner: Winner) -> dict[str, Any]:
    """The winner's own scores: of its search trial, the mean over its confirmation's forget sets, and over its evaluation's.

    The evaluation is the one at the size tuned at, else at the largest evaluated. A score that does not exist is left out.
    """
    trials = record.counted
    search = trials[(trials["stage"] == "search") & (trials["scenario"] == scenario) & (trials["method"] == method)]
    own = {stage: record.at_best(stage, scenario, method) for stage in ("search", "confirmation", "evaluation")}
    scores: dict[str, Any] = {"objective": record.spec["objective"]["name"], "source": winner.source}
    repeats = "forget sets" if draws_vary(record, scenario) else "runs on the one forget set"
    if winner.stop_epoch is not None and winner.sets:
        scores["stop_epoch_rests_on"] = "one draw" if winner.sets == 1 else f"{winner.sets} {repeats}"
    if len(own["search"]):
        scores["search"] = float(own["search"]["value"].min())
    scores["search_trials"] = int((search["state"] == "COMPLETE").sum())
    if len(own["confirmation"]):
        scores["confirmation"] = float(record.confirmed_scores(scenario, method).mean())
        scores["confirmation_sets"] = len(own["confirmation"])
    return scores | _evaluation(record, scenario, own["evaluation"])


def _evaluation(record: SweepRecord, scenario: str, trials: pd.DataFrame) -> dict[str, Any]:
    if not len(trials):
        return {}
    size = record.shown_size(scenario)
    trials = trials[trials["forget_size"] == size]
    if not len(trials) or size is None:
        return {}
    found = {
        "evaluation": float(trials["value"].mean()),
        "evaluation_std": float(trials["value"].std(ddof=1)) if len(trials) > 1 else None,
        "evaluation_seeds": forget_sets(trials),
        "evaluation_runs": len(trials),
        "evaluation_size": int(size),
    }
    hindsight = trials["hindsight_score"].astype(float)
    own_rule = not record.in_hindsight and trials["stop_epoch"].isna().any()
    known = hindsight.notna().all() and not own_rule
    return found | ({"evaluation_hindsight": float(hindsight.mean())} if known else {})


def fingerprint_of(path: Path) -> str | None:
    """From which state of a sweep a best-params file was made; None where it does not tell."""
    try:
        document = read_yaml(path)
    except SweepError:
        return None
    found = document.get(FINGERPRINT) if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def is_best_params(path: Path) -> bool:
    """Whether a file is one of best parameters."""
    try:
        document = read_yaml(path)
    except SweepError:
        return False
    return isinstance(document, dict) and document.get("format") == FORMAT


def write_best_params(record: SweepRecord, path: Path) -> Path:
    """Write `best_params.yaml`, atomically."""
    write_atomically(path, dump_yaml(best_params(record)).encode())
    return path
