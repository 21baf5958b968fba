"""An own metric: how far confidence and accuracy on test images lie apart."""

from __future__ import annotations

from unlearn.gaps import Measure, declares
from unlearn.metrics import Outputs


@declares(Measure("calibration_error", "Calibration", "Confidence minus accuracy on test images", "%", side="utility"))
def calibration(outputs: Outputs) -> dict[str, float]:
    """|mean confidence of the predicted class − accuracy| on held-out images, in per cent."""
    heldout = outputs["heldout"]
    confidence = 100 * float(heldout.logits.softmax(1).max(1).values.mean())
    return {"calibration_error": abs(confidence - heldout.accuracy)}
