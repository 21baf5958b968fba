"""Three seeds, of the training, the forget set and the run: none moves with another, and more of any extend what is done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from optuna.storages import BaseStorage

from sweeps.errors import SpecError
from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Job, Update
from sweeps.jobs.worker import Worker
from sweeps.plan import ForgetDraw, ReferenceNeed, Stage, StudyPlan, make_plan, run_seed, tuning_draws
from sweeps.record import load_sweep
from sweeps.spec import Spec, open_data, remarks, split_data
from sweeps.spec.draws import misled, seen_overlap
from sweeps.spec.schema import EvaluationSpec
from sweeps.studies.given import moved_first_points, warm_start
from tests.sweeps.conftest import open_studies, serve
from unlearn.metrics import measure
from unlearn.metrics.weight_distance import weight_distance
from unlearn.registry import find
from unlearn.run import run_unlearning
from unlearn.scenarios import halves
from unlearn.workspace import Task

SpecMaker = Callable[..., Spec]
SURE = {"lr": 0.1, "alpha": 0.5, "forget_batch_size": 16, "lr_decay_epoch": 5}
SCRUB = {"lr": 0.02, "alpha": 0.3, "forget_batch_size": 16, "lr_decay_epoch": 5, "retain_batch_size": 64}
FAMILIES = ["accuracy", "mia_loss"]


def planned(spec: Spec, stage: Stage, method: str = "sure", scenario: str = "partial_class") -> StudyPlan:
    found = make_plan(spec).study(stage, scenario, method)
    assert found is not None
    return found


# --- the plan ---


def test_more_seeds_and_trainings_only_add(tiny: SpecMaker) -> None:
    def draws(**evaluation: int) -> set[ForgetDraw]:
        return set(planned(tiny(evaluation=evaluation), "evaluation").draws)

    small, large = draws(seeds=2), draws(seeds=3, trainings=3)
    assert small < large
    assert draws(seeds=2, trainings=2) < large
    assert len(small) == 2 * 2  # at two sizes
    assert len(large) == 3 * 3 * 2
    seeds = {(draw.size, draw.seed) for draw in large}
    assert len(seeds) == len(large)  # each training has forget sets of its own
    assert all(draw.training == 0 for draw in small)


def test_every_run_of_a_forget_set_has_a_seed_of_its_own(tiny: SpecMaker) -> None:
    plan = planned(tiny(evaluation={"seeds": 3, "trainings": 2, "runs": 4}), "evaluation")
    draws = [draw for draw in plan.draws if draw.size == 40]
    seeds = {run_seed(0, "evaluation", draw, run) for draw in draws for run in range(4)}
    assert len(seeds) == 2 * 3 * 4
    assert plan.trials == 2 * len(draws) * 4
    text = f"0/evaluation/partial_class/{draws[1].seed}"  # the first run's is what it was before there were several
    assert run_seed(0, "evaluation", draws[1]) == int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def test_gaps_are_to_several_oracles_where_it_counts(tiny: SpecMaker) -> None:
    spec = tiny(references={"oracles": 3}, search={"trials": 2, "confirm": [{"leaders": 2, "sets": 2}]})
    assert planned(spec, "search").oracles == planned(spec, "confirmation").oracles == 1
    assert planned(spec, "evaluation").oracles == planned(spec, "sensitivity").oracles == 3
    oracles = planned(spec, "reference", "oracle").needs
    tuned, fresh = tuning_draws(spec, "partial_class"), planned(spec, "evaluation").draws
    assert set(oracles) == {
        *(ReferenceNeed("oracle", draw) for draw in tuned),
        *(ReferenceNeed("oracle", draw, number) for draw in fresh for number in range(3)),
    }
    assert list(oracles).index(ReferenceNeed("oracle", tuned[0])) == 0  # what the search waits for comes first
    assert planned(spec, "reference", "original").trials == 1


def test_a_scenario_with_one_forget_set_is_evaluated_by_runs(tiny: SpecMaker) -> None:
    spec = tiny(scenarios={"full_class": {}}, evaluation={"seeds": 5, "trainings": 2})
    plan = planned(spec, "evaluation", scenario="full_class")
    assert [(draw.training, draw.seed) for draw in plan.draws] == [(0, 0), (1, 1_000_000)]
    assert (plan.runs, plan.trials) == (5, 10)
    own = {run_seed(0, "evaluation", draw, run) for draw in plan.draws for run in range(5)}
    tuned = {run_seed(0, s, d) for s in ("search", "confirmation") for d in tuning_draws(spec, "full_class")}  # type: ignore[arg-type]
    assert len(own) == 10
    assert not own & tuned
    (note,) = [note for note in remarks(spec) if "full_class" in note]
    assert "its evaluation is 5 runs with seeds of their own on it for each of 2 trainings" in note
    assert not [note for note in remarks(tiny()) if "one forget set" in note]


@pytest.mark.parametrize("seed", [999_999, 1_000_000, 1_000_001, 2_000_000])
def test_a_tuning_set_is_no_evaluation_set_of_any_training(tiny: SpecMaker, seed: int) -> None:
    """The confirmation's sets follow the search's: with two, 999,999 reaches into the second training's."""
    search = {"trials": 2, "confirm": [{"leaders": 1, "sets": 2}], "forget_seed": seed}
    with pytest.raises(SpecError, match=f"search.forget_seed: must leave alone .* got {seed}, and training"):
        tiny(search=search, evaluation={"seeds": 2, "trainings": 3})
    tiny(search=search, evaluation={"seeds": 2})


