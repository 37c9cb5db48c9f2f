"""The file of answers: it comes back as it was written, and damage is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TinyRun

from vidrnn.errors import RunError
from vidrnn.report.answers import Answers, FilmAnswers, counted_shares, stored_path
from vidrnn.values import Part

FILM = FilmAnswers(
    path="a/b.mp4",
    part=Part.TEST,
    group="g",
    start_seconds=0.0,
    end_seconds=2.0,
    frames=20,
    truth=1,
    answer=(0.25, 0.75),
    true_bouts=((0, 0.0, 1.0),),
)
ANSWERS = Answers(scored="test", classes=("a", "b"), films=(FILM,), guessed_by="Nobody.")


def test_answers_come_back_as_they_were_written(tmp_path: Path) -> None:
    ANSWERS.write(tmp_path / "answers.json")
    assert Answers.read(tmp_path / "answers.json") == ANSWERS


def test_a_run_without_answers_has_none(tmp_path: Path) -> None:
    assert Answers.read(tmp_path / "answers.json") is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"classes": ["a", "b", "c"]},
        {"films": [{**json.loads(FILM.model_dump_json()), "truth": 5}]},
        {"films": [{**json.loads(FILM.model_dump_json()), "curve": [1.0]}]},
        {"sure": {"right": [1], "wrong": [1]}},
    ],
    ids=str,
)
def test_damaged_answers_are_refused_in_a_sentence(tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({**json.loads(ANSWERS.model_dump_json()), **change}))
    with pytest.raises(RunError, match=r"cannot be read as the answers of a run .* --data DATA"):
        Answers.read(file)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text(ANSWERS.model_dump_json()[:50])
    with pytest.raises(RunError, match="cannot be read"):
        Answers.read(tmp_path / "answers.json")


def test_a_path_is_stored_from_the_folder_of_data(tmp_path: Path) -> None:
    assert stored_path(tmp_path / "data" / "walk" / "a.mp4", tmp_path / "data") == "walk/a.mp4"
    assert stored_path(tmp_path / "films" / "a.mp4", tmp_path / "data") == "../films/a.mp4"


def test_probabilities_are_counted_where_they_are_right_and_where_not() -> None:
    found = counted_shares(np.asarray([0.005, 0.999, 1.0, np.nan]), np.asarray([0.0, 1.0, 0.0, 1.0]))
    assert (found.wrong[0], found.wrong[-1], found.right[-1]) == (1, 1, 1)
    assert sum(found.right) + sum(found.wrong) == 3


def test_a_training_stores_what_the_model_says_of_the_films_it_is_scored_on(reported: TinyRun) -> None:
    answers = Answers.read(reported.folder / "answers.json")
    assert answers is not None and answers.scored == "test"
    said = {film.part for film in answers.films if film.answer is not None}
    assert said == {Part.TEST}
    assert all(film.guess is not None for film in answers.films), "each clip is guessed by a model of other groups"
    assert "other groups" in answers.guessed_by
    assert {film.path.partition("/")[0] for film in answers.films} == {"fall", "rise <script>alert(1)<_script>"}
