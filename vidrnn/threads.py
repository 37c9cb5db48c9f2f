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
_MOST_WAITING = 4096
"""Results that are known wait for the one before them, but not more of them."""


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


def complete_in_order(
    function: Callable[[Item], Result], items: Iterable[tuple[Item, Result | None]], threads: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in the order of the items: the one that is given, else that of `function`.

    `function` works in parallel threads, on at most twice as many items as there are threads.
    """
    pool = ThreadPoolExecutor(threads)
    waiting: deque[tuple[Item, Result | Future[Result]]] = deque()
    working = 0
    try:
        for item, result in items:
            if result is not None and not waiting:
                yield item, result
                continue
            working += result is None
            waiting.append((item, pool.submit(function, item) if result is None else result))
            while waiting and (working > 2 * threads or len(waiting) > _MOST_WAITING or _is_known(waiting[0][1])):
                first, found = waiting.popleft()
                working -= isinstance(found, Future)
                yield first, found.result() if isinstance(found, Future) else found
        for first, found in waiting:
            yield first, found.result() if isinstance(found, Future) else found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a reader that stops early does not wait for running items


def _is_known(found: Result | Future[Result]) -> bool:
    return not isinstance(found, Future) or found.done()
