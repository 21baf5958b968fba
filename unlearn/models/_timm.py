"""timm's classifiers by their own names: `timm:resnet18`. The package is an optional one."""

from __future__ import annotations

from typing import Any

from torch import nn

from unlearn.errors import ComponentError, UnknownNameError

__all__ = ["named"]


def named(name: str) -> Any:
    """The function that makes timm's classifier `name`, without weights.

    Raises:
        UnknownNameError: there is no such classifier.
        ComponentError: timm is not installed.
    """
    try:
        import timm  # noqa: PLC0415  # an optional package
    except ModuleNotFoundError as error:
        reason = (
            "needs the package timm" if error.name == "timm" else f"needs the package {error.name}, which timm imports"
        )
        raise ComponentError(f"timm:{name}", reason, "pip install 'unlearn-sweeps[timm]'") from error
    if not timm.is_model(name):
        raise UnknownNameError("model of timm", name, timm.list_models())

    def make(image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> nn.Module:
        network: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=num_classes, in_chans=image_shape[0], **options
        )
        return network

    make.__doc__ = f"timm's {name}."
    return make
