"""What a report knows of a run: the lines of its events."""

from __future__ import annotations

from typing import Any, cast

from vidrnn.model.metadata import ModelHeader
from vidrnn.report.evidence import Evidence


def done(number: int, loss: float, training: str = "model") -> dict[str, Any]:
    return {"event": "EpochDone", "training": training, "number": number, "loss": loss}


def test_epochs_that_were_done_again_after_a_kill_count_once() -> None:
    before = [done(1, 0.9, "fold 1"), done(1, 0.9), done(2, 0.8), done(3, 0.7), done(4, 0.6)]
    after = [done(3, 0.71), done(4, 0.61), done(5, 0.5)]
    evidence = Evidence("run", cast(ModelHeader, None), None, (*before, *after), {})
    assert [(epoch["number"], epoch["loss"]) for epoch in evidence.epochs] == [
        (1, 0.9), (2, 0.8), (3, 0.71), (4, 0.61), (5, 0.5)
    ]  # fmt: skip
