"""A sweep on this machine: its folder, its storage, its frozen spec; running it, and what it leaves behind."""

from __future__ import annotations

import contextlib
import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage

from sweeps.errors import SweepError
from sweeps.folder import STORAGE_VARIABLE, SweepFolder
from sweeps.jobs.cache import Cache, check_writable
from sweeps.jobs.job import other_data, same_data
from sweeps.plan import Stage, make_plan
from sweeps.provenance import provenance
from sweeps.record import SweepRecord, load_sweep
from sweeps.secrets import mask
from sweeps.signals import interruptible
from sweeps.spec import (
    Facts,
    Sizes,
    Spec,
    check_here,
    check_sizes,
    continued,
    dump_yaml,
    facts,
    open_data,
    read_stored,
    stored_spec,
)
from sweeps.spec.compatibility import check_compatible, sections_of
from sweeps.spec.earlier import as_begun
from sweeps.storage import open_storage, storage_errors
from sweeps.storage.lease import Lease
from sweeps.storage.urls import local_file, storage_exists
from sweeps.studies.given import Params, warm_start
from sweeps.studies.multiplexer import DATA, Multiplexer
from sweeps.studies.retries import RetryFilter, no_trial
from sweeps.studies.trials import plain
from sweeps.text import clean_all
from unlearn.facts import component_facts
from unlearn.files import write_atomically

#: Of a sweep's study: every section that a run of it has had and that a later one may leave out.
SECTIONS = "sections"


