"""Parallel work in threads. Decoding and networks release the lock of the interpreter, so threads are enough."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """The results of `function` for all items, in the order of the items, from parallel threads.

    At most twice as many items as threads are in work or wait for the reader.
    """
    remaining, pool = iter(items), ThreadPoolExecutor(threads)
    waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(remaining, 2 * threads))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(remaining, 1))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a reader that stops early does not wait for running items
