"""The contract of an engine: many items and one job -> an outcome for each, whatever becomes of those who work."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from vidrnn.errors import RunError, VidrnnError
from vidrnn.registry import load_attribute

READY = "ready"
"""The first message of a worker: it has opened its job."""
_MOST_FAILED_STARTS = 3
_LONGEST_WAIT_SECONDS = 3600.0
"""In one call: systems cannot wait for more than some weeks, and a large film may have longer."""

Item = dict[str, Any]
"""The description of one item; it travels between processes."""
ItemFunction = Callable[[Item], dict[str, Any]]
"""Works on one item. A VidrnnError from it ends the whole run."""


@dataclass(frozen=True)
class Job:
    """The work on each item, in a form that travels between processes and machines."""

    opener: str
    """`module:function`; each worker calls it once with `settings`, and it gives the ItemFunction."""
    settings: dict[str, Any]

    def open(self) -> ItemFunction:
        """The function for the items, ready to work."""
        function: ItemFunction = load_attribute(self.opener)(self.settings)
        return function


@dataclass(frozen=True)
class Finished:
    """An item with its result."""

    index: int
    result: dict[str, Any]


@dataclass(frozen=True)
class Lost:
    """An item without a result: its worker broke down or took too long."""

    index: int
    reason: str
    """A sentence that goes on after the item's name."""


Outcome = Finished | Lost


@dataclass(frozen=True)
class Breakdown:
    """How a worker broke down."""

    reason: str
    """Goes on after `the process`."""
    message: str = ""
    """A sentence with the last line that it wrote, if any."""


@dataclass
class Worker(ABC):
    """A process that works on one item at a time, and that may break down."""

    index: int | None = None
    """Of the item that it works on."""
    deadline: float = float("inf")
    """When that is given up, on the clock of `time.monotonic`."""
    ready: bool = False
    ended: bool = False
    failed_start: Breakdown | None = None
    """How it broke down before it was ready, if it did."""
    connection: Any = None
    """The object on which its next message comes, for `Engine.wait_for`; None while no message is expected."""

    @abstractmethod
    def send(self, item: Item) -> None:
        """Send it an item."""

    @abstractmethod
    def receive(self) -> Any:
        """Its next message: READY, a result, the error that ends the run, or a Breakdown."""

    @abstractmethod
    def kill(self) -> None:
        """End its process at once; called once."""

    def assign(self, index: int, item: Item, seconds: float) -> None:
        """Send it an item, which may take so many seconds."""
        self.index, self.deadline = index, time.monotonic() + seconds
        self.send(item)

    def collect(self) -> Outcome | None:
        """The outcome of its item, if it had one.

        Raises:
            VidrnnError: the work cannot go on.
        """
        message, was_ready = self.receive(), self.ready
        index, self.index, self.deadline = self.index, None, float("inf")
        if isinstance(message, Breakdown):
            self.stop()
            if not was_ready:
                self.failed_start = message
            return None if index is None else Lost(index, f"the process that read it {message.reason}.")
        if isinstance(message, VidrnnError):
            raise message
        if index is None:
            self.ready = True
            return None
        return Finished(index, message)

    def give_up(self, seconds: float) -> Lost:
        """Stop it, since its item took too long."""
        assert self.index is not None, "one without an item cannot take too long"
        self.stop()
        index, self.index = self.index, None
        return Lost(index, f"given up, since it took more than {seconds:.0f} seconds. Give it more: --timeout SECONDS.")

    def stop(self) -> None:
        """Stop it at once."""
        if not self.ended:
            self.ended, self.ready, self.deadline = True, False, float("inf")
            self.kill()


