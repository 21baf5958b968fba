"""A user's own network and its training, in plain PyTorch: nothing here knows this package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, STD = 0.3, 0.4


class Net(nn.Module):
    """A small convolutional network for 8×8 grey images."""

    def __init__(self, classes: int = 10, hidden: int = 24) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.hidden = nn.Linear(8 * 4 * 4, hidden)
        self.answer = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return F.log_softmax(self.answer(F.relu(self.hidden(x.flatten(1)))), 1)


def digits_rows() -> tuple[Tensor, Tensor]:
    """(all 1,797 images as they are normalised here, their labels), in scikit-learn's order."""
    bundle = load_digits()
    pixels = torch.from_numpy(np.rint(bundle.images[:, None] * (255 / 16))).float() / 255
    return (pixels - MEAN) / STD, torch.from_numpy(bundle.target)


def fit(network: nn.Module, x: Tensor, y: Tensor, *, epochs: int, lr: float = 0.05, batch: int = 32) -> nn.Module:
    """Train `network` by SGD with momentum; returns it in eval mode."""
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9)
    order = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=order).split(batch):
            if len(rows) > 1:
                optimizer.zero_grad()
                F.cross_entropy(network(x[rows]), y[rows]).backward()
                optimizer.step()
    return network.eval()


def trained_on_digits(rows: Sequence[int], *, epochs: int = 12, order: Sequence[int] = range(10)) -> Net:
    """A network that has learnt those rows; its output k stands for digit order[k]."""
    torch.manual_seed(0)
    x, y = digits_rows()
    place = torch.argsort(torch.tensor(list(order)))
    network = Net()
    fit(network, x[list(rows)], place[y[list(rows)]], epochs=epochs)
    return network


def write_ids(path: Path, ids: Sequence[object]) -> str:
    """One id a line; returns the path as text."""
    path.write_text("".join(f"{name}\n" for name in ids))
    return str(path)
