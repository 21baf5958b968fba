"""Top-1 accuracies on retain, forget and held-out samples (RA, UA, utility, CTA)."""

from __future__ import annotations

from unlearn.metrics._base import Outputs

__all__ = ["accuracy"]


def accuracy(outputs: Outputs) -> dict[str, float]:
    """Accuracies in per cent: `retain_accuracy`, `forget_accuracy`, `heldout_accuracy`, and in class scenarios `class_accuracy`.

    Also `forget_<group>_accuracy` for each group that the scenario names, and `validation_accuracy` where it was asked for. That
    of an empty set is left out.
    """
    names = {name: name for name in ("retain", "forget", "heldout", "validation")} | {"heldout_class": "class"}
    names |= {name: name for name in outputs.sets if name.startswith("forget_")}
    return {
        f"{short}_accuracy": outputs[name].accuracy
        for name, short in names.items()
        if name in outputs and len(outputs[name])
    }
