"""What `search.retain_samples` saves and what it costs: the same search trials on a part of the retain set and on all of it.

On images of CIFAR-10 in a folder (`train/<class>/*`, `test/<class>/*`) with a narrow ResNet-18, or without one on digits; Sobol
points of the shipped ranges, `unlearning.epochs` and batches given here.
Each trial runs twice in turn, the order changing. Printed: the ratio of their times, by how much the retain gap of each epoch
differs, and what it costs to take the epoch that is least on the part.

    python -m benchmarks.retain_part --root data/cifar10 --per-class 800 --part 800 --trials 4
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch

from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Job, curve_of
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.spec import Spec, parse_spec
from sweeps.studies.sampling import sobol_point

Curve = dict[int, dict[str, float]]


def spec_of(root: Path | None, per_class: int, epochs: int, methods: list[str]) -> Spec:
    """A sweep with the proportions of CIFAR-10: as many dev images as an eighth of the training set."""
    images = {"name": "image_folder", "root": str(root), "train_per_class": per_class, "test_per_class": 50}
    model = {"name": "resnet18", "width": 8}
    return parse_spec(
        {
            "name": "retain-part",
            "dataset": images if root else "digits",
            "model": model if root else "small_resnet",
            "training": {"epochs": 6, "milestones": [5], "lr": 0.05, "batch_size": 64},
            "unlearning": {"epochs": epochs, "retain_batch_size": 64},
            "scenarios": {"partial_class": {"target_class": 5, "tune_size": 100, "sizes": [100]}},
            "methods": {key: {} for key in methods},
            "search": {"warm_start": []},
        }
    )


def jobs(spec: Spec, trials: int) -> list[Job]:
    """The first trials of each method's search."""
    found = []
    for method in spec.methods:
        study = make_plan(spec).study("search", "partial_class", method)
        assert study is not None
        assert study.space is not None
        for index in range(trials):
            point = sobol_point(len(study.space.ranges), spec.seed, index)
            hyperparameters = study.space.decode(study.space.from_unit(point))
            found.append(Job("unlearning", study.draws[0], study.scored_on, method, hyperparameters, seed=index))
    return found


def run(worker: Worker, job: Job) -> tuple[float, int | None, Curve]:
    """A trial's processor seconds, its epoch that counts, and its curve."""
    started = time.process_time()
    updates = list(worker.run(job))
    seconds = time.process_time() - started
    curve = curve_of(row for update in updates for row in update.epochs)
    return seconds, updates[-1].epoch, {int(row["epoch"]): row for row in curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--per-class", type=int, default=800)
    parser.add_argument("--part", type=int, default=800)
    parser.add_argument("--trials", type=int, default=4, help="of each method")
    parser.add_argument("--methods", nargs="+", default=["sure", "finetune"])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="folder that keeps the trained models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        spec = spec_of(options.root, options.per_class, options.epochs, options.methods)
        worker = Worker(spec, Cache(options.cache or Path(temporary)))
        todo = jobs(spec, options.trials)
        retain = len(worker.workspace.task_data(worker.task(todo[0].draw, "dev")).retain)
        for part in (None, options.part):  # what all trials share
            *_, last = worker.run(
                replace(todo[0], hyperparameters=todo[0].hyperparameters | {"epochs": 2}, retain_samples=part)
            )
            assert last.outcome == "complete", last.reason
        print(f"{retain} retain images, a part of {options.part}; {options.epochs} epochs a trial, one thread")
        ratios, off, late, changed = [], [], [], 0
        for number, job in enumerate(todo):
            asked = {None: job, options.part: replace(job, retain_samples=options.part)}
            order = (None, options.part) if number % 2 else (options.part, None)
            found = {part: run(worker, asked[part]) for part in order}
            (whole, best, on_all), (some, chosen, on_part) = found[None], found[options.part]
            if best is None or chosen is None:
                print(f"{job.method:10} diverged")
                continue
            ratios.append(whole / some)
            changed += best != chosen
            late.append(on_all[chosen]["score"] - on_all[best]["score"])
            assert on_part[chosen]["score"] == on_all[chosen]["score"]
            off += [on_part[e]["retain_accuracy"] - on_all[e]["retain_accuracy"] for e in on_all if e != chosen]
            gaps = [on_part[e]["retain_gap"] - on_all[e]["retain_gap"] for e in on_all if e != chosen]
            print(
                f"{job.method:10} {whole:6.1f} s on all, {some:6.1f} s on a part: {whole / some:.2f}; retain gaps differ by "
                f"{np.mean(np.abs(gaps)):.2f} points; epoch {chosen} for {best}, {late[-1]:.3f} points worse"
            )
        print(f"median ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) of {len(ratios)} trials")
        print(f"another epoch in {changed} of {len(late)} trials, {np.mean(late):.3f} points of score worse on average")


if __name__ == "__main__":
    main()
