"""Everything that is told of a request: what was asked, what ran, what was measured, and what is to be expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from torch import Tensor

from sweeps.errors import SweepError
from sweeps.jobs.job import same_data
from sweeps.provenance import provenance
from sweeps.requests.case import Case, open_case
from sweeps.requests.choice import origin
from sweeps.requests.expectation import LEVEL, SCORE, Expected, comparable, expected, sources
from sweeps.requests.likeness import changed_code, unlikenesses
from sweeps.requests.nearest import known_sizes
from sweeps.requests.serve import Served, measured, serve
from sweeps.resources import as_a_worker
from sweeps.sweep import Sweep
from unlearn.files import expanded, file_digest
from unlearn.gaps import Measures
from unlearn.metrics import gaps, measure
from unlearn.training import state_digest

FORMAT = "unlearn-sweeps/request/1"


@dataclass(frozen=True)
class Answer:
    """An unlearned model and its evidence.

    Attributes:
        state: its weights and buffers by the names of the network's own class.
        record: what is told of it, as plain data: `asked`, `ran`, `weights`, `measured`, `expected`, `unlike` and `oracle`.
    """

    state: dict[str, Tensor]
    record: dict[str, Any]


def answer(
    sweep: Sweep,
    ids: Sequence[str],
    *,
    method: str | None = None,
    scenario: str | None = None,
    params: Path | None = None,
    with_oracle: bool = False,
    source: str = "",
    tell: Callable[[str], object] = lambda text: None,
) -> Answer:
    """Forget the images with these ids by what a sweep has tuned.

    Args:
        method, params: see `choose`. scenario: the one whose forget sets are most like the request by default.
        with_oracle: train the oracle too, and say whether the gaps to it lie where they were expected.
        source: where the ids come from, for the record.
        tell: takes a line on what is being done.

    Raises:
        SweepError: the request cannot be served, or not by this sweep.
        UnlearnError: ids that cannot be forgotten, or a run that fails.
    """
    choices: dict[str, Any] = {"method": method, "scenario": scenario, "params": params, "source": source}
    with as_a_worker(sweep.spec):
        case = open_case(sweep, ids, **choices)
        if scenario is None and len(sweep.spec.scenarios) > 1:
            tell(f"scenario {case.chosen.scenario} {case.scenario_by} (--scenario takes another)")
        return _answer(case, with_oracle=with_oracle, tell=tell)


def _answer(case: Case, *, with_oracle: bool, tell: Callable[[str], object]) -> Answer:
    chosen, workspace, task = case.chosen, case.workspace, case.task
    given = _given_weights(case)
    tell(
        f"{chosen.method}, {origin(chosen.scenario, chosen.source)}, forgets {len(case.rows):,} training "
        f"sample{'' if len(case.rows) == 1 else 's'}"
    )
    original = workspace.original(task).model
    before = measured(workspace, original, task)
    served = serve(workspace, task, chosen, case.seed)
    after = measured(workspace, served.model, task, served.epoch)
    hopes = expected(case.record, chosen, len(case.rows), draws_vary=_draws_vary(case))
    if with_oracle:
        tell(f"training {task.oracles} oracle{'' if task.oracles == 1 else 's'}, where the cache has none …")
    oracle = _against_oracle(case, served, hopes) if with_oracle else None
    state = {name: tensor.detach().cpu().clone() for name, tensor in served.model.own_state().items()}
    if _given_weights(case) != given:
        raise SweepError(
            f"{given['file']} must not change while it is unlearned from, and its content did: nothing is written"
        )
    told = {
        "format": FORMAT,
        "asked": _asked(case),
        "ran": _ran(case, served),
        "weights": {
            "original": {**given, "sha256": state_digest(original.own_state())},
            "unlearned": {"sha256": state_digest(state)},
        },
        "measured": {"samples": _sizes(case), "before": before, "after": after},
        "expected": _expectation(case, hopes),
        "unlike": _unlike(case),
        "oracle": oracle,
    }
    return Answer(state, told)


def _given_weights(case: Case) -> dict[str, Any]:
    """The checkpoint of an original that was given; else under which key the sweep's own is cached."""
    original = case.sweep.spec.original
    if original is None:
        return {"cached_as": case.workspace.reference_key("original", case.task)}
    path = expanded(original.weights)
    digest = file_digest(path) if path.is_file() else (case.sweep.spec.files or {})["original.weights"]
    return {"file": str(path), "file_sha256": digest}


