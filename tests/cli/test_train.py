"""`vidrnn train` in several processes: wrong use is said once."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
import typer

from vidrnn.cli import train as command
from vidrnn.errors import DataError, ProcessError, RunError, UsageError

_SECOND = {"RANK": "1", "WORLD_SIZE": "2"}


@pytest.mark.parametrize("environment", [{}, {"RANK": "0", "WORLD_SIZE": "2"}])
def test_the_first_process_says_an_error_at_once(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.time, "sleep", Mock(side_effect=AssertionError))
    for error in (DataError, ProcessError):
        with pytest.raises(error), command._shown_once(environment):
            raise error("no film")


def test_another_process_waits_to_be_ended_before_it_says_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.time, "sleep", wait := Mock())
    with pytest.raises(DataError), command._shown_once(_SECOND):
        raise DataError("no film")
    wait.assert_called_once()
    with command._shown_once(_SECOND):
        raise ProcessError("the first process ended")
    wait.assert_called_once()


def test_wrong_use_is_refused_before_processes_are_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr("vidrnn.train.shares.launch.launch_training", launch := Mock(return_value=0))
    settings = {"data": "films", "task": "next-frame", "folds": 2}
    with pytest.raises(UsageError, match="--folds"):
        command.train.__wrapped__(processes=2, settings=settings)
    launch.assert_not_called()
    with pytest.raises(typer.Exit):
        command.train.__wrapped__(processes=2, settings={"data": "films"})
    launch.assert_called_once()


def test_a_folder_that_is_taken_is_refused_before_processes_are_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr("vidrnn.train.shares.launch.launch_training", launch := Mock(return_value=0))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("of the user")
    with pytest.raises(RunError, match="exists already"):
        command.train.__wrapped__(processes=2, out=tmp_path / "mine", settings={"data": "films"})
    launch.assert_not_called()
    with pytest.raises(typer.Exit):
        command.train.__wrapped__(processes=2, out=tmp_path / "new", settings={"data": "films"})
    assert not (tmp_path / "new").exists(), "the first process makes it"