def test_published_values_are_no_first_points_where_they_saw_the_test_set(tiny: SpecMaker, tmp_path: Path) -> None:
    cifar = {"name": "cifar10", "root": str(tmp_path)}
    assert [len(warm_start(spec)) for spec in (tiny(), tiny(dataset=cifar), tiny(dataset=cifar, rules=1))] == [1, 0, 1]
    assert len(warm_start(tiny(dataset=cifar, protocol="paper"))) == 1
    assert [
        note for note in remarks(tiny(dataset=cifar)) if note.startswith("search.warm_start: published is left out")
    ]
    assert not [note for note in remarks(tiny()) if "published" in note]
    assert not [note for note in remarks(tiny(dataset=cifar, search={"warm_start": []})) if "published" in note]


def test_first_points_that_a_range_does_not_hold_are_told(tiny: SpecMaker, tmp_path: Path) -> None:
    file = tmp_path / "best.yaml"
    values = "{lr: 5, alpha: 0.5, forget_batch_size: 24, lr_decay_epoch: 1}"
    file.write_text(f"format: unlearn-sweeps/best-params/1\nparams: {{partial_class: {{sure: {values}}}}}\n")
    methods = {"sure": {"lr": {"low": 0.001, "high": 0.1, "scale": "log"}, "lr_decay_epoch": {"low": 1, "high": 2}}}
    spec = tiny(methods=methods, search={"warm_start": ["published", str(file)]})
    (told,) = moved_first_points(spec)
    assert told == (
        f"search.warm_start: {file}: partial_class/sure begins at lr = 0.1 for 5, forget_batch_size = 32 for 24, "
        "the nearest that its range holds"
    )
    assert not list(moved_first_points(tiny()))  # the published ones: of `lr_decay_epoch` it is said that it was cut


def test_an_overlap_that_cannot_be_avoided_is_said_beforehand(tiny: SpecMaker, cache: Path) -> None:
    """Class 5 of digits: what the note says is what the scenario itself draws."""
    scenarios = {"partial_class": {"tune_size": 80, "sizes": [80, 10]}, "random": {"tune_size": 100, "sizes": [100]}}
    search = {"trials": 1, "confirm": [{"leaders": 1, "sets": 1}]}
    spec = tiny(scenarios=scenarios, search=search, evaluation={"seeds": 3})
    note, repeated = seen_overlap(spec, cache)
    data = open_data(spec, cache)
    labels = data.train_labels[split_data(spec, data).train]
    images = np.zeros((len(labels), 1, 1, 1), np.uint8)
    scenario = find("scenarios", "partial_class")(target_class=5)
    tuning, evaluation = halves(labels, spec.seed)
    tuned = np.union1d(*(scenario.draw(images, labels, 80, seed, evaluation).indices for seed in (1000, 1001)))
    share = np.isin(scenario.draw(images, labels, 80, 0, tuning).indices, tuned).mean()
    assert share > 0.4
    assert f"share samples with the 2 sets tuned on ({share:.0%} of 80, " in note
    assert note.startswith("scenarios.partial_class:")
    first, *others = [scenario.draw(images, labels, 80, seed, tuning).indices for seed in range(3)]
    share = np.mean([np.isin(other, first).mean() for other in others])
    assert share > 0.5
    assert f"have many of their samples in common ({share:.0%} of 80), so that " in repeated
    assert f"are told apart in up to {misled(3, share):.0%} of such evaluations, not 5%; " in repeated
    assert repeated.startswith("scenarios.partial_class: its evaluation's first forget set")
    assert len(seen_overlap(spec.model_copy(update={"evaluation": EvaluationSpec(seeds=1)}), cache)) == 1
    assert seen_overlap(tiny(scenarios={"partial_class": {"tune_size": 20, "sizes": [20]}}), cache) == []
    assert seen_overlap(tiny(scenarios=scenarios, rules=1), cache) == []


