"""`precision: auto`: decided once, when a sweep is frozen, and by that it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.errors import SpecError, SweepError
from sweeps.jobs import precision as module
from sweeps.jobs.cache import Cache
from sweeps.jobs.precision import decide_apart, decide_precision
from sweeps.jobs.worker import setting_of
from sweeps.record import load_sweep
from sweeps.spec import continued, remarks
from sweeps.spec.compatibility import check_compatible
from sweeps.sweep import Sweep, already_checked, checked
from tests.sweeps.conftest import TINY, SpecMaker
from unlearn.workspace.precision import Comparison, Learnt

SAME = tuple(Learnt(accuracy, 1.0, 2.0) for accuracy in (70.0, 71.0, 72.0))
FASTER = tuple(Learnt(accuracy, 1.0, 1.0) for accuracy in (70.0, 71.0, 72.0))


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with bfloat16 in hardware."""
    monkeypatch.setattr(module, "has_bfloat16", lambda device: True)


def measured(monkeypatch: pytest.MonkeyPatch, found: Comparison) -> None:
    monkeypatch.setattr(module, "compare_precisions", lambda workspace, threads: found)


def frozen(sweep: Sweep, told: list[str]) -> Sweep:
    """The sweep as a run freezes it."""
    storage = sweep.prepare()
    sweep = sweep.continued(storage)
    data = None if already_checked(sweep, storage) else checked(sweep)
    sweep, grounds = sweep.decided(told.append)
    sweep.freeze(storage, data, grounds)
    return sweep


def test_it_is_measured_on_the_sweeps_own_model(tiny: SpecMaker, cache: Path, capable: None) -> None:
    decision = decide_precision(tiny(precision="auto"), Cache(cache))
    assert decision["asked"] == "auto"
    assert decision["chosen"] in {"float32", "bfloat16"}
    assert decision["device"] == "cpu"
    assert decision["validation_images"] > 100
    for name in ("float32", "bfloat16"):
        assert all(0 <= accuracy <= 100 for accuracy in decision[name]["accuracy"])
        assert all(seconds > 0 for seconds in decision[name]["seconds"])
    assert (decision["chosen"] == "bfloat16") == ("asked for" in decision["because"])


def test_nothing_is_trained_where_the_hardware_has_none(
    tiny: SpecMaker, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "has_bfloat16", lambda device: False)
    monkeypatch.setattr(module, "Workspace", None)
    decision = decide_precision(tiny(precision="auto"), Cache(cache))
    assert (decision["chosen"], decision["because"]) == ("float32", "cpu has no bfloat16 in hardware")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    far = decide_precision(tiny(precision="auto", resources={"gpus_per_trial": 0.5}), Cache(cache))
    assert far["chosen"] == "float32"
    assert "the machine of the driver has none" in far["because"]


