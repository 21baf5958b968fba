"""Records made by hand, with numbers that a reader can check in the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeps.record import COLUMNS, SweepRecord, Winner

pd.set_option(
    "mode.string_storage", "python"
)  # as within a report (`plain_strings`), whose parts are called here one by one


@dataclass
class RecordBuilder:
    """Collects trials and curves; `record()` turns them into what a storage would give."""

    name: str = "tiny"
    spec: dict[str, Any] = field(default_factory=dict)
    planned: dict[tuple[str, str, str], int] = field(default_factory=dict)
    best: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    importances: dict[str, dict[str, dict[str, float] | None]] = field(default_factory=dict)
    trials: list[dict[str, Any]] = field(default_factory=list)
    curves: list[dict[str, Any]] = field(default_factory=list)
    winners: dict[str, dict[str, Winner]] = field(default_factory=dict)
    in_hindsight: bool = False
    protocol_note: str = ""
    measures: list[dict[str, Any]] = field(default_factory=list)
    images: dict[str, int] = field(default_factory=dict)
    class_images: dict[str, dict[str, int]] = field(default_factory=dict)

    def trial(
        self,
        stage: str,
        method: str,
        *,
        value: float = float("nan"),
        state: str = "COMPLETE",
        metrics: Mapping[str, float] | None = None,
        top5: Mapping[str, float] | None = None,
        hindsight: Mapping[str, float] | None = None,
        stop_epoch: int | None = None,
        hindsight_score: float = float("nan"),
        hp: Mapping[str, Any] | None = None,
        curve: list[Mapping[str, float]] | None = None,
        scenario: str = "random",
        size: int | None = 100,
        forget_seed: int = 0,
        reason: str | None = None,
        requeued: bool = False,
        superseded: bool = False,
        training: int = 0,
        run: int = 0,
        oracles: int = 3,
        overlap: float = 0.0,
        in_first: float = float("nan"),
        in_first_of: Mapping[str, float] | None = None,
        cost_of: str = "stop",
        retain_samples: float = float("nan"),
        guessing: float = float("nan"),
        code: str | None = None,
    ) -> int:
        study = f"{self.name}/{stage}/{scenario}/{method}"
        number = sum(t["study"] == study for t in self.trials)
        row = {
            "study": study,
            "stage": stage,
            "scenario": scenario,
            "method": method,
            "number": number,
            "state": state,
            "value": value,
            "epoch": stop_epoch or 1,
            "stop_epoch": stop_epoch,
            "hindsight_score": hindsight_score,
            "fail_reason": reason,
            "retry_of": None,
            "started": pd.Timestamp("2026-01-01"),
            "completed": pd.Timestamp("2026-01-01"),
            "seconds": 60.0,
            "forget_size": size,
            "forget_seed": forget_seed,
            "seed": forget_seed,
            "requeued": requeued,
            "superseded": superseded,
            "scored_on": "dev" if stage == "search" else "test",
            "training": training,
            "run": run,
            "oracles": oracles,
            "overlap": overlap,
            "in_first": in_first,
            "cost_of": cost_of,
            "retain_samples": retain_samples,
            "guessing": guessing,
            "code": code,
        }
        row |= {f"in_first.{k}": v for k, v in (in_first_of or {}).items()}
        row |= {f"hp.{k}": v for k, v in (hp or {}).items()}
        row |= {f"metric.{k}": v for k, v in (metrics or {}).items()}
        row |= {f"hindsight.{k}": v for k, v in (hindsight or {}).items()}
        row |= {f"top5.{k}": v for k, v in (top5 or {}).items()}
        self.trials.append(row)
        identity = {k: row[k] for k in ("study", "stage", "scenario", "method", "number")}
        self.curves += [{**identity, "epoch": i + 1, "score": 0.0, **e} for i, e in enumerate(curve or [])]
        return number

    def record(self) -> SweepRecord:
        trials = pd.DataFrame(self.trials, columns=None if self.trials else list(COLUMNS))
        trials[["requeued", "superseded"]] = trials[["requeued", "superseded"]].eq(True)
        identity = ["study", "stage", "scenario", "method", "number", "epoch", "score"]
        curves = pd.DataFrame(self.curves) if self.curves else pd.DataFrame(columns=identity)
        provenance = {"commit": "0123abc", "versions": {"torch": "2.9"}}
        found = {s: {m: Winner(h) for m, h in methods.items()} for s, methods in self.best.items()}
        winners = {s: found.get(s, {}) | self.winners.get(s, {}) for s in dict.fromkeys([*found, *self.winners])}
        best = {s: {m: w.hyperparameters for m, w in methods.items()} for s, methods in winners.items()}
        parts = (self.planned, trials, curves, best, self.importances)
        about = {"in_hindsight": self.in_hindsight, "protocol_note": self.protocol_note, "fingerprint": "0f1e2d"}
        data = {"images": self.images, "class_images": self.class_images, "measures": self.measures}
        return SweepRecord(self.name, self.spec, provenance, *parts, winners=winners, **data, **about)


@pytest.fixture
def builder() -> RecordBuilder:
    return new_builder()


def new_builder() -> RecordBuilder:
    spec = {
        "protocol": "strict",
        "scenarios": {"random": {"tune_size": 100, "sizes": [100, 10]}},
        "methods": ["sure", "finetune"],
        "objective": {"name": "average_gap", "gaps": None},
        "search": {"trials": 3},
        "evaluation": {"seeds": 3},
        "unlearning": {"epochs": 3},
    }
    return RecordBuilder(spec=spec)


@pytest.fixture(scope="session")
def full_record() -> SweepRecord:
    """Two scenarios, four methods, every stage, and the retrained oracle; one method's names try to break out of HTML."""
    builder = new_builder()
    rng = np.random.default_rng(0)
    methods = ["sure", "finetune", "neg_grad_plus", "my.package:<script>alert(1)</script>"]
    builder.spec["methods"] = [*methods, "oracle"]
    builder.spec["scenarios"] = {
        "random": {"tune_size": 100, "sizes": [100, 10]},
        "partial_class": {"tune_size": 50, "sizes": [50, 10]},
    }
    accuracies = {"retain_accuracy": "retain_gap", "forget_accuracy": "forget_gap", "heldout_accuracy": "utility_gap"}
    for scenario, settings in builder.spec["scenarios"].items():
        names = accuracies | ({"class_accuracy": "class_test_gap"} if scenario == "partial_class" else {})
        names |= {"mia_loss": "mia_loss_gap"}
        builder.best[scenario] = {}
        builder.planned[("evaluation", scenario, "oracle")] = 6
        for size in settings["sizes"]:
            for seed in range(3):
                floor = dict.fromkeys(names, 90.5) | dict.fromkeys(names.values(), 0.5)
                one = {"metrics": floor, "curve": [floor]}
                builder.trial("evaluation", "oracle", value=0.5, scenario=scenario, size=size, forget_seed=seed, **one)
        for k, method in enumerate(methods):
            hp: dict[str, float] = {"lr": 0.01, "lr_decay_epoch": 8}
            hp |= {"retain_batch_size": 64} if method == "finetune" else {"alpha": 0.5, "forget_batch_size": 32}
            builder.best[scenario][method] = hp
            shares: dict[str, float] = {name: 1 / len(hp) for name in hp}
            builder.importances.setdefault(scenario, {})[method] = shares

            def measured(quality: float, names: dict[str, str] = names) -> list[dict[str, float]]:
                epochs = []
                for epoch in range(3):
                    values = {raw: 90 + float(rng.normal(0, quality)) for raw in names}
                    gaps = {gap: abs(values[raw] - 90) for raw, gap in names.items()}
                    cost = {"relative_run_time": 0.1 * (epoch + 1), "relative_samples": 0.1 * (epoch + 1)}
                    epochs.append(values | gaps | cost | {"score": float(np.mean(list(gaps.values())))})
                return epochs

            builder.winners.setdefault(scenario, {})[method] = Winner(hp, stop_epoch=2)

            def run(stage: str, size: int, seed: int, hp: dict[str, float], state: str = "COMPLETE") -> None:
                curve = measured(1.0 + k)  # noqa: B023  # called at once
                least = min(curve, key=lambda e: e["score"])
                stopped = stage in {"evaluation", "sensitivity"}
                best = curve[1] if stopped else least
                metrics, hindsight = (
                    {m: v for m, v in epoch.items() if m != "score"} | {"weight_distance": 3.0 + k}  # noqa: B023
                    for epoch in (best, least)
                )
                builder.trial(
                    stage,
                    method,  # noqa: B023
                    value=best["score"],
                    state=state,
                    metrics=metrics,
                    top5=metrics,
                    hindsight=hindsight if stopped else None,
                    hindsight_score=least["score"] if stopped else float("nan"),
                    stop_epoch=2 if stopped else None,
                    hp=hp,
                    curve=curve,
                    scenario=scenario,  # noqa: B023
                    size=size,
                    forget_seed=seed,
                )

            for i in range(4):
                run("search", settings["tune_size"], 100 + i, hp, "PRUNED" if i == 2 else "COMPLETE")
            for size in settings["sizes"]:
                for seed in range(3):
                    run("evaluation", size, seed, hp)
            for lr in (0.8, 1.0, 1.2):
                for alpha in (0.8, 1.0, 1.2) if "alpha" in hp else (1.0,):
                    point = hp | {"lr": 0.01 * lr} | ({"alpha": 0.5 * alpha} if "alpha" in hp else {})
                    run("sensitivity", settings["tune_size"], 0, point)
            builder.planned[("search", scenario, method)] = 4
            builder.planned[("evaluation", scenario, method)] = 6
            builder.planned[("sensitivity", scenario, method)] = 9 if "alpha" in hp else 3
    failed = builder.trial("search", "sure", state="FAIL", reason="diverged at <img src=x onerror=alert(2)> epoch 3")
    builder.planned[("search", "random", "sure")] = failed + 1
    return builder.record()