def test_of_scrambled_images_it_is_said_beforehand_how_far_they_repeat_each_other(tiny: SpecMaker, cache: Path) -> None:
    scenarios = {"canary": {"tune_size": 60, "sizes": [60], "canaries": 20}}
    spec = tiny(scenarios=scenarios, evaluation={"seeds": 8})
    (note,) = seen_overlap(spec, cache)
    data = open_data(spec, cache)
    labels = data.train_labels[split_data(spec, data).train]
    tuning, _ = halves(labels, spec.seed)
    canary, images = find("scenarios", "canary")(canaries=20), np.zeros((len(labels), 1, 1, 1), np.uint8)
    first, *others = [canary.draw(images, labels, 60, seed, tuning) for seed in range(8)]
    whole = np.mean([np.isin(other.indices, first.indices).mean() for other in others])
    scrambled = np.mean([np.isin(other.groups["ood"], first.groups["ood"]).mean() for other in others])
    assert whole + 0.2 < scrambled
    assert f"({whole:.0%} of 60 and {scrambled:.0%} of the group ood), so that two methods" in note
    assert (
        f"up to {misled(8, scrambled):.0%} of such evaluations, not 5%; what helps: fewer samples of that group" in note
    )
    pool = {"canary": {"tune_size": 40, "sizes": [40], "canaries": 20, "pool": 460}}
    assert seen_overlap(tiny(scenarios=pool, evaluation={"seeds": 8}), cache) == []


# --- one run ---


@pytest.fixture
def worker(tiny: SpecMaker, cache: Path) -> Worker:
    methods = {"sure": SURE, "scrub": SCRUB}
    spec = tiny(
        methods=methods, metrics={"best_epoch": ["weight_distance"]}, search={"confirm": [{"leaders": 1, "sets": 1}]}
    )
    return Worker(spec, Cache(cache))


def fresh(seed: int = 0, training: int = 0) -> ForgetDraw:
    return ForgetDraw("partial_class", 40, seed, training, 2)


def job(draw: ForgetDraw, method: str = "sure", *, seed: int = 11, stop: int | None = 2, oracles: int = 1) -> Job:
    options = {"epochs": 3, **(SURE if method == "sure" else SCRUB)}
    return Job("unlearning", draw, "test", method, options, seed=seed, stop_epoch=stop, oracles=oracles)


def answer(worker: Worker, asked: Job) -> tuple[Update, list[dict[str, float]]]:
    reports = list(worker.run(asked))
    assert reports[-1].outcome == "complete", reports[-1].reason
    return reports[-1], [epoch for report in reports for epoch in report.epochs]


def test_gaps_are_to_the_mean_of_the_oracles_values(worker: Worker) -> None:
    report, _ = answer(worker, job(fresh(), oracles=3))
    workspace, task = worker.workspace, worker.task(fresh(), "test")
    models = [workspace.oracle(task, number).model for number in range(3)]
    values = [measure(workspace.outputs(model, task), FAMILIES) for model in models]
    assert len({value["mia_loss"] for value in values}) > 1
    gaps = {"forget_accuracy": "forget_gap", "heldout_accuracy": "utility_gap", "retain_accuracy": "retain_gap"}
    for name, gap in {**gaps, "class_accuracy": "class_test_gap", "mia_loss": "mia_loss_gap"}.items():
        assert report.metrics[gap] == pytest.approx(abs(report.metrics[name] - fmean(v[name] for v in values))), name

    method = find("methods", "sure")(**{"epochs": 3, **SURE})
    run = run_unlearning(workspace, task, method, 11, FAMILIES)
    unlearned = next(evaluation.model for evaluation in run if evaluation.epoch == 2)
    distances = [weight_distance(unlearned, model) for model in models]
    for name in ("weight_distance", "weight_distance_all"):
        assert report.metrics[name] == pytest.approx(fmean(d[name] for d in distances))


