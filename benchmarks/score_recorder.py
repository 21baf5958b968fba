"""Records the table of `search_quality`: every configuration on every forget set, scored on dev and on test images at once."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from optuna.distributions import BaseDistribution
from optuna.trial import create_trial
from scipy.stats import qmc

from benchmarks.score_table import DEV, TEST, Origin, Row, ScoreTable
from sweeps.jobs.worker import setting_of
from sweeps.objective import Objective
from sweeps.spec import Spec, load_spec, published_params
from unlearn.errors import DivergedError
from unlearn.metrics import Outputs, SetOutputs, gaps, measure
from unlearn.models import Classifier
from unlearn.registry import find
from unlearn.run import Evaluation, run_unlearning
from unlearn.workspace import Task, Workspace

FAMILIES = ("accuracy",)  # all that the default objective reads
SWEEP = Path(__file__).with_name("search_quality.yaml")
METHODS = ("sure", "neg_grad_plus", "random_label")
FIRST_SEED = 1000
#: Configurations before every third one is suggested by TPE.
EVEN_START = 24
#: A configuration is hopeless whose best epoch on each of the first two sets is so many points worse than the untouched original.
HOPELESS_POINTS, LOOKS = 5.0, 2
#: Every so manieth hopeless configuration is measured on all sets all the same, to see what the others' copies are worth.
AUDIT = 5


@dataclass(frozen=True)
class Scorer:
    """Runs one configuration on one forget set and scores each epoch on dev and test images."""

    spec: Spec
    workspace: Workspace
    objective: Objective

    def task(self, scenario: str, forget_set: int) -> Task:
        """The task of the `forget_set`-th set of a scenario, at its tune size, scored on dev images."""
        body = self.spec.scenarios[scenario]
        kind = find("scenarios", self.spec.scenario_key(scenario))(**body.options)
        return Task(
            scenario=kind, forget_size=body.tune_size or 0, forget_seed=FIRST_SEED + forget_set, scored_on="dev"
        )

    def run(self, task: Task, method: str, hyperparameters: dict[str, Any]) -> tuple[np.ndarray, int]:
        """The curve, shape (epochs, 2), infinite from where the run diverged, and the samples passed."""
        curve = np.full((self.spec.unlearning.epochs, 2), np.inf, dtype=np.float32)
        samples = 0
        runner = find("methods", method)(**hyperparameters)
        try:
            for evaluation in run_unlearning(self.workspace, task, runner, task.forget_seed, FAMILIES):
                curve[evaluation.epoch - 1, DEV] = self.objective.score(evaluation.metrics)
                curve[evaluation.epoch - 1, TEST] = self._on_test(evaluation, task)
                samples = evaluation.samples
        except DivergedError:
            pass
        return curve, samples

    def untouched(self, task: Task) -> float:
        """The original model's own score, as if nothing had to be forgotten."""
        values = measure(self.workspace.outputs(self.workspace.original(task).model, task), FAMILIES)
        return self.objective.score(gaps(values, self.workspace.oracle_metrics(task, FAMILIES)))

    def _on_test(self, evaluation: Evaluation, task: Task) -> float:
        """The score on test images of the same model: what differs are the held-out sets."""
        reported = replace(task, scored_on="test")
        data = self.workspace.task_data(reported)
        held_out = {"heldout": data.heldout, "heldout_class": data.heldout_class}
        sets = {
            k: self._outputs(evaluation.model, data.images, data.truth, v) for k, v in held_out.items() if v is not None
        }
        values = measure(Outputs({**evaluation.outputs.sets, **sets}, seed=task.forget_seed), FAMILIES)
        return self.objective.score(gaps(values, self.workspace.oracle_metrics(reported, FAMILIES)))

    @staticmethod
    def _outputs(model: Classifier, images: torch.Tensor, truth: torch.Tensor, index: torch.Tensor) -> SetOutputs:
        was_training = model.training
        model.eval()
        with torch.inference_mode():
            features = model.features(images[index])
            outputs = SetOutputs(model.head(features), features, truth[index])
        model.train(was_training)
        return outputs


