"""Labels that are probably wrong: confident learning of clips, and bouts that owner and model see differently."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from vidrnn.report.answers import Answers, FilmAnswers
from vidrnn.report.suspect_files import COLUMNS, write_suspects
from vidrnn.report.suspects import Suspect, confident_suspects, find_suspects
from vidrnn.values import Part


def film(**more: Any) -> FilmAnswers:
    facts: dict[str, Any] = {"path": "a.mp4", "part": Part.TRAIN, "group": "g", "start_seconds": 0, "end_seconds": 20}
    return FilmAnswers(**{**facts, "frames": 200, "known": ((0.0, 20.0),), **more})


def of_film(one: FilmAnswers, *, several: bool = False) -> list[Suspect]:
    answers = Answers(scored="test", classes=("dig", "rest"), films=(one,), several=several, guessed_by="A model.")
    return find_suspects(answers)


def test_flipped_labels_of_clips_come_first() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 200)
    rows = rng.dirichlet([0.3] * 3, 200) * 0.3 + np.eye(3)[true] * 0.7
    labels = true.copy()
    flipped = rng.permutation(200)[:10]
    labels[flipped] = (labels[flipped] + 1) % 3
    found = confident_suspects(rows, labels)
    assert {place for place, _, _ in found[:8]} < set(flipped.tolist())
    assert all(other == true[place] for place, other, _ in found[:8])
    assert 8 <= len(found) <= 14, "the number of wrong labels is estimated, too"
    doubts = [doubt for _, _, doubt in found]
    assert doubts == sorted(doubts, reverse=True) and min(doubts) >= 0 and max(doubts) <= 1


def test_labels_that_fit_are_no_suspects() -> None:
    labels = np.asarray([0, 1] * 10)
    assert confident_suspects(0.6 * np.eye(2)[labels] + 0.2, labels) == []


def test_a_class_of_one_clip_makes_no_suspects() -> None:
    rows = np.asarray([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    assert [place for place, _, _ in confident_suspects(rows, np.asarray([0, 0, 1]))] == []


def test_a_bout_that_nobody_marked_is_a_suspect() -> None:
    one = film(true_bouts=(), marked=(), guess_bouts=((0, 4.0, 7.0, 0.9), (1, 9.0, 10.0, 0.3)))
    (found,) = of_film(one)
    assert (found.fault, found.proposed, found.start_seconds, found.end_seconds) == ("nobody marked", "dig", 4.0, 7.0)


def test_a_bout_outside_of_what_was_annotated_is_none() -> None:
    assert not of_film(film(known=((8.0, 20.0),), true_bouts=(), marked=(), guess_bouts=((0, 4.0, 7.0, 0.9),)))


def test_a_marked_bout_that_the_model_does_not_see_is_a_suspect() -> None:
    one = film(true_bouts=((0, 3.0, 6.0), (1, 8.0, 9.0)), marked=((0.05, 0.9), (0.1, 0.6)), guess_bouts=())
    (found,) = of_film(one, several=True)
    assert (found.fault, found.given, found.proposed) == ("not seen", "dig", "")


def test_a_marked_bout_that_looks_like_another_behaviour_is_one_suspect() -> None:
    marks = tuple((place % 2, 2.0 * place, 2.0 * place + 1.5) for place in range(10))
    shares = [tuple(np.eye(2)[place] * 0.8 + 0.1) for place, _, _ in marks]
    shares[4] = (0.1, 0.9)
    one = film(true_bouts=marks, marked=tuple(shares), guess_bouts=((1, 8.0, 9.5, 0.9),))
    (found,) = of_film(one)
    assert (found.given, found.proposed, found.start_seconds) == ("dig", "rest", 8.0)


def test_borders_are_suspects_from_half_a_second_on() -> None:
    marks, shares = ((0, 3.0, 6.0), (1, 10.0, 14.0)), ((0.8, 0.2), (0.2, 0.8))
    one = film(true_bouts=marks, marked=shares, guess_bouts=((0, 2.6, 6.4, 0.9), (1, 10.0, 15.2, 0.9)))
    (found,) = of_film(one)
    assert (found.fault, found.given, found.start_seconds, found.end_seconds) == ("end", "rest", 14.0, 15.2)
    assert "1.2 s off" in found.sentence


def test_suspects_are_a_table_and_tasks_of_label_studio(tmp_path: Path) -> None:
    one = film(path="=a.mp4", truth=0, guess=(0.1, 0.9))
    others = [film(truth=place, guess=tuple(np.eye(2)[place] * 0.8 + 0.1)) for place in (0, 1, 0, 1)]
    answers = Answers(scored="test", classes=("dig", "rest"), films=(one, *others), guessed_by="A model.")
    table, tasks = write_suspects(find_suspects(answers), answers.classes, tmp_path)
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert tuple(row) == COLUMNS
    assert (row["path"], row["given"], row["proposed"]) == ("'=a.mp4", "dig", "rest")
    (task,) = json.loads(tasks.read_text())
    (region,) = task["predictions"][0]["result"]
    assert region["value"] == {"ranges": [{"start": 1, "end": 200}], "timelinelabels": ["rest"]}
    assert task["predictions"][0]["score"] == float(row["doubt"])
