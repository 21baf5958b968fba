"""How methods, metrics and scenarios are called: one label each, everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from sweeps.record import FLOOR, TITLES, UNTOUCHED, SweepRecord, entering
from unlearn.gaps import POINTS, Label, Measures

__all__ = [
    "BASELINE_LABELS",
    "POINTS",
    "labelled",
    "measures",
    "method_label",
    "metric",
    "parameter_label",
    "row_label",
    "scenario_label",
    "score_label",
    "score_unit",
    "units",
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

#: The baselines, wherever their gaps stand beside those of methods.
BASELINE_LABELS = {FLOOR: "Oracle, retrained: the noise floor", UNTOUCHED: "Original, nothing unlearned"}


def measures(record: SweepRecord) -> Measures:
    """What the sweep measured: this package's measures and those that its own metrics declared."""
    return Measures(record.measures)


def metric(record: SweepRecord, key: str) -> Label:
    """How a value or a gap of the sweep is printed."""
    return measures(record).label(key)


_PARAMETERS = {
    "alpha": "α",
    "forget_batch_size": "fbatch size",
    "lr_decay_epoch": "lr decay",
    "stop_epoch": "stop epoch",
}

#: Where α is no retain weight.
_OTHER_ALPHAS = {"l1_sparse": "L1 weight", "ssd": "selection weight"}


def row_label(method: str) -> str:
    """How a method or a baseline is called in a row of numbers."""
    label, known = method_label(method), BASELINE_LABELS.get(method)
    if known is None:
        return label
    return known if label == _of_method(method) else f"{label} ({known})"


def parameter_label(name: str, method: str | None = None) -> str:
    """A hyperparameter's name in print; with a method whose α is no retain weight, what it is there."""
    label = _PARAMETERS.get(name, name.replace("_", " "))
    other = _OTHER_ALPHAS.get(method or "") if name == "alpha" else None
    return f"{label} ({other})" if other else label


#: The labels that sweep files give to ("methods" or "scenarios", key), while a report of these sweeps is made.
_LABELS: ContextVar[Mapping[tuple[str, str], str]] = ContextVar("labels", default=MappingProxyType({}))


@contextmanager
def labelled(*records: SweepRecord) -> Iterator[None]:
    """Call methods and scenarios by the labels of these sweeps' files; one that another bears already has its key beside it."""
    given: dict[tuple[str, str], str] = {}
    for spec in (record.spec for record in records):
        given |= {("methods", key): label for key, label in (spec.get("labels") or {}).items()}
        bodies = {key: body for key, body in (spec.get("scenarios") or {}).items() if isinstance(body, Mapping)}
        given |= {("scenarios", key): body["label"] for key, body in bodies.items() if body.get("label")}
    known = {(section, key) for r in records for section in _OWN_LABELS for key in r.spec.get(section) or ()}
    own = {(section, key): _OWN_LABELS[section](key) for section, key in sorted(known - given.keys())}
    labels: dict[tuple[str, str], str] = {}
    for (section, key), label in [*own.items(), *given.items()]:
        taken = label in (other for of, other in labels.items() if of[0] == section)
        labels[section, key] = f"{label} ({key})" if taken else label
    token = _LABELS.set(labels)
    try:
        yield
    finally:
        _LABELS.reset(token)


def method_label(key: str) -> str:
    """The method's name in print: as its sweep's file has it, else of a shipped one its own, else the key."""
    return _LABELS.get().get(("methods", key)) or _of_method(key)


def score_label(record: SweepRecord) -> str:
    """What the objective's score is called."""
    name = str((record.spec.get("objective") or {}).get("name", "score"))
    return TITLES.get(name, f"score ({name})").capitalize()


def units(record: SweepRecord, names: Iterable[str]) -> str:
    """ " (percentage points)" where all the values named, `score` among them or not, are in these; empty otherwise."""
    found = {score_unit(record) if name == "score" else metric(record, name).unit for name in names}
    return f" ({POINTS})" if found == {POINTS} else ""


def score_unit(record: SweepRecord) -> str:
    """The unit of the objective's score: percentage points where it is a mean of such gaps only."""
    objective = record.spec.get("objective") or {}
    name, gaps = objective.get("name", "average_gap"), objective.get("gaps") or ()
    if name == "pareto":  # of every gap that is measured, one's own among them
        gaps = entering(record, record.curves)
    units = {metric(record, gap).unit for gap in gaps} or {POINTS}
    return POINTS if name != "tow" and units == {POINTS} else ""


def scenario_label(key: str) -> str:
    """The scenario's name in print: as its sweep's file has it, else the words of its key."""
    return _LABELS.get().get(("scenarios", key)) or _of_scenario(key)


def _of_method(key: str) -> str:
    return _METHODS.get(key, key)


def _of_scenario(key: str) -> str:
    words = key.replace("_", " ")
    return words.capitalize() if re.fullmatch(r"[a-z][a-z ]*", words) else key


#: By section: the label of what has none in the sweep file.
_OWN_LABELS = {"methods": _of_method, "scenarios": _of_scenario}
