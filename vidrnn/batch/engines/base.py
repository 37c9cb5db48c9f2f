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
"""What a hand says once it has opened its job."""
_LONGEST_WAIT_SECONDS = 3600.0
"""At once; systems cannot wait for more than some weeks, which a large film may be given."""

Item = dict[str, Any]
"""What a worker is told of one item; it travels between processes."""
Worker = Callable[[Item], dict[str, Any]]
"""Does one item. A VidrnnError out of it ends the whole run."""


@dataclass(frozen=True)
class Job:
    """What is to be done with each item, in words that travel between processes and machines."""

    opener: str
    """`module:function`; called once by each who works, with `settings`, it gives the Worker."""
    settings: dict[str, Any]

    def opened(self) -> Worker:
        """Ready to work."""
        worker: Worker = load_attribute(self.opener)(self.settings)
        return worker


@dataclass(frozen=True)
class Finished:
    """An item that was done."""

    index: int
    result: dict[str, Any]


@dataclass(frozen=True)
class Lost:
    """An item that was not: whoever worked on it broke down, or took too long."""

    index: int
    reason: str
    """A sentence that goes on after the item's name."""


Outcome = Finished | Lost


@dataclass(frozen=True)
class Broken:
    """What is known of a hand that broke down."""

    how: str
    """Goes on after `the process`."""
    words: str = ""
    """The last that it said, if anything."""


@dataclass
class Hand(ABC):
    """One that works on one item at a time, in a process of its own, and may break down there."""

    index: int | None = None
    """Of the item that it works on."""
    deadline: float = float("inf")
    """When that is given up, on the clock of `time.monotonic`."""
    ready: bool = False
    ended: bool = False
    line: Any = None
    """On what it speaks next, as `Engine.spoken` takes it; None while it has nothing to say."""

    @abstractmethod
    def ask(self, item: Item) -> None:
        """Have it work on an item."""

    @abstractmethod
    def said(self) -> Any:
        """What it said last: READY, a result, the error that ends the run, or Broken."""

    @abstractmethod
    def kill(self) -> None:
        """End its process at once; called once."""

    def give(self, index: int, item: Item, seconds: float) -> None:
        """Have it work on an item, for so long."""
        self.index, self.deadline = index, time.monotonic() + seconds
        self.ask(item)

    def hear(self) -> Outcome | None:
        """What came of its item, if it had one.

        Raises:
            VidrnnError: the work cannot go on.
        """
        said, was_ready = self.said(), self.ready
        index, self.index, self.deadline = self.index, None, float("inf")
        if isinstance(said, Broken):
            self.end()
            if not was_ready:
                raise RunError(f"A process that was to read films {said.how} before it began. {said.words}".strip())
            return None if index is None else Lost(index, f"the process that read it {said.how}.")
        if isinstance(said, VidrnnError):
            raise said
        if index is None:
            self.ready = True
            return None
        return Finished(index, said)

    def give_up(self, seconds: float) -> Lost:
        """End it, since its item took longer than its seconds."""
        assert self.index is not None, "one without an item cannot take too long"
        self.end()
        index, self.index = self.index, None
        return Lost(index, f"given up, since it took more than {seconds:.0f} seconds. Give it more: --timeout SECONDS.")

    def end(self) -> None:
        """End it at once."""
        if not self.ended:
            self.ended, self.ready, self.deadline = True, False, float("inf")
            self.kill()


@dataclass(frozen=True)
class Engine(ABC):
    """Works on items. Each hand shares nothing with another, opens the job once, and may break down alone."""

    name: ClassVar[str]
    jobs: int | None = None
    """How many work at once; None: one for each processor core that there is."""

    @abstractmethod
    def places(self) -> int:
        """How many hands there is room for."""

    @abstractmethod
    def hired(self, job: Job) -> Hand:
        """A new hand, which begins to open the job."""

    @abstractmethod
    def spoken(self, lines: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Those of the lines on which something was said: as soon as there is one, or after so long none."""

    def run(self, job: Job, items: Sequence[Item], seconds: Sequence[float]) -> Generator[Outcome]:
        """An outcome for each item, as they come; an item that takes longer than its `seconds` is lost.

        Whoever stops asking, or Ctrl-C, ends the hands at once.

        Raises:
            VidrnnError: what a worker raised: the work cannot go on.
        """
        todo, hands = deque(range(len(items))), list[Hand]()
        try:
            for _ in range(min(self.places(), len(items))):
                hands.append(self.hired(job))
            while todo or any(hand.index is not None for hand in hands):
                for place, hand in enumerate(hands):
                    if hand.ended and todo:
                        hands[place] = self.hired(job)
                    elif hand.ready and hand.index is None and todo:
                        index = todo.popleft()
                        hand.give(index, items[index], seconds[index])
                yield from self._heard(hands)
                yield from self._overdue(hands, seconds)
        finally:
            for hand in hands:
                hand.end()

    def _heard(self, hands: Sequence[Hand]) -> Iterator[Outcome]:
        """What the hands say, once one of them says something or has to be given up."""
        speaking = {hand.line: hand for hand in hands if not hand.ended and hand.line is not None}
        patience = min(hand.deadline for hand in speaking.values()) - time.monotonic()
        for line in self.spoken(list(speaking), min(max(0.0, patience), _LONGEST_WAIT_SECONDS)):
            outcome = speaking[line].hear()
            if outcome is not None:
                yield outcome

    def _overdue(self, hands: Sequence[Hand], seconds: Sequence[float]) -> Iterator[Outcome]:
        """The items that took too long; not those that are done, and only were not asked for in time."""
        for hand in hands:
            late = hand.index is not None and time.monotonic() >= hand.deadline
            if late and hand.index is not None and not self.spoken([hand.line], 0.0):
                yield hand.give_up(seconds[hand.index])


def said_by(worker: Worker, item: Item) -> dict[str, Any] | VidrnnError:
    """What a worker makes of an item, or the error that is to end the run."""
    try:
        return worker(item)
    except VidrnnError as error:
        return error
