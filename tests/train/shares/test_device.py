"""The device of a training is set up once, and its threads are as many as serve it."""

from __future__ import annotations

import os

import pytest
import torch

from vidrnn.train.shares.device import prepare_device
from vidrnn.train.shares.workers import join_workers


def test_shares_are_computed_side_by_side_on_a_processor_only() -> None:
    alone = {"RANK": "0", "WORLD_SIZE": "1"}
    assert [join_workers(3, device, alone).jobs for device in ("cpu", "cuda", "cuda:1")] == [3, 1, 1]


def test_a_gpu_is_the_one_that_is_named_and_repeats_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch._C, "_cuda_setDevice", chosen.append, raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    prepare_device(torch.device("cpu"))
    assert not chosen and not torch.backends.cudnn.deterministic
    prepare_device(torch.device("cuda"))
    assert not chosen and torch.backends.cudnn.deterministic
    prepare_device(torch.device("cuda:1"))
    assert chosen == [1]
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
