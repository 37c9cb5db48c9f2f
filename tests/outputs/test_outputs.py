"""Every output writes its file whole or not at all, the same bytes twice, and other programs can read it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import (
    FRAMES_SIZE,
    SMALL,
    gliding_model,
    make_film,
    make_pictures,
    make_uneven,
    paint_number,
    paint_square,
)
from defusedxml.ElementTree import fromstring

from vidrnn.errors import OutputError
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import SEGMENT_COLUMNS, Answered, Event, FilmEvents, Output
from vidrnn.outputs.boris import Boris
from vidrnn.outputs.elan import Elan
from vidrnn.outputs.strips import LabelStrip, Lanes, colours, probability_at, strip_for
from vidrnn.outputs.video import shown_size
from vidrnn.predict.predictor import Predictor
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
    member: Output = load_member(OUTPUTS, "--format", name)()
    if member.needs:
        pytest.importorskip(member.needs)
    return member


@pytest.fixture
def answered(tmp_path: Path) -> Answered:
    film = make_film(tmp_path / "films" / "one.mkv", frames=25, fps=25)
    prediction = FilmPrediction(
        path=film,
        segments=SEGMENTS,
        duration_seconds=1.0,
        frames=25,
        label="walk, left",
        probability=0.6,
        top=(Candidate("walk, left", 0.6),),
        notes=("Cut short.",),
        timeline=TIMELINE,
    )
    return Answered(film, "a/one.mkv", prediction, "moves")


def one_segment(film: Path, seconds: float, frames: int, label: str = "a") -> FilmPrediction:
    """One segment from the beginning to the end of a film."""
    return FilmPrediction(film, (Segment(0.0, seconds, label, 1.0),), seconds, frames, label, 1.0)


def written(name: str, answered: Answered, folder: Path) -> Path:
    member = output(name)
    file = folder / f"one.mkv{member.suffix}"
    member.write(answered, file)
    return file


@EVERY
def test_the_same_answer_gives_the_same_bytes_and_nothing_else(name: str, answered: Answered, tmp_path: Path) -> None:
    one, two = written(name, answered, tmp_path / "1"), written(name, answered, tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()
    assert [*one.parent.iterdir(), *two.parent.iterdir()] == [one, two]


@EVERY
def test_a_place_that_takes_no_file_is_an_error(name: str, answered: Answered, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OutputError, match="could not be written"):
        written(name, answered, tmp_path / "taken")


def test_no_suffix_ends_another() -> None:
    suffixes = [output(name).suffix for name in OUTPUTS]
    assert not [(one, two) for one in suffixes for two in suffixes if one is not two and one.endswith(two)]


def test_jsonl_is_one_line_with_all_of_the_answer(answered: Answered, tmp_path: Path) -> None:
    text = written("jsonl", answered, tmp_path).read_text(encoding="utf-8")
    assert text.count("\n") == 1
    record = json.loads(text)
    assert (record["path"], record["label"], record["frames"]) == ("a/one.mkv", "walk, left", 25)
    assert record["segments"][2] == {
        "start_seconds": 0.8,
        "end_seconds": 1.0,
        "label": "<b>läuft & 走る</b>",
        "probability": 0.75,
    }
    assert record["notes"] == ["Cut short."]


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
    prediction, (first, unknown, last) = answered.prediction, SEGMENTS
    assert probability_at(prediction, first, 0.35) == pytest.approx(0.7)
    assert probability_at(prediction, unknown, 0.4) == pytest.approx(0.6)
    assert probability_at(prediction, last, 5.0) == pytest.approx(0.9)
    assert probability_at(replace(prediction, timeline=None), first, 0.35) == first.probability


def test_subtitles_say_what_stands_when(answered: Answered, tmp_path: Path) -> None:
    srt = written("srt", answered, tmp_path).read_text(encoding="utf-8")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:00,400\nwalk, left  0.94\n\n2\n")
    vtt = written("vtt", answered, tmp_path).read_text(encoding="utf-8")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.400\nwalk, left  0.94\n\n")
    assert "&lt;b&gt;läuft &amp; 走る&lt;/b&gt;" in vtt


def test_a_long_film_has_hours_in_its_subtitles(answered: Answered, tmp_path: Path) -> None:
    prediction = one_segment(answered.film, 370000.0, 9)
    vtt = written("vtt", Answered(answered.film, "one", prediction, "moves"), tmp_path).read_text(encoding="utf-8")
    assert "00:00:00.000 --> 102:46:40.000" in vtt


def test_label_studio_gets_frames_from_one_with_both_ends(answered: Answered, tmp_path: Path) -> None:
    (task,) = json.loads(written("labelstudio", answered, tmp_path).read_text(encoding="utf-8"))
    assert task["data"] == {"video": "/data/local-files/?d=a/one.mkv", "fps": 25.0, "label": "walk, left"}
    (predicted,) = task["predictions"]
    regions = predicted["result"]
    assert [region["value"]["ranges"] for region in regions] == [
        [{"start": 1, "end": 10}],
        [{"start": 11, "end": 20}],
        [{"start": 21, "end": 25}],
    ]
    assert {(region["type"], region["from_name"], region["to_name"]) for region in regions} == {
        ("timelinelabels", "videoLabels", "video")
    }
    assert len({region["id"] for region in regions}) == 3


def test_boris_gets_states_in_pairs_and_a_key_for_each_class(answered: Answered, tmp_path: Path) -> None:
    project = json.loads(written("boris", answered, tmp_path).read_text(encoding="ascii"))
    assert project["project_format_version"] == "7.0"
    behaviours = [(one["code"], one["type"], one["key"]) for one in project["behaviors_conf"].values()]
    assert behaviours == [
        ("walk, left", "State event", "w"),
        ("<b>läuft & 走る</b>", "State event", "b"),
        ("unknown", "State event", "u"),
    ]
    assert list(project["observations"]) == ["a/one.mkv"]
    observation = project["observations"]["a/one.mkv"]
    assert observation["file"]["1"] == ["a/one.mkv"]
    assert observation["media_info"]["length"] == {"a/one.mkv": 1.0}
    assert observation["media_info"]["fps"] == {"a/one.mkv": 25.0}
    assert observation["events"][:3] == [
        [0.0, "", "walk, left", "", "probability 0.94", 0],
        [0.4, "", "walk, left", "", "probability 0.94", 10],
        [0.4, "", "unknown", "", "probability 0.30", 10],
    ]
    assert len(observation["events"]) == 6


@pytest.mark.parametrize("name", ["boris", "elan", "audacity", "labelstudio", "srt", "vtt"])
def test_the_class_of_moments_without_a_label_is_a_gap_in_labels(name: str, answered: Answered, tmp_path: Path) -> None:
    segments = (Segment(0.0, 0.4, "(unlabelled)", 0.9), Segment(0.4, 1.0, "dig", 0.9))
    timeline = replace(TIMELINE, classes=("(unlabelled)", "dig"))
    prediction = replace(answered.prediction, segments=segments, timeline=timeline)
    text = written(name, replace(answered, prediction=prediction), tmp_path).read_text(encoding="utf-8")
    assert "dig" in text and "unlabelled" not in text
    table = written("csv", replace(answered, prediction=prediction), tmp_path).read_text(encoding="utf-8")
    assert "(unlabelled)" in table, "in a table, a gap says that nobody looked"


def test_more_classes_than_keys_share_keys() -> None:
    names = [f"{number}" for number in range(40)]
    film = FilmEvents("a", (Event(0.0, 1.0, "0"),), tuple(names), duration_seconds=1.0, frames=25)
    project = json.loads(Boris().text([film]))
    keys = [one["key"] for one in project["behaviors_conf"].values()]
    assert len(set(keys)) == 36 and all(len(key) == 1 for key in keys)


def test_elan_gets_a_tier_for_each_class_and_the_name_of_the_film(answered: Answered, tmp_path: Path) -> None:
    root = fromstring(written("elan", answered, tmp_path).read_bytes())
    assert (root.tag, root.get("FORMAT")) == ("ANNOTATION_DOCUMENT", "3.0")
    assert [one.tag for one in root] == ["HEADER", "TIME_ORDER", "TIER", "TIER", "TIER", "LINGUISTIC_TYPE"]
    assert [one.get("TIER_ID") for one in root.iter("TIER")] == [
        "walk, left",
        "<b>läuft & 走る</b>",
        "unknown",
    ]
    assert [one.get("TIME_VALUE") for one in root.iter("TIME_SLOT")] == ["0", "400", "400", "800", "800", "1000"]
    media = next(root.iter("MEDIA_DESCRIPTOR"))
    assert (media.get("RELATIVE_MEDIA_URL"), media.get("MIME_TYPE")) == ("./a/one.mkv", "video/x-matroska")
    annotations = [(one.get("TIME_SLOT_REF1"), one.get("TIME_SLOT_REF2")) for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert sorted(annotations) == [("ts1", "ts2"), ("ts3", "ts4"), ("ts5", "ts6")]
    assert {one.get("LINGUISTIC_TYPE_REF") for one in root.iter("TIER")} == {
        one.get("LINGUISTIC_TYPE_ID") for one in root.iter("LINGUISTIC_TYPE")
    }


def test_characters_that_xml_cannot_hold_are_codes_in_names_and_labels() -> None:
    film = FilmEvents("a\udcff.mp4", (Event(0.0, 0.0, "dig\x00 \x1bit"),), ("dig\x00 \x1bit",))
    root = fromstring(Elan().text([film]).encode())
    assert [one.get("TIER_ID") for one in root.iter("TIER")] == [r"dig\x00 \x1bit"]
    assert [one.get("TIME_VALUE") for one in root.iter("TIME_SLOT")] == ["0", "1"]


def test_audacity_gets_a_line_for_each_segment(answered: Answered, tmp_path: Path) -> None:
    lines = written("audacity", answered, tmp_path).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "0.000000\t0.400000\twalk, left"
    assert len(lines) == len(SEGMENTS)


def test_the_budget_has_the_columns_of_boris_and_a_row_for_each_class(answered: Answered, tmp_path: Path) -> None:
    apart = (Segment(0.0, 0.2, "walk, left", 0.9), Segment(0.3, 0.7, "walk, left", 0.9))
    prediction = replace(answered.prediction, segments=apart)
    with written("budget", replace(answered, prediction=prediction), tmp_path).open(
        newline="", encoding="utf-8"
    ) as file:
        walk, other = csv.DictReader(file)
    expected = sum(float(share) * 0.1 for share in TIMELINE.probabilities[:, 0])
    assert {name: value for name, value in walk.items() if name != "expected duration (s)"} == {
        "path": "a/one.mkv",
        "behavior": "walk, left",
        "number of occurrences": "2",
        "total duration": "0.6",
        "duration mean": "0.3",
        "duration std dev": "0.141421",
        "inter-event intervals mean": "0.1",
        "inter-event intervals std dev": "NA",
        "% of total subject observation duration": "60.0",
    }
    assert float(walk["expected duration (s)"]) == pytest.approx(expected)
    assert (other["behavior"], other["number of occurrences"], other["duration mean"]) == (
        TIMELINE.classes[1],
        "0",
        "NA",
    )


def test_the_expected_duration_leaves_out_moments_without_a_probability(answered: Answered, tmp_path: Path) -> None:
    shares = TIMELINE.probabilities.copy()
    shares[:5] = np.nan
    prediction = replace(answered.prediction, timeline=replace(TIMELINE, probabilities=shares))
    rows = (
        written("budget", replace(answered, prediction=prediction), tmp_path).read_text(encoding="utf-8").splitlines()
    )
    assert float(rows[1].rpartition(",")[2]) == pytest.approx(0.1 * float(shares[5:, 0].sum()), abs=1e-5)


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
    prediction = one_segment(film, 17.0, 5)
    with open_film(written("video", Answered(film, "film.gif", prediction, "moves"), tmp_path)) as shown:
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
    prediction = one_segment(film, 0.12, 3)
    with open_film(written("video", Answered(film, "tall.mkv", prediction, "moves"), tmp_path)) as shown:
        picture = next(shown.frames()).pixels
    assert picture.shape[1] == 320 and picture.shape[0] > 4 * 360
    bright = np.flatnonzero((picture[:1440] > 200).all((0, 2)))
    assert bright.min() == pytest.approx(144, abs=4) and bright.max() == pytest.approx(175, abs=4)


def test_a_folder_of_pictures_can_be_annotated(tmp_path: Path) -> None:
    film = make_pictures(tmp_path / "pictures", frames=4)
    prediction = one_segment(film, 0.4, 4)
    with open_film(written("video", Answered(film, "pictures", prediction, "moves", rate=10.0), tmp_path)) as shown:
        assert shown.facts().frames == 4


@pytest.mark.parametrize("width", [320, 640, 1280, 1920])
def test_the_strip_shows_label_bar_and_place_at_any_width(answered: Answered, width: int) -> None:
    strip = strip_for(answered.prediction, width)
    at = {seconds: strip.at(seconds) for seconds in (0.0, 0.39, 0.5, 0.99)}
    height = at[0.0].shape[0]
    assert all(picture.shape == (height, width, 3) for picture in at.values())
    assert height % 2 == 0
    letters = at[0.0][: height // 2, : width // 2].max(2) > 200
    assert np.flatnonzero(letters.any(1)).size >= 9, "letters of nine pixels and more can be read"
    marks = [np.flatnonzero((picture[-height // 3 :] > 230).all(2).any(0)).mean() for picture in at.values()]
    assert marks == sorted(marks)
    assert marks[-1] - marks[0] > 0.9 * 0.9 * width
    right = np.s_[: height // 2, width // 2 :]
    bars = [
        (at[seconds][right] == colours(answered.prediction)[label]).all(2).sum()
        for seconds, label in ((0.0, "walk, left"), (0.5, "unknown"))
    ]
    assert bars[0] / bars[1] == pytest.approx(1.0 / 0.5, abs=0.1), "the bar is as long as the answer is probable"
    assert not (at[0.5][right] == colours(answered.prediction)["walk, left"]).all(2).any()


def test_words_that_do_not_fit_stay_clear_of_the_bar() -> None:
    prediction = FilmPrediction(Path("f"), (Segment(0.0, 1.0, "long " * 30, 0.0),), 1.0, 25)
    line = strip_for(prediction, 320).at(0.5)[:24]
    assert (line[:, :190] > 200).any(), "the words begin at the left"
    assert not (line[:, 193:200] > 200).any(), "and end before the bar"


# --- what a prediction holds ------------------------------------------------------------------------------------------


def test_between_two_segments_the_strip_has_no_label_and_no_bar() -> None:
    apart = (Segment(0.2, 0.4, "dig", 0.9), Segment(0.6, 0.8, "dig", 0.9))
    strip = strip_for(FilmPrediction(Path("f"), apart, 1.0, 25, timeline=TIMELINE), 320)
    bright = {at: int((strip.at(at)[:22] > 200).sum()) for at in (0.1, 0.3, 0.5, 0.7, 0.9)}
    assert bright[0.3] > 0 and bright[0.7] > 0
    assert bright[0.1] == bright[0.5] == bright[0.9] == 0
    timeline = strip.at(0.0)[26:34]
    coloured = np.flatnonzero((timeline == colours(FilmPrediction(Path("f"), apart, 1.0, 25))["dig"]).all(2).any(0))
    assert (coloured.min(), coloured.max()) == pytest.approx((0.2 * 308 + 6, 0.8 * 308 + 6), abs=3)


def test_segments_that_do_not_overlap_have_one_strip_for_all(answered: Answered) -> None:
    assert isinstance(strip_for(answered.prediction, 320), LabelStrip)
    assert isinstance(strip_for(replace(answered.prediction, segments=()), 320), LabelStrip)


OVERLAPPING = FilmPrediction(
    Path("f"),
    (Segment(0.1, 0.9, "walk, left", 0.9), Segment(0.5, 0.7, "<b>läuft & 走る</b>", 0.9)),
    1.0,
    25,
    timeline=TIMELINE,
)


def rows_of(strip: np.ndarray, label: str) -> np.ndarray:
    """The rows of a strip that show the bar of a label."""
    return np.flatnonzero((strip == colours(OVERLAPPING)[label]).all(2).any(1))


@pytest.mark.parametrize("width", [320, 640, 1280, 1920])
def test_segments_that_overlap_have_a_lane_for_each_behaviour(width: int) -> None:
    lanes = strip_for(OVERLAPPING, width)
    assert isinstance(lanes, Lanes)
    at = {seconds: lanes.at(seconds) for seconds in (0.0, 0.6, 0.99)}
    height = at[0.0].shape[0]
    assert all(picture.shape == (height, width, 3) for picture in at.values()) and height % 2 == 0
    upper, lower = (rows_of(at[0.0], label) for label in TIMELINE.classes)
    assert upper.max() < lower.min(), "lanes stand one below the other, in the order of the classes"
    row = at[0.0][upper[len(upper) // 2]]
    bar = np.flatnonzero((row == colours(OVERLAPPING)["walk, left"]).all(1))
    empty = np.flatnonzero((row == (48, 48, 48)).all(1))
    assert bar.size / (bar.size + empty.size) == pytest.approx(0.8, abs=0.02), "a bar is as long as its segment"
    marks = [np.flatnonzero((picture[: height // 8] > 230).all(2).any(0)).mean() for picture in at.values()]
    assert marks == sorted(marks) and marks[-1] - marks[0] > 0.45 * width


def test_the_name_of_a_behaviour_is_bright_while_it_holds_and_its_probability_stands_beside_it() -> None:
    lanes = strip_for(OVERLAPPING, 320)
    upper, lower = (rows_of(lanes.at(0.0), label) for label in TIMELINE.classes)
    for seconds, holding in ((0.05, (False, False)), (0.3, (True, False)), (0.6, (True, True)), (0.95, (False, False))):
        strip = lanes.at(seconds)
        for rows, holds in zip((upper, lower), holding, strict=True):
            lane = strip[rows.min() : rows.max() + 1]
            assert (lane[:, :100] > 80).any(), "every lane has its name"
            assert bool((lane[:, :100] > 200).any()) == holds
            assert bool((lane[:, -40:] > 200).any()) == holds


def test_a_behaviour_that_lasts_to_the_end_holds_at_the_last_frame() -> None:
    segments = (Segment(0.0, 1.0, "a", 0.9), Segment(0.2, 0.4, "b", 0.9))
    lanes = strip_for(FilmPrediction(Path("f"), segments, 1.0, 25), 320)
    bright = {at: int((lanes.at(at)[:, :16] > 200).sum()) for at in (0.1, 0.3, 1.0)}
    assert 0 < bright[0.1] == bright[1.0] < bright[0.3]


@pytest.mark.parametrize("name", ["video", "mp4"])
def test_a_film_with_several_behaviours_at_once_is_annotated(name: str, answered: Answered, tmp_path: Path) -> None:
    prediction = replace(answered.prediction, segments=OVERLAPPING.segments)
    with open_film(written(name, replace(answered, prediction=prediction), tmp_path)) as film:
        shown = film.facts()
    assert shown.frames == 25 and shown.size.height > SMALL.height * 5


@pytest.fixture
def without_anomaly(tmp_path: Path) -> Answered:
    """The answer of a next-frame model for a film in which everything goes on as predicted."""
    film = make_film(tmp_path / "films" / "glide.mkv", frames=12, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    prediction = Predictor(gliding_model(), rollout=2).predict(film)
    assert prediction.segments == () and prediction.label is None
    return Answered(film, "glide.mkv", prediction, "squares")


def test_every_format_writes_a_prediction_of_next_frames_without_segments(
    without_anomaly: Answered, tmp_path: Path
) -> None:
    texts = {
        name: written(name, without_anomaly, tmp_path).read_text(encoding="utf-8")
        for name in ("jsonl", "csv", "steps", "srt", "vtt", "labelstudio", "boris", "elan", "audacity", "budget")
    }
    record = json.loads(texts["jsonl"])
    assert record["segments"] == [] and record["anomaly"] < 0.5 and "label" not in record
    assert texts["csv"] == "path,start_seconds,end_seconds,label,probability\n"
    assert (texts["srt"], texts["vtt"]) == ("", "WEBVTT\n")
    (task,) = json.loads(texts["labelstudio"])
    assert task["data"] == {"video": "/data/local-files/?d=glide.mkv", "fps": 10.0}
    assert task["predictions"] == [{"model_version": "squares", "result": []}]
    assert json.loads(texts["boris"])["observations"]["glide.mkv"]["events"] == []
    assert not list(fromstring(texts["elan"].encode()).iter("ANNOTATION"))
    assert (texts["audacity"], texts["budget"].count("\n")) == ("", 3)
    rows = list(csv.DictReader(texts["steps"].splitlines()))
    assert list(rows[0]) == ["frame", "seconds", "mse", "psnr", "worst_block", "anomaly"]
    assert [row["frame"] for row in rows] == [str(index) for index in range(12)]
    assert rows[1]["anomaly"] == "" and 0 < float(rows[2]["anomaly"]) < 0.5


def test_parquet_of_a_prediction_without_segments_has_columns_and_no_rows(
    without_anomaly: Answered, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(written("parquet", without_anomaly, tmp_path))
    assert (table.num_rows, table.column_names) == (0, list(SEGMENT_COLUMNS))


@pytest.mark.parametrize("name", ["video", "mp4"])
def test_the_video_of_next_frames_goes_on_beyond_the_end(name: str, without_anomaly: Answered, tmp_path: Path) -> None:
    with open_film(written(name, without_anomaly, tmp_path)) as shown:
        frames = list(shown.frames())
    assert len(frames) == 12 + 2
    assert [frame.seconds for frame in frames] == pytest.approx(np.arange(14) / 10, abs=0.002)


@pytest.mark.parametrize("name", ["video", "mp4"])
def test_an_annotated_film_without_segments_and_pictures_has_an_empty_strip(
    name: str, without_anomaly: Answered, tmp_path: Path
) -> None:
    bare = replace(without_anomaly, prediction=replace(without_anomaly.prediction, pictures=None))
    with open_film(written(name, bare, tmp_path)) as shown:
        assert shown.facts().frames == 12


@EVERY
def test_an_answer_for_the_film_as_a_whole_is_written_or_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    film = make_film(tmp_path / "films" / "one.mkv", frames=5)
    whole = Answered(film, "one.mkv", FilmPrediction(film, (), 0.2, 5, measures={"speed": 3.0}), "speeds")
    if name == "jsonl":
        assert json.loads(written(name, whole, tmp_path / "out").read_text())["speed"] == 3.0
        return
    with pytest.raises(OutputError, match=r"for the video as a whole, .* Choose another --format: jsonl\."):
        written(name, whole, tmp_path / "out")
    assert not (tmp_path / "out").exists()


NASTY = "=cmd|' /C calc'!A0 <script>alert(1)</script> \x1b[31m --> {\\an8}"


@pytest.mark.parametrize("name", ["csv", "steps", "budget", "srt", "vtt", "audacity", "jsonl"])
def test_a_label_of_others_cannot_reach_out_of_its_file(name: str, answered: Answered, tmp_path: Path) -> None:
    timeline = replace(TIMELINE, classes=(NASTY, "dig"))
    prediction = replace(answered.prediction, label=NASTY, segments=(Segment(0.0, 0.4, NASTY, 0.9),), timeline=timeline)
    text = written(name, replace(answered, prediction=prediction, name="-film.mkv"), tmp_path).read_text("utf-8")
    assert "\x1b" not in text
    if name in ("srt", "vtt"):
        assert "<script" not in text and text.count("-->") == 1
    elif name in ("csv", "steps", "budget"):
        cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
        assert not [cell for cell in cells if cell[:1] in {"=", "-", "+", "@"}]
        assert any(cell.startswith("'=cmd") for cell in cells)
    elif name == "jsonl":
        assert json.loads(text)["label"] == NASTY, "what JSON escapes is read back"