@dataclass(frozen=True)
class Engine(ABC):
    """Works on items with several workers. A worker shares nothing with another and opens the job once."""

    name: ClassVar[str]
    jobs: int | None = None
    """How many workers there are at once; None: one for each processor core."""

    @abstractmethod
    def count_workers(self) -> int:
        """How many workers run at once."""

    @abstractmethod
    def start_worker(self, job: Job) -> Worker:
        """A new worker, which begins to open the job."""

    @abstractmethod
    def wait_for(self, connections: Sequence[Any], seconds: float) -> Sequence[Any]:
        """The connections that have a message: as soon as one has, or none after so many seconds."""

    def run(self, job: Job, items: Sequence[Item], seconds: Sequence[float]) -> Generator[Outcome]:
        """An outcome for each item, as they come; an item that takes longer than its `seconds` is lost.

        A caller that closes the generator, and Ctrl-C, stop the workers at once.

        A worker that breaks down is replaced. Where one breaks down before it is ready, and the next two do the same,
        the run ends, unless other workers are at work.

        Raises:
            RunError: no worker can start.
            VidrnnError: an ItemFunction raised it: the work cannot go on.
        """
        todo, workers = deque(range(len(items))), list[Worker]()
        try:
            starts = _Starts()
            for _ in range(min(self.count_workers(), len(items))):
                workers.append(self.start_worker(job))
            while todo or any(worker.index is not None for worker in workers):
                starts.look_at(workers)
                for place, worker in enumerate(workers):
                    if worker.ended and todo and starts.may_start_another(workers):
                        workers[place] = self.start_worker(job)
                    elif worker.ready and worker.index is None and todo:
                        index = todo.popleft()
                        worker.assign(index, items[index], seconds[index])
                yield from self._collect(workers)
                yield from self._give_up_late(workers, seconds)
        finally:
            for worker in workers:
                worker.stop()

    def _collect(self, workers: Sequence[Worker]) -> Iterator[Outcome]:
        """The outcomes that come next, once there is a message or a worker is overdue."""
        speaking = {
            worker.connection: worker for worker in workers if not worker.ended and worker.connection is not None
        }
        patience = min(worker.deadline for worker in speaking.values()) - time.monotonic()
        for connection in self.wait_for(list(speaking), min(max(0.0, patience), _LONGEST_WAIT_SECONDS)):
            outcome = speaking[connection].collect()
            if outcome is not None:
                yield outcome

    def _give_up_late(self, workers: Sequence[Worker], seconds: Sequence[float]) -> Iterator[Outcome]:
        """The items that took too long. An item whose result already waits in its connection is not one of them."""
        for worker in workers:
            late = worker.index is not None and time.monotonic() >= worker.deadline
            if late and worker.index is not None and not self.wait_for([worker.connection], 0.0):
                yield worker.give_up(seconds[worker.index])


@dataclass
class _Starts:
    """Counts the starts that fail in a row. The first ones may have failed by chance, as where memory was short."""

    failed: int = 0

    def look_at(self, workers: Sequence[Worker]) -> None:
        """Count the workers that have broken down before they were ready.

        Raises:
            RunError: too many did so in a row, and no worker is at work.
        """
        if any(worker.ready and worker.index is None for worker in workers):  # one has just become ready, or is done
            self.failed = 0
        for worker in workers:
            if worker.failed_start is not None:
                self.failed, last, worker.failed_start = self.failed + 1, worker.failed_start, None
                if self.failed >= _MOST_FAILED_STARTS and not any(one.ready for one in workers):
                    raise RunError(
                        f"{self.failed} processes in a row that were to read videos failed: the last one {last.reason} "
                        f"before it began. {last.message}".strip()
                    )

    def may_start_another(self, workers: Sequence[Worker]) -> bool:
        """Whether a worker that ended is to be replaced. After many failures those that are at work go on alone."""
        return self.failed < _MOST_FAILED_STARTS or not any(worker.ready for worker in workers)


def run_item(function: ItemFunction, item: Item) -> dict[str, Any] | VidrnnError:
    """The result of an item, or the error that ends the run."""
    try:
        return function(item)
    except VidrnnError as error:
        return error