@dataclass(frozen=True)
class Sweep:
    """One sweep and where it lives.

    Attributes:
        folder: what it leaves on disk: the spec, the storage unless it is elsewhere, and all output.
        url: of the storage.
    """

    spec: Spec
    folder: SweepFolder
    url: str

    @staticmethod
    def at(spec: Spec, runs: Path, storage: str | None = None) -> Sweep:
        """The sweep of `spec` under the folder `runs`, in the storage that `SweepFolder.storage` says.

        Raises:
            SweepError: the storage's URL lacks its password.
        """
        folder = SweepFolder(runs / spec.name)
        return Sweep(spec, folder, folder.storage(storage, spec.storage))

    @staticmethod
    def left(folder: SweepFolder, runs: Path, storage: str | None = None) -> Sweep:
        """The sweep as it was last run, by what it left in its folder under `runs`.

        Raises:
            SweepError: that cannot be read, or is the folder of another sweep.
        """
        spec = stored_spec(read_stored(folder.spec), str(folder.spec))
        folder.check_place(spec.name, runs)
        return Sweep.at(spec, runs, folder.storage_of_run(storage, spec.storage))

    @property
    def cache(self) -> Cache:
        return Cache.at(self.spec.cache)

    def check_storage(self, *, may_be_gone: bool = False) -> None:
        """Refuse another storage than the one that the sweep was run in, unless it was copied there.

        Args:
            may_be_gone: nothing is said of a file by option that is no longer where it was.

        Raises:
            SweepError: the storage has nothing of the sweep, and that of its last run may have.
        """
        if not self.folder.spec.is_file():
            return
        recorded = read_stored(self.folder.spec).get("storage")
        last = recorded or self.folder.own_storage
        if mask(self.url) == recorded and not self.exists and not may_be_gone:
            raise self._gone()
        if mask(self.url) == last or not storage_exists(last):
            return
        if self.exists and frozen_spec(self.open_to_read(), self.spec.name) is not None:
            return
        raise SweepError(
            f"sweep {self.spec.name!r} was run in the storage {last}, and {mask(self.url)} has nothing of it\n"
            f"  remedy: name that one by --storage or ${STORAGE_VARIABLE}, copy the sweep (docs/cluster.md#storage), or begin "
            "another under another name"
        )

    def check_study(self, storage: BaseStorage) -> None:
        """Refuse a name that another's study has in a shared storage: it would be written into, and deleted with the sweep.

        Raises:
            SweepError: there is a study of this name with trials, of which a sweep's own has none.
        """
        try:
            trials = storage.get_n_trials(storage.get_study_id_from_name(self.spec.name))
        except KeyError:
            return
        if trials:
            raise SweepError(
                f"the storage {mask(self.url)} has a study {self.spec.name!r} with trials, which is no sweep's\n"
                "  remedy: another name for the sweep (--set name=…), or another storage"
            )

    def prepare(self) -> BaseStorage:
        """Open the storage and make the folder; everything that can be refused is refused here.

        Raises:
            SweepError: the folder cannot be written, or the storage not opened.
        """
        check_writable(self.folder.path, "--runs")
        self.cache.prepare()
        return open_storage(self.url)

    @property
    def exists(self) -> bool:
        """Whether there is a storage to look into."""
        return storage_exists(self.url)

    def open_to_read(self) -> BaseStorage:
        """The storage of a sweep of which something has been run.

        Raises:
            SweepError: nothing yet.
        """
        if not self.exists and self.folder.spec.is_file():
            raise self._gone()
        if not self.exists:
            raise SweepError(
                f"nothing has been run of {self.spec.name!r} in {self.folder.path}; start with: sweeps run {self.spec.name}"
            )
        return open_storage(self.url, to_read=True)

    def _gone(self) -> SweepError:
        return SweepError(
            f"the storage {mask(self.url)} that the sweep {self.spec.name!r} was run in is not there\n"
            "  remedy: bring it back, type this where the sweep was run, or name the storage by --storage; or remove the sweep"
        )

    def record(self) -> SweepRecord:
        """What the storage holds of this sweep.

        Raises:
            SweepError: nothing yet.
        """
        return load_sweep(self.open_to_read(), self.spec.name)

    def continued(self, storage: BaseStorage | None = None) -> Sweep:
        """The same by the rules that it began with, where there is one already: an older version had others.

        Args:
            storage: its own, if that is open.

        Raises:
            SweepError: the storage cannot be opened.
        """
        if storage is None and not self.exists:
            return self
        before = frozen_spec(storage or self.open_to_read(), self.spec.name)
        return self if before is None else replace(self, spec=continued(self.spec, before))

    def checked_to_continue(self) -> Sweep:
        """`continued`, where what there is of the sweep can be gone on with.

        Raises:
            SpecError: the keys that differ from those that it began with, and may not.
        """
        self.check_storage()
        storage = self.open_to_read() if self.exists else None
        if storage is not None:
            self.check_study(storage)
        before = None if storage is None else frozen_spec(storage, self.spec.name)
        found = self.continued(storage)
        if before is not None:
            check_compatible(as_begun(before), found.spec.dump())
        return found

    def decided(self, tell: Callable[[str], object] = lambda text: None) -> tuple[Sweep, dict[str, Any] | None]:
        """The same with its precision decided where that is `auto`, and on which grounds."""
        if self.spec.precision != "auto":
            return self, None
        from sweeps.jobs import precision  # noqa: PLC0415  # torch comes with it

        decide = precision.decide_apart if self.spec.resources.gpus_per_trial else precision.decide_precision
        decision = decide(self.spec, self.cache, tell)
        tell(f"precision: {decision['chosen']}, as {decision['because']}")
        return replace(self, spec=precision.in_precision(self.spec, decision["chosen"])), decision

    def freeze(
        self, storage: BaseStorage, data: Facts | None = None, precision: Mapping[str, Any] | None = None
    ) -> None:
        """Write the resolved spec into storage and folder; against an existing one, only compatible changes are taken.

        Args:
            data: what to keep of the data set; None where that is known already.
            precision: on which grounds that was chosen; None where it was given, or is known already.

        Raises:
            SweepError: the storage holds this sweep with other data, models or ranges; the keys that differ are listed.
        """
        study = optuna.create_study(study_name=self.spec.name, storage=storage, load_if_exists=True)
        dump = self.spec.dump()
        dump.pop("storage", None)
        attrs = study.user_attrs
        before, last = frozen_spec(storage, self.spec.name), attrs.get("spec")
        begun = {} if before is None else as_begun(before)
        if begun:
            check_compatible(begun, dump)
            if begun.get("dataset") != dump["dataset"]:
                self._check_moved(attrs.get(DATA, ""))
        if attrs.get(SECTIONS) != (sections := sections_of(begun, dump)):
            study.set_user_attr(SECTIONS, sections)
        if last != dump:
            study.set_user_attr("spec", dump)
        if data is not None:
            study.set_user_attr("dataset", plain(asdict(data)))
        known = attrs.get("provenance", {})
        grounds = {} if precision is None else {"precision": plain(precision)}
        study.set_user_attr("provenance", known | grounds | clean_all(provenance(self.spec, known)))
        components = json.loads(json.dumps(self.spec.component_facts()))
        for name, found in (("measures", self._declared_measures()), ("components", components)):
            if attrs.get(name, []) != (cleaned := clean_all(found)):
                study.set_user_attr(name, cleaned)
        elsewhere = None if self.url == self.folder.own_storage else mask(self.url)  # a folder may be moved or copied
        text = dump_yaml({**dump, "storage": elsewhere}, stored=True)
        write_atomically(self.folder.spec, text.encode())

    def _check_moved(self, known: str) -> None:
        """Refuse data that lies elsewhere now and is other data than the `known`."""
        if not same_data(known, open_data(self.spec, self.cache.folder).identity):
            raise SweepError(other_data(platform.node()))

    def _declared_measures(self) -> list[dict[str, Any]]:
        """What the sweep's metrics say of their own values, for reports."""
        families = [*self.spec.metrics.every_epoch, *self.spec.metrics.best_epoch]
        return [dict(found) for family in families for found in component_facts("metrics", family).measures]

    @property
    def outputs(self) -> tuple[Path, Path]:
        """Where the best parameters and the report's page are, or will be."""
        return self.folder.best_params, self.folder.report / "index.html"


