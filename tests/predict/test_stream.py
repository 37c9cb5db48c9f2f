"""A stream takes frames one by one: its answers are those of the whole clip, and it gives each segment once."""

from __future__ import annotations

import gc
import re
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TinyRun, gliding_model, make_film, paint_number, paint_square, tens_model
from nets.test_heads import CHUNKS, STREAMING, label
from timeline.test_windows import FRAMES, SIDE, runtime

import vidrnn
from vidrnn.config import HeadConfig
from vidrnn.errors import FilmError, ModelError, UsageError
from vidrnn.predict.predictor import Predictor
from vidrnn.predict.stream import Stream
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.timeline.segments import UNKNOWN, softmax
from vidrnn.values import Answer, DecisionRule, Pixels, Size
from vidrnn.video.reader import open_film

SHOWN = Size(24, 32)


@pytest.fixture(scope="session")
def tiny(tiny_run: TinyRun) -> Predictor:
    return Predictor(TorchRuntime.open(tiny_run.folder))


def numbers(count: int, step_seconds: float = 0.1) -> list[tuple[Pixels, float]]:
    """Frames with their numbers painted on them."""
    return [(paint_number(index, SHOWN), index * step_seconds) for index in range(count)]


def push_all(stream: Stream, frames: Iterable[tuple[Pixels, float]]) -> list[Answer]:
    """The answer at each frame."""
    return [stream.push(pixels, seconds) for pixels, seconds in frames]


def pictures(count: int) -> list[tuple[Pixels, float]]:
    random = np.random.default_rng(count)
    return [(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8), 0.1 * i) for i in range(count)]


@pytest.mark.parametrize("at_once", CHUNKS)
@pytest.mark.parametrize("head", STREAMING, ids=label)
def test_within_a_window_answers_are_those_of_the_whole_clip(head: HeadConfig, at_once: int) -> None:
    model, frames = runtime(head), pictures(FRAMES)
    stream = Predictor(model).stream(at_once)
    for answer in [*push_all(stream, frames), stream.finish()]:
        seen = min(round(answer.seconds / 0.1) + 1, FRAMES)
        clip = model.read(np.stack([pixels for pixels, _ in frames[:seen]])[None])[0]["clip"][0]
        assert answer.probabilities == pytest.approx(softmax(clip, 1.0), abs=1e-5)


@pytest.mark.parametrize("at_once", [1, 3, 20])
@pytest.mark.parametrize("count", [1, 3, 4, 9, 17])
def test_a_film_is_a_stream_fed_to_its_end(tiny: Predictor, tmp_path: Path, count: int, at_once: int) -> None:
    film = make_film(tmp_path / "film.mkv", frames=count, fps=1 / tiny.model.handling.sampling.spacing_seconds)
    expected = tiny.predict(film)
    with open_film(film) as opened:
        frames = [(frame.pixels, frame.seconds) for frame in opened.frames()]
    stream = tiny.stream(at_once)
    answers = push_all(stream, frames)
    end = stream.finish(expected.duration_seconds)
    assert [one.label for one in end.top] == [one.label for one in expected.top]
    assert end.probability == pytest.approx(expected.probability, abs=1e-6)
    ended = [segment for answer in [*answers, end] for segment in answer.ended]
    assert [(one.start_seconds, one.end_seconds, one.label) for one in ended] == [
        (one.start_seconds, one.end_seconds, one.label) for one in expected.segments
    ]


def test_with_one_frame_at_once_each_frame_of_the_grid_has_its_own_answer() -> None:
    stream = Predictor(tens_model()).stream()
    answers = push_all(stream, numbers(30, 0.05))
    assert [answer.seconds for answer in answers[:5]] == pytest.approx([0.0, 0.0, 0.1, 0.1, 0.2])
    assert answers[0].label == "0" and answers[-1].label == "20"


def test_with_more_frames_at_once_the_answer_is_late_by_less_than_so_many() -> None:
    stream = Predictor(tens_model()).stream(at_once=4)
    late = [index * 0.1 - answer.seconds for index, answer in enumerate(push_all(stream, numbers(20)))]
    assert late[0] == 0
    assert 0.25 < max(late) < 0.31


def test_each_segment_is_given_once_and_soon() -> None:
    stream = Predictor(tens_model(frames=4)).stream()
    when = [
        (
            round(answer.seconds, 3),
            [(round(s.start_seconds, 3), round(s.end_seconds, 3), s.label) for s in answer.ended],
        )
        for answer in push_all(stream, numbers(25))
    ]
    ended = [(at, segment) for at, segments in when for segment in segments]
    assert [segment for _, segment in ended] == [(0.0, 1.0, "0"), (1.0, 2.0, "10")]
    assert all(at <= end + 0.61 for at, (_, end, _) in ended), "a window and a step later at the latest"
    assert [(s.label, round(s.end_seconds, 3)) for s in stream.finish().ended] == [("20", 2.5)]