def record(
    path: Path, cache: Path, scenarios: Sequence[str], *, sets: int, configurations: int, minutes: float
) -> Iterator[Row]:
    """Add rows until every task of `scenarios` has `configurations`, or `minutes` have passed; each is saved at once."""
    torch.set_num_threads(1)
    started = time.monotonic()
    spec = load_spec(str(SWEEP))
    scorer = Scorer(
        spec, Workspace(setting_of(spec), cache, keep=None), Objective(spec.objective.name, tuple(spec.objective.gaps))
    )
    table = ScoreTable.load(path) if path.exists() else ScoreTable(methods_sharing=len(spec.methods) - 1)
    table.about = {**table.about, **_about(spec, sets)}
    for scenario in scenarios:
        scores = [scorer.untouched(replace(scorer.task(scenario, i), scored_on="test")) for i in range(sets)]
        table.untouched[scenario] = float(np.mean(scores))
    for index in range(configurations):
        for scenario in scenarios:
            for method in METHODS:
                if len(table.of(scenario, method)) > index:
                    continue
                if time.monotonic() - started > 60 * minutes:
                    return
                row = record_row(scorer, table, scenario, method, sets)
                table.rows.append(row)
                oracle = scorer.workspace.oracle(scorer.task(scenario, 0))
                table.oracle_samples[scenario] = oracle.cost.samples
                table.save(path)
                yield row


def record_row(scorer: Scorer, table: ScoreTable, scenario: str, method: str, sets: int) -> Row:
    """The next configuration of a task on every forget set, a hopeless one on the first two only."""
    before = table.of(scenario, method)
    distributions = scorer.spec.space(method).distributions
    origin, params = suggest(scorer.spec, scenario, method, before)
    unit = [_fraction(distribution, params[name]) for name, distribution in distributions.items()]
    curves = np.empty((sets, scorer.spec.unlearning.epochs, 2), dtype=np.float32)
    row = Row(scenario, method, origin, params, unit, 0, curves, np.zeros(sets, dtype=bool))
    return measure_on(scorer, row, audited=len(before) % AUDIT == 0)


def measure_on(scorer: Scorer, row: Row, *, audited: bool) -> Row:
    """The row with the forget sets measured that it lacks; of a hopeless one, unless `audited`, only the first two."""
    curves, measured, samples = row.curves.copy(), row.measured.copy(), row.samples
    hyperparameters = scorer.spec.space(row.method).decode(row.params)
    for i in range(len(curves)):
        if i == LOOKS and not audited and _hopeless(scorer, row.scenario, curves[:LOOKS, :, DEV]):
            curves[LOOKS:] = curves[np.arange(LOOKS, len(curves)) % LOOKS]
            break
        if not measured[i]:
            curves[i], passed = scorer.run(scorer.task(row.scenario, i), row.method, hyperparameters)
            measured[i] = True
            samples = max(samples, passed)
    return replace(row, samples=samples, curves=curves, measured=measured)


def _hopeless(scorer: Scorer, scenario: str, curves: np.ndarray) -> bool:
    untouched = [scorer.untouched(scorer.task(scenario, i)) for i in range(len(curves))]
    return all(curve.min() > HOPELESS_POINTS + value for curve, value in zip(curves, untouched, strict=True))


def suggest(spec: Spec, scenario: str, method: str, before: list[Row]) -> tuple[Origin, dict[str, Any]]:
    """The published values, then Sobol points; later every third one by TPE on the mean curve, so that good regions are dense."""
    space = spec.space(method)
    sobol = [row for row in before if row.origin == "sobol"]
    sequence = qmc.Sobol(len(space.ranges), scramble=True, rng=0)
    if sobol:
        sequence.fast_forward(len(sobol))
    even = space.from_unit(tuple(float(u) for u in sequence.random(1)[0]))
    if not before:
        return "published", {**even, **space.encode(published_params()[scenario][method])}
    if len(before) < EVEN_START or len(before) % 3:
        return "sobol", even
    sampler = optuna.samplers.TPESampler(seed=len(before), multivariate=True)
    study = optuna.create_study(sampler=sampler)
    for row in before:
        value = float(np.nan_to_num(row.curves[:, :, DEV], posinf=100.0).mean(0).min())
        study.add_trial(create_trial(params=row.params, distributions=space.distributions, value=value))
    return "tpe", study.ask(space.distributions).params


def _fraction(distribution: BaseDistribution, value: float) -> float:
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]  # numeric always
    if low == high:
        return 0.5
    if distribution.log:  # type: ignore[attr-defined]  # likewise
        low, high, value = np.log(low), np.log(high), np.log(value)
    return float((value - low) / (high - low))


def _about(spec: Spec, sets: int) -> dict[str, Any]:
    described = {
        name: json.loads(spec.model_dump_json())[name] for name in ("dataset", "model", "training", "unlearning")
    }
    return {
        **described,
        "scenarios": {name: body.model_dump(mode="json") for name, body in spec.scenarios.items()},
        "forget_seeds": [FIRST_SEED, FIRST_SEED + sets - 1],
        "run_seed": "the forget set's",
        "hopeless": f"{HOPELESS_POINTS:g} points worse than the untouched original on the first {LOOKS} sets",
        "versions": {name: version(name) for name in ("torch", "numpy", "optuna", "scipy")},
        "recorded": date.today().isoformat(),
        "machine": f"{platform.machine()}, one thread",
    }
