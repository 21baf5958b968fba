"""Networks from elsewhere as classifiers, against the networks themselves."""

from __future__ import annotations

import copy

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from unlearn.errors import ModelError, UnknownNameError
from unlearn.models import Classifier, adapt, build

SHAPE, CLASSES = (3, 32, 32), 7


class Net(nn.Module):
    """Two convolutions and three linear layers; what it gives is `end`'s business."""

    def __init__(self, end: str = "logits", classes: int = CLASSES) -> None:
        super().__init__()
        self.conv1, self.bn = nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4)
        self.fc1 = nn.Linear(4 * 15 * 15, 12)
        self.out = nn.Linear(12, classes)
        self.aux = nn.Linear(12, 3)
        self.end = end

    def forward(self, x: Tensor) -> object:
        x = F.relu(self.bn(self.conv1(x)))
        hidden = F.relu(self.fc1(x.view(len(x), -1)))
        logits, aux = self.out(hidden), self.aux(hidden)
        return {
            "logits": logits,
            "log_softmax": F.log_softmax(logits, 1),
            "softmax": F.softmax(logits, 1),
            "tuple": (logits, aux),
            "scaled": logits * 3,
            "sum": logits + self.out(hidden) if self.end == "sum" else None,
            "text": "logits",
        }[self.end]


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


class NoLinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, CLASSES, 32)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).flatten(1)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def images(shape: tuple[int, int, int] = SHAPE, n: int = 4) -> Tensor:
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "shape", "head", "options"),
    [
        ("torchvision:resnet18", SHAPE, "fc", {"stem": "small"}),
        ("torchvision:resnet18", (1, 28, 28), "fc", {}),
        ("torchvision:mobilenet_v3_small", SHAPE, "classifier.3", {}),
        ("torchvision:vit_b_32", SHAPE, "heads.head", {"image_size": 32}),
        (f"{__name__}:Lazy", SHAPE, "layers.3", {}),
    ],
)
def test_it_computes_what_the_network_computes(
    name: str, shape: tuple[int, int, int], head: str, options: dict[str, object]
) -> None:
    model = build(name, shape, CLASSES, options).eval()
    model.normalise([0.2], [0.5])
    plain = construct_plain(name, shape, options)
    plain.load_state_dict(model.own_state(), strict=True)
    plain.eval()
    seen: list[Tensor] = []
    plain.get_submodule(head).register_forward_hook(lambda layer, inputs, out: seen.append(inputs[0]))
    x = images(shape)
    with torch.no_grad():
        expected = plain((x / 255 - 0.2) / 0.5)
        torch.testing.assert_close(model(x), expected)
        torch.testing.assert_close(model.features(x), seen[0])
        torch.testing.assert_close(model.head(model.features(x)), expected)
    assert (model.num_classes, model.feature_dim) == (CLASSES, seen[0].shape[1])


def construct_plain(name: str, shape: tuple[int, int, int], options: dict[str, object]) -> nn.Module:
    """The network by the library's own means, as its user would make it."""
    if name.endswith("Lazy"):
        lazy = Lazy()
        lazy(torch.zeros(1, *shape))
        return lazy
    own = {key: value for key, value in options.items() if key != "stem"}
    network: nn.Module = torchvision.models.get_model(name.split(":")[1], weights=None, num_classes=CLASSES, **own)
    if options.get("stem") == "small":
        network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    elif shape[0] == 1:
        network.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return network


@pytest.mark.parametrize("end", ["logits", "log_softmax", "softmax", "tuple"])
def test_what_follows_the_head_is_left_out(end: str) -> None:
    network = Net(end).eval()
    plain = copy.deepcopy(network)
    plain.end = "logits"
    model = adapt(network, SHAPE, CLASSES).eval()
    model.normalise([0.0], [1.0])

    torch.testing.assert_close(model(images()), plain(images() / 255))


def test_its_weights_go_to_and_fro_by_their_own_names() -> None:
    network = Net()
    before = copy.deepcopy(network.state_dict())
    network.bn.eval()
    model = adapt(network, SHAPE, CLASSES)

    assert list(model.own_state()) == list(before)
    for name, tensor in model.own_state().items():
        torch.testing.assert_close(tensor, before[name])
    assert not network.bn.training
    assert network.conv1.training
    other = adapt(Net(), SHAPE, CLASSES)
    other.load_own_state(before)
    torch.testing.assert_close(other.eval()(images()), model.eval()(images()))
    Net().load_state_dict(other.own_state(), strict=True)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_copy_learns_alone() -> None:
    model = adapt(Net(), SHAPE, CLASSES)
    before = copy.deepcopy(model.own_state())
    other: Classifier = copy.deepcopy(model)
    F.cross_entropy(other(images()), torch.tensor([0, 1, 2, 3])).backward()
    torch.optim.SGD(other.parameters(), lr=0.1).step()

    assert all(torch.equal(tensor, before[name]) for name, tensor in model.own_state().items())
    unused = {"aux.weight", "aux.bias"}
    named = dict(other.named_parameters())
    assert {n for n, p in named.items() if p.grad is None} == {f"backbone.network.{n}" for n in unused}


@pytest.mark.parametrize(
    ("network", "shape", "head", "told"),
    [
        (Net(classes=5), SHAPE, None, "head 'out' must give one logit for each of the data set's 7 classes, got 5"),
        (Net(), (3, 30, 30), None, "must take images of 3 × 30 × 30 .* raised RuntimeError"),
        (Net(), (1, 32, 32), None, "must take images of 1 × 32 × 32"),
        (NoLinear(), SHAPE, None, "must end in a linear layer, whose input is its features; it calls none"),
        (Net("scaled"), SHAPE, None, "'aux', the last one that it calls, does not give it: name another by model.head"),
        (Net("sum"), SHAPE, None, "does not give it"),
        (Net("text"), SHAPE, None, "must give a tensor of logits, got str"),
        (Net(), SHAPE, "aux", "must be the logits of a linear layer"),
        (Net(), SHAPE, "fc9", r"head must be a linear layer .* got 'fc9'; it has fc1, out, aux"),
    ],
)  # fmt: skip
def test_what_does_not_suit_is_told(
    network: nn.Module, shape: tuple[int, int, int], head: str | None, told: str
) -> None:
    with pytest.raises(ModelError, match=told):
        adapt(network, shape, CLASSES, head)


def test_names_of_torchvision_are_its_classifiers() -> None:
    with pytest.raises(UnknownNameError, match="'resnet43', did you mean 'resnet34'"):
        build("torchvision:resnet43", SHAPE, CLASSES, {})
    with pytest.raises(UnknownNameError):
        build("torchvision:fasterrcnn_resnet50_fpn", SHAPE, CLASSES, {})
    with pytest.raises(ModelError, match="`small` is for ResNets and DenseNets"):
        build("torchvision:mobilenet_v3_small", SHAPE, CLASSES, {"stem": "small"})
