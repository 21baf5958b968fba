"""What the options of a command say, and the sweep that they mean."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.folder import SweepFolder
from sweeps.record.commands import place_of
from sweeps.spec import load_spec, load_stored, read_stored, shipped_sweeps
from sweeps.sweep import Sweep


@dataclass(frozen=True)
class Options:
    """What the options of a command say."""

    sweep: str
    runs: Path
    storage: str | None = None
    overrides: list[str] | None = None
    methods: str | None = None
    scenarios: str | None = None
    workers: int | None = None
    gpus_per_trial: float | None = None
    ray_address: str | None = None
    verbose: bool = False
    quiet: bool = False

    def load(self) -> Sweep:
        """The sweep as asked for: of a shipped name or a file, else as it was last run under this name.

        One that is there already goes on by the rules that it began with.
        """
        known = self.sweep in shipped_sweeps() or Path(self.sweep).is_file()
        if not known and self._last_run is None and Path(self.sweep).suffix not in {".yaml", ".yml"}:
            raise self._unknown()
        return self._load(None if known else self._last_run).continued()

    def find(self) -> Sweep:
        """The sweep as it was last run, from its own folder; else as its file says."""
        if self._last_run is not None:
            return Sweep.left(SweepFolder(self._last_run.parent), self.runs, self.storage)
        sweep = self.load()
        if sweep.folder.spec.is_file() and sweep.spec.name != self.sweep:
            return Options(sweep.spec.name, self.runs, self.storage).find()
        return sweep

    def _unknown(self) -> SweepError:
        here = sorted(path.parent.name for path in self.runs.glob("*/spec.yaml"))
        near = difflib.get_close_matches(self.sweep, [*here, *shipped_sweeps()], n=1)
        return SweepError(
            f"unknown sweep {self.sweep!r}{f', did you mean {near[0]!r}?' if near else ''}\n"
            f"  run before, in {self.runs}: {', '.join(here) or 'none'}\n"
            f"  shipped: {', '.join(shipped_sweeps())}\n"
            "  or give the path of a YAML file"
        )

    @property
    def _last_run(self) -> Path | None:
        """The sweep file that a sweep of this name left in its folder."""
        frozen = SweepFolder(self.runs / self.sweep).spec
        return frozen if frozen.is_file() else None

    def _load(self, frozen: Path | None) -> Sweep:
        overrides = list(self.overrides or [])
        if self.workers is not None:
            overrides.append(f"resources.workers={self.workers}")
        if self.gpus_per_trial is not None:
            overrides.append(f"resources.gpus_per_trial={self.gpus_per_trial}")
        chosen = {"methods": _names("methods", self.methods), "scenarios": _names("scenarios", self.scenarios)}
        spec = load_stored(frozen, overrides, **chosen) if frozen else load_spec(self.sweep, overrides, **chosen)
        if frozen and read_stored(frozen).get("name") == spec.name:
            SweepFolder(frozen.parent).check_place(spec.name, self.runs)
        return Sweep.at(spec, self.runs, self.storage)

    @property
    def word(self) -> str:
        """The sweep as a follow-up command names it: as it was typed, or by the name that `--set name=…` gave it."""
        names = [value.strip() for key, _, value in (o.partition("=") for o in self.overrides or []) if key == "name"]
        return shlex.quote(names[-1] if names else self.sweep)

    @property
    def place(self) -> list[str]:
        """The options that say where the sweep lies, which a follow-up command needs too."""
        return place_of(self.runs, self.storage)

    @property
    def tail(self) -> str:
        """The same as one would type them."""
        return "".join(f" {shlex.quote(word)}" for word in self.place)


def _names(what: str, text: str | None) -> list[str] | None:
    """The names that an option lists; None where it is left out.

    Raises:
        SweepError: it lists none.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise SweepError(f"--{what} must name at least one of the sweep's {what}, got {text!r}: leave it out for all")
    return names
