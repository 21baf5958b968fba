"""What the shell completes: sweeps, methods and scenarios; nothing heavy is imported for a key that was pressed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def sweep_names(incomplete: str) -> list[str]:
    """Shipped sweeps, those run under `runs/`, and YAML files of this folder."""
    shipped = [path.stem for path in Path(str(files("search_spaces"))).glob("sweeps/*.yaml")]
    run = [path.parent.name for path in Path("runs").glob("*/spec.yaml")]
    here = [path.name for ending in ("yaml", "yml") for path in Path().glob(f"*.{ending}")]
    return sorted(name for name in {*shipped, *run, *here} if name.startswith(incomplete))


def method_names(incomplete: str) -> list[str]:
    """Methods, the last of several separated by commas."""
    return _last_of_list("methods", incomplete)


def scenario_names(incomplete: str) -> list[str]:
    """Scenarios, the last of several separated by commas."""
    return _last_of_list("scenarios", incomplete)


def _last_of_list(folder: str, incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    modules = Path(str(files("unlearn"))).glob(f"{folder}/[!_]*.py")
    return sorted(f"{before}{comma}{path.stem}" for path in modules if path.stem.startswith(last))