def run_sweep(
    sweep: Sweep,
    stages: Iterable[Stage],
    *,
    params: Params | None = None,
    retry: RetryFilter = no_trial,
    ray_address: str | None = None,
    verbose: bool = False,
    watch: Any = None,
    begins: Callable[[Multiplexer, Facts], object] = lambda studies, data: None,
    tell: Callable[[str], object] = lambda text: None,
) -> Multiplexer:
    """Run whatever is missing of the given stages; returns the studies as they then stand.

    Args:
        params: hyperparameters to evaluate instead of the searches' winners.
        retry: which trials that have ended are to be run once more.
        watch: a context manager factory `watch(studies)` under which the run is shown.
        begins: is called with the studies and what is known of the data, before anything is trained; not where this very
            sweep has been begun before.
        tell: takes a line on what is decided for the sweep.

    Raises:
        SweepError: bad input, or another driver at work.
        Interrupted: on SIGINT, SIGTERM or SIGHUP.
    """
    from sweeps.ray_tune.driver import run_studies  # noqa: PLC0415  # commands that only look do not wait for it

    if sys.flags.optimize > 1:
        raise SweepError(
            "a sweep cannot be run without docstrings, which Ray reads as it is imported\n"
            "  remedy: leave PYTHONOPTIMIZE out, or let it be 1 (python -O)"
        )
    check_here(sweep.spec, ray_address)
    stages = tuple(stages)
    first_points(sweep.spec, stages)  # a file that cannot be used is refused before anything is made
    with interruptible(), storage_errors():
        sweep.check_storage()
        storage = sweep.prepare()
        sweep.check_study(storage)
        with Lease(storage, sweep.spec.name, local_file(sweep.url)):
            sweep = sweep.continued(storage)
            data = None if already_checked(sweep, storage) else checked(sweep)
            sweep, grounds = sweep.decided(tell)
            first = first_points(sweep.spec, stages)
            sweep.freeze(storage, data, grounds)
            with sharing(sweep, data, ray_address, tell) as spec:
                studies = Multiplexer(make_plan(spec, stages), storage, params=params, warm_start=first, retry=retry)
                if data is not None:
                    begins(studies, data)
                with watch(studies) if watch is not None else contextlib.nullcontext():
                    run_studies(
                        studies, sweep.cache, folder=sweep.folder.tensorboard, ray_address=ray_address, verbose=verbose
                    )
    return studies


def first_points(spec: Spec, stages: Iterable[Stage]) -> list[Params]:
    """The warm start of searches; stages without any do not ask for its files.

    Raises:
        SpecError: a file cannot be used.
    """
    return warm_start(spec) if "search" in stages else []


@contextlib.contextmanager
def sharing(sweep: Sweep, data: Facts | None, ray_address: str | None, tell: Callable[[str], object]) -> Iterator[Spec]:
    """Within, trials share this machine's GPUs as `resources.mps` asks; yields the spec with how many share one.

    Args:
        data: what is known of it.
    """
    if sweep.spec.resources.mps is False:
        yield sweep.spec
        return
    if ray_address is not None:
        tell("GPUs: resources.mps has no effect on a cluster, whose nodes start MPS themselves (docs/cluster.md)")
        yield sweep.spec
        return
    from sweeps.jobs.sharing import shared  # noqa: PLC0415  # few sweeps ask for it

    folder = sweep.cache.folder

    def sizes() -> Sizes:
        return (data or facts(sweep.spec, open_data(sweep.spec, folder))).sizes

    with shared(sweep.spec, sizes, folder, tell) as spec:
        yield spec


def checked(sweep: Sweep) -> Facts:
    """What is kept of the data and of an original that is given; what a run would find wrong with them is refused here.

    Raises:
        SpecError: with everything that the data cannot give, or why the original cannot be used.
        DataError: the data cannot be read.
    """
    found = check_sizes(sweep.spec, sweep.cache.folder)
    if sweep.spec.original is None:
        return found
    from sweeps.jobs.original import look_at_original  # noqa: PLC0415  # torch comes with it

    return replace(found, original=str(look_at_original(sweep.spec, sweep.cache)))


def frozen_spec(storage: BaseStorage, name: str) -> dict[str, Any] | None:
    """The resolved spec that a sweep was last run with, and the sections that runs before had and it left out; None where
    nothing was."""
    try:
        attrs = optuna.load_study(study_name=name, storage=storage).user_attrs
    except KeyError:
        return None
    last: dict[str, Any] | None = attrs.get("spec")
    return last if last is None else {**last, **sections_of(attrs.get(SECTIONS, {}), last)}


def already_checked(sweep: Sweep, storage: BaseStorage) -> bool:
    """Whether this very spec has been run before, so that its sizes are known to fit the data, and the data is described."""
    try:
        attrs = optuna.load_study(study_name=sweep.spec.name, storage=storage).user_attrs
    except KeyError:
        return False
    dump = sweep.spec.dump()
    dump.pop("storage", None)
    return "dataset" in attrs and bool(attrs.get("spec") == dump)
