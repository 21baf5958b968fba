"""How many trials are to share a GPU: by how fast processes that share one by MPS train a sweep's network together."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from sweeps.jobs.child import command_of
from sweeps.jobs.mps import served_by_mps
from sweeps.jobs.speed import (
    FORWARD_SHARE,
    MOST_SECONDS,
    READY,
    Speed,
    asked_for,
    is_shared,
    kept_facts,
    measurement_file,
)
from sweeps.spec import Sizes, Spec
from unlearn.files import write_atomically

__all__ = ["Sharing", "shared", "speed_of_sharing"]

#: Of the file that is kept.
KIND = "-sharing"
#: So many trials on a GPU are tried.
COUNTS = (1, 2, 4)
#: For so long in each round, but for what comes before a step is repeated.
ROUND_SECONDS = 1.5
#: More of them must be so much faster together.
GAIN = 1.05
#: And take no more of its memory than this part while they only train: data, attacks and references come on top.
MEMORY = 0.5


@dataclass(frozen=True)
class Sharing:
    """What processes that train at once on a GPU do.

    Attributes:
        rates: images a second of all together, by their number (as text, as JSON has it).
        memory: of the GPU's, the part that each takes.
        weights: bytes of a stored model.
    """

    rates: dict[str, float]
    memory: float
    weights: int

    def best(self, most: int) -> int:
        """The smallest number of trials that none beats by `GAIN`, of up to `most` whose networks leave memory for the rest."""
        fit = [
            count for count in COUNTS if count <= most and count * self.memory <= MEMORY and str(count) in self.rates
        ]
        fastest = max((self.rates[str(count)] for count in fit), default=0)
        return next((count for count in fit if fastest < GAIN * self.rates[str(count)]), 1)

    @property
    def told(self) -> str:
        """The rates as a clause."""
        rates = ", ".join(f"{count}: {rate:,.0f}" for count, rate in self.rates.items())
        return f"images a second by trials at once: {rates}"


@contextlib.contextmanager
def shared(spec: Spec, sizes: Callable[[], Sizes], cache: Path, tell: Callable[[str], object]) -> Iterator[Spec]:
    """Within, trials of this machine share its GPUs as `resources.mps` asks; yields the spec with how many share one.

    Args:
        sizes: of the data set, where they are needed.
        cache: its folder: what was measured is kept for a day.
        tell: takes a line on what was chosen.
    """
    if not is_shared(spec):
        yield spec
        return
    with contextlib.ExitStack() as mps:
        if (lack := mps.enter_context(served_by_mps())) is not None:
            tell(f"GPUs: kernels of several trials do not run at the same time (resources.mps), as {lack}")
        elif spec.resources.gpus_per_trial == 1:
            spec = _divided(spec, sizes, cache, tell)
            if spec.resources.gpus_per_trial == 1:
                mps.close()  # nothing is shared; and where no process could train, the daemon may be why
        yield spec


def _divided(spec: Spec, sizes: Callable[[], Sizes], cache: Path, tell: Callable[[str], object]) -> Spec:
    """The spec with as many trials on a GPU as are fastest."""
    if (most := _most(spec)) < COUNTS[1]:
        return spec
    known = sizes()
    file = measurement_file(cache, spec, known, KIND)
    found = _kept(file) or _measured(asked_for(spec, known), file)
    if found is None:
        tell("GPUs: each trial has one to itself (resources.mps), as the network could not be tried out on one")
        return spec
    count = found.best(most)
    each = "each trial has one to itself" if count == 1 else f"{count} trials share each"
    tell(f"GPUs: {each} (resources.mps); {found.told}")
    return spec.model_copy(
        update={"resources": spec.resources.model_copy(update={"gpus_per_trial": 1 / count})},
    )


def _most(spec: Spec) -> int:
    """How many trials a GPU may have, by what else they take on this machine and by how many are wanted."""
    import torch  # noqa: PLC0415  # only where GPUs are asked for

    gpus = max(1, torch.cuda.device_count())
    at_once = len(os.sched_getaffinity(0)) / spec.resources.cpus_per_trial
    return math.ceil(min(spec.resources.workers or math.inf, at_once) / gpus)


def speed_of_sharing(spec: Spec, sizes: Sizes, cache: Path) -> Speed | None:
    """What one of the trials takes that share a GPU of this machine, where that was measured."""
    if not is_shared(spec) or spec.resources.gpus_per_trial > 1:
        return None
    count = round(1 / spec.resources.gpus_per_trial)
    found = _kept(measurement_file(cache, spec, sizes, KIND))
    if found is None or str(count) not in found.rates:
        return None
    step = count / found.rates[str(count)]
    return Speed(step, FORWARD_SHARE * step, found.weights, f"measured with {count} at once on a GPU")


def _kept(file: Path) -> Sharing | None:
    facts = kept_facts(file)
    with contextlib.suppress(TypeError):
        return None if facts is None else Sharing(**facts)
    return None


def _measured(asked: Mapping[str, Any], file: Path) -> Sharing | None:
    """Let one process train, then two at once, then four; keep the result in a file."""
    rates: dict[str, float] = {}
    answers: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError, ValueError, KeyError):
        begun = [stack.enter_context(_Trainee(asked)) for _ in range(COUNTS[-1])]
        late = Timer(MOST_SECONDS, _kill, [begun])
        stack.callback(late.cancel)
        late.start()
        ready = [trainee for trainee in begun if trainee.is_ready()]  # where memory is short not all are
        for count in COUNTS:
            if count > len(ready):
                break
            for trainee in ready[:count]:
                trainee.train()
            answers = [trainee.answer() for trainee in ready[:count]]
            rates[str(count)] = sum(1 / answer["step"] for answer in answers)
    if not rates:
        return None  # whatever is wrong with the model, the run itself says it
    found = Sharing(rates, answers[0]["memory"] / len(ready), answers[0]["weights"])
    with contextlib.suppress(OSError):  # nothing hangs on its being kept
        write_atomically(file, json.dumps(asdict(found)).encode())
    return found


def _kill(trainees: list[_Trainee]) -> None:
    for trainee in trainees:
        trainee.kill()


class _Trainee:
    """A process with a network on a GPU, which trains it whenever it is told to."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        command, pipe = command_of("sweeps.jobs.measuring"), subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        self._write({**asked, "rounds": ROUND_SECONDS})

    def __enter__(self) -> _Trainee:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.communicate()

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()

    def is_ready(self) -> bool:
        """Whether it can train, which it is waited for."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip() == READY

    def train(self) -> None:
        """Let it begin; `answer` waits for the end."""
        self._write("train")

    def answer(self) -> dict[str, Any]:
        """How it went."""
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def _write(self, message: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
