"""The contract of an engine: many items and one job -> an outcome for each, whatever becomes of those who work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from vidrnn.errors import VidrnnError

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
        module, _, attribute = self.opener.partition(":")
        worker: Worker = getattr(import_module(module), attribute)(self.settings)
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
class Engine(ABC):
    """Works on items. Each worker shares nothing with another, opens the job once, and may break down alone."""

    name: ClassVar[str]
    jobs: int | None = None
    """How many work at once; None: one for each processor core that there is."""

    @abstractmethod
    def run(self, job: Job, items: Sequence[Item], seconds: Sequence[float]) -> Generator[Outcome]:
        """An outcome for each item, as they come; an item that takes longer than its `seconds` is lost.

        Whoever stops asking, or Ctrl-C, ends the workers at once.

        Raises:
            VidrnnError: what a worker raised: the work cannot go on.
        """


def said_by(worker: Worker, item: Item) -> dict[str, Any] | VidrnnError:
    """What a worker makes of an item, or the error that is to end the run."""
    try:
        return worker(item)
    except VidrnnError as error:
        return error


def took_too_long(seconds: float) -> str:
    """The reason of an item that was given up."""
    return f"given up, since it took more than {seconds:.0f} seconds. Give it more: --timeout SECONDS."
