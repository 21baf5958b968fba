"""timm's classifiers, against what timm itself makes; without timm, the remedy."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from unlearn.errors import ComponentError, ModelError, UnknownNameError
from unlearn.models import build
from unlearn.registry import find


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("resnet18", (3, 32, 32), {}),
        ("resnet18", (1, 28, 28), {"base_width": 64}),
        ("vit_tiny_patch16_224", (3, 32, 32), {"img_size": 32, "depth": 2}),
    ],
)
def test_it_computes_what_timm_computes(name: str, shape: tuple[int, int, int], options: dict[str, Any]) -> None:
    timm = pytest.importorskip("timm")
    model = build(f"timm:{name}", shape, 7, options).eval()
    model.normalise([0.2], [0.5])
    plain = timm.create_model(name, num_classes=7, in_chans=shape[0], **options)
    plain.load_state_dict(model.own_state(), strict=True)
    x = torch.randint(0, 256, (4, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(x), plain.eval()((x / 255 - 0.2) / 0.5))


def test_what_timm_has_not_is_told() -> None:
    pytest.importorskip("timm")
    with pytest.raises(UnknownNameError, match="unknown model of timm 'resnet18x'"):
        find("models", "timm:resnet18x")
    with pytest.raises(ModelError, match="the network must take images of 3 × 32 × 32"):
        build("timm:vit_tiny_patch16_224", (3, 32, 32), 7, {"depth": 1})


def test_without_timm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    find.cache_clear()
    with pytest.raises(ComponentError, match=r"needs the package timm — pip install 'unlearn-sweeps\[timm\]'"):
        find("models", "timm:resnet18")
