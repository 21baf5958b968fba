"""Accuracies, gaps and confusion counts against numbers worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from metric_samples import outputs
from sklearn.metrics import confusion_matrix as sklearn_matrix

from unlearn.errors import MetricError
from unlearn.gaps import compares_models
from unlearn.metrics import Outputs, SetOutputs, compare, gaps, measure
from unlearn.metrics.confusion import confusion, confusion_matrix


def predicted(labels, predictions, classes=3):
    """A set of given true and predicted classes."""
    logits = torch.nn.functional.one_hot(torch.tensor(predictions), classes).float()
    return SetOutputs(logits, logits, torch.tensor(labels))


def test_accuracies_by_hand():
    sets = {
        "retain": predicted([0, 1, 2, 2], [0, 1, 2, 0]),
        "forget": predicted([0, 1], [1, 1]),
        "heldout": predicted([0, 1, 2], [0, 1, 2]),
        "heldout_class": predicted([1, 1], [0, 0]),
        "forget_ood": predicted([0], [1]),
        "forget_in": predicted([1], [1]),
    }
    assert measure(Outputs(sets), ["accuracy"]) == {
        "retain_accuracy": 75.0,
        "forget_accuracy": 50.0,
        "heldout_accuracy": 100.0,
        "class_accuracy": 0.0,
        "forget_ood_accuracy": 0.0,
        "forget_in_accuracy": 100.0,
    }


def test_losses_and_confidences_in_closed_form():
    part = SetOutputs(
        torch.tensor([[0.0, 0.0], [0.0, 1e4], [math.log(3), 0.0]]), torch.zeros(3, 1), torch.tensor([0, 0, 0])
    )

    assert part.losses.tolist() == pytest.approx([math.log(2), 100, -math.log(0.75)], abs=1e-6)
    assert part.confidences.tolist() == pytest.approx([0.5, 0, 0.75], abs=1e-6)


def test_the_gaps_of_a_model_against_itself_are_zero():
    families = ("accuracy", "mia_loss", "mia_confidence", "mia_knn_forget", "mia_knn_train", "confusion")
    values = measure(outputs(confused=(0, 1)), families)

    assert len(values) == 14
    assert gaps(values, measure(outputs(confused=(0, 1)), families)) == dict.fromkeys(gaps(values, values), 0.0)


def test_gaps_bear_the_papers_names():
    unlearned = {
        "retain_accuracy": 99.0,
        "forget_accuracy": 90.0,
        "heldout_accuracy": 80.0,
        "class_accuracy": 70.0,
        "mia": 60.0,
    }
    oracle = {
        "retain_accuracy": 98.0,
        "forget_accuracy": 92.0,
        "heldout_accuracy": 83.0,
        "class_accuracy": 74.0,
        "other": 0.0,
    }

    assert gaps(unlearned, oracle) == {
        "retain_gap": 1.0,
        "forget_gap": 2.0,
        "utility_gap": 3.0,
        "class_test_gap": 4.0,
    }


#: Rows are true classes, columns predicted ones. Of classes 0 and 1: 20 samples, 9 wrong, 5 as one another.
MATRIX = [[6, 2, 1], [3, 5, 3], [4, 0, 9]]


def from_matrix(matrix):
    pairs = [(t, p) for t, row in enumerate(matrix) for p, count in enumerate(row) for _ in range(count)]
    return predicted([t for t, _ in pairs], [p for _, p in pairs])


def test_confusion_counts_match_a_matrix_made_by_hand():
    clean = [[5, 0, 0], [0, 5, 0], [0, 0, 5]]
    swapped = predicted([0, 0, 1, 1], [1, 1, 0, 1])
    sets = {"retain": from_matrix(clean), "heldout": from_matrix(MATRIX), "forget": swapped}

    assert confusion(Outputs(sets, confused=(0, 1))) == {
        "retain_error": 0.0,
        "heldout_error": pytest.approx(100 * 13 / 33),
        "forget_error": 75.0,
        "ic_error_retain": 0.0,
        "fgt_error_retain": 0.0,
        "ic_error_heldout": 9 / 20,
        "fgt_error_heldout": 5.0,
    }
    two_and_zero = confusion(Outputs(sets, confused=(2, 0)))
    assert two_and_zero["ic_error_heldout"] == (4 + 3) / 22
    assert two_and_zero["fgt_error_heldout"] == 5.0


def test_the_confusion_matrix_is_scikit_learns():
    part = from_matrix(MATRIX)
    ours = confusion_matrix(part.labels, part.predictions, 3)

    assert ours.tolist() == MATRIX
    assert ours.tolist() == sklearn_matrix(part.labels, part.predictions).tolist()


def test_confusion_is_left_out_elsewhere():
    assert confusion(outputs()) == {}


def test_measure_and_compare_share_one_list_of_families():
    families = ["accuracy", "weight_distance"]
    assert set(measure(outputs(), families)) == {"retain_accuracy", "forget_accuracy", "heldout_accuracy"}
    network = torch.nn.Linear(1, 1)
    network.symmetries = None
    assert compare(network, network, families) == {}
    own = [*families, f"{__name__}:bias_distance"]
    other = torch.nn.Linear(1, 1)
    other.load_state_dict({"weight": torch.ones(1, 1), "bias": network.bias.detach() + 3})
    other.symmetries = None
    assert compare(other, network, own) == {"bias_distance": pytest.approx(3.0)}
    assert set(measure(outputs(), own)) == {"retain_accuracy", "forget_accuracy", "heldout_accuracy"}


def test_what_is_not_defined_is_left_out():
    empty = SetOutputs(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    sets = {"retain": predicted([0, 1], [0, 1]), "forget": predicted([0], [1]), "heldout": predicted([1], [1])}
    families = ("accuracy", "mia_loss", "mia_confidence", "mia_knn_forget", "mia_knn_train", "confusion")
    values = measure(Outputs({**sets, "heldout_class": empty, "validation": empty}, confused=(0, 1)), families)

    assert "class_accuracy" not in values
    assert "validation_accuracy" not in values
    assert values["heldout_accuracy"] == 100
    assert all(map(math.isfinite, values.values()))
    assert "heldout_accuracy" not in measure(Outputs({**sets, "heldout": empty}, confused=(0, 1)), families)
    with pytest.raises(ValueError, match="an accuracy must be of at least one sample"):
        _ = empty.accuracy


@compares_models
def bias_distance(model, oracle):
    return {"bias_distance": (model.bias - oracle.bias).abs().item()}


def half_defined(outputs):
    return {"fine": 1.0, "broken": math.nan}


def test_a_metric_that_is_not_finite_is_named():
    with pytest.raises(
        MetricError, match=rf"metric broken of {__name__}:half_defined must be a finite number, got nan"
    ):
        measure(outputs(), [f"{__name__}:half_defined"])


def in_other_types(outputs):
    return {"of_torch": torch.tensor(0.5), "of_numpy": np.float32(0.25), "whole": 3}


def test_values_become_plain_numbers():
    values = measure(outputs(), [f"{__name__}:in_other_types"])
    assert values == {"of_torch": 0.5, "of_numpy": 0.25, "whole": 3.0}
    assert {type(value) for value in values.values()} == {float}


def changes_logits(outputs):
    return {"least": float(outputs["forget"].logits.mul_(2).min())}


def changes_losses(outputs):
    outputs["forget"].losses.sort()
    return {"least": float(outputs["forget"].losses[0])}


def test_a_metric_that_changes_what_others_read_is_named():
    with pytest.raises(MetricError, match=rf"metric {__name__}:changes_logits must not change the outputs"):
        measure(outputs(), [f"{__name__}:changes_logits"])
    with pytest.raises(ValueError, match="read-only"):
        measure(outputs(), [f"{__name__}:changes_losses"])


def once_more(outputs):
    return {"forget_accuracy": 1.0}


def like_a_gap(outputs):
    return {"retain_gap": 1.0}


def like_the_score(outputs):
    return {"score": 1.0}


def with_anothers_gap(outputs):
    return {"forget": 1.0}


def with_the_mean_gap(outputs):
    return {"average": 1.0}


def as_text(outputs):
    return {"shown": "12"}


def of_every_sample(outputs):
    return {"each": torch.zeros(2)}


def without_a_name(outputs):
    return 1.0


@pytest.mark.parametrize(
    ("family", "told"),
    [
        (once_more, "metric forget_accuracy of .* must have another name: another metric gives it"),
        (like_a_gap, "metric retain_gap of .* must have another name: something else in a run's curves"),
        (like_the_score, "metric score of .* must have another name: something else in a run's curves"),
        (with_anothers_gap, "metric forget of .* must have another name: forget_gap is another value's gap"),
        (with_the_mean_gap, "metric average of .* must have another name: average_gap is another value's gap"),
        (as_text, "metric shown of .* must be a number, got str"),
        (of_every_sample, "metric each of .* must be a number, got Tensor"),
        (without_a_name, "metric .*:without_a_name must give its values by name, {name: value}, got float"),
    ],
)
def test_values_that_would_be_read_as_others_or_as_none_are_refused(family, told):
    with pytest.raises(MetricError, match=told):
        measure(outputs(), ["accuracy", f"{__name__}:{family.__name__}"])


@pytest.mark.parametrize("where", ["logits", "features"])
def test_outputs_are_finite_or_not(where):
    good = predicted([0, 1], [0, 1])
    bad = replace(good, **{where: torch.full((2, 3), math.inf)})

    assert Outputs({"retain": good}).finite
    assert not Outputs({"retain": good, "forget": bad}).finite