def test_the_first_oracle_of_the_first_training_keeps_its_place_in_the_cache(worker: Worker) -> None:
    task = worker.task(fresh(), "test", oracles=3)
    key = worker.workspace.reference_key
    alone = Task(scenario=task.scenario, forget_size=40, forget_seed=0, tuned=task.tuned)
    assert key("oracle", task) == key("oracle", alone)
    trainings = [worker.task(fresh(0, training), "test") for training in range(2)]
    originals = [key("original", of) for of in trainings]
    oracles = [key("oracle", of, number) for of in trainings for number in range(3)]
    assert len({*originals, *oracles}) == 8
    assert originals[0] == key("original", worker.task(fresh(1), "dev"))  # one original for all draws
    about = worker.workspace.original(trainings[1])
    assert about.key == originals[1]


@pytest.mark.parametrize("moved", ["forget set", "training", "run"])
def test_each_seed_changes_what_is_its_own(worker: Worker, moved: str) -> None:
    """The forget set's: samples and oracle. The training's: original and oracle, not the samples. The run's: none of them."""
    one = job(fresh())
    other = {
        "forget set": job(fresh(1)),
        "training": job(fresh(0, 1)),
        "run": job(fresh(), seed=12),
    }[moved]
    workspace = worker.workspace
    tasks = [worker.task(asked.draw, "test") for asked in (one, other)]
    samples = [workspace.forget_set(task).indices for task in tasks]
    assert np.array_equal(*samples) == (moved != "forget set")
    same = {kind: len({workspace.reference_key(kind, task) for task in tasks}) == 1 for kind in ("original", "oracle")}  # type: ignore[arg-type]
    assert same == {"original": moved != "training", "oracle": moved == "run"}
    scores = [[epoch["score"] for epoch in answer(worker, asked)[1]] for asked in (one, other, one)]
    assert scores[0] == scores[2] != scores[1]


def test_the_overlap_is_that_of_the_sets_themselves(worker: Worker) -> None:
    """Half of class 5's 91 training samples are for tuning: a set that is larger than the other half takes some of them."""
    workspace = worker.workspace
    scenario, labels = worker.task(fresh(), "test").scenario, workspace.train_labels
    images = np.zeros((len(labels), 1, 1, 1), np.uint8)
    _, evaluation = halves(labels, worker.spec.seed)
    tuned = np.union1d(*(scenario.draw(images, labels, 40, seed, evaluation).indices for seed in (1000, 1001)))
    for size in (80, 40, 5):
        draw = ForgetDraw("partial_class", size, 3, 0, 2)
        own = workspace.forget_set(worker.task(draw, "test")).indices
        report, _ = answer(worker, job(draw))
        assert report.facts["overlap"] == pytest.approx(np.isin(own, tuned).mean())
        assert (report.facts["overlap"] > 0) == (size == 80)
    assert "overlap" not in answer(worker, job(tuning_draws(worker.spec, "partial_class")[0]))[0].facts


def test_how_far_a_set_repeats_the_evaluations_first_is_counted_on_the_sets(worker: Worker) -> None:
    workspace = worker.workspace
    first, other, elsewhere = (
        workspace.forget_set(worker.task(fresh(*of), "test")).indices for of in ((0,), (3,), (3, 1))
    )
    share = len(np.intersect1d(first, other)) / 40
    assert 0.5 < share < 1
    assert answer(worker, job(fresh(3)))[0].facts["in_first"] == share
    assert np.array_equal(other, elsewhere)
    assert answer(worker, job(fresh(3, training=1)))[0].facts["in_first"] == share
    for draw in (fresh(0), tuning_draws(worker.spec, "partial_class")[0]):
        assert "in_first" not in answer(worker, job(draw))[0].facts