def test_the_last_answer_is_of_the_whole_stream() -> None:
    stream = Predictor(tens_model()).stream()
    answers = push_all(stream, [(paint_number(5 if i < 30 else 15, SHOWN), i * 0.1) for i in range(40)])
    assert answers[-1].label == "10"
    assert stream.finish().label == "0"


def test_frames_of_any_size_are_brought_to_the_models() -> None:
    stream = Predictor(tens_model()).stream()
    assert stream.push(paint_number(33, Size(120, 200)), 0.0).label == "30"


def test_an_answer_names_every_class_from_the_most_probable_on() -> None:
    answer = Predictor(tens_model()).stream().push(paint_number(33, SHOWN), 5.0)
    assert answer.seconds == 5.0
    assert answer.classes == ("0", "10", "20", "30", "40", "50")
    assert sum(answer.probabilities) == pytest.approx(1.0)
    assert answer.top[0].label == answer.label == "30"
    assert answer.top[0].probability == answer.probability == max(answer.probabilities)


def test_an_answer_less_probable_than_the_threshold_is_unknown() -> None:
    stream = Predictor(tens_model(), DecisionRule(threshold=0.9999, reset="cut")).stream()
    assert stream.push(paint_number(0, SHOWN), 0.0).label == UNKNOWN


def test_a_stream_without_frames_has_no_answer() -> None:
    with pytest.raises(FilmError, match="before its first frame"):
        Predictor(tens_model()).stream().finish()


@pytest.mark.parametrize(
    ("picture", "description"),
    [
        (np.zeros((24, 32, 4), np.uint8), "(24, 32, 4) uint8"),
        (np.zeros((24, 32), np.uint8), "(24, 32) uint8"),
        (np.zeros((24, 32, 3), np.float32), "(24, 32, 3) float32"),
        (np.zeros((0, 32, 3), np.uint8), "(0, 32, 3) uint8"),
        (np.zeros((1, 24, 32, 3), np.uint8), "(1, 24, 32, 3) uint8"),
        (None, "a NoneType"),
    ],
)
def test_anything_but_a_picture_is_refused_and_costs_nothing(picture: Pixels, description: str) -> None:
    stream = Predictor(tens_model()).stream()
    with pytest.raises(UsageError, match=re.escape(f"(height, width, 3) uint8 RGB, a numpy array, not {description}.")):
        stream.push(picture, 0.0)
    assert stream.push(paint_number(33, SHOWN), 0.0).label == "30"


@pytest.mark.parametrize("at", [float("nan"), float("inf"), 1.0, 0.5])
def test_a_time_that_is_not_later_is_refused_and_costs_nothing(at: float) -> None:
    stream = Predictor(tens_model()).stream()
    stream.push(paint_number(0, SHOWN), 1.0)
    with pytest.raises(UsageError, match=f"later than 1, not {at:g}"):
        stream.push(paint_number(0, SHOWN), at)
    assert stream.push(paint_number(0, SHOWN), 1.1).seconds == pytest.approx(1.1)


@pytest.mark.parametrize("at", [float("nan"), float("inf"), float("-inf")])
def test_a_first_time_that_is_not_finite_is_refused(at: float) -> None:
    stream = Predictor(tens_model()).stream()
    with pytest.raises(UsageError, match="that is finite, not"):
        stream.push(paint_number(0, SHOWN), at)
    with pytest.raises(UsageError, match="that is finite, not"):
        stream.pass_over(at)
    assert stream.push(paint_number(0, SHOWN), -5.0).seconds == -5.0


def test_a_stream_that_was_finished_takes_nothing_more() -> None:
    stream = Predictor(tens_model()).stream()
    push_all(stream, numbers(5))
    with pytest.raises(UsageError, match=r"cannot end at 0\.2 seconds, since its last frame is at 0\.4"):
        stream.finish(0.2)
    assert stream.finish().label == "0"
    for again in (stream.finish, lambda: stream.push(paint_number(0, SHOWN), 9.0)):
        with pytest.raises(UsageError, match="was finished"):
            again()


def test_a_picture_may_be_painted_over_and_may_be_a_view() -> None:
    canvas, answers = np.empty((24, 32, 3), np.uint8), []
    for painted_over in (False, True):
        stream = Predictor(tens_model()).stream(at_once=4)
        for picture, at in numbers(25):
            canvas[:] = picture[:, :, ::-1]
            stream.push(canvas[:, :, ::-1] if painted_over else picture, at)
        answers.append(stream.finish())
    assert answers[0] == answers[1]


def test_a_state_that_cannot_be_carried_is_refused_in_a_sentence() -> None:
    with pytest.raises(ModelError, match=r"--reset never: .*Say --reset cut"):
        Predictor(tens_model(), DecisionRule(reset="never")).stream()


