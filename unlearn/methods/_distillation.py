"""What methods with a frozen teacher share: its logits, computed once, and the divergence from it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearn.models import Classifier
from unlearn.steps import Batches

BATCH = 2048


def teacher_logits(teacher: Classifier, *sets: Batches) -> Tensor:
    """Logits of `teacher` in eval mode by pool row, shape (N, classes); zero outside `sets`.

    Nothing here augments images, so one forward pass serves a whole run; it is counted as forward only.
    """
    teacher.eval()
    images = sets[0].images
    table = torch.zeros(len(images), teacher.num_classes, device=images.device, dtype=teacher.head.weight.dtype)
    with torch.no_grad():
        for rows in torch.split(torch.cat([part.index for part in sets]), BATCH):
            table[rows] = teacher(images[rows]).to(table.dtype)
    for part in sets:
        part.forward_only += len(part)
    return table


def kl_divergence(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """T²·KL(softmax(teacher/T) ‖ softmax(student/T)), the mean over the batch; both are logits (Hinton et al., 2015)."""
    target = F.log_softmax(teacher / temperature, dim=1)
    guess = F.log_softmax(student / temperature, dim=1)
    return F.kl_div(guess, target, reduction="batchmean", log_target=True) * temperature**2
