"""The slots of a pool of workers: which one gets the next trial, and which to leave alone for a while."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

REST_SECONDS = 10.0


@dataclass
class Slot:
    """One place for a worker; every worker that it gets is a new generation, under a new name.

    Attributes:
        proven: its worker has done a trial and waits for the next.
        rests_until: when it may be tried again after no worker could be started in it.
    """

    number: int
    generation: int = 0
    proven: bool = False
    rests_until: float = 0.0


class Slots:
    """`count` slots; those whose worker waits are used before those where one would have to be started."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._run = uuid.uuid4().hex[:8]
        self._free = [Slot(number) for number in range(count)]
        self._taken: dict[str, Slot] = {}

    @property
    def idle(self) -> bool:
        """Whether a worker waits for a trial."""
        return any(slot.proven for slot in self._free)

    @property
    def usable(self) -> list[Slot]:
        """Those that may have a trial now."""
        return [slot for slot in self._free if slot.proven or slot.rests_until <= self._clock()]

    def take(self) -> str | None:
        """The name of the slot for the next trial; None where all are taken."""
        usable = self.usable
        if not usable:
            return None
        slot = min(usable, key=lambda slot: not slot.proven)
        self._free.remove(slot)
        name = f"sweeps-{self._run}-{slot.number}-{slot.generation}"
        self._taken[name] = slot
        return name

    def finished(self, name: str) -> None:
        """Its trial is over, its worker waits."""
        slot = self._taken.pop(name)
        self._free.append(Slot(slot.number, slot.generation, proven=True))

    def died(self, name: str) -> None:
        """Its worker is gone; the slot needs another."""
        slot = self._taken.pop(name)
        self._free.append(Slot(slot.number, slot.generation + 1))

    def unusable(self, name: str) -> None:
        """No worker could be started there: its node may be gone."""
        slot = self._taken.pop(name)
        self._free.append(Slot(slot.number, slot.generation + 1, rests_until=self._clock() + REST_SECONDS))
