"""The launcher of several processes gives the exit code that one process would give."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from torch.distributed.elastic.multiprocessing import SignalException

from vidrnn.train.shares import launch


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_training_has_one_exit_code(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Mock(side_effect=SignalException("stopped", number))
    monkeypatch.setattr(launch, "elastic_launch", lambda config, program: run)
    assert launch.launch_training(2, ["videos"]) == 130
    assert run.call_args.args[-2:] == ("train", "videos")