def test_in_a_process_of_its_own_it_is_the_same(
    tiny: SpecMaker, cache: Path, hiding_queue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where trials run on GPUs, of which there is none here."""
    told: list[str] = []
    here = decide_precision(tiny(precision="auto"), Cache(cache))
    apart = decide_apart(tiny(precision="auto"), Cache(cache), told.append)
    assert {**apart, "chosen": ""}.keys() == {**here, "chosen": ""}.keys()
    for name in ("float32", "bfloat16") if "speedup" in here else ():
        assert apart[name]["accuracy"][0] == here[name]["accuracy"][0]
        assert told == ["precision: trying the model in float32 and in bfloat16, 3 short trainings each at most …"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    far = Sweep.at(tiny(precision="auto", resources={"gpus_per_trial": 0.5}), cache).decided()[1]
    assert far is not None
    assert "the machine of the driver has none" in far["because"]


def test_a_process_that_fails_says_why(tiny: SpecMaker, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tiny(precision="auto", dataset={"name": "arrays", "path": str(cache / "gone.npz")})
    with pytest.raises(SweepError, match=r"gone\.npz"):
        decide_apart(gone, Cache(cache))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(SweepError, match=r"ended with 1\n  remedy: write precision: float32 or precision: bfloat16"):
        decide_apart(tiny(precision="auto"), Cache(cache))


def test_it_is_decided_once_and_kept(
    tiny: SpecMaker, tmp_path: Path, cache: Path, capable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    measured(monkeypatch, Comparison(100, SAME, FASTER))
    auto = Sweep.at(tiny(precision="auto"), tmp_path)
    sweep = frozen(auto, told)
    assert sweep.spec.precision == "bfloat16"
    assert setting_of(sweep.spec).precision == "bfloat16"
    assert told == [
        "precision: trying the model in float32 and in bfloat16, 3 short trainings each at most …",
        "precision: bfloat16, as training this model is 2.00 times as fast as in float32 (asked for: 1.2), and after "
        "short trainings accuracies differ by 0 points (seeds allow 2)",
    ]
    assert yaml.safe_load(sweep.folder.spec.read_text())["precision"] == "bfloat16"

    # another machine, on which it would be decided otherwise
    measured(monkeypatch, Comparison(100, FASTER, SAME))
    told.clear()
    assert frozen(auto, told).spec.precision == "bfloat16"
    assert told == []
    record = load_sweep(sweep.open_to_read(), "tiny")
    assert record.spec["precision"] == "bfloat16"
    decision = record.provenance["precision"]
    assert decision["chosen"] == "bfloat16"
    assert decision["float32"]["accuracy"] == [70.0, 71.0, 72.0]
    assert decision["speedup"] == 2

    # said outright, it is the same sweep, or another
    assert frozen(Sweep.at(tiny(precision="bfloat16"), tmp_path), told).spec.precision == "bfloat16"
    with pytest.raises(SpecError, match="precision: was 'bfloat16' in the existing sweep"):
        frozen(Sweep.at(tiny(precision="float32"), tmp_path), told)


def test_what_is_given_is_not_decided(tiny: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.jobs.precision.decide_precision", None)
    for given in ({}, {"precision": "float32"}, {"precision": "bfloat16"}):
        sweep = Sweep.at(tiny(**given), tmp_path)
        assert sweep.decided() == (sweep, None)
        assert not [note for note in remarks(sweep.spec) if "auto" in note]


@pytest.mark.parametrize("before", [{}, {"precision": "float32"}, {"precision": "bfloat16"}])
def test_a_sweep_that_is_there_goes_on_in_its_own(tiny: SpecMaker, before: dict[str, Any]) -> None:
    dump = tiny().dump()
    dump.pop("precision")
    spec = continued(tiny(precision="auto"), {**dump, **before})
    assert spec.precision == before.get("precision", "float32")
    check_compatible({**dump, "precision": spec.precision}, spec.dump())


def test_what_needs_it_before_the_first_run_says_so(tiny: SpecMaker, tmp_path: Path, cache: Path) -> None:
    with pytest.raises(SweepError, match="precision: auto is decided when 'tiny' is first run"):
        setting_of(tiny(precision="auto"))
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, "precision": "auto"}))
    for command in (["oracles", str(path)], ["run", str(path), "--dry-run"], ["validate", str(path)]):
        runs = [] if command[0] == "validate" else ["--runs", str(tmp_path / "runs")]
        done = CliRunner().invoke(app, [*command, *runs])
        assert "precision: auto is decided when" in done.output, done.output
        assert done.exit_code == (2 if command[0] == "oracles" else 0)


def test_a_processor_that_emulates_it_is_told_of(tiny: SpecMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.spec.notes.cpu_has_bfloat16", lambda: False)
    told = "precision: this machine's processor has no bfloat16 in hardware, and emulates it"
    assert told in remarks(tiny(precision="bfloat16"))
    assert told not in remarks(tiny(precision="bfloat16", resources={"gpus_per_trial": 1}))
    assert told not in remarks(tiny())
    monkeypatch.setattr("sweeps.spec.notes.cpu_has_bfloat16", lambda: True)
    assert told not in remarks(tiny(precision="bfloat16"))
