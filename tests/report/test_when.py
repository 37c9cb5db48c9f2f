"""The curve of *when* under the strips of the worst clips: where it comes from, and how it is drawn."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import followed, make_film
from explain.spots import SIZE, Spots, spot_film

from vidrnn.explain.base import Curve
from vidrnn.explain.moments import clip_curve
from vidrnn.report import reasons
from vidrnn.report.answers import Answers, FilmAnswers
from vidrnn.report.reasons import with_curves
from vidrnn.report.strips import Stretch
from vidrnn.report.when import when_of
from vidrnn.report.worst import Mistake, worst_scores, worst_stretches
from vidrnn.runtimes.base import Features
from vidrnn.values import Part, Pixels, Size

LATER = 60.0


def film_of(path: str = "a.mkv", *, excerpt: bool = False, start: float = 0.0, end: float = 2.4) -> FilmAnswers:
    return FilmAnswers(
        path=path, part=Part.TEST, group="g", start_seconds=start, end_seconds=end, frames=24, excerpt=excerpt
    )


def mistake(film: FilmAnswers, label: str = "red", start: float | None = None, end: float | None = None) -> Mistake:
    start, end = film.start_seconds if start is None else start, film.end_seconds if end is None else end
    return Mistake(Stretch(film, start, end), label, "green", 1.0, label)


def asked(worst: list[Mistake], folder: Path, model: Spots, patch: pytest.MonkeyPatch) -> list[Mistake]:
    patch.setattr(reasons, "open_model", lambda path: (model, ""))
    return followed(with_curves(worst, folder, folder, time.monotonic() + LATER))[0]


# Where it comes from


def test_a_wrong_clip_says_when_it_was_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = spot_film(tmp_path / "a.mkv", when=range(10, 14))
    (found,) = asked([mistake(film_of())], tmp_path, Spots(), monkeypatch)
    assert found.curve is not None and 10 <= found.curve.peak < 14
    assert found.curve.values.tolist() == clip_curve(Spots(), path, "red").values.tolist()


def test_excerpts_of_one_film_have_curves_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spot_film(tmp_path / "a.mkv", frames=60, when=range(30, 33))
    clips = [film_of(excerpt=True, start=start, end=start + 2) for start in (0.0, 2.0, 4.0)]
    found = asked([mistake(clip) for clip in clips], tmp_path, Spots(), monkeypatch)
    curves = [one.curve for one in found if one.curve is not None]
    assert [(len(one.seconds), round(float(one.seconds[0]), 6)) for one in curves] == [(20, 0.0), (20, 2.0), (20, 4.0)]
    assert [int(one.values.max() > 1) for one in curves] == [0, 1, 0]


def test_a_wrong_stretch_is_read_with_a_window_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spot_film(tmp_path / "a.mkv", frames=60, when=range(30, 33))
    model = Spots(task="label")
    (found,) = asked([mistake(film_of(end=6.0), start=3.0, end=3.3)], tmp_path, model, monkeypatch)
    assert found.curve is not None and round(float(found.curve.seconds[found.curve.peak]), 1) in (3.0, 3.1, 3.2)
    frames = model.handling.sampling.frames
    assert len(found.curve.seconds) == 2 * frames + 3


def test_a_film_that_is_gone_costs_its_own_curve_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spot_film(tmp_path / "a.mkv")
    found = asked([mistake(film_of("gone.mkv")), mistake(film_of())], tmp_path, Spots(), monkeypatch)
    assert [one.curve is None for one in found] == [True, False]


def test_without_time_there_are_no_curves_and_no_model_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worst = [mistake(film_of())]
    monkeypatch.setattr(reasons, "open_model", lambda path: pytest.fail("a model was opened"))
    assert followed(with_curves(worst, tmp_path, tmp_path, time.monotonic()))[0] == worst


def test_one_slow_curve_leaves_time_for_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    class Slow(Spots):
        def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
            clock[0] += 10 if pixels.min() > 100 else 0
            return super().encode(pixels, before)

    monkeypatch.setattr(reasons, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    make_film(tmp_path / "slow.mkv", frames=24, fps=10.0, size=SIZE, paint=paint_bright)
    spot_film(tmp_path / "a.mkv")
    monkeypatch.setattr(reasons, "open_model", lambda path: (Slow(), ""))
    worst = [mistake(film_of("slow.mkv")), mistake(film_of())]
    found, _ = followed(with_curves(worst, tmp_path, tmp_path, 15.0))
    assert [one.curve is None for one in found] == [True, False]


def paint_bright(index: int, size: Size) -> Pixels:
    return np.full((size.height, size.width, 3), 200, dtype=np.uint8)


def test_a_curve_is_of_the_class_that_was_said_or_else_of_the_true_one() -> None:
    film = film_of(end=3.0).model_copy(
        update={"true_bouts": ((0, 0.0, 2.0),), "answer_bouts": ((1, 0.0, 1.0),), "known": ((0.0, 3.0),)}
    )
    found = worst_stretches(Answers(scored="test", classes=("dig", "rest"), films=(film,)), None, several=False)
    assert {(one.said, one.true, one.label) for one in found} == {
        ("rest", "dig", "rest"),
        ("none of them", "dig", "dig"),
    }


def test_a_surprising_moment_shows_the_scores_around_it() -> None:
    seconds = np.arange(0, 6, 0.25)
    scores = np.where(np.abs(seconds - 3) < 0.3, 0.9, 0.1)
    film = film_of(end=6.0).model_copy(update={"curve_seconds": tuple(seconds), "curve": tuple(scores)})
    worst = worst_scores(Answers(scored="test", classes=(), films=(film,)))[0]
    assert worst.curve is not None and worst.curve.values.max() == 0.9 and len(worst.curve.seconds) == 9
    drawn = when_of(worst)
    assert drawn is not None and "highest 0.90" in drawn.text and "speaks" not in drawn.caption


# How it is drawn


def with_curve(values: list[float], film: FilmAnswers, first: float = 0.0, start: float | None = None) -> Mistake:
    curve = Curve(first + 0.1 * np.arange(len(values)), np.asarray(values), 0.2)
    return replace(mistake(film, start=start, end=None if start is None else start + 0.5), curve=curve)


def test_columns_stand_on_the_middle_line_and_the_text_says_the_same() -> None:
    drawn = when_of(with_curve([0, 0, 3, 1, 0, -1, 0, 0], film_of(end=0.8)))
    assert drawn is not None and drawn.zero == 75 and drawn.shown is None
    assert drawn.speaking == "M250.0 75.0V0.0H375.0V50.0H500.0V75.0Z"
    assert drawn.against == "M625.0 75.0V100.0H750.0V75.0Z"
    assert drawn.text == (
        "how much each moment speaks for red, from 0.0 to 0.8 s: most 3.00 at 0.2 s; most against it 1.00 at 0.5 s"
    )


def test_the_time_of_the_pictures_is_marked_where_the_curve_is_longer() -> None:
    drawn = when_of(with_curve([0.0] * 20, film_of(end=9.0), first=2.0, start=3.0))
    assert drawn is not None and drawn.shown == pytest.approx((500, 250))


def test_a_curve_that_says_nothing_is_flat_and_a_long_one_keeps_its_peak() -> None:
    flat = when_of(with_curve([0.0] * 8, film_of(end=0.8)))
    assert flat is not None and flat.speaking == flat.against == "" and "no moment does" in flat.text
    long = when_of(with_curve([0.0] * 1234 + [5.0] + [0.0] * 3000, film_of(end=423.5)))
    assert long is not None and "V0.0" in long.speaking and len(long.speaking) < 100
