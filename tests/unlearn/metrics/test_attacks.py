"""Membership attacks against scikit-learn's classifiers, and against what must hold of any attack."""

import numpy as np
import pytest
import torch
from metric_samples import outputs, set_outputs
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from unlearn.metrics import Outputs, measure
from unlearn.metrics._attacks import balance, member_neighbours
from unlearn.metrics.mia_confidence import called_member, mia_confidence, quantile_bins
from unlearn.metrics.mia_knn_forget import mia_knn_forget
from unlearn.metrics.mia_knn_train import mia_knn_train
from unlearn.metrics.mia_loss import fit_logistic, holdout_accuracy, mia_loss

ATTACKS = ("mia_loss", "mia_confidence", "mia_knn_forget", "mia_knn_train")


# --- MIA-I: logistic regression ---


@pytest.mark.parametrize("gap", [0.0, 1.0, 5.0, 40.0])
@pytest.mark.parametrize("n", [4, 50, 1000])
def test_newtons_logistic_regression_is_scikit_learns(n, gap):
    rng = np.random.default_rng(n)
    x = np.concatenate([rng.gamma(1, 1, (3, n)), rng.gamma(1, 2, (3, n)) + gap], axis=1).clip(-100, 100)
    y = np.repeat([1.0, 0.0], n)
    weights, biases = fit_logistic(x, y)

    for row, weight, bias in zip(x, weights, biases, strict=True):
        reference = LogisticRegression(tol=1e-10, max_iter=10_000).fit(row[:, None], y)
        assert weight == pytest.approx(reference.coef_[0, 0], abs=1e-4)
        assert bias == pytest.approx(reference.intercept_[0], abs=1e-4)


def test_a_constant_loss_tells_nothing():
    weight, bias = fit_logistic(np.zeros((1, 20)), np.repeat([1.0, 0.0], 10))
    assert weight[0] == pytest.approx(0, abs=1e-9)
    assert bias[0] == pytest.approx(0, abs=1e-9)


def test_the_loss_attack_on_what_is_apart_and_what_is_not():
    rng = np.random.default_rng(0)
    low, high = rng.normal(0, 1, 200), rng.normal(9, 1, 200)

    assert holdout_accuracy(low, high, rng) > 0.99
    assert holdout_accuracy(low, rng.normal(0, 1, 200), rng) == pytest.approx(0.5, abs=0.06)


# --- MIA-II: support vectors on confidence ---


def confidences(rng, n, centre):
    return 1 / (1 + np.exp(-rng.normal(centre, 2.5, n)))


@pytest.mark.parametrize("centre", [3.2, 4.5, 9.0])
def test_quantile_bins_decide_as_the_exact_fit(centre):
    rng = np.random.default_rng(1)
    member, unseen = confidences(rng, 2500, centre), confidences(rng, 2500, 3.0)
    query = np.concatenate([member[:1000], confidences(rng, 1000, 2.0)])
    binned, exact = (called_member(member, unseen, query, exact=e) for e in (False, True))
    reference = SVC(C=3, gamma="auto", kernel="rbf").fit(
        np.concatenate([member, unseen])[:, None], np.repeat([1, 0], 2500)
    )

    np.testing.assert_array_equal(exact, reference.predict(query[:, None]) == 1)
    assert (binned == exact).mean() >= 0.999
    assert 0 < exact.mean() < 1


def test_quantile_bins_weigh_every_sample_once():
    values = np.random.default_rng(0).random(2345)
    centres, weights = quantile_bins(values)

    assert len(centres) == 1000
    assert weights.sum() == 2345
    assert weights @ centres == pytest.approx(values.sum())
    few, counts = quantile_bins(np.array([0.5, 1.0, 0.5]))
    assert (few.tolist(), counts.tolist()) == ([0.5, 1.0], [2.0, 1.0])


def test_the_confidence_attack_calls_low_confidence_non_member():
    sure, unsure = (mia_confidence(outputs(member_shift=8, forget_shift=shift)) for shift in (8, 0))

    assert sure["mia_confidence"] < 10
    assert unsure["mia_confidence"] > 80


# --- MIARS: nearest neighbours ---


