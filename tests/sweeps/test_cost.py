"""What a plan will cost: against what its trials really pass, and against a network measured here."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from optuna.storages import BaseStorage
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.cli.cost import first_line, open_facts
from sweeps.cli.options import Options
from sweeps.cli.run import measuring_early
from sweeps.cost import RUN_SECONDS, TRIAL_BYTES, TRIAL_SECONDS, estimate
from sweeps.errors import SweepError
from sweeps.jobs.cache import Cache
from sweeps.jobs.measuring import measure
from sweeps.jobs.speed import FORWARD_SHARE, Measuring, Speed, asked_for, is_known, speed_of
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.spec import Sizes
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY, SpecMaker, serve
from unlearn.model_files import model_files
from unlearn.testing.recording import Recording

DIGITS = Sizes(train=1150, dev=140, test=360, image_shape=(1, 8, 8), classes=10)


def test_images_are_those_that_trials_pass(tiny: SpecMaker, storage: BaseStorage, cache: Path) -> None:
    """References exactly; what unlearning passes nearly."""
    spec = tiny(search={"trials": 2, "sampler": "random", "confirm": "none"}, methods={"finetune": {}, "sure": {}})
    sizes = open_facts(spec).sizes
    assert sizes == DIGITS
    references = estimate(make_plan(spec, ["reference"]), sizes, None)
    both = estimate(make_plan(spec, ["search"]), sizes, None)
    studies = Multiplexer(make_plan(spec, ["search"]), storage)
    done = [assignment.ended for assignment in serve(studies, Worker(spec, Cache.at()))]
    attrs = [trial.user_attrs for trial in done if trial is not None]
    trained = sum(a["training_samples"] for a in attrs if "training_samples" in a)
    unlearned = sum(a["samples"] for a in attrs if "samples" in a)
    assert (both.models, both.trials) == (2, 4)
    of_models = 2 * 2 * sizes.train  # two models, two epochs; an oracle passes forty fewer an epoch
    assert trained == of_models - 2 * 40
    assert references.samples == references.models * 2 * sizes.train
    assert unlearned == pytest.approx(both.samples - of_models, rel=0.15)
    assert both.passes == 4 * 2 * (sizes.train + sizes.dev)
    left = estimate(studies.plan, sizes, None, {("search", "partial_class", "finetune"): 1})
    assert (left.models, left.trials, left.samples) == (0, 1, 2 * sizes.train)


@pytest.mark.parametrize(
    ("retain_samples", "measured"),
    [
        (1000, 2 * (1000 + 40 + 140) + (1150 + 140)),
        (200, 2 * (200 + 40 + 140) + (1150 + 140)),
        (1110, 2 * (1150 + 140)),
        ("all", 2 * (1150 + 140)),
    ],
)
def test_a_search_passes_a_part_of_the_retain_set(tiny: SpecMaker, retain_samples: int, measured: int) -> None:
    """And all of it once more; a method of one epoch, and other stages, have no part."""
    search = {"trials": 3, "retain_samples": retain_samples, "confirm": [{"leaders": 1, "sets": 1}]}
    spec = tiny(methods={"finetune": {}}, search=search)
    assert estimate(make_plan(spec, ["search"]), DIGITS, None).passes == 3 * measured
    whole = estimate(make_plan(tiny(methods={"finetune": {}}, search=search | {"retain_samples": "all"})), DIGITS, None)
    assert estimate(make_plan(spec), DIGITS, None).passes == whole.passes - 3 * (2 * (1150 + 140) - measured)
    once = tiny(methods={"ssd": {}}, search=search)
    assert estimate(make_plan(once, ["search"]), DIGITS, None).passes == 3 * (1150 + 140)


def test_the_original_as_it_is_is_measured_once_and_not_trained(tiny: SpecMaker) -> None:
    cost = estimate(make_plan(tiny(methods={"original": {}}), ["evaluation"]), DIGITS, None)
    assert (cost.trials, cost.passes) == (2 * 2, 2 * 2 * (DIGITS.train + 360))
    assert cost.samples == cost.models * 2 * DIGITS.train  # its references alone


def test_seconds_and_disk(tiny: SpecMaker) -> None:
    spec = tiny(methods={"oracle": {}}, resources={"workers": 3})  # retrained to the end of its recipe, measured once
    plan = make_plan(spec)
    trials, models = 2 * 2, 1 + 2 * 2
    cost = estimate(plan, DIGITS, Speed(step=0.01, forward=0.001, weights=500, source=""))
    assert (cost.trials, cost.models) == (trials, models)
    images = models * 2 * DIGITS.train + trials * 2 * DIGITS.train
    assert cost.samples == images
    assert cost.passes == trials * (DIGITS.train + 360)
    spent = 0.01 * images + 0.001 * cost.passes + TRIAL_SECONDS * (trials + models)
    assert cost.seconds == pytest.approx(RUN_SECONDS + spent / 3)
    assert cost.disk == 500 * models + TRIAL_BYTES * (trials + models)
    assert estimate(plan, DIGITS, None).seconds is None
    kept = make_plan(tiny(methods={"oracle": {}}, evaluation={"seeds": 2, "keep_models": True}))
    assert (estimate(kept, DIGITS, Speed(0, 0, 500, "")).disk or 0) - cost.disk == 500 * trials


def test_a_speed_is_measured_else_taken_from_models_of_this_kind(
    tiny: SpecMaker, tmp_path: Path, cache: Path, hiding_queue: None
) -> None:
    spec = tiny()
    measured = speed_of(spec, DIGITS, tmp_path)
    assert measured is not None
    assert 0 < measured.forward < measured.step < 1
    (kept,) = (tmp_path / "speeds").iterdir()
    assert speed_of(spec, DIGITS, tmp_path) == measured  # to the last digit: it was not measured again
    os.utime(kept, (0, 0))
    assert speed_of(spec, DIGITS, tmp_path) != measured
    worker = Worker(spec, Cache(tmp_path))
    draw = make_plan(spec).studies[-1].draws[0]
    stored = worker.workspace.original(worker.task(draw, "test"))
    (file,) = model_files(tmp_path / "models")
    assert abs(file.stat().st_size - measured.weights) < 6000  # its header
    known = speed_of(spec, DIGITS, tmp_path)
    assert known is not None
    assert known.step == pytest.approx(stored.cost.seconds / stored.cost.samples)
    assert known.forward == pytest.approx(FORWARD_SHARE * known.step)
    for other in ({"precision": "bfloat16"}, {"model": {"name": "small_resnet", "width": 3}}):
        assert not is_known(tiny(**other), tmp_path), other


def test_what_measures_may_begin_before_the_sizes_are_known(tiny: SpecMaker, tmp_path: Path) -> None:
    spec, wider = tiny(), tiny(model={"name": "small_resnet", "width": 3})
    assert not is_known(spec, tmp_path)
    early = Measuring.begun()
    assert early is not None
    assert (measured := speed_of(spec, DIGITS, tmp_path, early)) is not None
    never_asked = Measuring.begun()
    assert never_asked is not None
    assert not never_asked.ended
    for process in (early, never_asked):
        process.close()
        assert process.ended
    assert is_known(spec, tmp_path)
    assert not is_known(wider, tmp_path)
    assert speed_of(spec, DIGITS, tmp_path) == measured
    assert early.speed({}) is None  # it answers once


def test_the_speed_is_that_of_steps_as_trials_take_them(tiny: SpecMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a recorder for CPUs; trials that run on no GPU repeat none."""
    recorder = Recording()
    monkeypatch.setattr("sweeps.jobs.measuring.recorder_of", lambda device, before: recorder)
    monkeypatch.setattr("sweeps.jobs.measuring.SECONDS", 0.1)  # it is no good measurement, and need be none
    of_cpus = asked_for(tiny(), DIGITS)
    own = {"name": "torchvision:resnet18"}
    for model, graphs, expected in (
        ({"name": "small_resnet"}, "auto", True),
        ({"name": "small_resnet"}, False, False),
        (own, "auto", False),
        (own, True, True),
    ):
        spec = tiny(model=model, resources={"gpus_per_trial": 0.5, "cuda_graphs": graphs})
        assert asked_for(spec, DIGITS)["graphs"] == expected
    assert not of_cpus["graphs"]
    assert measure(of_cpus)["step"] > 0
    assert recorder.repeated == 0
    assert measure({**of_cpus, "graphs": True})["step"] > 0
    assert recorder.repeated > recorder.recorded == 1


