"""The GPU benchmark runs through on a CPU, and counts what it says it counts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu import TINY, report, trial
from benchmarks.gpu_images import WRONG, patterns
from benchmarks.gpu_rates import Load, calls_per_second, flops_per_image
from unlearn.testing.recording import Recording

CPU = torch.device("cpu")


def test_it_runs_through_on_a_cpu() -> None:
    torch.set_num_threads(1)
    text = "\n".join(report(TINY, CPU, minutes=60))
    assert len(re.findall(r"TFLOP/s", text)) == 3
    (eager,) = re.findall(r"  eager: ([\d,]+) images/s, [\d.]+ % of the matrix rate", text)
    assert int(eager.replace(",", "")) > 0
    assert "  CUDA graph: left out: CUDA graphs need a CUDA device" in text
    assert "with CUDA graphs: left out: CUDA graphs need a CUDA device" in text
    assert re.search(r"a trial of a search, 3 epochs of SURE, alone: \S+ s\n", text)
    assert re.search(r"a trial of a search, 3 epochs of SURE, 1 at once: (\S+) s, one in \1 s\n", text)
    assert "  CUDA graph, processes: 1: left out: CUDA graphs need a CUDA device" in text
    assert re.search(r"original, step by step: \S+ s an epoch; 150 epochs would take \S+ min", text)
    assert "a trial of 3 epochs of SURE, step by step" in text
    assert re.search(r"auto would take (float32|bfloat16)", text)
    assert len(re.findall(r"  (?:float32|bfloat16), seed [01]: [\d., ]+", text)) == 4


@pytest.mark.parametrize("can", [True, False])
def test_a_trial_whose_steps_were_not_repeated_says_so(
    can: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a recorder for CPUs; either way the weights are those of the trial step by step."""
    recorder = Recording()
    if not can:
        monkeypatch.setattr(recorder, "record", refuse)
    monkeypatch.setattr("unlearn.workspace.workspace.recorder_of", lambda device: recorder)
    text = "\n".join(trial(replace(TINY, processes=()), CPU, tmp_path))
    for told in (
        "2 epochs of SURE, step by step",
        "2 epochs of SURE, with CUDA graphs",
        "3 epochs of SURE, with CUDA graphs",
    ):
        assert f"a trial of {told}: " in text
    assert "the weights of both differ by 0 of their length" in text
    assert ("not all of its steps were graphs: steps are not repeated" in text) != can
    assert (recorder.repeated > 0) == can


def refuse(call: object) -> None:
    raise RuntimeError("not while the stream is capturing")


def test_what_begins_too_late_is_left_out() -> None:
    text = "\n".join(report(TINY, CPU, minutes=0))
    assert text.count("left out: no time was left for it") == 4


def test_operations_are_those_of_the_network() -> None:
    """ResNet-18 of width 64 on 32×32 images: 1.11 GFLOP forward; backward twice that, but for the first layer's input."""
    wide = flops_per_image(Load("cpu", 64, 32, batch=2))
    assert 3 * 1.11e9 * 0.99 < wide < 3 * 1.12e9


def test_rates_are_calls_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("benchmarks.gpu_rates.time.perf_counter", lambda: clock[0])
    called = []

    def call() -> None:
        called.append(1)
        clock[0] += 0.25

    assert calls_per_second(call, CPU, seconds=2.0, ready=called.clear) == 4.0
    assert len(called) == 3 * 8


def test_images_can_be_learnt_and_are_the_same_at_every_call(tmp_path: Path) -> None:
    one, other = (patterns(tmp_path, train=500, test=200, size=8) for _ in range(2))
    assert one.identity == other.identity
    wrong = (one.train_labels != np.arange(500) % 10).mean()
    assert WRONG / 3 < wrong < WRONG * 2
    means = np.stack([one.train_images[np.arange(500) % 10 == c].mean(0) for c in range(10)])
    distance = ((one.test_images[:, None] - means[None]) ** 2).sum((2, 3, 4))
    assert (distance.argmin(1) == one.test_labels).mean() > 0.95
