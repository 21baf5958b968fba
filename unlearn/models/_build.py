"""Builds a model by its name: one of this package's, one of a library, or any network of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from unlearn.errors import ModelError
from unlearn.models._adapt import adapt
from unlearn.models._base import Classifier
from unlearn.registry import find

__all__ = ["build", "construct"]


def build(
    name: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    options: Mapping[str, Any],
    head: str | None = None,
) -> Classifier:
    """The model `name` with fresh weights; one that is no `Classifier` is made one (see `adapt`).

    Raises:
        UnlearnError: it cannot be had, or does not suit such images or so many classes.
    """
    made = construct(name, image_shape, num_classes, options)
    if not isinstance(made, Classifier):
        return adapt(made, image_shape, num_classes, head)
    if made.num_classes != num_classes:
        raise ModelError(f"{name} must have one logit for each of the {num_classes} classes, got {made.num_classes}")
    return made


def construct(name: str, image_shape: tuple[int, int, int], num_classes: int, options: Mapping[str, Any]) -> nn.Module:
    """What the component makes, from those of `image_shape` and `num_classes` that it takes, and its options.

    Raises:
        ModelError: that is no network.
        Exception: whatever its constructor raises.
    """
    make = find("models", name)
    given = {"image_shape": image_shape, "num_classes": num_classes}
    made = make(**{key: value for key, value in given.items() if _takes(make, key)}, **options)
    if not isinstance(made, nn.Module):
        raise ModelError(
            f"model {name} must be a class or function that makes a torch.nn.Module, got {type(made).__name__}"
        )
    return made


def _takes(make: Any, argument: str) -> bool:
    """Whether a component takes one of the arguments that the program itself passes; `**kwargs` take the number of classes."""
    parameters = inspect.signature(make).parameters
    if argument in parameters:
        return True
    return argument == "num_classes" and any(p.kind == p.VAR_KEYWORD for p in parameters.values())
