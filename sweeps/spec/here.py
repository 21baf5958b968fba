"""What the machine on which the driver is to run must have; and the places that a sweep file names."""

from __future__ import annotations

import importlib.util

from sweeps.errors import Problem, SpecError
from sweeps.spec.schema import Spec
from unlearn.data import LOCATIONS
from unlearn.shared import SharedFolder, ShareError, is_url


def check_here(spec: Spec, ray_address: str | None = None, *, runs: bool = True) -> None:
    """Refuse what this machine, on which the driver is to run, lacks: GPUs, loggers' packages, and those that URLs need.

    Args:
        ray_address: of the cluster that the trials will run on, which may have other GPUs; this machine by default.
        runs: whether trials are to run now at all.

    Raises:
        SpecError: with what to install.
    """
    wanted = {"tensorboard": ("tensorboardX", spec.logging.tensorboard), "mlflow": ("mlflow", spec.logging.mlflow)}
    problems = [
        Problem(f"logging.{extra}", f"needs the package {package}", "", f"pip install 'unlearn-sweeps[{extra}]'")
        for extra, (package, asked) in wanted.items()
        if asked and importlib.util.find_spec(package) is None
    ]
    for key, (place, _) in urls_of(spec).items():
        if key != "logging.mlflow":
            try:
                SharedFolder(place)
            except ShareError as error:
                problems.append(Problem(key, "must be a path, or a URL that fsspec can open", str(error)))
    if runs and ray_address is None and (lack := gpus_lacking(spec)):
        problems.append(lack)
    if problems:
        raise SpecError(spec.name, problems)


def gpus_lacking(spec: Spec) -> Problem | None:
    """That a trial asks for more GPUs than this machine has."""
    asked = spec.resources.gpus_per_trial
    if not asked:
        return None
    import torch  # noqa: PLC0415  # only where GPUs are asked for

    there = torch.cuda.device_count()
    if asked <= there:
        return None
    has = "none" if not there else str(there)
    remedy = "--gpus-per-trial 0 runs on the CPU; --ray-address runs on a cluster"
    return Problem(
        "resources.gpus_per_trial", f"must be ≤ the GPUs of this machine, which has {has}", f"{asked:g}", remedy
    )


def urls_of(spec: Spec) -> dict[str, tuple[str, str]]:
    """Every URL of a spec that is kept with it, and where the secrets for it belong."""
    fsspec = "give fsspec its credentials as it reads them by itself: environment, files"
    mlflow = "set $MLFLOW_TRACKING_USERNAME and $MLFLOW_TRACKING_PASSWORD, or let a tracking server hold the database's"
    places = {
        "cache": (spec.cache, fsspec),
        **{f"dataset.{key}": (spec.dataset.options.get(key), fsspec) for key in LOCATIONS},
        "logging.mlflow": (spec.logging.mlflow, mlflow),
    }
    return {key: (place, remedy) for key, (place, remedy) in places.items() if is_url(place) and isinstance(place, str)}
