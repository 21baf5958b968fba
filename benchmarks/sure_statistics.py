"""SURE under three readings of its second pass: which batch statistics normalise the forget and validation features?

The paper does not say. `own`: forget and validation together, in train mode, running statistics untouched (what `sure` does);
`running`: the same samples under the running statistics; `joint`: one train-mode pass together with the retain batch.
Each reading runs the paper's tuned values and Sobol points of the search range, on the tuning task of each scenario of a sweep.

    uv run python benchmarks/sure_statistics.py [SWEEP] [POINTS] [KEY=VALUE …]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.objective import Objective
from sweeps.plan import make_plan
from sweeps.spec import load_spec, published_params
from sweeps.studies.sampling import sobol_point
from unlearn.errors import DivergedError
from unlearn.methods import Streams, UnlearningData, descend
from unlearn.methods.sure import SURE, domain_regressor, kept_statistics, reverse_gradient
from unlearn.models import Classifier
from unlearn.run import run_unlearning

DEFAULT = str(Path(__file__).with_name("search_quality.yaml"))


@dataclass(frozen=True, kw_only=True)
class SUREVariant(SURE):
    """SURE with a choice of statistics."""

    statistics: str = "own"

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        regressor = domain_regressor(model.feature_dim, rng.generator("regressor")).to(data.device)
        optimizer = self.optimizer(model, regressor)
        shuffle = rng.generator("retain")
        forget = data.forget.cycle(self.forget_batch_size, rng.generator("forget"))
        unseen = data.validation.cycle(self.forget_batch_size, rng.generator("validation"))
        norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
        for _ in self.passes(optimizer):
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                model.train()
                x_f, x_v = next(forget)[0], next(unseen)[0]
                if self.statistics == "joint":
                    features = model.features(torch.cat([x, x_f, x_v]))
                    retain_loss, features = F.cross_entropy(model.head(features[: len(x)]), y), features[len(x) :]
                else:
                    retain_loss = F.cross_entropy(model(x), y)
                    model.train(self.statistics == "own")
                    with kept_statistics(norms) if self.statistics == "own" else nullcontext():
                        features = model.features(torch.cat([x_f, x_v]))
                guess = regressor(reverse_gradient(features)).squeeze(1)
                domain_loss = F.softplus(-guess[: len(x_f)]).mean() + F.softplus(guess[len(x_f) :]).mean()
                descend(optimizer, self.alpha * retain_loss + (1 - self.alpha) * domain_loss)
            yield


def main() -> None:
    torch.set_num_threads(1)
    sweep, count, *overrides = [*sys.argv[1:], *(DEFAULT, "16")[len(sys.argv) - 1 :]]
    spec = load_spec(sweep, overrides)
    worker = Worker(spec, Cache.at())
    space, objective = spec.space("sure"), Objective()
    drawn = [space.decode(space.from_unit(sobol_point(len(space.ranges), 0, i))) for i in range(int(count))]
    print("scenario       statistics  published  diverged  best  median")
    plan = make_plan(spec)
    for scenario in spec.scenarios:
        search = plan.study("search", scenario, "sure")
        assert search is not None
        draw = search.draws[0]
        points = [{**space.fixed, **published_params()[scenario]["sure"]}, *drawn]
        for statistics in ("own", "running", "joint"):
            scores = []
            for point in points:
                method = SUREVariant(statistics=statistics, **point)
                try:
                    run = run_unlearning(worker.workspace, worker.task(draw, "dev"), method, spec.seed)
                    scores.append(min(objective.score(evaluation.metrics) for evaluation in run))
                except DivergedError:
                    scores.append(np.nan)
            diverged = int(np.isnan(scores).sum())
            print(
                f"{scenario:<14} {statistics:<11} {scores[0]:>9.2f}  {diverged:>4}/{len(points)}"
                f"  {np.nanmin([*scores, 100.0]):>4.2f}  {np.median(np.nan_to_num(scores, nan=100)):>6.2f}"
            )


if __name__ == "__main__":
    main()
