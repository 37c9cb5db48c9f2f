"""Minibatches for an accelerator: they are read, and copied to it, while it computes the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from vidrnn.train.shares.minibatches import Drawn, Minibatch

Read = Callable[[int], Minibatch]
"""The number of a share -> its windows, on the device."""
Rows = Callable[[Drawn, int], slice]
"""A minibatch and the number of a share -> the rows of the share."""
_WAITING = 2
"""Minibatches that are ready or in work."""


def read_as_needed(minibatches: Iterable[Drawn], rows: Rows) -> Iterator[tuple[Drawn, Read]]:
    """For a processor: each share is read by the thread that computes it."""
    for drawn in minibatches:
        yield drawn, lambda number, drawn=drawn: drawn.read(rows(drawn, number))  # type: ignore[misc]


def read_ahead(
    minibatches: Iterable[Drawn], rows: Rows, own: Callable[[Drawn], range], device: torch.device
) -> Iterator[tuple[Drawn, Read]]:
    """For an accelerator: the shares that this process computes are read and copied before they are needed.

    Args:
        minibatches: in their order.
        rows: of a share.
        own: the numbers of the shares, of a minibatch, that this process computes.
        device: the accelerator.
    """
    beside: Any = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def copied(drawn: Drawn) -> dict[int, _Copied]:
        found = {}
        with _on(beside):
            for number in own(drawn):
                share = drawn.read(rows(drawn, number)).on(device)
                found[number] = _Copied(share, None if beside is None else beside.record_event())
        return found

    with ThreadPoolExecutor(1) as pool:
        waiting = []
        for drawn in minibatches:
            waiting.append((drawn, pool.submit(copied, drawn)))
            if len(waiting) >= _WAITING:
                first, shares = waiting.pop(0)
                yield first, _reader(shares.result())
        for first, shares in waiting:
            yield first, _reader(shares.result())


@dataclass(frozen=True)
class _Copied:
    """A share on its way to the accelerator."""

    share: Minibatch
    arrived: Any
    """The event after its copies; None where copies are waited for."""

    def use(self) -> Minibatch:
        """The share, for the stream that computes now."""
        if self.arrived is not None:
            now = torch.cuda.current_stream(self.share.inputs.device)  # it need not be the first GPU
            now.wait_event(self.arrived)
            for tensor in self.share.tensors:
                tensor.record_stream(now)  # its memory is not given away before
        return self.share


def _reader(copies: dict[int, _Copied]) -> Read:
    return lambda number: copies[number].use()


def _on(stream: Any) -> AbstractContextManager[Any]:
    return nullcontext() if stream is None else torch.cuda.stream(stream)
