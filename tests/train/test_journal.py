"""The journal of a run: finished pieces are recalled, and the piece in work goes on from its checkpoint."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from vidrnn.errors import RunError
from vidrnn.model.checkpoint import TrainingState
from vidrnn.train.fit import Fit
from vidrnn.train.journal import Journal
from vidrnn.train.shares.workers import Workers


def journal_at(folder: Path, **how: Any) -> Journal:
    return Journal(folder=lambda: folder, resumed=True, films="films", **how)


def fit_at(step: int) -> Fit:
    """A training that is at this step."""
    state = TrainingState({"now.weight": torch.full((2,), float(step))}, {"step": step})
    resumed: list[TrainingState] = []
    return cast(Fit, SimpleNamespace(state=lambda: state, resume=resumed.append, resumed=resumed))


def test_a_piece_is_recalled_as_it_was_noted(tmp_path: Path) -> None:
    hits = np.array([True, False])
    value = {"hits": {"this model": hits, "shuffled": hits.copy()}, "groups": ["a", "b"], "folds": None, "spot": 0.5}
    journal_at(tmp_path).note("controls", value)
    again = journal_at(tmp_path).recall("controls")
    assert again["groups"] == ["a", "b"] and again["folds"] is None and again["spot"] == 0.5
    assert again["hits"]["shuffled"].dtype == bool and again["hits"]["this model"].tolist() == [True, False]
    assert journal_at(tmp_path).recall("another") is None


def test_arrays_of_any_kind_and_empty_ones_come_back(tmp_path: Path) -> None:
    arrays = [np.zeros((0, 3)), np.arange(6).reshape(2, 3)[:, ::-1], np.array([np.nan, 1.0]), np.float32([[1]])]
    journal_at(tmp_path).note("arrays", arrays)
    for found, given in zip(journal_at(tmp_path).recall("arrays"), arrays, strict=True):
        assert found.dtype == given.dtype and found.shape == given.shape
        np.testing.assert_array_equal(found, given)


def test_parts_of_a_run_do_not_take_the_pieces_of_each_other(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    journal.within("fold 1").note("controls", 1)
    journal.within("fold 2").note("controls", 2)
    assert [journal.within(f"fold {number}").recall("controls") for number in (1, 2, 3)] == [1, 2, None]
    assert journal.recall("controls") is None


def test_pieces_of_other_films_are_refused(tmp_path: Path) -> None:
    journal_at(tmp_path).note("controls", 1)
    with pytest.raises(RunError, match=r"videos are not as they were when this run began.*Train anew"):
        Journal(folder=lambda: tmp_path, resumed=True, films="others").recall("controls")


def test_a_new_training_recalls_nothing(tmp_path: Path) -> None:
    journal_at(tmp_path).note("controls", 1)
    assert Journal(folder=lambda: tmp_path, films="films").recall("controls") is None


def test_a_training_goes_on_from_its_own_checkpoint_only(tmp_path: Path) -> None:
    journal_at(tmp_path).write_checkpoint("try 2", fit_at(7))
    fit = fit_at(0)
    assert not journal_at(tmp_path).resume("try 1", fit)
    assert journal_at(tmp_path).resume("try 2", fit)
    assert fit.resumed[0].facts["step"] == 7  # type: ignore[attr-defined]


def test_checkpoints_come_within_the_minutes_and_cost_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, cost, written = [0.0], [0.5], list[float]()

    def write(journal: Journal, name: str, fit: Fit) -> None:
        now[0] += cost[0]
        written.append(now[0])

    monkeypatch.setattr("vidrnn.train.journal.time.monotonic", lambda: now[0])
    monkeypatch.setattr(Journal, "write_checkpoint", write)
    keep = journal_at(tmp_path, minutes=2.0).keeper("model")
    for _ in range(4000):
        keep(fit_at(0))
        now[0] += 0.1
    waits = np.diff(written)
    assert written[0] < 6 and waits.min() >= 49 and waits.max() < 52, "a checkpoint of half a second, every 50 seconds"
    cost[0], written[:] = 60.0, []
    for _ in range(40000):
        keep(fit_at(0))
        now[0] += 0.1
    assert np.diff(written)[1:].max() < 182, "two minutes of work are the most that is lost"
    keep(fit_at(0), now=True)
    assert written[-1] == now[0]


def test_a_process_that_does_not_lead_writes_nothing(tmp_path: Path) -> None:
    journal = journal_at(tmp_path, workers=Workers(rank=1, size=1))
    journal.note("controls", 1)
    journal.write_checkpoint("model", fit_at(1))
    assert not list(tmp_path.iterdir())
