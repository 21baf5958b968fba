"""Which epoch of a run counts, and what is kept of it while the run goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from sweeps.objective import scrub_r_epoch
from unlearn.metrics import comparisons
from unlearn.run import Evaluation, Snapshot


@dataclass(frozen=True)
class Chosen:
    """An epoch that counts: its metrics, on all retain samples, and the costly ones, which are measured there only.

    Attributes:
        retain_samples: how many those are.
        state: the model's weights by the names of its own class, where they are to be kept.
    """

    epoch: int
    metrics: dict[str, float]
    costly: dict[str, float]
    retain_samples: int
    state: dict[str, Tensor] | None = None

    @staticmethod
    def of(evaluation: Evaluation, costly: Sequence[str], *, keep: bool = False) -> Chosen:
        evaluation, state = evaluation.whole(), None
        if keep:
            state = {name: tensor.to("cpu", copy=True) for name, tensor in evaluation.model.own_state().items()}
        retain = len(evaluation.outputs["retain"])
        return Chosen(evaluation.epoch, evaluation.metrics, evaluation.measure(costly), retain, state)


class EpochRule(Protocol):
    """Follows a run, and says at its end which epoch counts."""

    def see(self, evaluation: Evaluation, score: float) -> None:
        """The next epoch, before the run goes on."""

    def chosen(self) -> tuple[Chosen, Chosen | None]:
        """The epoch that counts, and beside a given one the epoch of the least score: in hindsight."""


class LeastScore:
    """The epoch of the least score, the earliest of equals; or the stop epoch, where one is given.

    Args:
        costly: families of metrics that are measured at a chosen epoch only.
        stop_epoch: 1-based; of a run that ends before it the last epoch counts.
        hindsight: whether to say beside the stop epoch which epoch had the least score.
        keep: whether the weights at the epoch that counts are wanted.
    """

    def __init__(
        self, costly: Sequence[str], stop_epoch: int | None = None, *, hindsight: bool = True, keep: bool = False
    ) -> None:
        self.costly, self.stop_epoch, self.hindsight, self.keep = costly, stop_epoch, hindsight, keep
        self._copies = bool(comparisons(costly))
        self._least_score = math.inf
        self._least: Evaluation | None = None
        self._stop: Evaluation | None = None

    def see(self, evaluation: Evaluation, score: float) -> None:
        least = score < self._least_score
        stop = self.stop_epoch is not None and evaluation.epoch <= self.stop_epoch  # or the run may end here, before it
        counts = least if self.stop_epoch is None else stop
        copies = self._copies or evaluation.retain_samples is not None  # from which it is measured once more
        kept = evaluation.kept() if (copies and (least or stop)) or (self.keep and counts) else evaluation
        if least:
            self._least, self._least_score = kept, score
        if stop:
            self._stop = kept

    def chosen(self) -> tuple[Chosen, Chosen | None]:
        counted = self._least if self.stop_epoch is None else self._stop
        assert counted is not None
        assert self._least is not None
        chosen = Chosen.of(counted, self.costly, keep=self.keep)
        if self.stop_epoch is None or not self.hindsight:
            return chosen, None
        return chosen, chosen if counted.epoch == self._least.epoch else Chosen.of(self._least, self.costly)


class ScrubR:
    """SCRUB-R's own rule (see `scrub_r_epoch`): known at the end only, so every epoch that may still be chosen is kept.

    Those are the first of each forget accuracy: of two epochs with the same one, the rule takes the earlier. The weights are
    kept in main memory, and only where costly metrics are to be measured on them, or those on all retain samples, or the
    chosen ones are to be kept.
    """

    def __init__(self, costly: Sequence[str], *, keep: bool = False) -> None:
        self.costly, self.keep = costly, keep
        self._curve: list[dict[str, float]] = []
        self._first: dict[float, Snapshot] = {}
        self._last: Evaluation | None = None

    def see(self, evaluation: Evaluation, score: float) -> None:
        self._curve.append(evaluation.metrics)
        self._last = evaluation
        accuracy = evaluation.metrics["forget_accuracy"]
        if self._comes_back(evaluation) and accuracy not in self._first:
            self._first[accuracy] = evaluation.snapshot()

    def chosen(self) -> tuple[Chosen, Chosen | None]:
        assert self._last is not None
        epoch = scrub_r_epoch(self._curve)
        metrics = self._curve[epoch]
        if not self._comes_back(self._last):
            return Chosen(epoch, metrics, {}, len(self._last.outputs["retain"])), None
        # of the last epoch, too, by what was kept: the model itself may have changed since
        evaluation = self._last.at(self._first[metrics["forget_accuracy"]])
        return Chosen.of(evaluation, self.costly, keep=self.keep), None

    def _comes_back(self, evaluation: Evaluation) -> bool:
        """Whether the epoch that counts is looked at once more than its metrics tell."""
        return bool(self.costly) or self.keep or evaluation.retain_samples is not None
