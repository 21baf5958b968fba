"""`sweeps init` and `sweeps schema`: a sweep file to begin with, and what an editor knows of it."""

from __future__ import annotations

import json
import math
import re
import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from sweeps.cli.terminal import DONE, echo, errors_to_exit_code
from sweeps.cli.validate import validated
from sweeps.errors import SweepError
from sweeps.jobs.cache import Cache
from sweeps.spec.document import inline_yaml
from sweeps.spec.json_schema import json_schema
from sweeps.spec.schema import NAME
from unlearn.data import look_at, splits_of
from unlearn.errors import suggest
from unlearn.files import expanded, write_atomically
from unlearn.registry import keys

SCHEMA = "unlearn-sweeps.schema.json"
#: The share of a training set, or of a class, that the source paper forgets: 5,000 of 40,000 and 500 of 4,000.
SHARE = 1 / 8
#: Split as by default.
HELD_OUT, DEV = 0.2, 0.5
LEAST = 10  # samples to forget: below, an attack has too little to decide
SMALL = 5000  # training images up to which a narrow network and short recipes make sense


@dataclass(frozen=True)
class Asked:
    """What `sweeps init` was told, or asked for."""

    name: str
    data: str
    model: str | None = None


@errors_to_exit_code
def write_schema() -> int:
    """The JSON schema on stdout."""
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return DONE


@errors_to_exit_code
def init_sweep(name: str | None, data: str | None, model: str | None, *, force: bool) -> int:
    """Look at the data and write a commented sweep file that validates, with the schema beside it."""
    asked = Asked(_answer(name, "Name of the sweep", "my-sweep"), _answer(data, _DATA, "digits"), model)
    if not re.match(NAME, asked.name):
        raise SweepError(
            f"NAME must be letters, digits, '.', '_' and '-', beginning with a letter or a digit, got {asked.name!r}"
        )
    if asked.model is not None and asked.model not in keys("models") and ":" not in asked.model:
        raise SweepError(
            f"--model must be one of the models, got {asked.model!r}, {suggest(asked.model, keys('models'))}"
        )
    file = Path(f"{asked.name}.yaml")
    if file.exists() and not force:
        raise SweepError(f"{file} is there already\n  remedy: another name, or --force to write over it")
    text = sweep_file(asked)
    write_atomically(Path(SCHEMA), json.dumps(json_schema(), ensure_ascii=False).encode())
    write_atomically(file, text.encode())
    found = validated(str(file), [])
    echo(f"data: {found.data}")
    print(file)
    echo(f"look at it, then:  sweeps run {shlex.quote(str(file))} --dry-run")
    return DONE


_DATA = "Data: a folder with train/CLASS/ and test/CLASS/, an .npz file, or the name of a shipped data set"


def _answer(given: str | None, question: str, default: str) -> str:
    """What an option says, else the user at a terminal, else the default."""
    if given is not None:
        return given
    answer: str = typer.prompt(question, default=default, err=True) if sys.stdin.isatty() else default
    return answer