def test_a_loaded_model_streams() -> None:
    stream = vidrnn.load(Path(__file__).parent.parent.parent / "models" / "moves").stream()
    answers = push_all(stream, numbers(5))
    assert all(answer.label in {*answer.classes, UNKNOWN} for answer in answers)
    assert sum(answers[-1].probabilities) == pytest.approx(1.0)


def test_the_memory_of_a_stream_does_not_grow() -> None:
    stream = Predictor(tens_model()).stream()
    for place in range(200):
        stream.push(paint_number(place % 60, SHOWN), place * 0.1)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for place in range(200, 500):
        stream.push(paint_number(place % 60, SHOWN), place * 0.1)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 60_000, "300 pictures would be 700 kB"


# --- a stream of next-frame predictions -------------------------------------------------------------------------------

RULE = gliding_model().handling.decision


def glide(index: int) -> Pixels:
    """A square that glides to the right, which the model predicts; from frame 15 to 19 it jumps."""
    return np.roll(paint_square()(index, SHOWN), 13 * (index % 2) * (15 <= index < 20), axis=1)


def watch(stream: Stream, indices: Iterable[int], *, lost_between: bool = False) -> list[Answer]:
    """The answer at each of these frames, a tenth of a second apart; the frames between them may be lost."""
    answers = []
    for index in indices:
        if lost_between:
            stream.pass_over(index / 10)
        answers.append(stream.push(glide(index), index / 10))
    return answers


@pytest.mark.parametrize(
    "rule",
    [
        RULE,
        replace(RULE, shortest_seconds=0.0),
        replace(RULE, threshold=0.9, hysteresis=0.8),
        replace(RULE, shortest_seconds=0.7),
    ],
)
def test_the_anomalies_of_a_stream_are_those_of_the_film(tmp_path: Path, rule: DecisionRule) -> None:
    film = make_film(tmp_path / "film.mkv", frames=40, fps=10.0, size=SHOWN, paint=lambda index, _: glide(index))
    predictor = Predictor(gliding_model(), rule)
    stream, expected = predictor.stream(), predictor.predict(film)
    with open_film(film) as opened:
        answers = [stream.push(frame.pixels, frame.seconds) for frame in opened.frames()]
    end = stream.finish(expected.duration_seconds)
    assert tuple(segment for answer in [*answers, end] for segment in answer.ended) == expected.segments
    assert bool(expected.segments) == (rule.shortest_seconds != 0.7)


def test_the_label_says_when_an_anomaly_begins_and_when_it_has_ended() -> None:
    answers = watch(Predictor(gliding_model()).stream(), range(25))
    labels = [answer.label for answer in answers]
    assert labels == [UNKNOWN] * 2 + ["normal"] * 13 + ["anomaly"] * 6 + ["normal"] * 4
    assert answers[0].probability == 0, "the first frames cannot be judged"
    assert answers[16].probability == answers[16].probabilities[1] > 0.5
    assert answers[20].ended == () and answers[21].ended[0].end_seconds == pytest.approx(2.1)


def test_an_anomaly_at_the_end_ends_there() -> None:
    stream = Predictor(gliding_model()).stream()
    watch(stream, range(18))
    (segment,) = stream.finish(1.8).ended
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx((1.5, 1.8))


def test_lost_frames_are_no_anomaly() -> None:
    answers = watch(Predictor(gliding_model()).stream(), [*range(10), *range(103, 113)], lost_between=True)
    assert [answer.label for answer in answers] == [UNKNOWN] * 2 + ["normal"] * 18
    assert answers[10].probability > 0.5, "the last judgement stands until a frame can be judged again"


def test_where_frames_are_lost_all_the_time_the_answer_becomes_unknown() -> None:
    stream = Predictor(gliding_model()).stream()
    watch(stream, range(18))
    answers = watch(stream, range(19, 41, 2), lost_between=True)
    assert [answer.label for answer in answers] == ["anomaly"] * 4 + [UNKNOWN] * 7
    assert [answer.probability > 0.5 for answer in answers] == [True] * 4 + [False] * 7
    (ended,) = (segment for answer in answers for segment in answer.ended)
    assert (ended.start_seconds, ended.end_seconds) == pytest.approx((1.5, 2.7))


@pytest.mark.parametrize(("lost", "reads"), [(False, 5), (True, 2)])
def test_a_frame_stands_for_the_times_before_it_unless_their_frames_are_lost(
    monkeypatch: pytest.MonkeyPatch, lost: bool, reads: int
) -> None:
    model, counts = gliding_model(), list[int]()
    read = model.read
    monkeypatch.setattr(model, "read", lambda frames, state=None: counts.append(frames.shape[1]) or read(frames, state))
    watch(Predictor(model).stream(), [0, 4], lost_between=lost)
    assert sum(counts) == reads


def test_a_model_that_does_not_know_what_is_normal_gives_no_live_answers() -> None:
    with pytest.raises(ModelError, match="does not know how large errors normally are"):
        Predictor(gliding_model(calibrated=False)).stream()
