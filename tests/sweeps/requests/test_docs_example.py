"""The example of docs/own-model.md that loads unlearned weights in plain PyTorch, as it is printed there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from sweeps.requests.answer import Answer
from sweeps.requests.write import WEIGHTS, write_answer
from unlearn.models import adapt

PAGE = (Path(__file__).parents[3] / "docs" / "own-model.md").read_text(encoding="utf-8")
MODELS = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, hidden):
        super().__init__(nn.Conv2d(3, 4, 3, 4), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, hidden), nn.Linear(hidden, 5))
"""


def test_the_weights_load_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code.splitlines()) <= 12
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    made: dict[str, type[torch.nn.Module]] = {}
    exec(MODELS, made)
    model = adapt(made["Net"](128), (3, 32, 32), 5)  # type: ignore[call-arg]
    told = {
        "asked": {"samples": 1, "source": "", "classes": {"0": 1}, "sha256": "0", "ids": ["1"]},
        "ran": {
            "method": "sure",
            "scenario": "random",
            "sweep": "birds",
            "source": "search",
            "hyperparameters": {},
            "epoch": 1,
        }
        | {
            "scenario_chosen_by": "named",
            "method_chosen_by": "named",
            "epoch_chosen_by": "",
            "seed": 0,
            "time": "",
            "seconds": 1.0,
            "device": "cpu",
            "dataset": {"read": ""},
        }
        | {"model": "", "versions": {}, "command": "", "protocol": "strict"},
        "weights": {"original": {"sha256": "0"}, "unlearned": {"sha256": "1"}},
        "measured": {"samples": {}, "before": {}, "after": {}},
        "expected": {"objective": "average_gap", "unknown_because": "<nothing> is evaluated"},
        "unlike": ["<b>"],
        "oracle": None,
    }
    paths = write_answer(Answer(model.own_state(), told), tmp_path / "request-17")
    assert paths[0].name == WEIGHTS
    assert "&lt;nothing&gt;" in paths[2].read_text()
    assert "<b>" not in paths[2].read_text()
    exec(code, {})
    assert re.fullmatch(r"tensor\(\[[0-4]\]\)\n", capsys.readouterr().out)
