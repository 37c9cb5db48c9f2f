"""What `vidrnn predict` writes of a film that a model of the next frames watches."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import FRAMES_SIZE, TinyRun, gliding_model, make_film, paint_square
from vidrnn.batch.foretold import SUFFIXES, Asked, foretold_formats, frame_rows, row_of, watched

from vidrnn.errors import UsageError
from vidrnn.timeline.anomaly import normalised_in_film
from vidrnn.values import Pixels, Size

COLUMNS = ["frame", "seconds", "mse", "psnr", "worst_block", "unusual"]


def paint_jump(index: int, size: Size) -> Pixels:
    return np.roll(paint_square()(index, size), 13 * (index >= 9), axis=1)


def jumping(path: Path, frames: int = 15) -> Path:
    return make_film(path, frames=frames, fps=10.0, size=FRAMES_SIZE, paint=paint_jump)


def into(folder: Path) -> Callable[[str], Path]:
    return lambda suffix: folder / f"film{suffix}"


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as table:
        return list(csv.DictReader(table))


def pictures_in(file: Path) -> list[Pixels]:
    film, pictures = cv2.VideoCapture(str(file)), []
    while (read := film.read())[0]:
        pictures.append(np.asarray(read[1]))
    return pictures


def test_a_film_a_table_and_lines_are_written_of_each_frame(tmp_path: Path) -> None:
    film = jumping(tmp_path / "jump.mkv")
    found = watched(gliding_model(), film, Asked(tmp_path, rollout=4), into(tmp_path))
    pictures = pictures_in(tmp_path / "film.foretold.webm")
    assert len(pictures) == 15 + 4, "each frame, and those beyond the end"
    rows = rows_of(tmp_path / "film.frames.csv")
    assert list(rows[0]) == COLUMNS and len(rows) == 15
    assert all(rows[place][name] == "" for place in (0, 1) for name in COLUMNS[2:])
    assert [float(row["seconds"]) for row in rows] == pytest.approx([place / 10 for place in range(15)])
    assert max(rows[2:], key=lambda row: float(row["unusual"])) is rows[9]
    assert float(rows[9]["psnr"]) == pytest.approx(-10 * np.log10(float(rows[9]["mse"])), abs=0.02)
    assert float(rows[9]["worst_block"]) >= float(rows[9]["mse"])
    lines = [json.loads(line) for line in (tmp_path / "film.frames.jsonl").read_text().splitlines()]
    assert [{name: "" if value is None else str(value) for name, value in line.items()} for line in lines] == rows
    assert found.most_unusual == pytest.approx(float(rows[9]["unusual"]), rel=1e-3)


def test_the_written_film_shows_the_frame_and_what_was_foretold_of_it(tmp_path: Path) -> None:
    watched(gliding_model(), jumping(tmp_path / "jump.mkv"), Asked(tmp_path, ("video",)), into(tmp_path))
    usual, unusual = (pictures_in(tmp_path / "film.foretold.webm")[place][26:-60] for place in (5, 9))
    third = usual.shape[1] // 3

    def apart(picture: Pixels) -> float:
        left, middle = picture[:, : third - 8], picture[:, third + 3 : 2 * third - 5]
        return float(np.abs(left.astype(float) - middle).mean())

    assert apart(usual) < apart(unusual) / 5
    assert usual[:, 2 * third + 10 :].mean() < unusual[:, 2 * third + 10 :].mean() / 5, "the difference is shown"


def test_only_what_was_asked_for_is_written_and_the_normalised_score_beside_it(tmp_path: Path) -> None:
    asked = Asked(tmp_path, ("csv",), normalised=True)
    found = watched(gliding_model(), jumping(tmp_path / "jump.mkv"), asked, into(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.frames.csv", "jump.mkv"]
    rows = rows_of(tmp_path / "film.frames.csv")
    assert list(rows[0]) == [*COLUMNS, "unusual_in_film"]
    told = [float(row["unusual_in_film"]) for row in rows[2:]]
    assert told == pytest.approx(normalised_in_film(np.asarray(found.errors.mse))[2:].tolist(), rel=1e-3)
    assert told[7] == 1.0 and min(told) == 0.0 and rows[0]["unusual_in_film"] == ""


def test_the_threshold_decides_what_is_called_unusual(tmp_path: Path) -> None:
    film = jumping(tmp_path / "jump.mkv")
    asked = Asked(tmp_path, ("jsonl",), threshold=1.0)
    assert not watched(gliding_model(), film, asked, into(tmp_path)).segments
    [all_of_it] = watched(gliding_model(), film, replace(asked, threshold=0.0), into(tmp_path)).segments
    assert all_of_it.start_seconds == pytest.approx(0.2) and all_of_it.end_seconds == pytest.approx(1.5)


def test_a_film_of_one_frame_goes_on_and_is_told_without_errors(tmp_path: Path) -> None:
    film = jumping(tmp_path / "one.mkv", frames=1)
    found = watched(gliding_model(), film, Asked(tmp_path, rollout=3), into(tmp_path))
    assert len(pictures_in(tmp_path / "film.foretold.webm")) == 4
    row = row_of("one.mkv", found)
    assert (row["most_unusual"], row["mean_mse"], row["segments"], row["frames"]) == (None, None, [], 1)
    assert "too few" in row["notes"][-1]
    json.dumps(row, allow_nan=False)
    assert [list(line.values())[2:] for line in frame_rows(found.errors, normalised=True)] == [[None] * 5]


def test_a_black_film_is_foretold_by_a_trained_model(tmp_path: Path, tiny_forecaster: TinyRun) -> None:
    from vidrnn.runtimes.torch import TorchFrames

    black = make_film(
        tmp_path / "black.mkv",
        frames=5,
        fps=10.0,
        size=FRAMES_SIZE,
        paint=lambda _, size: np.zeros((size.height, size.width, 3), dtype=np.uint8),
    )
    model = TorchFrames.open(tiny_forecaster.model)
    found = watched(model, black, Asked(tmp_path, ("csv",)), into(tmp_path))
    assert 0 < found.most_unusual < 1 and np.isfinite(found.mean_mse)


def test_formats_are_named_once_each_and_others_are_refused() -> None:
    assert foretold_formats(None) == ("video", "csv", "jsonl") == tuple(SUFFIXES)
    assert foretold_formats(" csv, jsonl,csv") == ("csv", "jsonl")
    for wrong in ("srt", "", "csv,srt"):
        with pytest.raises(UsageError, match="of foretold frames there are: video, csv, jsonl"):
            foretold_formats(wrong)


def test_a_film_is_done_anew_when_what_was_asked_of_it_is_other(tiny_forecaster: TinyRun) -> None:
    asked = Asked(tiny_forecaster.model)
    same = Asked(tiny_forecaster.folder)
    others = [replace(asked, **how) for how in ({"rollout": 2}, {"threshold": 0.4}, {"normalised": True})]  # type: ignore[arg-type]
    assert asked.work().identity == same.work().identity, "a model may be moved"
    assert len({one.work().identity for one in [asked, *others]}) == 4
    assert replace(asked, formats=("csv",)).work().identity == asked.work().identity, "one form more reads no less"
    assert asked.work().suffixes == tuple(SUFFIXES.values())
