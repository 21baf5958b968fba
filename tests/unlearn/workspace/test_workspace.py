"""Original and oracle models of digits: which tasks share them, and what each scenario's do."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unlearn.errors import UnlearnError
from unlearn.files import file_digest
from unlearn.gaps import compares_models
from unlearn.methods.finetune import FineTune
from unlearn.metrics import compare, gaps, measure
from unlearn.registry import find
from unlearn.run import run_unlearning, unlearn_epochs
from unlearn.scenarios.canary import Canary
from unlearn.scenarios.confusion import Confusion
from unlearn.scenarios.full_class import FullClass
from unlearn.scenarios.partial_class import PartialClass
from unlearn.scenarios.random import RandomSamples
from unlearn.testing import same_state
from unlearn.training import Recipe
from unlearn.workspace import Given, Setting, Task, Workspace

CPU = torch.device("cpu")
FAMILIES = ("accuracy", "mia_loss", "mia_confidence", "mia_knn_forget", "mia_knn_train", "confusion")
TINY = Setting(model_options={"width": 2}, recipe=Recipe(epochs=1, lr=0.1))
SCENARIOS = {
    "random": RandomSamples(),
    "partial_class": PartialClass(),
    "full_class": FullClass(),
    "canary": Canary(canaries=20),
    "confusion": Confusion(fraction=0.4),
}
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tiny(cache):
    return Workspace(TINY, cache, torch.device("cpu"))


@pytest.fixture(scope="module")
def learned(cache):
    """Trained long enough to know its training set by heart."""
    recipe = Recipe(epochs=9, lr=0.1, batch_size=64, milestones=(8,))
    return Workspace(Setting(model_options={"width": 8}, recipe=recipe), cache, torch.device("cpu"))


def task(workspace, scenario, seed=0, size=60, **more):
    size = size if scenario.sized else scenario.limit(workspace.train_labels)
    return Task(scenario=scenario, forget_size=size, forget_seed=seed, **more)


@every_scenario
def test_every_scenario_runs_on_digits(tiny, scenario):
    for scored_on in ("dev", "test"):
        this = task(tiny, scenario, scored_on=scored_on)
        data, forget_set = tiny.task_data(this), tiny.forget_set(this)
        together = torch.cat([data.retain, data.forget])
        assert sorted(together.tolist()) == data.train.tolist()
        assert data.forget.tolist() == forget_set.indices.tolist()
        assert not set(data.validation.tolist()) & set(data.heldout.tolist())

        outputs = tiny.outputs(tiny.original(this).model, this)
        values = measure(outputs, FAMILIES)
        torch.testing.assert_close(outputs["forget"].labels, tiny.samples.truth[data.forget])
        assert {"retain_accuracy", "mia_loss", "mia_confidence", "mia_knn_forget", "mia_knn_train"} <= values.keys()
        assert ("class_accuracy" in values) == scenario.of_class
        assert ("fgt_error_heldout" in values) == isinstance(scenario, Confusion)
        assert all(np.isfinite(value) for value in values.values())


@every_scenario
def test_an_oracle_has_no_gap_to_itself(tiny, scenario):
    this = task(tiny, scenario)
    oracle = tiny.oracle(this).model
    own = gaps(measure(tiny.outputs(oracle, this), FAMILIES), tiny.oracle_metrics(this, FAMILIES))

    assert own
    assert set(own.values()) == {0.0}
    assert compare(oracle, oracle, ["weight_distance"]) == {"weight_distance": 0.0, "weight_distance_all": 0.0}


def test_tasks_share_originals_as_their_scenarios_allow(tiny):
    shared = [
        tiny.original(task(tiny, s, seed)).key
        for s in (RandomSamples(), PartialClass(), FullClass())
        for seed in (0, 1)
    ]
    canary = [tiny.original(task(tiny, Canary(canaries=20), seed)).key for seed in (0, 1)]
    other_canaries = tiny.original(task(tiny, Canary(canaries=20, canary_seed=1))).key
    confusion = [tiny.original(task(tiny, Confusion(fraction=0.4), seed)).key for seed in (0, 1)]

    assert len(set(shared)) == 1
    assert len(set(canary)) == 1
    assert len({shared[0], canary[0], other_canaries, *confusion}) == 5


class Unsaid(Canary):
    """Scrambles samples, and does not say so."""

    alters_training = False


def test_an_original_from_elsewhere_serves_no_scenario_that_alters_what_it_learnt(tiny, cache, tmp_path):
    torch.save(tiny.new_model(0).own_state(), tmp_path / "model.pt")
    given = Given(str(tmp_path / "model.pt"), file_digest(tmp_path / "model.pt"))
    workspace = Workspace(replace(TINY, original=given), cache, torch.device("cpu"))
    assert workspace.original(task(workspace, RandomSamples())).cost.samples == 0
    with pytest.raises(UnlearnError, match=r"let Unsaid say alters_training = True"):
        workspace.original(task(workspace, Unsaid(canaries=20)))


def test_oracles_differ_with_what_is_forgotten(tiny):
    tasks = [task(tiny, RandomSamples(), seed, size) for seed, size in ((0, 60), (1, 60), (0, 61))]
    full = [tiny.oracle(task(tiny, FullClass(), seed)).key for seed in (0, 1)]

    assert len({tiny.oracle(t).key for t in tasks} | {tiny.original(tasks[0]).key}) == 4
    assert full[0] == full[1]
    scored_elsewhere = replace(tasks[0], scored_on="dev")
    assert tiny.oracle(scored_elsewhere).key == tiny.oracle(tasks[0]).key


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": replace(TINY.recipe, lr=0.05)},
        {"model_options": {"width": 3}},
        {"held_out": 0.3},
        {"seed": 1},
        {"precision": "bfloat16"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_setting_is_another_model(tiny, cache, change):
    other = Workspace(replace(TINY, **change), cache, torch.device("cpu"))
    this = task(tiny, RandomSamples())

    assert other.original(this).key != tiny.original(this).key


def test_the_same_content_is_trained_once_and_loads_with_equal_weights(tiny, cache, tmp_path):
    this = task(tiny, RandomSamples())
    first, again = tiny.original(this), Workspace(TINY, cache, torch.device("cpu")).original(this)
    elsewhere = Workspace(replace(TINY, dev=0.25), tmp_path, torch.device("cpu")).original(this)  # dev trains nothing

    assert again.loaded
    assert not elsewhere.loaded
    assert first.key == again.key == elsewhere.key
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name])
        assert torch.equal(tensor, elsewhere.model.state_dict()[name])


def test_only_a_last_batch_of_one_sample_names_its_rule_in_the_content(tiny, cache):
    n = len(tiny.train_labels)
    for batch_size, joined in ((n - 1, True), (n, False), (n - 2, False), (1, False), (64, n % 64 == 1)):
        recipe = replace(TINY.recipe, batch_size=batch_size)
        workspace = Workspace(replace(TINY, recipe=recipe), cache, torch.device("cpu"))
        data = workspace.task_data(task(workspace, RandomSamples()))
        assert ("last_batch" in workspace.references._content("original", data, data.train)) == joined


def test_a_network_that_refuses_a_lone_sample_is_trained_and_unlearned_all_the_same(tmp_path):
    """On 8 × 8 images the last stage has one value per channel; every set here leaves one sample over."""
    recipe = Recipe(epochs=1, batch_size=64)
    probe = Workspace(replace(TINY, recipe=recipe), tmp_path, torch.device("cpu"))
    n = len(probe.train_labels)
    setting = replace(TINY, model="resnet18", model_options={"width": 2}, recipe=replace(recipe, batch_size=n - 1))
    workspace = Workspace(setting, tmp_path, torch.device("cpu"))
    this = task(workspace, RandomSamples(), size=65)
    assert workspace.original(this).cost.samples == n
    retain = n - 65
    for key in ("scrub", "neg_grad_plus", "random_label"):
        method = find("methods", key)(epochs=1, forget_batch_size=64, retain_batch_size=retain - 1)
        (*_, last) = run_unlearning(workspace, this, method, seed=0)
        assert last.samples == retain + 65
        assert last.forward_samples == (retain + 65 if key == "scrub" else 0)
        assert last.metrics["relative_forward_samples"] == last.forward_samples / workspace.oracle(this).cost.samples


# --- a part of the retain set ---


@every_scenario
def test_a_part_of_the_retain_set_is_a_task_s_own(tiny, scenario):
    this = task(tiny, scenario)
    retain = tiny.task_data(this).retain
    part = tiny.samples.retain_part(this, 100)
    rows = torch.isin(retain, part)
    assert int(rows.sum()) == len(part) == 100
    assert set(tiny.samples.truth[part].tolist()) == set(tiny.samples.truth[retain].tolist())
    assert tiny.samples.retain_part(this, len(retain)) is retain
    assert (
        tiny.samples.retain_part(replace(this, training=1, oracles=2, scored_on="dev"), 100).tolist() == part.tolist()
    )
    assert Workspace(TINY, tiny.store.folder.parent, CPU).samples.retain_part(this, 100).tolist() == part.tolist()

    model = tiny.original(this).model
    whole, some = tiny.outputs(model, this), tiny.outputs(model, this, retain_samples=100)
    torch.testing.assert_close(some["retain"].logits, whole["retain"].logits[rows])
    torch.testing.assert_close(some["forget"].logits, whole["forget"].logits)
    torch.testing.assert_close(some["heldout"].features, whole["heldout"].features)


def test_parts_differ_with_the_forget_set(tiny):
    parts = [tiny.samples.retain_part(task(tiny, RandomSamples(), seed), 100).tolist() for seed in range(3)]
    assert len(set(map(tuple, parts))) == 3


def epochs_of(workspace, this, retain_samples=None):
    """Every epoch of a run, and the weights at its end."""
    method = find("methods", "neg_grad_plus")(epochs=3, lr=0.02, alpha=0.3)
    families = ("accuracy", "mia_knn_train")
    run = run_unlearning(workspace, this, method, 0, families, retain_samples=retain_samples)
    epochs = [e.kept() for e in run]
    timed = "relative_run_time"
    return epochs, [{k: v for k, v in e.metrics.items() if k != timed} for e in epochs]


def test_as_many_retain_samples_as_there_are_change_nothing(learned, monkeypatch):
    this = task(learned, PartialClass())
    n = len(learned.task_data(this).retain)
    passed = []
    forward = learned._forward
    monkeypatch.setattr(learned, "_forward", lambda m, x, index: passed.append(len(index)) or forward(m, x, index))
    runs = {}
    for asked in (None, n, n + 1):
        epochs, metrics = epochs_of(learned, this, asked)
        assert [e.retain_samples for e in epochs] == [None] * 3
        assert epochs[0].whole() is epochs[0]
        runs[asked] = (metrics, [p.tolist() for p in epochs[-1].model.parameters()])
    assert runs[None] == runs[n] == runs[n + 1]
    assert len(set(passed)) == 1
    assert len(passed) == 1 + 3 * 3  # the oracle's once


@pytest.mark.parametrize("scenario", [PartialClass(), Confusion(fraction=0.4)])
def test_on_a_part_of_the_retain_set_gaps_are_to_the_oracle_there(learned, scenario):
    this = task(learned, scenario)
    _, on_all = epochs_of(learned, this)
    epochs, on_part = epochs_of(learned, this, 300)
    part = learned.samples.retain_part(this, 300)
    data = learned.task_data(this)
    rows = torch.isin(data.retain, part)
    correct = [
        (learned.outputs(model, this)["retain"].predictions == learned.samples.truth[data.retain]).double()
        for model in (epochs[1].model, learned.oracle(this).model)
    ]
    signed = 100 * float((correct[0] - correct[1])[rows].mean())
    assert on_part[1]["retain_gap"] == pytest.approx(abs(signed))
    assert on_part[1]["retain_accuracy"] == pytest.approx(100 * float(correct[0][rows].mean()))
    assert on_part[1]["retain_gap"] != on_all[1]["retain_gap"]
    for name in ("forget_accuracy", "forget_gap", "heldout_accuracy", "utility_gap", "relative_samples"):
        assert [m[name] for m in on_part] == [m[name] for m in on_all]
    again = [e.whole() for e in epochs]
    assert [{k: v for k, v in e.metrics.items() if k != "relative_run_time"} for e in again] == on_all
    assert [e.metrics["relative_run_time"] for e in again] == [e.metrics["relative_run_time"] for e in epochs]
    assert {len(e.outputs["retain"]) for e in again} == {len(data.retain)}


class OnceFrozen(FineTune):
    """FineTune that sets the modes of its layers before the first epoch, and never again."""

    def unlearn(self, model, data, rng):
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        optimizer, shuffle = self.optimizer(model), rng.generator("retain")
        step = data.step(model, optimizer)
        for _ in self.passes(optimizer):
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y)
            yield


def test_an_evaluation_between_epochs_leaves_each_layer_in_its_mode(tiny):
    """What is evaluated after each epoch in a sweep is what a request, which is not evaluated, ends with."""
    this, method = task(tiny, SCENARIOS["random"]), OnceFrozen(epochs=2, lr=0.1)
    *_, alone = unlearn_epochs(tiny, this, method, seed=3)
    *_, evaluated = run_unlearning(tiny, this, method, seed=3)
    assert same_state(alone.model, evaluated.model)


@compares_models
def now_and_then(model, oracle):
    """A value that only some oracles have."""
    moved = float((model.head.bias - oracle.head.bias).detach().abs().sum())
    return {"moved": moved} | ({} if moved else {"is_there": 1.0})


def test_a_distance_that_not_every_oracle_has_is_left_out(tiny):
    this = task(tiny, RandomSamples(), oracles=2)
    first, second = (tiny.oracle(this, number).model for number in range(2))
    half = now_and_then(first, second)["moved"] / 2
    assert tiny.oracle_distances(first, this, [f"{__name__}:now_and_then"]) == {"moved": pytest.approx(half)}


def test_models_are_normalised_by_the_data(tiny):
    model = tiny.new_model(0)
    pixels = tiny.data.train_images / 255

    assert model.mean.item() == pytest.approx(pixels.mean(), abs=1e-6)
    assert model.std.item() == pytest.approx(pixels.std(), abs=1e-6)


def test_sizes_are_checked(tiny):
    with pytest.raises(UnlearnError, match="forget size is fixed at"):
        tiny.task_data(Task(scenario=FullClass(), forget_size=3, forget_seed=0))


# --- what the scenarios are for ---


def values(workspace, this):
    original = measure(workspace.outputs(workspace.original(this).model, this), FAMILIES)
    return original, workspace.oracle_metrics(this, FAMILIES)


def test_confusion_confuses_the_original_alone(learned):
    original, oracle = values(learned, task(learned, Confusion(fraction=0.4)))

    assert original["forget_error"] > oracle["forget_error"] + 20
    assert original["fgt_error_heldout"] >= oracle["fgt_error_heldout"] + 3
    assert oracle["fgt_error_heldout"] <= 1
    assert oracle["ic_error_retain"] < 0.05


def test_the_original_knows_canaries_that_the_oracle_cannot_know(learned):
    original, oracle = values(learned, task(learned, Canary(canaries=20), size=40))

    assert original["forget_ood_accuracy"] > 80
    assert oracle["forget_ood_accuracy"] < 40
    assert oracle["forget_in_accuracy"] > 85


def test_an_oracle_without_a_class_never_names_it(learned):
    original, oracle = values(learned, task(learned, FullClass()))

    assert original["class_accuracy"] > 80
    assert oracle["class_accuracy"] == 0
    assert oracle["forget_accuracy"] == 0
    assert oracle["mia_confidence"] > 95


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_models_learn_under_either_precision(tmp_path, precision):
    recipe = Recipe(epochs=8, lr=0.1, batch_size=64, milestones=(7,))
    setting = Setting(model_options={"width": 4}, recipe=recipe, precision=precision)
    workspace = Workspace(setting, tmp_path, torch.device("cpu"))
    this = task(workspace, SCENARIOS["random"], size=60)
    assert measure(workspace.outputs(workspace.original(this).model, this), ["accuracy"])["retain_accuracy"] > 80