def test_a_first_set_that_cannot_be_drawn_spoils_no_other_trial(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial_class = find("scenarios", "partial_class")
    draw = partial_class.draw

    def picky(self: Any, images: Any, labels: Any, size: int, seed: int, *rest: Any, **options: Any) -> Any:
        if seed == 0:
            raise ArithmeticError("no set of this seed")
        return draw(self, images, labels, size, seed, *rest, **options)

    monkeypatch.setattr(partial_class, "draw", picky)
    assert [report.outcome for report in worker.run(job(fresh(0)))] == ["error"]
    assert "in_first" not in answer(worker, job(fresh(3)))[0].facts


COSTS = ("relative_samples", "relative_forward_samples", "relative_run_time")


def test_a_stop_epoch_known_beforehand_ends_the_cost_and_hindsight_pays_for_all(worker: Worker) -> None:
    report, epochs = answer(worker, job(fresh(), stop=1))
    assert report.facts["cost_of"] == "stop"
    for cost in COSTS:
        assert report.metrics[cost] == epochs[0][cost]
        assert report.hindsight[cost] == epochs[-1][cost]
    searched, epochs = answer(worker, job(fresh(), stop=None))
    assert searched.facts["cost_of"] == "run"
    assert [searched.metrics[cost] for cost in COSTS] == [epochs[-1][cost] for cost in COSTS]


def test_scrub_pays_for_all_epochs_whichever_it_chooses(worker: Worker) -> None:
    report, epochs = answer(worker, job(fresh(), "scrub", stop=None))
    task = worker.task(fresh(), "test")
    retained, trained = len(worker.workspace.task_data(task).retain), worker.workspace.oracle(task).cost.samples
    assert report.facts["cost_of"] == "run"
    assert report.metrics["relative_samples"] == pytest.approx(3 * (retained + 40) / trained)
    assert report.metrics["relative_forward_samples"] == pytest.approx((retained + 40) / trained)
    assert report.metrics["relative_run_time"] == epochs[-1]["relative_run_time"]
    assert epochs[0]["relative_samples"] == 0  # epoch 0, the original model


def test_seconds_of_another_host_or_device_are_no_measure(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (("elsewhere", "cpu"), (worker.workspace.references.place.host, "a GPU")):
        monkeypatch.setattr(worker.workspace.references, "place", type(worker.workspace.references.place)(*place))
        worker.workspace._retraining.clear()
        report, epochs = answer(worker, job(fresh()))
        assert "relative_run_time" not in {*report.metrics, *epochs[0]}
        assert report.metrics["relative_samples"] > 0


# --- a sweep ---


def test_a_sweep_is_extended_and_what_is_done_stays(tiny: SpecMaker, cache: Path, storage: BaseStorage) -> None:
    methods = {"finetune": {"lr": 0.01, "lr_decay_epoch": 1, "retain_batch_size": 256}}
    asked = {"methods": methods, "scenarios": {"partial_class": {"tune_size": 20, "sizes": [20]}}}
    first = tiny(**asked, evaluation={"seeds": 1}, references={"oracles": 2})
    storage_of(first, storage)
    worker = Worker(first, Cache(cache))
    serve(open_studies(first, storage), worker)
    before = load_sweep(storage, "tiny").trials.query("stage == 'evaluation'")

    more = tiny(**asked, evaluation={"seeds": 2, "trainings": 2, "runs": 2}, references={"oracles": 2})
    storage_of(more, storage)
    done = serve(open_studies(more, storage), Worker(more, Cache(cache)))
    record = load_sweep(storage, "tiny")
    trials = record.counted.query("stage == 'evaluation'")
    assert sum(a.job.kind == "unlearning" for a in done) == 2 * 2 * 2 - 1
    assert (trials["state"] == "COMPLETE").all()
    assert set(map(tuple, trials[["training", "forget_seed", "run"]].to_numpy())) == {
        (training, training * 1_000_000 + number, run) for training in (0, 1) for number in (0, 1) for run in (0, 1)
    }
    kept = trials[trials["number"].isin(before["number"])]
    assert (
        kept[["value", "seed", "forget_seed"]].to_numpy().tolist()
        == before[["value", "seed", "forget_seed"]].to_numpy().tolist()
    )
    assert trials["seed"].nunique() == 8
    assert set(trials["oracles"]) == {2}
    assert set(trials["overlap"]) == {0.0}
    assert set(trials["cost_of"]) == {"stop"}
    oracles = record.counted.query("stage == 'reference' and method == 'oracle'")
    assert set(map(tuple, oracles[["training", "forget_seed", "oracle"]].to_numpy())) == {
        (training, training * 1_000_000 + number, oracle)
        for training in (0, 1)
        for number in (0, 1)
        for oracle in (0, 1)
    }
    assert record.draws_vary == {"partial_class": True}
    assert not record.published_left_out

    fewer = open_studies(first, storage)  # back again: the rest is set aside, nothing is run
    assert fewer.done


def storage_of(spec: Spec, storage: BaseStorage) -> None:
    """Freeze a spec as a driver would."""
    import optuna  # noqa: PLC0415

    optuna.create_study(study_name=spec.name, storage=storage, load_if_exists=True).set_user_attr("spec", spec.dump())
