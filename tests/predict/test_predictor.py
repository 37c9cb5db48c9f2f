"""Whole films are read, by their own clock, and predict sees what training saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TinyRun, frame_number, make_film, make_pictures, make_uneven, paint_number, tens_model
from numpy.typing import NDArray

import vidrnn
from vidrnn.data.cache import Cache, Encoding, Rendering, Steps
from vidrnn.data.scan import scan_film
from vidrnn.errors import FilmError, ModelError
from vidrnn.nets import scoring
from vidrnn.nets.classifier import encoding_of
from vidrnn.nets.scoring import score_clips
from vidrnn.predict.predictor import Predictor
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.timeline.segments import UNKNOWN, for_class, softmax
from vidrnn.values import DecisionRule, FilmFacts, FilmFailure, FilmPrediction, Frame, Pixels, Size
from vidrnn.video.film import Film
from vidrnn.video.reader import open_film
from vidrnn.video.sampling import HALVES


@pytest.fixture
def tens() -> Predictor:
    """Knows the number painted on each frame, in tens."""
    return Predictor(tens_model())


@pytest.fixture(scope="session")
def tiny(tiny_run: TinyRun) -> Predictor:
    return Predictor(TorchRuntime.open(tiny_run.folder))


def spacing_of(predictor: Predictor) -> float:
    return predictor.model.handling.sampling.spacing_seconds


def rounded_segments(prediction: FilmPrediction) -> list[tuple[float, float, str]]:
    return [(round(one.start_seconds, 3), round(one.end_seconds, 3), one.label) for one in prediction.segments]


def test_a_film_is_read_to_its_last_frame(tens: Predictor, tmp_path: Path) -> None:
    prediction = tens.predict(make_film(tmp_path / "film.mkv", frames=41, fps=10.0))
    assert prediction.frames == 41
    assert prediction.duration_seconds == pytest.approx(4.1)
    assert rounded_segments(prediction) == [(0, 1, "0"), (1, 2, "10"), (2, 3, "20"), (3, 4, "30"), (4, 4.1, "40")]


def test_the_films_overall_answer_counts_every_window(tens: Predictor, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=40, fps=10.0, paint=lambda i, size: paint_number(max(8, i), size))
    prediction = tens.predict(film)
    assert prediction.label in {"10", "20", "30"}
    assert {one.label for one in prediction.top} >= {"0", "10", "20", "30"}
    assert sum(one.probability for one in prediction.top) <= 1.0 + 1e-9


def test_times_are_those_of_a_films_own_clock_where_its_rate_varies(tens: Predictor, tmp_path: Path) -> None:
    film = make_uneven(tmp_path / "film.gif", [100] * 10 + [500] * 10)
    prediction = tens.predict(film)
    assert rounded_segments(prediction)[0] == (0.0, 1.0, "0")
    assert rounded_segments(prediction)[1][:2] == (1.0, round(prediction.duration_seconds, 3))
    assert prediction.duration_seconds > 5.5


class LateFilm:
    """A film whose first time stamp is not 0."""

    def __init__(self, film: Film, late_seconds: float) -> None:
        self.film, self.late_seconds, self.notes = film, late_seconds, ()
        self.features, self.buffer = film.features, film.buffer

    def __enter__(self) -> LateFilm:
        return self

    def __exit__(self, *_: object) -> None:
        self.film.close()

    def sampled(self, spacing_seconds: float, **how: Any) -> Iterator[Frame]:
        for frame in self.film.sampled(spacing_seconds, **how):
            yield replace(frame, seconds=frame.seconds + self.late_seconds)

    def facts(self) -> FilmFacts:
        facts = self.film.facts()
        first, last = facts.first_seconds + self.late_seconds, facts.last_seconds + self.late_seconds
        return replace(facts, first_seconds=first, last_seconds=last)

    @property
    def frame_seconds(self) -> NDArray[np.float64]:
        return self.film.frame_seconds + self.late_seconds


def test_times_are_counted_from_the_first_time_stamp(
    tens: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "vidrnn.predict.predictor.open_film", lambda path, rate=None, excerpt=None: LateFilm(open_film(path), 3.5)
    )
    prediction = tens.predict(make_film(tmp_path / "film.mkv", frames=20, fps=10.0))
    assert rounded_segments(prediction) == [(3.5, 4.5, "0"), (4.5, 5.5, "10")]
    assert prediction.duration_seconds == pytest.approx(2.0)


@pytest.mark.parametrize("chunk", [1, 3, 7])
@pytest.mark.parametrize("frames", [1, 3, 4, 5, 12, 29])
def test_how_many_frames_are_encoded_at_once_changes_nothing(
    tiny: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, chunk: int
) -> None:
    film = make_film(tmp_path / "film.mkv", frames=frames, fps=1 / spacing_of(tiny))
    whole = tiny.read(film)
    monkeypatch.setattr("vidrnn.runtimes.base.Runtime.frames_at_once", chunk)
    pieces = tiny.read(film)
    assert whole.clip is not None and pieces.clip is not None
    assert np.allclose(pieces.clip, whole.clip, atol=1e-5)
    assert np.allclose(pieces.timeline.probabilities, whole.timeline.probabilities, atol=1e-5)
    assert whole.timeline.probabilities.shape == (frames, 2)
    assert np.array_equal(pieces.timeline.seconds, whole.timeline.seconds)
    assert pieces.timeline.indices is not None and pieces.timeline.indices.tolist() == list(range(frames))


def test_progress_is_reported_in_seconds_of_the_film(
    tiny: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spacing = spacing_of(tiny)
    film = make_film(tmp_path / "film.mkv", frames=12, fps=1 / spacing)
    monkeypatch.setattr("vidrnn.runtimes.base.Runtime.frames_at_once", 5)
    reports: list[tuple[float, float]] = []
    replace(tiny, report_progress=lambda *seconds: reports.append(seconds)).read(film)
    assert [read for read, _ in reports] == pytest.approx([4 * spacing, 9 * spacing, 11 * spacing], abs=2e-3)
    assert [claimed for _, claimed in reports] == pytest.approx([12 * spacing] * 3, rel=0.1)


def test_an_observer_sees_the_frames_that_the_model_sees(tens: Predictor, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=41, fps=10.0)
    seen: list[int] = []

    def observe(path: Path) -> Callable[[Pixels], None]:
        assert path == film
        return lambda pixels: seen.extend(frame_number(one) for one in pixels)

    moments = replace(tens, threads=3).read(film, observe)
    assert seen == list(range(41)), "each frame once and in order, though threads prepare them"
    assert rounded_segments(tens.answer(moments)) == rounded_segments(tens.predict(film))


def test_predict_sees_the_pixels_that_training_saw(tiny_run: TinyRun, tiny: Predictor) -> None:
    spec = tiny.model.header.spec
    grid = Rendering(spec.spacing_seconds / HALVES, spec.size)
    for film in sorted(tiny_run.data.rglob("*.avi")):
        (trained,) = Cache(tiny_run.cache).frames([scan_film(film)], grid)
        assert isinstance(trained, Steps)
        with open_film(film) as opened:
            predicted = [frame.pixels for frame in opened.sampled(spec.spacing_seconds, size=spec.size)]
        assert np.array_equal(trained.array[::HALVES], np.stack(predicted))


def test_scores_from_cached_features_are_those_of_predict(tiny_run: TinyRun, tiny: Predictor, tmp_path: Path) -> None:
    spec, network = tiny.model.header.spec, tiny.model.network
    films = sorted(tiny_run.data.rglob("*.avi"))
    cached = Cache(tmp_path).features(
        [scan_film(film) for film in films],
        Rendering(spec.spacing_seconds / HALVES, spec.size),
        [Encoding(encoding_of(network.encoder), "tiny", network.encoder.width)],
        mirrored=True,
    )
    features = [one.array[0, ::HALVES] for one in cached if isinstance(one, Steps)]
    scores = score_clips(network.sequence, features, spec.frames)
    clips = [tiny.read(film).clip for film in films]
    temperature = for_class(tiny.options.rule.temperature, "fall", 1.0)
    assert np.allclose(softmax(scores, temperature), np.stack([clip for clip in clips if clip is not None]), atol=1e-5)
    assert np.ptp(scores, axis=0).min() > 1e-3, "videos that all score the same would prove nothing"


def test_clips_of_different_lengths_are_scored_as_each_by_itself(
    tiny: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(steps, 128)).astype(np.float32) for steps in (3, 9, 4, 1, 20)]
    sequence = tiny.model.network.sequence
    together = score_clips(sequence, clips, 4)
    assert np.allclose(together, np.concatenate([score_clips(sequence, [clip], 4) for clip in clips]), atol=1e-5)
    monkeypatch.setattr(scoring, "_CLIPS_AT_ONCE", 2)
    assert np.allclose(together, score_clips(sequence, iter(clips), 4), atol=1e-5), "portions of very many clips"


def test_shuffling_puts_the_frames_of_each_window_into_another_order(tiny: Predictor) -> None:
    clips = list(np.random.default_rng(0).normal(size=(9, 4, 128)).astype(np.float32))
    sequence = tiny.model.network.sequence
    shuffled = [score_clips(sequence, clips, 4, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(shuffled[0], shuffled[1])
    assert not np.allclose(shuffled[0], score_clips(sequence, clips, 4))


def test_a_film_of_one_frame_has_an_answer(tens: Predictor, tmp_path: Path) -> None:
    prediction = tens.predict(make_film(tmp_path / "film.mkv", frames=1, fps=10.0))
    assert (prediction.label, prediction.frames) == ("0", 1)
    assert rounded_segments(prediction) == [(0.0, 0.1, "0")]


def test_frames_between_the_grids_times_are_passed_over(tens: Predictor, tmp_path: Path) -> None:
    prediction = tens.predict(make_film(tmp_path / "film.mkv", frames=59, fps=20.0))
    assert prediction.frames == 59
    assert [one.label for one in prediction.segments] == ["0", "10", "20", "30", "40", "50"]
    assert rounded_segments(prediction)[-1][:2] == (2.5, 2.95)


def test_pictures_are_shown_whole_at_the_models_size(
    tens: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []

    def noticing(pixels: Pixels, _: Pixels | None) -> np.ndarray:
        seen.append(pixels.shape[1:])
        return np.float32([[frame_number(one)] for one in pixels])

    monkeypatch.setattr("vidrnn.runtimes.torch.encoding_of", lambda _: noticing)
    tens.predict(make_film(tmp_path / "film.mkv", frames=12, size=Size(200, 120), fps=10.0))
    assert set(seen) == {(24, 32, 3)}


def test_a_folder_of_pictures_is_read_at_its_rate(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path / "pictures", frames=20)
    prediction = Predictor(tens_model(), rate=5.0).predict(pictures)
    assert prediction.duration_seconds == pytest.approx(4.0)
    assert [one.label for one in prediction.segments] == ["0", "10"]


@pytest.mark.parametrize("threads", [1, 3])
def test_answers_come_in_order_and_a_bad_film_costs_a_row(tmp_path: Path, threads: int) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"\0" * 500)
    films = [
        make_film(tmp_path / "b.mkv", frames=10, fps=10.0),
        bad,
        make_film(tmp_path / "a.mkv", frames=9, fps=10.0),
        tmp_path / "none.mp4",
    ]
    rows = list(Predictor(tens_model(), threads=threads).predict_all(films))
    assert [one.path for one in rows] == films
    assert [type(one) for one in rows] == [FilmPrediction, FilmFailure, FilmPrediction, FilmFailure]
    assert isinstance(rows[3], FilmFailure)
    assert rows[3].reason == "no such file."


def test_reading_stops_when_the_answers_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, encoded = tens_model(), []
    encode = model.encode

    def slowly(pixels: Pixels, before: Pixels | None) -> Any:
        encoded.append(len(pixels))
        time.sleep(0.02)
        return encode(pixels, before)

    monkeypatch.setattr(model, "encode", slowly)
    films = [make_film(tmp_path / f"{frames}.mkv", frames=frames, fps=10.0) for frames in (1, 4000)]
    answers = Predictor(model, threads=2).predict_all(films)
    assert next(answers).path == films[0]
    answers.close()  # type: ignore[attr-defined]
    time.sleep(0.3)
    until_then = len(encoded)
    time.sleep(0.3)
    assert len(encoded) == until_then and sum(encoded) < 3000, "it was read on"


def test_a_predictor_can_be_used_again_after_its_answers_were_closed(tmp_path: Path) -> None:
    films = [make_film(tmp_path / f"{number}.mkv", frames=9, fps=10.0) for number in range(3)]
    tens = Predictor(tens_model())
    answers = tens.predict_all(films)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert tens.predict(films[0]).frames == 9


def test_what_is_less_probable_than_the_threshold_is_unknown(tens: Predictor, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=10, fps=10.0)
    sure = tens.predict(film).probability
    assert sure is not None
    below, above = (replace(tens, rule=DecisionRule(threshold=at, reset="cut")) for at in (sure - 1e-6, sure + 1e-6))
    assert below.predict(film).label == "0"
    assert above.predict(film).label == UNKNOWN
    (row,) = above.predict_all([film])
    assert isinstance(row, FilmPrediction) and row.segments[0].label == UNKNOWN


def test_one_bad_film_by_itself_is_an_error(tens: Predictor, tmp_path: Path) -> None:
    with pytest.raises(FilmError, match="no such file"):
        tens.predict(tmp_path / "none.mp4")


def test_damage_is_noted_beside_the_answer(tens: Predictor, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.avi", frames=40, fps=10.0)
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    prediction = tens.predict(film)
    assert 5 < prediction.frames < 35
    assert prediction.notes


def test_a_model_that_was_loaded_by_its_path_reads_films(tiny_run: TinyRun, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=12)
    answers = [vidrnn.load(place).predict(film) for place in (str(tiny_run.folder), tiny_run.model)]
    assert answers[0] == answers[1]
    assert answers[0].label in {"rise", "fall"}
    assert sum(one.probability for one in answers[0].top) == pytest.approx(1.0)


def test_short_memory_and_a_fault_cost_one_film_of_several_its_answer(
    tens: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = [make_film(tmp_path / f"{name}.mkv", frames=4) for name in ("short", "fault", "good")]
    read = Predictor._read

    def fail(self: Predictor, path: Path, *rest: Any) -> Any:
        if path.stem == "short":
            raise MemoryError
        if path.stem == "fault":
            raise TypeError("a fault\nof ours")
        return read(self, path, *rest)

    monkeypatch.setattr(Predictor, "_read", fail)
    short, fault, good = tens.predict_all(films)
    assert isinstance(short, FilmFailure) and "memory ran out" in short.reason
    assert isinstance(fault, FilmFailure) and fault.reason == "vidrnn failed on it: TypeError: a fault of ours"
    assert isinstance(good, FilmPrediction)
    with pytest.raises(TypeError):  # of a single film the traceback says more
        list(tens.predict_all(films[1:2]))


def test_a_model_that_cannot_be_computed_is_no_fault_of_a_film(
    tens: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = [make_film(tmp_path / f"{name}.mkv", frames=4) for name in "ab"]

    def fail(*_: Any) -> Any:
        raise ModelError("model: is broken.")

    monkeypatch.setattr(Predictor, "_read", fail)
    with pytest.raises(ModelError):
        list(tens.predict_all(films))
