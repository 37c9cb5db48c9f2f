"""Shares that are read ahead are those that are read as they are needed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from vidrnn.train.shares.ahead import _Copied, read_ahead, read_as_needed
from vidrnn.train.shares.minibatches import Clips, ClipSampler, Drawn


def rows(drawn: Drawn, number: int) -> slice:
    return slice(2 * number, 2 * number + 2)


def test_reading_ahead_gives_the_same_shares_in_the_same_order() -> None:
    rng = np.random.default_rng(0)
    clips = Clips([rng.standard_normal((1, 9, 3)).astype(np.float32) for _ in range(12)], np.arange(12) % 2)
    draw = ClipSampler(4, 4, seed=0)
    plain = [(read(0), read(1)) for _, read in read_as_needed(draw.epoch(clips, 0), rows)]
    device = torch.device("cpu")
    ahead = [(read(0), read(1)) for _, read in read_ahead(draw.epoch(clips, 0), rows, lambda _: range(2), device)]
    assert len(plain) == len(ahead) == 3
    for one, other in zip(plain, ahead, strict=True):
        for share, same in zip(one, other, strict=True):
            assert all(torch.equal(*pair) for pair in zip(share.tensors, same.tensors, strict=True))


def test_only_the_shares_of_this_process_are_read() -> None:
    clips = Clips([np.zeros((1, 9, 3), np.float32)] * 4, np.arange(4) % 2)
    [(_, read)] = read_ahead(
        ClipSampler(4, 4, seed=0).epoch(clips, 0), rows, lambda _: range(1, 2), torch.device("cpu")
    )
    assert len(read(1).target) == 2
    try:
        read(0)
    except KeyError:
        return
    raise AssertionError("the share of another process was read")


def test_the_gpu_that_computes_waits_for_the_copies_also_where_it_is_not_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[tuple[Any, Any]] = []

    def stream_of(device: Any = "cuda:0") -> SimpleNamespace:
        return SimpleNamespace(wait_event=lambda event: waited.append((device, event)))

    monkeypatch.setattr(torch.cuda, "current_stream", stream_of)
    share: Any = SimpleNamespace(inputs=SimpleNamespace(device="cuda:1"), tensors=())
    _Copied(share, "arrived").use()
    assert waited == [("cuda:1", "arrived")]
