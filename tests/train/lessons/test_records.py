"""What a run stores of its answers: of one part, or of all videos by the models of folds that had not seen them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import make_acts, train_acts, train_tiny

from vidrnn.report.answers import Answers
from vidrnn.values import Part


def answers_of(folder: Path) -> Answers:
    answers = Answers.read(folder / "answers.json")
    assert answers is not None
    return answers


@pytest.mark.slow
def test_folds_answer_every_clip_and_are_the_guesses_too(class_folders: Path, tmp_path: Path) -> None:
    run = train_tiny(class_folders, tmp_path / "run", folds=3, report=True)
    answers = answers_of(run.folder)
    assert answers.scored == "folds" and "folds" in answers.guessed_by
    assert all(film.answer is not None and film.answer == film.guess for film in answers.films)
    right = [int(np.argmax(film.answer or ())) == film.truth for film in answers.films]
    (controls,) = [event.numbers for event in run.events if "order_points" in getattr(event, "numbers", {})]
    assert np.mean(right) == pytest.approx(controls["accuracy"]), "each answer stands beside its own clip"


@pytest.mark.slow
def test_folds_answer_every_video_with_labels(tmp_path: Path) -> None:
    data = make_acts(tmp_path / "films", 4, several=True)
    run = train_acts(data, tmp_path / "run", steps=3, folds=2, report=True, labels={"unlabelled": "none"})
    answers = answers_of(run.folder)
    assert answers.scored == "folds" and answers.several
    for film in answers.films:
        assert film.answer_bouts is not None and film.guess_bouts is not None
        assert [bout[:3] for bout in film.guess_bouts] == list(film.answer_bouts)
        assert len(film.marked or ()) == len(film.true_bouts or ())


def test_an_encoder_that_learnt_the_labels_makes_no_guesses_at_frames(tmp_path: Path) -> None:
    data = make_acts(tmp_path / "films", 6)
    run = train_acts(data, tmp_path / "run", steps=2, report=True, labels={"unlabelled": "none"})
    answers = answers_of(run.folder)
    assert not answers.has_guesses and "has learnt these labels" in answers.guessed_by
    answered = [film for film in answers.films if film.answer_bouts is not None]
    assert {film.part for film in answered} == {Part(answers.scored)}
    assert all(film.true_bouts and film.known for film in answered)
    assert answers.sure is not None
    counted = sum(answers.sure.right) + sum(answers.sure.wrong)
    assert counted == sum(film.frames for film in answered), "every frame whose truth is known is counted"


def test_a_run_without_a_page_stores_no_answers(class_folders: Path, tmp_path: Path) -> None:
    run = train_tiny(class_folders, tmp_path / "run", epochs=1, report=False)
    assert not {"answers.json", "report.html"} & {file.name for file in run.folder.iterdir()}
