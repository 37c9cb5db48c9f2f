"""Results of parallel work come in order, with their errors, and not far ahead of the reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from vidrnn.threads import map_in_order


def test_results_come_in_the_items_order_though_the_first_takes_longest() -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.05 if item == 0 else 0)
        return item * item

    assert list(map_in_order(slow_at_first, range(9), 3)) == [item * item for item in range(9)]


def test_no_items_give_no_results() -> None:
    assert list(map_in_order(str, [], 2)) == []


def test_all_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=5)
    assert sorted(map_in_order(lambda _: together.wait(), range(4), 2)) == [0, 0, 1, 1]


def test_an_error_is_raised_at_the_place_of_its_item() -> None:
    results = map_in_order(lambda item: 1 // item, [1, 0, 1], 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_work_does_not_run_far_ahead_of_the_reader() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    results = map_in_order(str, items(), 2)
    next(results)
    next(results)
    assert len(taken) <= 2 + 2 * 2
    results.close()  # type: ignore[attr-defined]


def test_a_reader_that_stops_cancels_the_rest() -> None:
    done: list[int] = []
    results = map_in_order(done.append, range(1000), 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(done) <= 1 + 2 * 2
