"""A live source gives an event for each change of its answer and each stretch that has ended, and lines on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import paint_number, tens_model

from vidrnn.cli.views.predicting import live_line
from vidrnn.errors import FilmError, OutputError
from vidrnn.live.camera import LiveFrame
from vidrnn.live.watcher import Firmness, LineFile, _Steady, warmed_up, watch
from vidrnn.predict.predictor import Predictor
from vidrnn.values import Answer, AnswerSpec, Change, DecisionRule, Now, Segment, Size, Stretch

SHOWN = Size(24, 32)
NOON = 1_800_000_000.0


class Played:
    """A source that plays a list of frames, sentences and errors."""

    spacing_seconds = 0.1

    def __init__(self, news: Iterable[LiveFrame | str | FilmError | None]) -> None:
        self._news = list(news)

    @property
    def over(self) -> bool:
        return not self._news

    def take(self, timeout_seconds: float) -> LiveFrame | str | None:
        assert 0 < timeout_seconds < 1, "whoever watches must be able to stop"
        news = self._news.pop(0)
        if isinstance(news, FilmError):
            raise news
        return news


def frame(index: int, **how: Any) -> LiveFrame:
    """A frame with its number painted on it, a tenth of a second after the one before."""
    at = index / 10
    return replace(LiveFrame(paint_number(index, SHOWN), at, at, NOON + at, life=0), **how)


def events_of(news: Iterable[LiveFrame | str | FilmError | None]) -> list[Any]:
    predictor = Predictor(tens_model())
    return [one for one in watch(Played(news), predictor.stream) if not isinstance(one, Now)]


def test_each_change_comes_once_and_each_stretch_when_it_has_ended() -> None:
    events = events_of(frame(index) for index in range(25))
    changes = [one for one in events if isinstance(one, Change)]
    stretches = [one for one in events if isinstance(one, Stretch)]
    assert [one.label for one in changes] == ["0", "10", "20"]
    assert changes[0].seconds == 0.0 and 1.0 <= changes[1].seconds < 2.0 <= changes[2].seconds
    assert [(one.start_seconds, one.end_seconds, one.label) for one in stretches] == [
        (0.0, pytest.approx(1.0), "0"),
        (pytest.approx(1.0), pytest.approx(2.0), "10"),
        (pytest.approx(2.0), pytest.approx(2.5), "20"),
    ]


def test_a_flicker_is_no_change_and_a_change_has_the_time_at_which_it_began() -> None:
    steady = _Steady(Firmness(hysteresis=0.1, shortest_seconds=0.25))
    changes = []
    for index, share in enumerate([0.8, 0.2, 0.8, 0.48, 0.2, 0.2, 0.3, 0.2, 0.2]):
        label = "a" if share > 0.5 else "b"
        answer = Answer(index / 10, label, max(share, 1 - share), ("a", "b"), (share, 1 - share))
        changes.append(steady.change(answer, frame(index)))
    assert [(at, one.label, one.seconds) for at, one in enumerate(changes) if one] == [(0, "a", 0.0), (7, "b", 0.4)]
    assert changes[7] is not None and changes[7].probability == 0.8


def test_where_thresholds_decide_a_change_needs_no_majority() -> None:
    answer = AnswerSpec("next-frame", "picture", "frame", ("normal", "anomaly"), "normal")
    steady = _Steady(Firmness.of(answer, DecisionRule(threshold=0.3, hysteresis=0.1, shortest_seconds=5.0)))
    labels = []
    for index, (label, score) in enumerate([("normal", 0.2), ("anomaly", 0.35), ("anomaly", 0.25), ("normal", 0.1)]):
        shares = (1 - score, score)
        change = steady.change(Answer(0.0, label, max(shares), ("normal", "anomaly"), shares), frame(index))
        labels.append(change and change.label)
    assert labels == ["normal", "anomaly", None, "normal"]


def test_where_several_may_hold_a_change_tells_all_that_hold() -> None:
    answer = AnswerSpec("label", "several", "frame", ("dig", "rear"))
    steady = _Steady(Firmness.of(answer, DecisionRule(threshold=0.5)))
    told = []
    for index, holding in enumerate([("dig",), ("dig", "rear"), ("dig", "rear"), ("rear",), (), ()]):
        now = Answer(0.0, holding[0] if holding else "unknown", 0.8, ("dig", "rear"), (0.8, 0.8), holding)
        change = steady.change(now, frame(index))
        told.append(change and change.holding)
    assert told == [("dig",), ("dig", "rear"), None, ("rear",), (), None]
    line = live_line(Change(1.0, "2027-01-15T08:00:00.000+00:00", "dig", 0.8, 0, ("dig", "rear")))
    assert json.loads(line)["holding"] == ["dig", "rear"]


def test_what_becomes_unknown_is_a_change_though_the_class_is_still_the_most_probable() -> None:
    steady = _Steady(Firmness(hysteresis=0.1))
    labels = []
    for index, (label, share) in enumerate([("a", 0.9), ("unknown", 0.6), ("unknown", 0.55), ("a", 0.8)]):
        change = steady.change(Answer(0.0, label, share, ("a", "b"), (share, 1 - share)), frame(index))
        labels.append(change and change.label)
    assert labels == ["a", "unknown", None, "a"]


def test_times_of_day_are_those_at_which_frames_arrived() -> None:
    late = [frame(index, arrived=NOON + 2 * index) for index in range(20)]
    changes = [one for one in events_of(late) if isinstance(one, Change)]
    stretches = [one for one in events_of(late) if isinstance(one, Stretch)]
    assert epoch(changes[1].time) == NOON + 20 * changes[1].seconds
    assert [epoch(one.start_time) for one in stretches] == [NOON, NOON + 20]
    assert epoch(stretches[0].end_time) == epoch(stretches[1].start_time)
    assert epoch(stretches[1].end_time) == pytest.approx(NOON + 38.1)


def test_a_stretch_that_does_not_follow_on_the_one_before_begins_when_its_first_frame_arrived() -> None:
    class Rare:
        """Gives stretches with something between them, as of anomalies."""

        def push(self, pixels: np.ndarray, seconds: float, before: np.ndarray | None = None) -> Answer:
            ended = Segment(round(seconds - 0.3, 1), seconds, "rare", 0.9)
            certain = (ended,) if round(10 * seconds) in (5, 19) else ()
            return Answer(seconds, "rare", 0.9, ("rare",), (0.9,), ended=certain)

        def pass_over(self, seconds: float) -> None:
            pass

        def finish(self, end_seconds: float | None = None) -> Answer:
            return Answer(2.0, "rare", 0.9, ("rare",), (0.9,))

    played = Played(frame(index, arrived=NOON + 2 * index) for index in range(20))
    events = [one for one in watch(played, Rare) if isinstance(one, Stretch)]
    assert [epoch(one.start_time) - NOON for one in events] == [4, 32]
    assert [epoch(one.end_time) - NOON for one in events] == [10, 38]


def test_a_stretch_that_overlaps_the_one_before_begins_when_its_first_frame_arrived() -> None:
    class Several:
        """Gives two stretches that overlap, as of two behaviours at once."""

        def push(self, pixels: np.ndarray, seconds: float, before: np.ndarray | None = None) -> Answer:
            ended = {5: Segment(0.2, 0.5, "dig", 0.9), 9: Segment(0.3, 0.9, "walk", 0.9)}.get(round(10 * seconds))
            return Answer(seconds, "dig", 0.9, ("dig", "walk"), (0.9, 0.9), ended=(ended,) if ended else ())

        def pass_over(self, seconds: float) -> None:
            pass

        def finish(self, end_seconds: float | None = None) -> Answer:
            return Answer(1.0, "dig", 0.9, ("dig", "walk"), (0.9, 0.9))

    events = [one for one in watch(Played(map(frame, range(10))), Several) if isinstance(one, Stretch)]
    assert [epoch(one.start_time) - NOON for one in events] == pytest.approx([0.2, 0.3])
    assert [epoch(one.end_time) - NOON for one in events] == pytest.approx([0.5, 0.9])


def epoch(text: str) -> float:
    parsed = datetime.fromisoformat(text)
    assert parsed.tzinfo is not None, "a time of day says where"
    return parsed.timestamp()


def test_after_a_break_all_begins_anew() -> None:
    before = [frame(index) for index in range(15)]
    after = [
        replace(frame(index, life=1), since_seconds=40 + index / 10, seconds=40 + index / 10) for index in range(12, 15)
    ]
    events = events_of([*before, "it broke off.", "it is back.", *after])
    kinds = [one if isinstance(one, str) else type(one).__name__ for one in events]
    assert kinds == ["Change", "Change", "it broke off.", "it is back.", "Stretch", "Stretch", "Change", "Stretch"]
    assert events[5].end_seconds == pytest.approx(1.5), "nobody saw what was in the gap"
    assert (events[6].label, events[6].seconds) == ("10", pytest.approx(41.2))
    assert (events[7].start_seconds, events[7].end_seconds) == pytest.approx((41.2, 41.5))


@pytest.mark.parametrize("damaged", [False, True])
def test_after_a_long_gap_every_frame_is_read_and_no_stretch_claims_what_nobody_saw(damaged: bool) -> None:
    predictor, read = Predictor(tens_model()), list[int]()
    encode = predictor.model.encode
    predictor.model.encode = lambda pixels, before=None: read.append(len(pixels)) or encode(pixels, before)
    late = [replace(frame(i), since_seconds=12.05 + i / 10, seconds=12.05 + i / 10) for i in range(5)]
    if damaged:
        late[0] = replace(late[0], since_seconds=0.5)
    events = list(watch(Played([*(frame(i) for i in range(5)), *late]), predictor.stream))
    assert sum(read) == 10, "each of the frames, and each once"
    stretches = [(one.start_seconds, one.end_seconds, one.label) for one in events if isinstance(one, Stretch)]
    assert stretches == [(0.0, pytest.approx(0.5), "0"), (12.05, pytest.approx(12.55), "0")]
    assert [one.seconds for one in events if isinstance(one, Change)] == [0.0, 12.05]


def test_a_slow_look_is_no_gap() -> None:
    slow = Played([frame(0), *(replace(frame(i), since_seconds=15.0 * i, seconds=15.0 * i) for i in (1, 2))])
    slow.spacing_seconds = 15.0
    predictor = Predictor(tens_model())
    events = [one for one in watch(slow, predictor.stream) if isinstance(one, Stretch)]
    assert [(one.start_seconds, one.end_seconds) for one in events] == [(0.0, 45.0)]


def test_the_events_of_all_frames_come_before_a_lost_source_is_an_error() -> None:
    events: list[Any] = []
    with pytest.raises(FilmError, match="gone"):
        events.extend(watch(Played([frame(0), FilmError("gone")]), Predictor(tens_model()).stream))
    assert [type(one).__name__ for one in events] == ["Change", "Now", "Stretch"]


def test_a_source_without_frames_has_no_events() -> None:
    assert events_of([None, None]) == [None, None]


def test_a_frame_does_not_stand_for_times_whose_frames_were_lost() -> None:
    predictor, read = Predictor(tens_model()), list[int]()
    encode = predictor.model.encode
    predictor.model.encode = lambda pixels, before=None: read.append(len(pixels)) or encode(pixels, before)
    list(watch(Played([frame(0), frame(9, dropped=8), frame(12, since_seconds=1.1)]), predictor.stream))
    assert read == [1, 1, 2]


def test_a_model_is_warmed_up_by_a_picture_of_its_size() -> None:
    pushed: list[tuple[int, ...]] = []

    class Cold:
        def push(self, pixels: np.ndarray, seconds: float, before: np.ndarray | None = None) -> None:
            pushed.append(pixels.shape)

    warmed_up(Cold, SHOWN)  # type: ignore[arg-type]
    assert pushed == [(24, 32, 3)]


def test_a_line_is_json_with_its_numbers_as_precise_as_they_are_known() -> None:
    line = live_line(Change(1.0 / 3, "2027-01-15T08:00:00.000+00:00", 'sit "down"\n', 2.0 / 3, 7))
    assert "\n" not in line
    assert json.loads(line) == {
        "seconds": 0.3333,
        "time": "2027-01-15T08:00:00.000+00:00",
        "label": 'sit "down"\n',
        "probability": 0.6667,
        "dropped": 7,
    }


def test_lines_are_on_the_disk_as_soon_as_they_are_added_and_a_file_can_be_continued(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "camera.jsonl"
    for number in range(2):
        with LineFile(file) as lines:
            lines.add(f"one {number}")
            assert file.read_text().endswith(f"one {number}\n")
            lines.add(f"two {number}")
    assert file.read_text() == "one 0\ntwo 0\none 1\ntwo 1\n"


@pytest.mark.parametrize("torn", ['{"half', "x" * 10_000, ""])
@pytest.mark.parametrize("whole", ["", "a\n", "a\n" * 5000])
def test_half_a_line_is_removed(tmp_path: Path, whole: str, torn: str) -> None:
    file = tmp_path / "camera.jsonl"
    file.write_text(whole + torn)
    with LineFile(file) as lines:
        lines.add("next")
    assert file.read_text() == f"{whole}next\n"


def test_a_full_disk_is_an_error_and_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, write = tmp_path / "camera.jsonl", os.write
    with LineFile(file) as lines:
        lines.add("kept")
        monkeypatch.setattr("vidrnn.live.watcher.os.write", lambda handle, text: write(handle, text[:3]))
        with pytest.raises(OutputError, match="full"):
            lines.add("lost")
    assert file.read_text() == "kept\n"


def test_a_file_that_another_one_writes_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "camera.jsonl"
    with LineFile(file) as lines:
        lines.add("first")
        with file.open("a") as half:
            half.write("ha")
        with pytest.raises(OutputError, match=r"another vidrnn is writing it.*--out"):
            LineFile(file)
        assert file.read_text() == "first\nha"
    with LineFile(file) as lines:
        lines.add("then")
    assert file.read_text() == "first\nthen\n"


def test_where_there_are_no_locks_lines_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("filelock.FileLock.acquire", unknown)
    with LineFile(tmp_path / "camera.jsonl") as lines:
        lines.add("kept")
    assert lines.file.read_text() == "kept\n"


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        LineFile(tmp_path / "file" / "camera.jsonl")