def sweep_file(asked: Asked) -> str:
    """A commented sweep file that fits the data.

    Raises:
        SweepError: the data cannot be used; the message has everything that is wrong with it.
    """
    dataset = _dataset(asked.data)
    options = {key: value for key, value in dataset.items() if key != "name"}
    try:
        seen = look_at(dataset["name"], Cache.at(None).folder / "data", options)
    except TypeError as error:
        raise SweepError(f"data {asked.data!r} needs options, which stand in the sweep file: {error}") from error
    if seen is None or seen.problems or seen.train_labels is None or seen.class_names is None:
        wrong = (seen.problems if seen is not None else ()) or ("it cannot be looked at before a run",)
        raise SweepError("\n  ".join([f"data {asked.data!r} cannot be used:", *wrong]))
    labels = seen.train_labels
    position, _ = max(Counter(labels.tolist()).items(), key=lambda item: (item[1], -item[0]))
    splits = splits_of(seen, held_out=HELD_OUT, dev=DEV, seed=0)
    parts, of_class = splits.sizes(labels), splits.sizes(labels, [position])
    small = parts["train"] <= SMALL
    held_out = 0 if seen.held_out is None else len(seen.held_out)
    return TEMPLATE.format(
        schema=SCHEMA,
        name=inline_yaml(asked.name),
        dataset=inline_yaml(dataset),
        seen=f"{len(labels) - held_out:,} training images of {len(seen.class_names)} classes",
        held_out=f"The images of {dataset['validation']} are held out"
        if held_out
        else "20 % of each class are held out",
        model=inline_yaml(_model(asked.model, small=small)),
        train=f"{parts['train']:,}",
        random=inline_yaml(_sizes(parts["train"], 2)),
        class_name=seen.class_names[position],
        in_class=f"{of_class['train']:,}",
        partial=inline_yaml({"target_class": seen.class_names[position], **_sizes(of_class["train"], 3)}),
        training=inline_yaml({"epochs": 40, "milestones": [30]} if small else {"epochs": 150, "milestones": [80]}),
        unlearning=inline_yaml({"epochs": 8 if small else 20}),
        trials=8 if small else 50,
    )


def _dataset(data: str) -> dict[str, Any]:
    """A data set's section: of a shipped name, an archive or a folder.

    Raises:
        SweepError: it is none of them.
    """
    path = expanded(data)
    if data in keys("data") and not path.is_dir():
        return {"name": data}
    if path.is_dir():
        return {"name": "image_folder", "root": str(path.absolute()), **_validation(path)}
    if path.is_file() and path.suffix == ".npz":
        return {"name": "arrays", "path": str(path.absolute())}
    raise SweepError(
        f"--data must be a folder, an .npz file or a shipped data set, got {data!r}, {suggest(data, keys('data'))}"
    )


def _validation(root: Path) -> dict[str, str]:
    """A folder beside `train` that has each of its classes, under one of the usual names; else training images are held out."""
    classes = {folder.name for folder in root.glob("train/*/")}
    for name in ("val", "valid", "validation"):
        if classes and classes == {folder.name for folder in root.glob(f"{name}/*/")}:
            return {"validation": name}
    return {}


def _model(key: str | None, *, small: bool) -> dict[str, Any]:
    if key is None:
        return {"name": "small_resnet", "width": 12} if small else {"name": "resnet18", "width": 64}
    return {"name": key}


def _sizes(samples: int, count: int) -> dict[str, Any]:
    """A size to tune at, and so many to report, each a fifth of the one before."""
    tuned = _round(samples * SHARE)
    smaller = [tuned // 5**i for i in range(1, count)]
    return {"tune_size": tuned, "sizes": [tuned, *(size for size in smaller if size >= LEAST)]}


def _round(size: float) -> int:
    """One leading digit, or 15, 25 …: a number that people would choose."""
    unit: int = 10 ** max(0, len(str(int(size))) - 1)
    return max(1, math.floor(size / unit * 2 + 0.5) * unit // 2)


TEMPLATE = """\
# yaml-language-server: $schema={schema}
# A sweep: every method is tuned by the same search, its winner evaluated on fresh forget sets. `sweeps run` reads this file.
name: {name}
dataset: {dataset} # {seen}
model: {model}

# How the original is trained, and every oracle: from scratch, without the forget set. {held_out} from it.
training: {training}
unlearning: {unlearning} # passes of each method; when each one stops is tuned

# What is forgotten: how many samples while tuning, and at which sizes the winners are reported.
scenarios:
  random: {random} # of {train} samples that the original trains on
  partial_class: {partial} # class {class_name} has {in_class} of them

# Those that compete; `sweeps methods` lists all. Ranges are shipped; your own: {{sure: {{lr: {{low: 1e-4, high: 1e-2}}}}}}
# oracle: retrained once more, the noise floor of every gap; original: nothing unlearned, what others have to improve on.
methods: [sure, scrub, finetune, neg_grad_plus, oracle, original]

search: {{trials: {trials}}} # of each method and scenario; its leaders are then confirmed on further forget sets
evaluation: {{seeds: 5}} # fresh forget sets at each size
"""
