import copy

import pytest
import torch
from method_problems import (
    FULL_BATCH,
    RATES,
    SEED,
    HandSGD,
    assert_same_state,
    assert_weights,
    cross_entropy,
    linear_problem,
    logits,
    network_problem,
    resnet_problem,
)
from torch import nn

from unlearn.methods import Streams
from unlearn.methods._last_layers import layers
from unlearn.methods.cf_k import CFk
from unlearn.methods.eu_k import EUk
from unlearn.methods.finetune import FineTune
from unlearn.models import Classifier


def test_a_layer_is_a_weight_and_the_normalisations_after_it():
    model = resnet_problem().start()
    names = {module: name for name, module in model.named_modules()}
    found = [[names[module] for module in layer] for layer in layers(model)]
    assert found[:2] == [["backbone.0", "backbone.1"], ["backbone.3.conv1", "backbone.3.bn1"]]
    assert found[-2:] == [["backbone.5.shortcut.0", "backbone.5.shortcut.1"], ["head"]]
    assert len(found) == 10


def test_a_leading_normalisation_is_a_layer_and_direct_parameters_count():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(3)
            self.token = nn.Parameter(torch.zeros(1, 1, 3))
            self.out = nn.Linear(3, 2)

    tokens = Tokens()
    assert layers(tokens) == [[tokens, tokens.norm], [tokens.out]]
    plain = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 2))
    assert layers(plain) == [[plain[0]], [plain[1]]]


def test_frozen_normalisations_without_weights_keep_their_statistics_too():
    def normalised(width):
        return nn.BatchNorm1d(width, affine=False)

    network = nn.Sequential(nn.Flatten(), normalised(4), nn.Linear(4, 5), normalised(5), nn.Linear(5, 5), normalised(5))
    for k, moves in ((1, []), (2, [5]), (3, [1, 3, 5])):
        problem, model = linear_problem(), Classifier(copy.deepcopy(network), 5, 3).double()
        for _ in CFk(epochs=1, k=k).unlearn(model, problem.data, Streams(SEED)):
            pass
        assert [i for i in (1, 3, 5) if model.backbone[i].num_batches_tracked] == moves, k


def test_layers_of_a_transformer():
    model = network_problem("vit_small", (4, 4, 4), depth=1, width=8, heads=2).start()
    names = {module: name for name, module in model.named_modules()}
    found = [[names[module] for module in layer] for layer in layers(model)]
    block = "backbone.encoder.layers.encoder_layer_0"
    assert found[-4:] == [
        [f"{block}.self_attention.out_proj", f"{block}.ln_2"],
        [f"{block}.mlp.0"],
        [f"{block}.mlp.3", "backbone.encoder.ln"],
        ["head"],
    ]


def hand_trained_head(problem, weights):
    x, y = problem.batch("retain")
    sgd = HandSGD(weights[2:])
    for lr in RATES:
        sgd.step(cross_entropy(logits([*weights[:2], *sgd.weights], x), y), lr)
    return weights


def test_cf_k_trains_the_last_layer_by_the_formula():
    problem = linear_problem()
    assert_weights(problem.unlearned(CFk(**FULL_BATCH, k=1)), hand_trained_head(problem, problem.weights()))


def test_eu_k_trains_a_fresh_last_layer_by_the_formula():
    problem = linear_problem()
    got = problem.unlearned(EUk(**FULL_BATCH, k=1))
    _, fresh = problem.made
    weights = problem.weights()[:2] + problem.weights(fresh)[2:]
    assert_weights(got, hand_trained_head(problem, weights))


def test_cf_k_over_all_layers_is_finetune():
    setting = {"lr": 0.05, "epochs": 2, "retain_batch_size": 16}
    tuned = resnet_problem().unlearned(FineTune(**setting))
    for k in (10, 1000):
        assert_same_state(resnet_problem().unlearned(CFk(**setting, k=k)), tuned)


def test_eu_k_over_all_layers_keeps_nothing_of_the_original():
    problem = resnet_problem()
    model = problem.start()
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(3)
        model.mean.sub_(3)
        model.std.sub_(3)
    for _ in EUk(epochs=1, k=1000).unlearn(model, problem.data, Streams(SEED)):
        pass
    assert_same_state(model, problem.unlearned(EUk(epochs=1, k=1000)))


@pytest.mark.parametrize("method", [CFk(epochs=2, k=3), EUk(epochs=2, k=3)])
def test_frozen_layers_keep_weights_and_statistics_and_trained_ones_do_not(method):
    problem = resnet_problem()
    model = problem.start()
    run = method.unlearn(model, problem.data, Streams(SEED))
    for _ in run:
        model.train()  # as an evaluation leaves it
    trained = ("backbone.5.conv2.", "backbone.5.bn2.", "backbone.5.shortcut.", "head.")
    before = problem.data.original.state_dict()
    for name, value in model.state_dict().items():
        moves = name.startswith(trained)
        assert torch.equal(value, before[name]) != moves, name
    assert all(p.requires_grad for p in model.parameters())


def test_a_frozen_module_does_not_freeze_its_children():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(1, 4))
            self.layers = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5))

        def forward(self, x):
            return self.layers(x.flatten(1) + self.shift)

    problem = linear_problem()
    model = Classifier(Shift(), 5, 3).double()
    for _ in CFk(epochs=2, k=2).unlearn(model, problem.data, Streams(SEED)):
        pass
    assert not model.backbone.shift.any()
    assert model.backbone.layers[1].num_batches_tracked == 2


def test_gradients_are_switched_on_again_when_a_run_is_abandoned():
    problem = linear_problem()
    model = problem.start()
    run = CFk(epochs=3, k=1).unlearn(model, problem.data, Streams(SEED))
    next(run)
    assert not model.backbone[1].weight.requires_grad
    run.close()
    assert model.backbone[1].weight.requires_grad