@pytest.mark.parametrize(("n", "m", "width"), [(5, 3, 2), (300, 150, 6), (900, 2100, 32)])
def test_neighbours_vote_as_scikit_learns(n, m, width):
    rng = np.random.default_rng(n)
    scale = np.geomspace(1e-3, 1e3, width)
    fitted = (rng.normal(size=(n, width)) * scale + 50 * scale).astype(np.float32)
    query = (rng.normal(size=(m, width)) * scale + 50 * scale).astype(np.float32)
    fitted[:, 0] = query[:, 0] = 7.0  # a unit that never changes
    is_member = rng.random(n) < 0.5
    called = member_neighbours(torch.tensor(fitted), torch.tensor(is_member), torch.tensor(query))

    scaler = StandardScaler().fit(fitted.astype(np.float64))
    reference = KNeighborsClassifier(5, algorithm="brute").fit(scaler.transform(fitted), is_member)
    np.testing.assert_array_equal(called.numpy(), reference.predict(scaler.transform(query)))


def test_the_forget_attack_is_scored_on_held_out_folds():
    """In-sample, 5 neighbours that include oneself are right far more often than half the time on pure noise."""
    noise = Outputs({"forget": set_outputs(1000, seed=5), "heldout": set_outputs(1000, seed=6)})
    x = torch.cat([noise["forget"].features, noise["heldout"].features])
    is_member = torch.arange(2000) < 1000

    in_sample = (member_neighbours(x, is_member, x) == is_member).double().mean()
    assert in_sample > 0.6
    assert mia_knn_forget(noise)["mia_knn_forget"] == pytest.approx(50, abs=3.5)


def test_the_forget_attack_is_that_of_scikit_learn():
    sample = Outputs({"forget": set_outputs(40, shift=0.5, seed=5), "heldout": set_outputs(70, seed=6)}, seed=3)
    rows = balance(40, 70, np.random.default_rng(3))
    x = np.concatenate([sample["forget"].features.numpy()[rows[0]], sample["heldout"].features.numpy()[rows[1]]])
    y, fold = np.repeat([1, 0], 40), np.tile(np.arange(40) % 5, 2)
    right = 0
    for k in range(5):
        scaler = StandardScaler().fit(x[fold != k])
        attack = KNeighborsClassifier(5).fit(scaler.transform(x[fold != k]), y[fold != k])
        right += (attack.predict(scaler.transform(x[fold == k])) == y[fold == k]).sum()

    assert mia_knn_forget(sample)["mia_knn_forget"] == pytest.approx(100 * right / 80)


def test_representation_attacks_find_what_is_apart():
    remembered, forgotten = outputs(member_shift=9, forget_shift=9), outputs(member_shift=9, forget_shift=0)

    assert mia_knn_forget(remembered)["mia_knn_forget"] > 99
    assert mia_knn_train(remembered)["mia_knn_train"] < 1
    assert mia_knn_train(forgotten)["mia_knn_train"] > 90
    assert mia_knn_forget(forgotten)["mia_knn_forget"] == pytest.approx(50, abs=15)


# --- all of them ---


def test_two_halves_of_one_set_cannot_be_told_apart():
    halves = Outputs(
        {"retain": set_outputs(10), "forget": set_outputs(800, seed=5), "heldout": set_outputs(800, seed=6)}
    )
    values = measure(halves, ("mia_loss", "mia_knn_forget"))

    assert values == {"mia_loss": pytest.approx(50, abs=3.5), "mia_knn_forget": pytest.approx(50, abs=3.5)}


def test_in_class_scenarios_forget_attacks_see_that_class_alone():
    sets = dict(outputs(forget_shift=3).sets)
    with_class = Outputs(sets | {"heldout_class": set_outputs(50, shift=9, seed=7)})

    for attack in (mia_loss, mia_knn_forget):
        swapped = Outputs(sets | {"heldout": with_class["heldout_class"]})
        assert attack(with_class) == attack(swapped)
        assert attack(with_class) != attack(Outputs(sets))
    for attack in (mia_confidence, mia_knn_train):
        assert attack(with_class) == attack(Outputs(sets))


@pytest.mark.parametrize("family", ATTACKS)
def test_an_attack_is_a_function_of_outputs_and_seed(family):
    first, again, other = (measure(outputs(seed=seed, forget_shift=1), [family]) for seed in (0, 0, 1))

    assert list(first) == [family]
    assert 0 <= first[family] <= 100
    assert first == again
    assert np.isfinite(other[family])


@pytest.mark.parametrize("family", ATTACKS)
def test_an_attack_without_samples_is_left_out(family):
    few = {"mia_loss": {"forget": 1}, "mia_knn_forget": {"forget": 4}}.get(family, {"heldout": 1})
    assert measure(outputs(**few), [family]) == {}
