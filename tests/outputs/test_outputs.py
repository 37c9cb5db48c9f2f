"""Every output: whole or not at all, the same bytes twice, and read again by whoever it is made for."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, make_film, make_pictures, make_uneven, paint_number

from vidrnn.errors import OutputError
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import Answered, Output
from vidrnn.outputs.video import Strip, colours, probability_at, shown_size
from vidrnn.registry import load_member
from vidrnn.values import Candidate, FilmPrediction, Segment, Size, Timeline
from vidrnn.video.reader import open_film

SEGMENTS = (
    Segment(0.0, 0.4, "walk, left", 0.9375),
    Segment(0.4, 0.8, "unknown", 0.3),
    Segment(0.8, 1.0, "<b>läuft & 走る</b>", 0.75),
)
TIMELINE = Timeline(
    ("walk, left", "<b>läuft & 走る</b>"),
    np.arange(0.0, 1.0, 0.1),
    np.stack([np.linspace(1, 0.1, 10), np.linspace(0, 0.9, 10)], axis=1).astype(np.float32),
)
EVERY = pytest.mark.parametrize("name", OUTPUTS)


def output(name: str) -> Output:
    made: Output = load_member(OUTPUTS, "--format", name)()
    if made.needs:
        pytest.importorskip(made.needs)
    return made


@pytest.fixture
def answered(tmp_path: Path) -> Answered:
    film = make_film(tmp_path / "films" / "one.mkv", frames=25, fps=25)
    found = FilmPrediction(
        film, "walk, left", 0.6, (Candidate("walk, left", 0.6),), SEGMENTS, 1.0, 25, ("Cut short.",), TIMELINE
    )
    return Answered(film, "a/one.mkv", found, "moves")


def written(name: str, answered: Answered, folder: Path) -> Path:
    made = output(name)
    file = folder / f"one.mkv{made.suffix}"
    made.write(answered, file)
    return file


@EVERY
def test_the_same_answer_gives_the_same_bytes_and_nothing_else(name: str, answered: Answered, tmp_path: Path) -> None:
    one, two = written(name, answered, tmp_path / "1"), written(name, answered, tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()
    assert [*one.parent.iterdir(), *two.parent.iterdir()] == [one, two]


@EVERY
def test_a_place_that_takes_no_file_is_told(name: str, answered: Answered, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OutputError, match="could not be written"):
        written(name, answered, tmp_path / "taken")


def test_no_suffix_ends_another() -> None:
    suffixes = [output(name).suffix for name in OUTPUTS]
    assert not [(one, two) for one in suffixes for two in suffixes if one is not two and one.endswith(two)]


def test_jsonl_is_one_line_with_all_of_the_answer(answered: Answered, tmp_path: Path) -> None:
    text = written("jsonl", answered, tmp_path).read_text(encoding="utf-8")
    assert text.count("\n") == 1
    found = json.loads(text)
    assert (found["path"], found["label"], found["frames"]) == ("a/one.mkv", "walk, left", 25)
    assert found["segments"][2] == {
        "start_seconds": 0.8,
        "end_seconds": 1.0,
        "label": "<b>läuft & 走る</b>",
        "probability": 0.75,
    }
    assert found["notes"] == ["Cut short."]


def test_csv_and_parquet_are_the_same_table(answered: Answered, tmp_path: Path) -> None:
    with written("csv", answered, tmp_path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [segment.label for segment in SEGMENTS]
    assert rows[0]["path"] == "a/one.mkv"
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(written("parquet", answered, tmp_path)).to_pylist()
    assert [{key: str(value) for key, value in row.items()} for row in table] == rows


def test_steps_have_a_column_for_each_class(answered: Answered, tmp_path: Path) -> None:
    with written("steps", answered, tmp_path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["seconds", "walk, left", "<b>läuft & 走る</b>"]
    assert rows[1] == ["0.0", "1.0", "0.0"]
    assert [float(cell) for cell in rows[-1]] == pytest.approx([0.9, 0.1, 0.9])
    assert len(rows) == 11


def test_the_bar_follows_the_moment(answered: Answered) -> None:
    found, (first, unknown, last) = answered.found, SEGMENTS
    assert probability_at(found, first, 0.35) == pytest.approx(0.7)
    assert probability_at(found, unknown, 0.4) == pytest.approx(0.6)
    assert probability_at(found, last, 5.0) == pytest.approx(0.9)
    assert probability_at(replace(found, timeline=None), first, 0.35) == first.probability


def test_subtitles_say_what_stands_when(answered: Answered, tmp_path: Path) -> None:
    srt = written("srt", answered, tmp_path).read_text(encoding="utf-8")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:00,400\nwalk, left  0.94\n\n2\n")
    vtt = written("vtt", answered, tmp_path).read_text(encoding="utf-8")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.400\nwalk, left  0.94\n\n")
    assert "&lt;b&gt;läuft &amp; 走る&lt;/b&gt;" in vtt


def test_a_long_film_has_hours_in_its_subtitles(answered: Answered, tmp_path: Path) -> None:
    found = FilmPrediction(answered.film, "a", 1.0, (), (Segment(0.0, 370000.0, "a", 1.0),), 370000.0, 9)
    vtt = written("vtt", Answered(answered.film, "one", found, "moves"), tmp_path).read_text(encoding="utf-8")
    assert "00:00:00.000 --> 102:46:40.000" in vtt


def test_label_studio_gets_frames_from_one_with_both_ends(answered: Answered, tmp_path: Path) -> None:
    (task,) = json.loads(written("labelstudio", answered, tmp_path).read_text(encoding="utf-8"))
    assert task["data"] == {"video": "/data/local-files/?d=a/one.mkv", "fps": 25.0, "label": "walk, left"}
    (said,) = task["predictions"]
    regions = said["result"]
    assert [region["value"]["ranges"] for region in regions] == [
        [{"start": 1, "end": 10}],
        [{"start": 11, "end": 20}],
        [{"start": 21, "end": 25}],
    ]
    assert {(region["type"], region["from_name"], region["to_name"]) for region in regions} == {
        ("timelinelabels", "videoLabels", "video")
    }
    assert len({region["id"] for region in regions}) == 3


@pytest.mark.parametrize("name", ["video", "mp4"])
def test_an_annotated_film_is_in_time_and_keeps_its_picture(name: str, answered: Answered, tmp_path: Path) -> None:
    with open_film(written(name, answered, tmp_path)) as film:
        frames = list(film.frames())
    assert [frame.seconds for frame in frames] == pytest.approx([index / 25 for index in range(25)], abs=0.001)
    picture = paint_number(12, Size(SMALL.height * 5, SMALL.width * 5))
    shown = frames[12].pixels[: picture.shape[0]].astype(int)
    assert frames[12].pixels.shape[0] > picture.shape[0]
    assert np.abs(shown - picture).mean() < 12


def test_an_annotated_film_stays_in_time_over_a_gap(tmp_path: Path) -> None:
    film = make_uneven(tmp_path / "film.gif", [500, 500, 15_000, 500, 500])
    found = FilmPrediction(film, "a", 1.0, (), (Segment(0.0, 17.0, "a", 1.0),), 17.0, 5)
    with open_film(written("video", Answered(film, "film.gif", found, "moves"), tmp_path)) as shown:
        assert shown.facts().duration_seconds == pytest.approx(17.0, abs=1.1)


@pytest.mark.parametrize(
    ("film", "shown"),
    [
        (Size(48, 64), Size(240, 320)),
        (Size(1, 1), Size(320, 320)),
        (Size(720, 1280), Size(720, 1280)),
        (Size(700, 8), Size(1400, 16)),
        (Size(1000, 100), Size(1000, 100)),
        (Size(100, 16384), Size(50, 8192)),
    ],
)
def test_a_picture_is_enlarged_to_be_read_below_and_never_more_than_a_film_may_be(film: Size, shown: Size) -> None:
    assert shown_size(film) == shown


def test_a_tall_and_narrow_film_stands_in_the_middle(tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "tall.mkv",
        frames=3,
        size=Size(360, 8),
        paint=lambda _, size: np.full((size.height, size.width, 3), 250, np.uint8),
    )
    found = FilmPrediction(film, "a", 1.0, (), (Segment(0.0, 0.12, "a", 1.0),), 0.12, 3)
    with open_film(written("video", Answered(film, "tall.mkv", found, "moves"), tmp_path)) as shown:
        picture = next(shown.frames()).pixels
    assert picture.shape[1] == 320 and picture.shape[0] > 4 * 360
    bright = np.flatnonzero((picture[:1440] > 200).all((0, 2)))
    assert bright.min() == pytest.approx(144, abs=4) and bright.max() == pytest.approx(175, abs=4)


def test_a_folder_of_pictures_can_be_annotated(tmp_path: Path) -> None:
    film = make_pictures(tmp_path / "pictures", frames=4)
    found = FilmPrediction(film, "a", 1.0, (), (Segment(0.0, 0.4, "a", 1.0),), 0.4, 4)
    with open_film(written("video", Answered(film, "pictures", found, "moves", rate=10.0), tmp_path)) as shown:
        assert shown.facts().frames == 4


@pytest.mark.parametrize("width", [320, 640, 1280, 1920])
def test_the_strip_shows_label_bar_and_place_at_any_width(answered: Answered, width: int) -> None:
    strip = Strip(answered.found, width)
    at = {seconds: strip.at(seconds) for seconds in (0.0, 0.39, 0.5, 0.99)}
    height = at[0.0].shape[0]
    assert all(picture.shape == (height, width, 3) for picture in at.values())
    assert height % 2 == 0
    letters = at[0.0][: height // 2, : width // 2].max(2) > 200
    assert np.flatnonzero(letters.any(1)).size >= 9, "letters of nine pixels and more can be read"
    marks = [np.flatnonzero((picture[-height // 3 :] > 230).all(2).any(0)).mean() for picture in at.values()]
    assert marks == sorted(marks)
    assert marks[-1] - marks[0] > 0.9 * 0.9 * width
    bars = [(picture[: height // 2, width // 2 :] == colours(answered.found)[label]).all(2).sum() for picture, label in
            ((at[0.0], "walk, left"), (at[0.5], "unknown"))]  # fmt: skip
    assert bars[0] / bars[1] == pytest.approx(1.0 / 0.5, abs=0.1), "the bar is as long as the answer is probable"
    assert not (at[0.5][: height // 2, width // 2 :] == colours(answered.found)["walk, left"]).all(2).any()


def test_words_that_do_not_fit_stay_clear_of_the_bar() -> None:
    found = FilmPrediction(Path("f"), "a", 1.0, (), (Segment(0.0, 1.0, "long " * 30, 0.0),), 1.0, 25)
    line = Strip(found, 320).at(0.5)[:24]
    assert (line[:, :190] > 200).any(), "the words begin at the left"
    assert not (line[:, 193:200] > 200).any(), "and end before the bar"
