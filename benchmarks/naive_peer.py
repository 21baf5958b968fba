"""What `against_naive` measures against: a search as people write it, with their libraries' defaults.

    OMP_NUM_THREADS=1 python -m benchmarks.naive_peer FOLDER [--once]

Optuna's loop over the configurations in FOLDER/jobs.json, in as many processes as are started on the same FOLDER; DataLoader,
float32, PyTorch's default memory layout, one pass per set, scikit-learn's attacks. Networks, checkpoints, samples and seeds are
given, those of shuffling and of the attacks' splits too: batches come in the order in which the sweep has them. Images lie
decoded in memory, and the outputs of every epoch are kept: nothing is read or computed twice.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import MultiStepLR
from torch.utils.data import DataLoader, Sampler, TensorDataset

from unlearn.models import Classifier, build
from unlearn.steps import batch_sizes

Job = dict[str, Any]
#: Logits, features and labels of one set.
Outputs = tuple[Tensor, Tensor, Tensor]
Batches = DataLoader[tuple[Tensor, ...]]


class Shuffled(Sampler[list[int]]):
    """Batches in an order of their own at each pass, from a seed."""

    def __init__(self, samples: int, batch_size: int, seed: int) -> None:
        self.samples, self.batch_size = samples, batch_size
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self.samples, generator=self.generator)
        for batch in torch.split(order, batch_sizes(self.samples, self.batch_size)):
            yield batch.tolist()


class Task:
    """One forget set: data sets in memory, checkpoints, and the oracle's own values, computed once a process."""

    def __init__(self, path: Path) -> None:
        self.told = torch.load(path)
        pixels, labels = self.told["images"].float() / 255, self.told["labels"]
        self.sets = {name: TensorDataset(pixels[rows], labels[rows]) for name, rows in self.told["sets"].items()}
        self.sizes = {name: len(of) for name, of in self.sets.items()}
        self.evaluated = [name for name in self.sets if name not in {"unseen", "validation"}]
        outputs = self.outputs(self.network("oracle"), self.evaluated)
        self.oracle = self.cheap(outputs) | self.costly(outputs)

    def network(self, checkpoint: str, nudge: float = 0.0) -> Classifier:
        """A network with the weights of a checkpoint, each changed at random by `nudge` of its size."""
        told = self.told
        model = build(told["model"], told["images"].shape[1:], told["classes"], told["options"])
        model.normalise(told["mean"], told["std"])
        random = torch.Generator().manual_seed(0)
        weights = {name: value * (1 + nudge * torch.randn(value.shape, generator=random)) if value.is_floating_point() else value
                   for name, value in load_file(told[checkpoint]).items()}  # fmt: skip
        model.load_state_dict(weights)
        model.memory_format = torch.contiguous_format
        return model.to(memory_format=torch.contiguous_format)

    def batches(self, name: str, batch_size: int, seed: int) -> Batches:
        """Shuffled batches of one set."""
        return DataLoader(self.sets[name], batch_sampler=Shuffled(self.sizes[name], batch_size, seed))

    def outputs(self, model: Classifier, names: list[str]) -> dict[str, Outputs]:
        """One pass per set."""
        model.eval()
        found = {}
        for name in names:
            parts = []
            with torch.no_grad():
                for x, y in DataLoader(self.sets[name], batch_size=256):
                    features = model.features(x)
                    parts.append((model.head(features), features, y))
            logits, features, labels = (torch.cat(part) for part in zip(*parts, strict=True))
            found[name] = logits, features, labels
        if not all(logits.isfinite().all() for logits, _, _ in found.values()):
            raise FloatingPointError("diverged")
        return found

    def cheap(self, outputs: dict[str, Outputs]) -> dict[str, float]:
        """What is measured at every epoch: accuracies and MIA-I, in per cent."""
        of = {name: 100 * float((logits.argmax(1) == y).float().mean()) for name, (logits, _, y) in outputs.items()}
        return {**{f"{name}_accuracy": value for name, value in of.items()}, "mia_loss": self.mia_loss(outputs)}

    def mia_loss(self, outputs: dict[str, Outputs]) -> float:
        """Ten logistic regressions on losses, each scored on the 30 % held out from it."""
        rng = np.random.default_rng(self.told["seed"])
        sets = [outputs["forget"], outputs.get("class", outputs["heldout"])]
        member, unseen = (F.cross_entropy(x, y, reduction="none").clamp(-100, 100).numpy() for x, _, y in sets)
        both = balanced(member, unseen, rng)
        n = len(both[0])
        test = min(max(round(0.3 * n), 1), n - 1)
        orders = [rng.permuted(np.tile(np.arange(n), (10, 1)), axis=1) for _ in both]
        scores = []
        for rows in zip(*orders, strict=True):
            x_test, x = (np.concatenate([v[r[part]] for v, r in zip(both, rows, strict=True)])[:, None]
                         for part in (slice(test), slice(test, None)))  # fmt: skip
            attack = LogisticRegression().fit(x, np.repeat([1, 0], n - test))
            scores.append(attack.score(x_test, np.repeat([1, 0], test)))
        return 100 * float(np.mean(scores))

    def costly(self, outputs: dict[str, Outputs]) -> dict[str, float]:
        """What is measured at the chosen epoch: the other three attacks, in per cent."""
        seed, (forget, heldout) = self.told["seed"], (outputs[name] for name in ("forget", "heldout"))
        logits, features, labels = (torch.cat(both) for both in zip(outputs["retain"], forget, strict=True))
        confidences = of_true_class((logits, features, labels))
        svm = fitted(SVC(C=3, gamma="auto"), confidences, of_true_class(heldout), seed)
        neighbours = make_pipeline(StandardScaler(), KNeighborsClassifier())
        unseen = outputs.get("class", heldout)[1].numpy()
        x = np.concatenate(both := balanced(forget[1].numpy(), unseen, np.random.default_rng(seed)))
        forgotten = cross_val_score(neighbours, x, np.repeat([1, 0], len(both[0])), cv=5).mean()
        trained = fitted(neighbours, features.numpy(), heldout[1].numpy(), seed)
        return {
            "mia_confidence": 100 * float(np.mean(svm.predict(of_true_class(forget)) == 0)),
            "mia_knn_forget": 100 * float(forgotten),
            "mia_knn_train": 100 * float(np.mean(trained.predict(forget[1].numpy()) == 0)),
        }