def _draws_vary(case: Case) -> bool:
    """Whether the evaluation's forget sets differ from seed to seed."""
    return case.tuned.draws_vary


def _asked(case: Case) -> dict[str, Any]:
    names, labels = case.workspace.data.class_names, case.workspace.train_labels[np.array(case.rows)]
    classes, counts = np.unique(labels, return_counts=True)
    return {
        "source": case.source,
        "samples": len(case.rows),
        "sha256": case.digest,
        "classes": {names[c]: int(n) for c, n in zip(classes, counts, strict=True)},
        "ids": case.ids,
        "copies_retained": case.copies,
    }


def _ran(case: Case, served: Served) -> dict[str, Any]:
    spec, chosen = case.sweep.spec, case.chosen
    made = provenance(spec, {})
    return {
        "sweep": spec.name,
        **asdict(chosen),
        "scenario_chosen_by": case.scenario_by,
        "method_chosen_by": case.method_by,
        "epoch": served.epoch,
        "epoch_chosen_by": served.rule,
        "seed": case.seed,
        "seconds": served.seconds,
        "samples_forward_and_backward": served.samples,
        "samples_forward_only": served.forward_samples,
        "dataset": {"name": spec.dataset.name, "read": case.workspace.data.description},
        "model": spec.model.name,
        "precision": spec.precision,
        "protocol": spec.protocol,
        "device": str(case.workspace.device),
        **{name: made[name] for name in ("versions", "python", "commit", "machine", "command")},
        "time": made["last_started"],
    }


def _sizes(case: Case) -> dict[str, int]:
    data, positions = case.workspace.task_data(case.task), case.workspace.samples.positions
    held_out = len(positions["validation"]) + len(positions["dev"])
    sizes = {
        "forget": len(data.forget),
        "retain": len(data.retain),
        "validation": held_out,
        "test": len(positions["test"]),
    }
    return sizes if data.heldout_class is None else {**sizes, "test_of_classes": len(data.heldout_class)}


def _expectation(case: Case, hopes: Expected | str) -> dict[str, Any]:
    """Of the gaps to an oracle, with their units."""
    objective = case.sweep.spec.objective.name
    if isinstance(hopes, str):
        return {"objective": objective, "unknown_because": hopes}
    measures = Measures(case.record.measures)
    units = {name: measures.label(name).unit for name in hopes.gaps}
    units[SCORE] = case.worker.objective.unit(hopes.score_of)
    return {"objective": objective, "level": LEVEL, "from": sources(hopes), "units": units, **asdict(hopes)}


def _unlike(case: Case) -> list[str]:
    sizes = known_sizes(case.record, case.chosen.scenario)
    data = case.workspace.data
    found = unlikenesses(case.tuned, np.array(case.rows), case.workspace.train_labels, data.class_names, sizes)
    if not same_data(case.record.data_identity, data.identity):
        found.append("the data set is not the one that the sweep ran on: images, labels or class names differ")
    if newer := changed_code(case.record, case.chosen, case.worker.codes):
        found.append(f"the code of {' and '.join(newer)} has changed since the sweep ran it")
    if case.sweep.spec.resources.gpus_per_trial and case.workspace.device.type == "cpu":
        found.append("it ran on a CPU, which rounds otherwise, and trials of the sweep ask for GPUs")
    return found


def _against_oracle(case: Case, served: Served, hopes: Expected | str) -> dict[str, Any]:
    """The oracle's own measures (of several their means), the gaps to them, and which of these lie where they were expected."""
    workspace, task, families = case.workspace, case.task, case.sweep.spec.metrics.every_epoch
    values = measure(workspace.outputs(served.model, task), families)
    found = gaps(values, workspace.oracle_metrics(task, families))
    found = {SCORE: case.worker.objective.score(found), **found}
    hoped = {} if isinstance(hopes, str) else comparable(case.worker.objective, found, hopes)
    return {
        "oracles": task.oracles,
        "measured": _means([measured(workspace, workspace.oracle(task, n).model, task) for n in range(task.oracles)]),
        "gaps": found,
        "as_expected": {name: hoped[name].holds(gap) for name, gap in found.items() if name in hoped},
    }


def _means(values: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: fmean(of[name] for of in values) for name in values[0] if all(name in of for of in values)}


__all__ = ["FORMAT", "Answer", "answer"]
