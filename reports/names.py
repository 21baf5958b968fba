"""How methods, metrics and scenarios are called: one label each, everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from sweeps.record import SweepRecord

__all__ = [
    "FLOOR_LABEL",
    "GAP_OF",
    "Metric",
    "method_label",
    "metric",
    "parameter_label",
    "scenario_label",
    "score_label",
]

_METHODS = {
    "sure": "SURE",
    "l1_sparse": "L1Sparse",
    "scrub": "SCRUB",
    "finetune": "FineTune",
    "bad_teacher": "BTeacher",
    "boundary_expanding": "BE",
    "boundary_expanding_plus": "BE+",
    "boundary_shrinking": "BS",
    "boundary_shrinking_plus": "BS+",
    "random_label": "RL",
    "neg_grad": "NegGrad",
    "neg_grad_plus": "NegGrad+",
    "cf_k": "CF-k",
    "eu_k": "EU-k",
    "salun": "SalUn",
    "ssd": "SSD",
    "oracle": "Oracle",
    "original": "Original",
}

#: The retrained oracle, wherever its gaps stand beside those of methods.
FLOOR_LABEL = "Oracle, retrained: the noise floor"

_SCENARIOS = {
    "random": "Random",
    "partial_class": "Partial class",
    "full_class": "Full class",
    "canary": "Canary",
    "confusion": "Confusion",
}

#: The gap that belongs to a raw value; any other value's gap is `<value>_gap`.
GAP_OF = {
    "retain_accuracy": "retain_gap",
    "forget_accuracy": "forget_gap",
    "heldout_accuracy": "utility_gap",
    "class_accuracy": "class_test_gap",
}

POINTS = "percentage points"


@dataclass(frozen=True)
class Metric:
    """A metric's short name, its sentence-case title and its unit."""

    key: str
    short: str
    title: str
    unit: str

    @property
    def axis(self) -> str:
        """The title of an axis."""
        unit = self.unit.removeprefix("percentage ")
        return f"{self.short} ({unit})" if unit else self.short


_METRICS = {
    key: Metric(key, short, title, unit)
    for key, short, title, unit in [
        ("score", "score", "Score of the objective", ""),
        ("retain_gap", "ΔRA", "Retain accuracy gap", POINTS),
        ("forget_gap", "ΔUA", "Forget (unlearning) accuracy gap", POINTS),
        ("utility_gap", "ΔUtility", "Utility gap", POINTS),
        ("class_test_gap", "ΔCTA", "Class test accuracy gap", POINTS),
        ("forget_in_gap", "ΔUA IN", "Forget accuracy gap, ordinary samples", POINTS),
        ("forget_ood_gap", "ΔUA OOD", "Forget accuracy gap, scrambled samples", POINTS),
        ("forget_in_accuracy_gap", "ΔUA IN", "Forget accuracy gap, ordinary samples", POINTS),
        ("forget_ood_accuracy_gap", "ΔUA OOD", "Forget accuracy gap, scrambled samples", POINTS),
        ("mia_loss_gap", "ΔMIA-I", "MIA-I gap", POINTS),
        ("mia_confidence_gap", "ΔMIA-II", "MIA-II gap", POINTS),
        ("mia_knn_forget_gap", "ΔMIARS-I", "MIARS-I gap", POINTS),
        ("mia_knn_train_gap", "ΔMIARS-II", "MIARS-II gap", POINTS),
        ("average_gap", "Average gap", "Average gap", POINTS),
        ("retain_accuracy", "RA", "Retain accuracy", "%"),
        ("forget_accuracy", "UA", "Forget accuracy", "%"),
        ("heldout_accuracy", "Utility", "Accuracy on held-out images", "%"),
        ("class_accuracy", "CTA", "Class test accuracy", "%"),
        ("mia_loss", "MIA-I", "MIA-I: loss", "%"),
        ("mia_confidence", "MIA-II", "MIA-II: confidence", "%"),
        ("mia_knn_forget", "MIARS-I", "MIARS-I: features, forget set", "%"),
        ("mia_knn_train", "MIARS-II", "MIARS-II: features, training set", "%"),
        ("relative_run_time", "RRT (time)", "Relative run time, seconds", "× oracle"),
        ("relative_samples", "RRT (samples)", "Relative run time, samples passed forward and backward", "× oracle"),
        (
            "relative_forward_samples",
            "RRT (forward only)",
            "Samples passed forward only (a teacher's logits, for instance), not in RRT (samples)",
            "× oracle",
        ),
        ("weight_distance", "Weight distance", "Weight distance to the oracle, penultimate layer", "L2"),
        ("retain_error", "Retain Err", "Retain error", "%"),
        ("forget_error", "Forget Err", "Forget error", "%"),
        ("heldout_error", "Test Err", "Test error", "%"),
        ("ic_error_retain", "IC Retain", "Interclass confusion error, retain", "fraction"),
        ("ic_error_heldout", "IC Test", "Interclass confusion error, test", "fraction"),
        ("fgt_error_retain", "FGT Retain", "FGT error, retain", "count"),
        ("fgt_error_heldout", "FGT Test", "FGT error, test", "count"),
    ]
}


def metric(key: str) -> Metric:
    """What a metric is called; one without a name of its own is called by its key, a gap by what it is the gap of."""
    if key in _METRICS:
        return _METRICS[key]
    words = key.replace("_", " ")
    if not key.endswith("_gap"):
        return Metric(key, words, words, "")
    of = _METRICS.get(key.removesuffix("_gap"))
    if of is None:
        return Metric(key, words, words, "")
    return Metric(key, f"Δ{of.short}", f"{of.title}: gap", POINTS if of.unit == "%" else of.unit)


_PARAMETERS = {"alpha": "α", "forget_batch_size": "fbatch size", "lr_decay_epoch": "lr decay"}

#: Where α is no retain weight.
_OTHER_ALPHAS = {"l1_sparse": "L1 weight", "ssd": "selection weight"}


def parameter_label(name: str, method: str | None = None) -> str:
    """A hyperparameter's name in print; with a method whose α is no retain weight, what it is there."""
    label = _PARAMETERS.get(name, name.replace("_", " "))
    other = _OTHER_ALPHAS.get(method or "") if name == "alpha" else None
    return f"{label} ({other})" if other else label


def method_label(key: str) -> str:
    """The method's name in print; a user's own method is called by its key."""
    return _METHODS.get(key, key)


def score_label(record: SweepRecord) -> str:
    """What the objective's score is called."""
    name = str((record.spec.get("objective") or {}).get("name", "score"))
    return {"average_gap": "Average gap", "tow": "Tug-of-war", "pareto": "Mean gap"}.get(name, f"Score ({name})")


def scenario_label(key: str) -> str:
    """The scenario's name in print."""
    return _SCENARIOS.get(key, key)
