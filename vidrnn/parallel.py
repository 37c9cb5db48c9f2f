"""Several things at once in threads; decoding and networks let go of the interpreter, so threads are enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`function` of each item, in the items' order, `threads` at once and never many more ahead of the reader."""
    todo, pool = iter(items), ThreadPoolExecutor(threads)
    waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(todo, 2 * threads))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(todo, 1))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who stops does not wait for what is half done