def test_a_run_that_is_refused_leaves_nothing_that_measures(
    tiny: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNLEARN_SWEEPS_CACHE", str(tmp_path / "cache"))
    options = Options("tiny.yaml", runs=tmp_path)
    sweep = Sweep.at(tiny(), tmp_path)
    with contextlib.suppress(SweepError), measuring_early(sweep, options) as measuring:
        assert measuring is not None
        raise SweepError("no such data")
    assert measuring is not None
    assert measuring.ended
    for other in (replace(options, quiet=True), replace(options, ray_address="auto")):
        with measuring_early(sweep, other) as none:
            assert none is None  # no time will be told
    sweep.folder.path.mkdir()
    sweep.folder.spec.touch()
    with measuring_early(sweep, options) as none:
        assert none is None  # it has been run before


def test_a_network_that_cannot_be_tried_out(tiny: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tiny()
    sizes = Sizes(10, 10, 10, image_shape=(0, 0, 0), classes=10)
    monkeypatch.setenv("UNLEARN_SWEEPS_CACHE", str(tmp_path))
    plan = make_plan(spec, ["search"])
    assert first_line(plan, sizes).endswith("8 trials and up to 2 models to train")
    left = {key: 0 if key[0] == "reference" else trials for key, trials in plan.trials.items()}
    assert first_line(plan, sizes, left).endswith("8 trials and no model to train")


def test_validate_explains(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY))
    found = json.loads(CliRunner().invoke(app, ["validate", str(file), "--explain", "--json"]).stdout)
    cost = found["cost"]
    assert cost["trials"] + cost["models"] == found["trials"]
    assert cost["seconds"] > 0
    told = CliRunner().invoke(app, ["validate", str(file), "--explain"])
    assert told.exit_code == 0, told.output
    counts = f"{cost['trials']} trials and up to {cost['models']} models to train"
    for words in ("tiny: the plan", counts, "time: about", "disk: about"):
        assert words in told.stdout
    plain = CliRunner().invoke(app, ["validate", str(file)])
    assert "the plan" not in plain.stdout
