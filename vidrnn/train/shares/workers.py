"""The threads and processes that train one network together.

A minibatch is cut into shares, always the same number. Each thread of each process computes some of them, and every
process learns the numbers of all shares. So the numbers do not depend on how many threads and processes there are. The
first process leads: it alone writes files, searches for settings and trains controls.

The threads of torch wait for each other in busy loops. As soon as another program runs, they are many times slower than
one thread. Shares do not wait for each other.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from itertools import chain
from threading import Thread
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed

from vidrnn.errors import ProcessError, UsageError, first_line
from vidrnn.threads import map_in_order
from vidrnn.train.shares.device import threads_for

Item = TypeVar("Item")
Result = TypeVar("Result")
Event = TypeVar("Event")

_PATIENCE = timedelta(days=7)
"""Other processes wait while the first one searches and scores."""
_LOOK_SECONDS = 0.5
_START = "Start several processes with torchrun or --processes, or unset WORLD_SIZE for one process."


class Workers:
    """This process with its threads, and the other processes of the training if there are any."""

    def __init__(self, jobs: int = 1, *, rank: int = 0, size: int = 1, beside: int = 1) -> None:
        """`jobs` threads of this process, which has number `rank` of `size`; `beside` of them are on this machine.

        With more than one process, the group of torch.distributed is there already.
        """
        self.jobs, self.rank, self.size, self.beside = jobs, rank, size, beside

    @property
    def leads(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def alone(self) -> Workers:
        """This process without the others, for work that only it does: it takes the cores of those on its machine."""
        return self if self.size == 1 else Workers(self.jobs * self.beside)

    def own(self, count: int) -> range:
        """The shares, of `count`, that this process computes: neighbours, about as many as other processes have."""
        return self._shares_of(self.rank, count)

    def _shares_of(self, rank: int, count: int) -> range:
        """The shares of a process. Where there are few, the first process has one: its shares carry Ctrl-C."""
        first, last = (-(-count * each // self.size) for each in (rank, rank + 1))
        return range(first, last)

    def each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """The results for all items, in their order, from the threads of this process."""
        if self.jobs == 1 or len(items) == 1:
            return [function(item) for item in items]
        return list(self._threads.map(function, items))

    def together(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """As `each`, from the threads of all processes. All of them call this with the same items."""
        own = list(map_in_order(function, items[self.rank :: self.size], self.jobs))
        if self.size == 1:
            return own
        theirs: list[Any] = [None] * self.size
        with _told():
            distributed.all_gather_object(theirs, own)
        return [theirs[place % self.size][place // self.size] for place in range(len(items))]

    def exchange(self, own: Sequence[Tensor], count: int, like: Tensor) -> list[Tensor]:
        """The vectors of all `count` shares, in their order, from those that each process computed.

        `like` is a vector of the same length and type, for a process without shares.
        """
        if self.size == 1:
            return list(own)
        rows = [self._shares_of(rank, count) for rank in range(self.size)]
        most = max(map(len, rows))
        mine = torch.stack([*own, *(torch.zeros_like(like) for _ in range(most - len(own)))])
        theirs = [torch.empty_like(mine) for _ in rows]
        with _told():
            distributed.all_gather(theirs, mine)
        return list(chain.from_iterable(block[: len(row)] for block, row in zip(theirs, rows, strict=True)))

    def agree(self, value: Result) -> Result:
        """The value that the first process has."""
        if self.size == 1:
            return value
        carried: list[Any] = [value if self.leads else None]
        with _told():
            distributed.broadcast_object_list(carried, src=0)
        return cast(Result, carried[0])

    def led(self, work: Generator[Event, None, Result]) -> Generator[Event, None, Result]:
        """The result of work that only the first process does, with its events.

        Raises:
            ProcessError: this is another process, and the work ended with an error there.
        """
        if self.leads:
            try:
                result = yield from work
            except BaseException:
                self._tell(None)
                raise
            self._tell((result,))
            return result
        carried = self.agree(cast(Any, None))
        if carried is None:
            raise ProcessError("The first process ended with an error.")
        return cast(Result, carried[0])

    def _tell(self, carried: tuple[Any] | None) -> None:
        with suppress(ProcessError):  # the others may have ended too
            self.agree(carried)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.jobs, initializer=torch.set_num_threads, initargs=(1,))


@contextmanager
def _told() -> Iterator[None]:
    """The loss of another process becomes an error with a sentence."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise ProcessError(
            f"Another process of this training ended, or cannot be reached ({_cause(error)}). So this one ends too."
        ) from None


def _cause(error: Exception) -> str:
    """The first sentence of what torch says, without the line of its own source at the beginning."""
    return re.sub(r"^\[[^\]]*\.cc:\d+\] *", "", first_line(error)).split(". ")[0]


def join_workers(jobs: int, device: str, environment: Mapping[str, str] = os.environ) -> Workers:
    """This process and those that torchrun started with it, if RANK and WORLD_SIZE in the environment say so.

    Args:
        jobs: threads of this process, on a processor.
        device: the device that it computes on, such as `cuda:1`.
        environment: as torchrun sets it.

    Raises:
        UsageError: the environment lacks something that torchrun sets, or holds something else.
        ProcessError: the others cannot be reached.
    """
    jobs = threads_for(jobs, device)
    if environment.get("WORLD_SIZE", "1") == "1":
        return Workers(jobs)
    rank, size = (_number_in(environment, name) for name in ("RANK", "WORLD_SIZE"))
    if missing := [name for name in ("MASTER_ADDR", "MASTER_PORT") if not environment.get(name)]:
        raise UsageError(
            f"WORLD_SIZE is {size} in the environment, and there is no {' and no '.join(missing)}. {_START}"
        )
    if rank >= size:
        raise UsageError(f"RANK is {rank} in the environment, and WORLD_SIZE is {size}. {_START}")
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    with _told():
        distributed.init_process_group(backend, timeout=_PATIENCE)
    _end_with_parent()
    beside = int(environment.get("LOCAL_WORLD_SIZE", "1")) if device == "cpu" else 1
    return Workers(jobs, rank=rank, size=size, beside=beside)


def _number_in(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not (text.isascii() and text.isdecimal()):
        raise UsageError(f"{name} is {text!r} in the environment, and a number is needed there. {_START}")
    return int(text)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, as after a kill; else it would wait for ever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
