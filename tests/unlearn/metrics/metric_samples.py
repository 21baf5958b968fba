"""Outputs of an imagined model, for metrics to read."""

import numpy as np
import torch

from unlearn.metrics import Outputs, SetOutputs


def set_outputs(n, *, classes=4, width=6, shift=0.0, seed=0, labels=None):
    """n samples whose true class is favoured by `shift` in the logits, and whose features are moved by it."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n) if labels is None else np.asarray(labels)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), true] += shift
    features = rng.normal(size=(n, width)) * np.geomspace(0.01, 100, width) + shift * np.geomspace(0.01, 100, width)
    return SetOutputs(
        torch.tensor(logits, dtype=torch.float32),
        torch.tensor(features, dtype=torch.float32),
        torch.tensor(true),
    )


def outputs(*, retain=300, forget=60, heldout=200, member_shift=2.0, forget_shift=0.0, seed=0, **more):
    """A model that is surer of retain samples than of held-out ones."""
    return Outputs(
        {
            "retain": set_outputs(retain, shift=member_shift, seed=1),
            "forget": set_outputs(forget, shift=forget_shift, seed=2),
            "heldout": set_outputs(heldout, seed=3),
        },
        seed=seed,
        **more,
    )
