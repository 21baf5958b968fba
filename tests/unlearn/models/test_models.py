import pytest
import torch

from unlearn.errors import DataError
from unlearn.facts import component_facts
from unlearn.models.resnet18 import resnet18
from unlearn.models.small_resnet import small_resnet
from unlearn.models.vit_small import vit_small

COLOUR = (3, 32, 32)
MODELS = {
    "resnet18": lambda shape, classes: resnet18(shape, classes, width=4),
    "small_resnet": lambda shape, classes: small_resnet(shape, classes, width=4),
    "vit_small": lambda shape, classes: vit_small(shape, classes, depth=1, width=12, heads=3),
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


@every_model
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 64, 64)], ids=str)
def test_logits_are_the_heads_view_of_the_features(make, shape):
    model = make(shape, 7).eval()
    x = torch.randint(0, 256, (5, *shape), dtype=torch.uint8)
    features = model.features(x)

    assert features.shape == (5, model.feature_dim)
    assert model.num_classes == 7
    torch.testing.assert_close(model(x), model.head(features))


@every_model
def test_what_a_models_function_tells_of_its_models_is_true(make, request):
    declared = component_facts("models", request.node.callspec.id).declared

    assert declared.get("has_symmetries", False) == (make(COLOUR, 3).symmetries is not None)


@every_model
def test_bytes_and_unit_floats_are_the_same_pixels(make):
    model = make(COLOUR, 3).eval()
    x = torch.randint(0, 256, (4, *COLOUR), dtype=torch.uint8)

    torch.testing.assert_close(model(x), model(x / 255))


@every_model
def test_normalisation_is_the_first_layer(make):
    model = make(COLOUR, 3).eval()
    x = torch.rand(4, *COLOUR)
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 1.0, 2.0])
    model.normalise([0.0], [1.0])
    expected = model((x - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    model.normalise(mean.tolist(), std.tolist())

    torch.testing.assert_close(model(x), expected)
    other = make(COLOUR, 3).eval()
    other.normalise([0.0] * 3, [1.0] * 3)
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(x), expected)


@every_model
def test_every_weight_is_trained(make):
    model = make(COLOUR, 3)
    model(torch.rand(4, *COLOUR)).square().sum().backward()

    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_sizes_are_the_published_ones():
    # CIFAR ResNet-18: 11,173,962. ViT-S/16 for ImageNet is 22,050,664: ours has another embedding, positions and head.
    assert parameters(resnet18(COLOUR, 10)) == 11_173_962
    with torch.device("meta"):
        ours = vit_small(COLOUR, 10)
    embedding, positions, head = 384 * (3 * 4 * 4 + 1), 65 * 384, 385 * 10
    published_embedding, published_positions, published_head = 384 * (3 * 16 * 16 + 1), 197 * 384, 385 * 1000
    blocks = 22_050_664 - published_embedding - published_positions - published_head
    assert parameters(ours) == blocks + embedding + positions + head


def test_resnet18_keeps_the_resolution_of_its_first_stage():
    model = resnet18(COLOUR, 10, width=4)
    shapes = []
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        model.backbone.get_submodule(stage).register_forward_hook(lambda *a: shapes.append(tuple(a[2].shape[1:])))
    model(torch.rand(1, *COLOUR))

    assert shapes == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]


def test_layout_is_channels_last_where_convolutions_gain():
    assert (
        resnet18(COLOUR, 10, width=4)
        .backbone.get_parameter("conv1.weight")
        .is_contiguous(memory_format=torch.channels_last)
    )
    assert vit_small(COLOUR, 10, depth=1, width=12, heads=3).memory_format is torch.contiguous_format


@pytest.mark.parametrize("shape", [(3, 32, 24), (3, 28, 28)], ids=str)
def test_vit_refuses_images_it_cannot_cut(shape):
    with pytest.raises(DataError, match="needs square images whose side 8 divides"):
        vit_small(shape, 10)
