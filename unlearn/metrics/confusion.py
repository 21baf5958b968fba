"""Interclass confusion and FGT error of two confused classes (Goel et al., 2022; Kurmanji et al., 2024)."""

from __future__ import annotations

import torch

from unlearn.metrics._base import Outputs

__all__ = ["confusion"]


def confusion(outputs: Outputs) -> dict[str, float]:
    """Errors of the confusion scenario against the TRUE labels; left out in any other scenario.

    For `retain` and `heldout`: `ic_error_<set>`, the fraction in [0, 1] of the two classes' samples that are predicted as any
    other class, and `fgt_error_<set>`, the COUNT of samples of one predicted as the other, as in the paper's Table 2.
    `<set>_error`: per cent of all samples predicted wrongly, for `retain`, `heldout` and `forget`.
    """
    if outputs.confused is None:
        return {}
    a, b = outputs.confused
    values = {
        f"{name}_error": 100 - outputs[name].accuracy for name in ("retain", "heldout", "forget") if len(outputs[name])
    }
    for name in ("retain", "heldout"):
        matrix = confusion_matrix(outputs[name].labels, outputs[name].predictions, outputs[name].logits.shape[1])
        of_two = int(matrix[[a, b]].sum())
        if of_two:
            wrong = of_two - int(matrix[a, a] + matrix[b, b])
            values[f"ic_error_{name}"] = wrong / of_two
            values[f"fgt_error_{name}"] = float(matrix[a, b] + matrix[b, a])
    return values


def confusion_matrix(labels: torch.Tensor, predictions: torch.Tensor, classes: int) -> torch.Tensor:
    """Counts, shape (classes, classes): row = true class, column = predicted class."""
    return torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, classes)