def balanced(member: np.ndarray, unseen: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Equally many of each kind, at random."""
    n = min(len(member), len(unseen))
    return member[rng.permutation(len(member))[:n]], unseen[rng.permutation(len(unseen))[:n]]


def fitted(attack: Any, member: np.ndarray, unseen: np.ndarray, seed: int) -> Any:
    both = balanced(member, unseen, np.random.default_rng(seed))
    return attack.fit(np.concatenate(both), np.repeat([1, 0], len(both[0])))


def of_true_class(outputs: Outputs) -> np.ndarray:
    """The probability given to the true class, shape (n, 1)."""
    return outputs[0].softmax(1).gather(1, outputs[2][:, None]).numpy()


def run(task: Task, job: Job) -> dict[str, Any]:
    """One trial: its metrics by epoch, the epoch that counts, and the costly metrics there.

    Raises:
        FloatingPointError: it has diverged.
    """
    scrub = job["method"] == "scrub"
    model = task.network("original", job.get("nudge", 0.0))
    names = [*task.evaluated, *["validation"] * scrub]
    outputs = []
    curve = []
    for _ in METHODS[job["method"]](task, model, job):
        outputs.append(task.outputs(model, names))
        curve.append(task.cheap(outputs[-1]))
    gaps = [[abs(values[f"{name}_accuracy"] - task.oracle[f"{name}_accuracy"]) for name in SCORED if name in names]
            for values in curve]  # fmt: skip
    scores = [float(np.mean(gap)) for gap in gaps]
    if scrub:  # SCRUB-R: the forget error nearest to the last model's validation error
        target = curve[-1]["validation_accuracy"]
        chosen = int(np.argmin([abs(values["forget_accuracy"] - target) for values in curve]))
    else:
        chosen = int(np.argmin(scores))
    return {"curve": curve, "chosen": chosen, "score": scores[chosen], "costly": task.costly(outputs[chosen])}


SCORED = ("forget", "heldout", "retain", "class")


class Training:
    """SGD over some modules, the learning rate divided by ten once, and shuffled batches of the task."""

    def __init__(self, task: Task, job: Job, *modules: nn.Module) -> None:
        self.task, self.job, self.values = task, job, job["hyperparameters"]
        self.optimizer = torch.optim.SGD(
            [p for module in modules for p in module.parameters()],
            **{name: self.values[name] for name in ("lr", "momentum", "weight_decay")},
        )
        self.scheduler = MultiStepLR(self.optimizer, [self.values["lr_decay_epoch"]])

    def batches(self, name: str) -> Batches:
        size = self.values["retain_batch_size" if name == "retain" else "forget_batch_size"]
        return self.task.batches(name if name != "validation" else "unseen", size, self.job["seeds"][name])

    def endless(self, name: str) -> Iterator[tuple[Tensor, ...]]:
        batches = self.batches(name)
        while True:
            yield from batches

    def step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.optimizer.step()


def finetune(task: Task, model: Classifier, job: Job) -> Iterator[None]:
    training = Training(task, job, model)
    alpha, epochs = training.values.get("alpha", 0.0), training.values["epochs"]
    retain = training.batches("retain")
    for epoch in range(epochs):
        model.train()
        for x, y in retain:
            loss = F.cross_entropy(model(x), y)
            if alpha:  # L1-sparse
                loss = loss + alpha * (1 - epoch / epochs) * sum(p.abs().sum() for p in model.parameters())
            training.step(loss)
        training.scheduler.step()
        yield


def neg_grad_plus(task: Task, model: Classifier, job: Job) -> Iterator[None]:
    training = Training(task, job, model)
    alpha, retain, forget = training.values["alpha"], training.batches("retain"), training.endless("forget")
    for _ in range(training.values["epochs"]):
        model.train()
        for x, y in retain:
            x_f, y_f = next(forget)
            loss = alpha * F.cross_entropy(model(x), y) - (1 - alpha) * F.cross_entropy(model(x_f), y_f)
            training.step(loss)
        training.scheduler.step()
        yield


def scrub(task: Task, model: Classifier, job: Job) -> Iterator[None]:
    training, teacher = Training(task, job, model), task.network("original").eval()
    values, retain, forget = training.values, training.batches("retain"), training.batches("forget")
    temperature = values["temperature"]

    def divergence(x: Tensor, logits: Tensor) -> Tensor:
        with torch.no_grad():
            target = F.softmax(teacher(x) / temperature, dim=1)
        guess = F.log_softmax(logits / temperature, dim=1)
        return F.kl_div(guess, target, reduction="batchmean").mul(temperature**2)

    yield
    for epoch in range(values["epochs"]):
        model.train()
        for x, _ in forget if epoch < values["max_epochs"] else ():
            training.step(-(1 - values["alpha"]) * divergence(x, model(x)))
        for x, y in retain:
            logits = model(x)
            training.step(values["alpha"] * (F.cross_entropy(logits, y) + divergence(x, logits)))
        training.scheduler.step()
        yield


class ReverseGradient(torch.autograd.Function):
    """The identity forward, the negative identity backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


def sure(task: Task, model: Classifier, job: Job) -> Iterator[None]:
    torch.manual_seed(job["seeds"]["regressor"])
    regressor = nn.Sequential(nn.Linear(model.head.in_features, 256), nn.ReLU(), nn.Linear(256, 1))
    training = Training(task, job, model, regressor)
    alpha, retain = training.values["alpha"], training.batches("retain")
    forget, unseen = training.endless("forget"), training.endless("validation")
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for _ in range(training.values["epochs"]):
        model.train()
        for x, y in retain:
            retain_loss = F.cross_entropy(model(x), y)
            x_f, x_v = next(forget)[0], next(unseen)[0]
            for norm in norms:
                norm.track_running_stats = False
            guess = regressor(ReverseGradient.apply(model.features(torch.cat([x_f, x_v]))))
            for norm in norms:
                norm.track_running_stats = True
            ours, theirs = guess.split([len(x_f), len(x_v)])
            domain_loss = F.binary_cross_entropy_with_logits(ours, torch.ones_like(ours))
            domain_loss = domain_loss + F.binary_cross_entropy_with_logits(theirs, torch.zeros_like(theirs))
            training.step(alpha * retain_loss + (1 - alpha) * domain_loss)
        training.scheduler.step()
        yield


METHODS = {
    "finetune": finetune,
    "l1_sparse": finetune,
    "neg_grad_plus": neg_grad_plus,
    "scrub": scrub,
    "sure": sure,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--once", action="store_true", help="one trial, then end")
    options = parser.parse_args()
    jobs: list[Job] = json.loads((options.folder / "jobs.json").read_text())
    task = cache(Task)

    def objective(trial: optuna.Trial) -> float:
        if trial.number >= len(jobs):  # all are taken (enqueued trials two processes may get twice, numbers never)
            trial.study.stop()
            raise optuna.TrialPruned
        started, job = time.perf_counter(), jobs[trial.number]
        result = run(task(Path(job["task"])), job)
        result["seconds"] = time.perf_counter() - started
        trial.set_user_attr("result", result)
        return float(result["score"])

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name="peer", storage=f"sqlite:///{options.folder}/study.db")
    study.optimize(objective, n_trials=1 if options.once else None, catch=FloatingPointError)


if __name__ == "__main__":
    main()
