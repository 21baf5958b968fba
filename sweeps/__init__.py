"""The search: many Optuna studies under one Ray Tune experiment. `load_spec`, `run` and `unlearn` are for notebooks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.api import load_spec, run, unlearn

__all__ = ["load_spec", "run", "unlearn"]


def __getattr__(name: str) -> Any:
    """What notebooks use, imported at its first use: commands that need none of it do not wait for it."""
    if name not in __all__:
        raise AttributeError(f"module 'sweeps' has no attribute {name!r}")
    from sweeps import api  # noqa: PLC0415  # see above

    return getattr(api, name)
