"""Several things at once in threads; decoding and networks let go of the interpreter, so threads are enough."""

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
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`function` of each item, in the items' order, `threads` at once and never many more ahead of the reader."""
    todo, pool = iter(items), ThreadPoolExecutor(threads)
    waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(todo, 2 * threads))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(todo, 1))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who stops does not wait for what is half done
