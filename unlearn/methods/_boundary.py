"""What boundary expanding and boundary shrinking share with their variants that also train on the retain set."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unlearn.methods._base import UnlearningData
from unlearn.models import Classifier

BATCH = 512


def expanded_logits(model: Classifier, new_class: nn.Linear, x: Tensor) -> Tensor:
    """Logits over C + 1 classes: the model's own C, then one from `new_class`, Linear(feature_dim, 1).

    The two heads side by side are the head widened to C + 1 rows. The new row stays outside the model, so the model that an
    evaluation sees is the pruned one at all times.
    """
    features = model.features(x)
    return torch.cat([model.head(features), new_class(features)], dim=1)


def expanding_loss(model: Classifier, new_class: nn.Linear, x: Tensor) -> Tensor:
    """CE(x → class C), C being the class that only the widened head has."""
    target = torch.full((len(x),), model.num_classes, device=x.device)
    return F.cross_entropy(expanded_logits(model, new_class, x), target)


def with_nearest_classes(data: UnlearningData, epsilon: float) -> Tensor:
    """The pool's labels, shape (N,), with each forget label replaced by the nearest other class of the original f₀.

    nearest(x, y) = arg max over c ≠ y of f₀(x + ε·sign ∇ₓCE(f₀(x), y))_c, on pixels in [0, 1], clamped to that range.
    The gradient counts as one pass forward and backward, the logits at its end as one forward only.
    """
    labels = data.forget.labels.clone()
    for rows in data.forget.rows(BATCH, None):
        y = data.forget.labels[rows]
        pixels = (data.forget.images[rows] / 255).requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(data.original(pixels), y, reduction="sum"), pixels)
        with torch.no_grad():
            logits = data.original((pixels + epsilon * gradient.sign()).clamp(0, 1))
            labels[rows] = logits.scatter(1, y[:, None], -torch.inf).argmax(1)
        data.forget.forward_only += len(rows)
    return labels
