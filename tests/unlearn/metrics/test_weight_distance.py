import itertools

import pytest
import torch
from torch import nn

from unlearn.metrics.weight_distance import _Search, match_weights, permuted, weight_distance
from unlearn.models.resnet18 import resnet18
from unlearn.models.small_resnet import small_resnet
from unlearn.models.vit_small import vit_small

SHAPE = (3, 16, 16)
NETWORKS = {
    "small_resnet": lambda: small_resnet(SHAPE, 10, width=8),
    "resnet18": lambda: resnet18(SHAPE, 10, width=8),
}
every_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)


def full_width():
    return resnet18(SHAPE, 10)


def fresh(make, seed, *, trained=True):
    """A network; `trained` ones have normalisations that have moved, as training moves them."""
    torch.manual_seed(seed)
    model = make().eval()
    for module in model.modules():
        if trained and isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


def renumbered(make, model, seed):
    """A copy with every group's units in a random order, and those orders."""
    rng = torch.Generator().manual_seed(seed)
    sizes = {
        group: model.state_dict()[name].shape[position]
        for name, axes in model.symmetries.axes.items()
        for position, group in enumerate(axes)
        if group is not None
    }
    orders = {group: torch.randperm(size, generator=rng) for group, size in sizes.items()}
    copy = make().eval()
    copy.load_state_dict(permuted(model.state_dict(), model.symmetries, orders))
    return copy, orders


@every_network
def test_symmetries_speak_of_every_tensor_with_units(make):
    model = make()
    tensors = {n for n in model.state_dict() if n not in ("mean", "std") and not n.endswith("num_batches_tracked")}

    assert set(model.symmetries.axes) == tensors
    assert all(len(axes) == model.state_dict()[n].ndim for n, axes in model.symmetries.axes.items())
    assert model.symmetries.penultimate in dict(model.named_parameters())


@pytest.mark.parametrize(
    ("make", "trained"),
    [*itertools.product(NETWORKS.values(), (True, False)), (full_width, True)],
)
def test_a_renumbering_is_recovered_and_changes_no_output(make, trained):
    model = fresh(make, 0, trained=trained)
    copy, orders = renumbered(make, model, seed=1)
    x = torch.rand(4, *SHAPE)
    with torch.no_grad():
        scale = model(x).abs().max()
        assert ((model(x) - copy(x)).abs().max() / scale) < 1e-4
    assert any((dict(model.named_parameters())[n] != p).any() for n, p in copy.named_parameters())

    found = match_weights(dict(model.named_parameters()), dict(copy.named_parameters()), model.symmetries)

    assert set(found) == set(orders)
    for group, order in found.items():  # one undoes the other
        assert orders[group][order].tolist() == list(range(len(order)))
    assert weight_distance(copy, model) == {"weight_distance": 0.0, "weight_distance_all": 0.0}


@every_network
def test_matching_leaves_the_function_unchanged_and_brings_networks_nearer(make):
    model, other = fresh(make, 0), fresh(make, 1)
    orders = match_weights(dict(other.named_parameters()), dict(model.named_parameters()), model.symmetries)
    matched = make().eval()
    matched.load_state_dict(permuted(model.state_dict(), model.symmetries, orders))
    x = torch.rand(4, *SHAPE)
    with torch.no_grad():
        assert ((model(x) - matched(x)).abs().max() / model(x).abs().max()) < 1e-4

    def distance(a, b):
        return (
            sum(float((p - q).detach().square().sum()) for p, q in zip(a.parameters(), b.parameters(), strict=True))
            ** 0.5
        )

    assert distance(matched, other) < 0.999 * distance(model, other)
    assert weight_distance(model, other)["weight_distance_all"] == pytest.approx(distance(matched, other), rel=1e-4)


def test_a_known_distance_is_found_through_a_renumbering():
    make = NETWORKS["small_resnet"]
    model = fresh(make, 0)
    copy, _ = renumbered(make, model, seed=3)
    with torch.no_grad():
        model.head.bias += 3 / 10**0.5
        model.get_parameter(model.symmetries.penultimate)[0, 0, 0, 0] += 0.25

    distances = weight_distance(copy, model)
    assert distances["weight_distance"] == pytest.approx(0.25, rel=1e-4)
    assert distances["weight_distance_all"] == pytest.approx((9 + 0.25**2) ** 0.5, rel=1e-4)


def test_no_single_exchange_of_units_improves_a_match():
    make = NETWORKS["small_resnet"]
    model, other = (dict(fresh(make, seed).named_parameters()) for seed in (0, 1))
    symmetries = make().symmetries
    search = _Search(other, model, symmetries)
    orders = match_weights(other, model, symmetries)
    reached = search.similarity(orders)
    for group in search.groups:
        for i, j in itertools.combinations(range(len(orders[group])), 2):
            order = orders[group].clone()
            order[[i, j]] = order[[j, i]]
            assert search.similarity(orders | {group: order}) <= reached + 1e-3


def test_transformers_have_no_weight_distance():
    model = vit_small(SHAPE, 10, depth=1, width=12, heads=3)
    assert weight_distance(model, model) == {}
