"""The sections and keys of a sweep file."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PrivateAttr, Tag

from sweeps.objective import AVERAGE_GAPS, ObjectiveName
from sweeps.spec.space import Range, Scale, Space
from unlearn.facts import ComponentFacts, component_facts

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"

#: The largest whole number that every reader of JSON keeps exactly.
LARGEST = 2**53
#: Seeds of forget sets: those of each training begin so far apart.
TRAINING_SEEDS = 1_000_000
#: Names of the two forms of a method's entry, in the schema only.
RANGE, VALUE = "<range>", "<value>"
#: Likewise, of `held_out`, and of `search.retain_samples`.
SHARE, FILE = "<share>", "<file>"
COUNT, ALL = "<count>", "<all>"

Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Repeats = Annotated[int, Field(ge=1, le=10_000)]
Size = Annotated[int, Field(ge=1, le=LARGEST)]
Seed = Annotated[int, Field(ge=0, le=LARGEST)]
#: What a method or scenario is called in reports.
PrintedName = Annotated[str, Field(min_length=1, max_length=40)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Sampler = Literal["auto", "tpe", "gp", "cma_es", "nsga2", "random", "grid", "qmc"]
Pruner = Literal["none", "median", "successive_halving", "hyperband", "wilcoxon"]


class Part(BaseModel):
    """A section of the file: unknown keys are refused, and a string is never taken for a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Component(Part):
    """A data set or model by key, with its own options beside `name`.

    Attributes:
        name: a shipped key, or `package.module:Name` for one of your own. Its options stand beside it.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Normalise(Part):
    """What the first layer subtracts from pixels in [0, 1], and divides them by: per channel, or one value for all.

    Attributes:
        mean: one number, or one for each channel.
        std: likewise.
    """

    mean: Annotated[list[float], Field(min_length=1)]
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]


class ModelSpec(Component):
    """A model by key, with its own options beside these.

    Attributes:
        head: name of the linear layer that gives the logits of a network from elsewhere; found where it is left out.
        normalise: by the data set's own mean and deviation where it is left out.
    """

    head: str | None = None
    normalise: Normalise | None = None


class Original(Part):
    """An original model that is trained already.

    Attributes:
        weights: its checkpoint, `.safetensors` or what `torch.save` wrote of a state dict.
    """

    weights: Annotated[str, Field(min_length=1)]


class RangeSpec(Part):
    """Bounds of one searched hyperparameter, in true units.

    Attributes:
        low, high: the ends of the range, both within it.
        scale: how it is searched: evenly, in the logarithm, in the logarithm of 1 − value, or over powers of two.
    """

    low: int | float
    high: int | float
    scale: Scale = "linear"


def _form(entry: object) -> str:
    return RANGE if isinstance(entry, dict | RangeSpec) else VALUE


#: A hyperparameter in a method's section: a range to search, or one value.
Entry = Annotated[
    Annotated[RangeSpec, Tag(RANGE)] | Annotated[float | int | bool, Tag(VALUE)],  # an int stays one
    Discriminator(_form),
]


def _share(value: object) -> str:
    return FILE if isinstance(value, str) else SHARE


#: Which training images no model is trained on: a fraction of each class, or a file of their ids.
HeldOut = Annotated[
    Annotated[Fraction, Tag(SHARE)] | Annotated[str, Field(min_length=1), Tag(FILE)], Discriminator(_share)
]


def _count(value: object) -> str:
    return ALL if value == "all" else COUNT


#: On how many samples something is measured.
Samples = Annotated[Annotated[Size, Tag(COUNT)] | Annotated[Literal["all"], Tag(ALL)], Discriminator(_count)]


class Training(Part):
    """The recipe of originals and oracles (the paper's by default): SGD with momentum.

    Attributes:
        epochs: passes over the training set.
        lr: the learning rate, before any milestone.
        momentum: of SGD.
        weight_decay: of SGD.
        batch_size: samples of a step.
        milestones: epochs after which the learning rate is multiplied by 0.1.
        augment: `flip_crop` mirrors images and crops them at random after padding them by 4 pixels; none by default.
    """

    epochs: Positive = 150
    lr: Annotated[float, Field(gt=0)] = 0.01
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    batch_size: Positive = 256
    milestones: list[Positive] = [80]
    augment: Literal["flip_crop"] | None = None

    @property
    def as_method(self) -> dict[str, Any]:
        """The recipe under the names of a method that trains from scratch."""
        recipe = self.model_dump(exclude_none=True)
        return {**recipe, "retain_batch_size": recipe.pop("batch_size")}


class Unlearning(Part):
    """What all methods share unless their own sections say otherwise; one with `milestones`, as `oracle` has, takes `training`.

    Attributes:
        epochs: passes over the retain set, unless a method says otherwise.
        momentum: of SGD.
        weight_decay: of SGD.
        retain_batch_size: samples of the retain set in a step.
    """

    epochs: Positive = 20
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    retain_batch_size: Positive = 256


class ScenarioSpec(Part):
    """One scenario: its key (the section's own name by default), the size tuned at, the sizes reported, its own options.

    Attributes:
        scenario: which one it is, where the section has a name of your own: `two_classes: {scenario: confusion, …}`.
        label: what it is called in reports, instead of the section's name.
        tune_size: samples to forget in the search and the confirmation; left out where the scenario fixes the size.
        sizes: samples to forget in the evaluation, each size reported apart.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)

    scenario: str | None = None
    label: PrintedName | None = None
    tune_size: Size | None = None
    sizes: Annotated[list[Size], Field(min_length=1)] | None = None

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class ObjectiveSpec(Part):
    """What a search minimises, and which gaps enter `average_gap`.

    Attributes:
        name: the mean of the gaps, the tug-of-war of the paper, or utility against forgetting (two directions).
        gaps: those that enter `average_gap`, as far as the scenario has them.
    """

    name: ObjectiveName = "average_gap"
    gaps: Annotated[list[str], Field(min_length=1)] = list(AVERAGE_GAPS)


class Metrics(Part):
    """Metric families measured every epoch, and those costly enough to be measured at the best epoch only.

    Attributes:
        every_epoch: those that have a curve; the objective needs its own among them.
        best_epoch: those measured at the epoch that counts only.
    """

    every_epoch: list[str] = ["accuracy", "mia_loss"]
    best_epoch: list[str] = []


class Round(Part):
    """One round of the confirmation: so many leaders run on so many further tuning forget sets.

    Attributes:
        leaders: how many of the best so far.
        sets: on how many further forget sets each of them runs.
    """

    leaders: Repeats
    sets: Repeats


#: The confirmation by default: `docs/search.md` has the evidence.
ROUNDS = (Round(leaders=4, sets=1), Round(leaders=2, sets=2))


def _rounds(given: Any) -> Any:
    """`none` is no round; `{top: 3, seeds: 3}`, as it was written before there were rounds, is one."""
    if given is None or given == "none":
        return []
    if isinstance(given, dict) and given.keys() <= {"top", "seeds"}:
        return [{"leaders": given.get("top", 3), "sets": given.get("seeds", 3)}]
    return given


class Search(Part):
    """The budget of each method's search, equal for all, and how its points are chosen.

    Attributes:
        trials: the most trials of one search.
        sampler: Optuna's sampler; `auto` is GP while fewer than 250 trials are finished and nothing is pruned, else TPE; `grid`
            goes, after the warm start, through a regular grid of at least `trials` points, evenly spread from the beginning on.
        pruner: Optuna's pruner, which stops hopeless trials early.
        startup_trials: so many first points are spread evenly (Sobol's sequence), the warm start's among them, before the sampler
            begins; by default a third of `trials`, 4 to 10.
        max_retries: how often a trial is run again whose worker died.
        samples: if given, no further trial starts once a search has passed so many samples forward and backward.
        warm_start: where first points come from: `published`, or paths of best-params files, as they are when a search
            begins; a value that a range does not hold becomes the nearest that it holds.
        confirm: rounds in which the search's leaders are thinned out on further tuning forget sets; none: the search's best wins.
        forget_seed: seed of the tuning forget set; those of `confirm` follow it.
        retain_samples: on how many of the retain set each epoch of a search is measured, class by class in proportion, the same
            ones for all methods; the epoch that counts is measured on all (docs/search.md).
    """

    trials: Positive = 50
    samples: Annotated[float, Field(gt=0)] | None = None
    sampler: Sampler = "auto"
    pruner: Pruner = "none"
    startup_trials: Positive | None = None
    warm_start: list[str] = ["published"]
    confirm: Annotated[list[Round], BeforeValidator(_rounds)] = list(ROUNDS)
    forget_seed: Seed = 1000
    max_retries: Annotated[int, Field(ge=0, le=1000)] = 2
    retain_samples: Samples = 5000

    @property
    def retain_count(self) -> int | None:
        """`retain_samples` as a number; None: all."""
        return None if self.retain_samples == "all" else self.retain_samples

    @property
    def seeds(self) -> range:
        """The seeds of the tuning forget sets: the search's, then the confirmation's."""
        return range(self.forget_seed, self.forget_seed + 1 + sum(part.sets for part in self.confirm))


class ReferencesSpec(Part):
    """The models that gaps are measured to.

    Attributes:
        oracles: of how many oracles of one forget set, trained alike from other seeds, evaluation and sensitivity take the mean
            values. Search and confirmation have one oracle for each of their forget sets.
    """

    oracles: Annotated[int, Field(ge=1, le=100)] = 3


class EvaluationSpec(Part):
    """The winners on fresh forget sets: three seeds, of the training, of the forget set and of the run, each of its own.

    Attributes:
        seeds: how many forget sets at each size, for each training; of a scenario that has but one, how many runs on it.
        trainings: how many originals with oracles of their own; the first is the one that was searched on.
        runs: how many unlearning runs on each forget set.
        epochs: `stop`: a run ends at its stop epoch, and nothing is known in hindsight.
        keep_models: whether each run's unlearned model is kept in the cache, as it is at the epoch that counts.
    """

    seeds: Repeats = 5
    trainings: Annotated[int, Field(ge=1, le=1000)] = 1
    runs: Annotated[int, Field(ge=1, le=1000)] = 1
    epochs: Literal["all", "stop"] = "all"
    keep_models: bool = False

    def forget_seeds(self, training: int) -> range:
        """The seeds of a training's forget sets: a function of their numbers alone, so that more of either extend a sweep."""
        return range(training * TRAINING_SEEDS, training * TRAINING_SEEDS + self.seeds)


class Sensitivity(Part):
    """A grid of ±span round the best lr and alpha, or two other hyperparameters; methods that do not search both are left out.

    Attributes:
        enabled: whether it is run.
        methods: of which methods; all that search both hyperparameters by default.
        x, y: the two hyperparameters, real numbers that the methods search.
        span: how far to each side, as a fraction of the best value.
        points: along each side of the grid.
        repeats: how often the centre is run, each time with another run seed: what a cell's change is to be told from.
    """

    enabled: bool = True
    methods: list[str] | None = None
    x: str = "lr"
    y: str = "alpha"
    span: Fraction = 0.2
    points: Annotated[int, Field(ge=3, le=1000)] = 5
    repeats: Annotated[int, Field(ge=1, le=1000)] = 3


class Resources(Part):
    """Workers: how many trials run at once, and what each takes.

    Attributes:
        workers: trials at once; by default one a core, or as many as the GPUs have room for.
        cpus_per_trial, gpus_per_trial: what Ray sets aside for each; a fraction of a GPU shares it.
        custom: Ray's custom resources, by name, of which each trial takes so much.
        trial_timeout: seconds after which the worker of a trial is ended, and the trial fails for good.
        cuda_graphs: whether GPUs repeat gradient steps by themselves, recorded as CUDA graphs, where that gives the same weights:
            `auto` those of this package's own methods and networks, `true` all.
        mps: `auto` lets trials that share a GPU of this machine compute on it at the same time, by NVIDIA's Multi-Process
            Service, which the run begins and ends; with `gpus_per_trial: 1` as many share one as are fastest together.
    """

    workers: Positive | None = None
    cpus_per_trial: Annotated[float, Field(gt=0)] = 1
    gpus_per_trial: Annotated[float, Field(ge=0)] = 0
    custom: dict[str, Annotated[float, Field(gt=0)]] = {}
    trial_timeout: Annotated[float, Field(gt=0)] | None = None
    cuda_graphs: Literal[True, False, "auto"] = "auto"
    mps: Literal["auto", False] = False


class Logging(Part):
    """What else shows every trial while it runs, by Ray Tune's callbacks.

    Attributes:
        tensorboard: event files in the sweep's folder, under `tensorboard/`.
        mlflow: a tracking URI: http://HOST:PORT, or sqlite:///PATH.
    """

    tensorboard: bool = False
    mlflow: Annotated[str, Field(min_length=1)] | None = None


class Spec(Part):
    """A whole sweep. Names are resolved and ranges filled in by `sweeps.spec.load_spec`.

    Attributes:
        format: of this file; may be left out.
        rules: how forget sets are drawn, grids are laid and costs are counted; 1 is what sweeps of older versions began with, and
            go on by.
        name: of the sweep: its folder under `runs/` and the first part of its studies' names.
        seed: everything that is drawn follows from it.
        dataset: what is learnt, by key: `digits`, or `{name: image_folder, root: /data/birds}`.
        model: the network, by key: `resnet18`, or `{name: resnet18, width: 64}`.
        original: a model that is trained already, to start from; left out, one is trained.
        held_out: the fraction of each class that is kept from training, as validation images; or a file of their ids.
        dev: the fraction of those on which a strict search is scored; methods never see them.
        precision: arithmetic of forward passes; `bfloat16` is autocast. `auto` is decided by a check when the sweep is
            first run, and stays (docs/precision.md).
        training: the recipe of originals and oracles.
        unlearning: what all methods share.
        protocol: `strict` tunes on dev images and reports at a stop epoch known beforehand; `paper` does both on the test set, in
            hindsight.
        scenarios: what is forgotten, by name.
        methods: those that compete, each with ranges and values of its own where the shipped ones shall not do; `label` in a
            method's section is what it is called in reports.
        labels: the same labels, by method, as the resolved file has them.
        objective: what a search minimises.
        metrics: what is measured.
        search: how each method is tuned.
        references: the models that gaps are measured to.
        evaluation: the winners on fresh forget sets.
        sensitivity: how much depends on lr and alpha, or two others.
        resources: what runs where.
        logging: what else shows the trials.
        files: SHA-256 of each file that the sweep reads once more where it runs, by its key; filled in where it is left out.
        code: SHA-256 of the code of a network from elsewhere, as `model`; filled in where it is left out.
        storage: URL of the Optuna storage; a file in the sweep's folder by default.
        cache: folder or URL of trained models; `~/.cache/unlearn-sweeps` by default.
    """

    format: Literal["unlearn-sweeps/sweep/1"] = "unlearn-sweeps/sweep/1"
    rules: Literal[1, 2] = 2
    name: Annotated[str, Field(pattern=NAME, max_length=100)]
    seed: Seed = 0
    dataset: Component
    model: ModelSpec
    original: Original | None = None
    held_out: HeldOut = 0.2
    dev: Fraction = 0.5
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    training: Training = Training()
    unlearning: Unlearning = Unlearning()
    protocol: Literal["strict", "paper"] = "strict"
    scenarios: Annotated[dict[str, ScenarioSpec], Field(min_length=1)]
    methods: Annotated[dict[str, dict[str, Entry]], Field(min_length=1)]
    labels: dict[str, PrintedName] | None = None
    objective: ObjectiveSpec = ObjectiveSpec()
    metrics: Metrics = Metrics()
    search: Search = Search()
    references: ReferencesSpec = ReferencesSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    sensitivity: Sensitivity = Sensitivity()
    resources: Resources = Resources()
    logging: Logging = Logging()
    storage: str | None = None
    cache: str | None = None
    files: dict[str, str] | None = None
    code: dict[str, str] | None = None
    _kept: dict[tuple[str, str], ComponentFacts] = PrivateAttr(default_factory=dict)

    @property
    def axes(self) -> tuple[str, str]:
        """The hyperparameters that sensitivity grids vary."""
        return self.sensitivity.x, self.sensitivity.y

    def scenario_key(self, label: str) -> str:
        """The registered scenario behind a section's label."""
        return self.scenarios[label].scenario or label

    def facts(self, folder: str, key: str) -> ComponentFacts:
        """What is known of one of the sweep's components: as it was when it was run, else as it is."""
        return self._kept.get((folder, key)) or component_facts(folder, key)

    def component_facts(self) -> dict[str, dict[str, Any]]:
        """The facts of methods and scenarios that a record of the sweep is read by, {folder: {key: facts}}."""
        keys = {"methods": self.methods, "scenarios": map(self.scenario_key, self.scenarios)}
        return {folder: {key: self.facts(folder, key).dump() for key in of} for folder, of in keys.items()}

    def keep_facts(self, kept: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        """Take facts as `component_facts` gave them, so that no component need be imported, or even be there."""
        for folder, of in kept.items():
            self._kept |= {(folder, key): ComponentFacts.load(facts) for key, facts in of.items()}

    def space(self, method: str) -> Space:
        """The ranges that are searched and the values that are fixed, for one method."""
        types = self.facts("methods", method).options
        ranges, fixed = [], {}
        shared = self.training.as_method if "milestones" in types else self.unlearning.model_dump()
        for name, entry in {**{k: v for k, v in shared.items() if k in types}, **self.methods[method]}.items():
            if isinstance(entry, RangeSpec):
                ranges.append(Range(name, entry.low, entry.high, entry.scale, plain_type(types[name]) is int))
            else:
                fixed[name] = entry
        return Space(tuple(ranges), fixed)

    def dump(self) -> dict[str, Any]:
        """The resolved file as plain data, readable back by `sweeps.spec.load_spec`."""
        return self.model_dump(mode="json", exclude_none=True)


def plain_type(hint: Any) -> Any:
    """A type without what annotates it."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
