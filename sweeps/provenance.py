"""What a run of a sweep was made with: versions, commit, machine and time."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sweeps.secrets import mask
from sweeps.spec import Spec

PACKAGES = ("unlearn-sweeps", "torch", "torchvision", "optuna", "ray", "scikit-learn", "numpy")


def provenance(spec: Spec, before: Mapping[str, Any]) -> dict[str, Any]:
    """Versions, commit, machine and time of this run of a sweep, and every command that ran stages of it.

    Args:
        before: what the run before this one left.
    """
    command = shlex.join(["sweeps", *map(mask, sys.argv[1:])])
    earlier = before.get("commands") or filter(None, [before.get("command")])
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return {
        "versions": versions,
        "python": platform.python_version(),
        "commit": commit_of(Path(__file__)),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "seed": spec.seed,
        "last_started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": command,
        "commands": [*(c for c in earlier if c != command), command],
    }


def commit_of(file: Path) -> str | None:
    """The commit of the checkout that a file of this program belongs to.

    None where it is installed: an environment may lie in a checkout of something else.
    """
    try:
        belongs = _git(file.parent, "ls-files", "--error-unmatch", file.name)
        return belongs and _git(file.parent, "rev-parse", "HEAD")
    except (OSError, subprocess.TimeoutExpired):
        return None


def _git(folder: Path, *words: str) -> str | None:
    """What git answers there; None where it refuses."""
    command = ["git", "-C", str(folder), *words]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    return found.stdout.strip() if found.returncode == 0 else None
