"""PyAV reads what OpenCV cannot, with the same frames, times and refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import frame_number, make_film

from vidrnn.video.reader import open_film
from vidrnn.video.second_decoder import AvFilm

Ffmpeg = Callable[..., None]


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".avi"])
@pytest.mark.parametrize("default", [True, False])
def test_a_preview_beside_a_film_is_not_the_film(tmp_path: Path, ffmpeg: Ffmpeg, suffix: str, default: bool) -> None:
    path = tmp_path / f"two{suffix}"
    split = "[0:v]split[a][b];[a]select=eq(n\\,0),scale=48:36[p]"
    chosen = ("-disposition:v:0", "0", "-disposition:v:1", "default") if default else ()
    ffmpeg("-i", make_film(tmp_path / "film.mkv", frames=20), "-filter_complex", split, "-map", "[p]", "-map", "[b]",
           "-c:v:0", "mjpeg", "-pix_fmt:v:0", "yuvj420p", "-c:v:1", "mpeg4", "-q:v", "2", *chosen, path)  # fmt: skip
    with open_film(path) as film:
        frames = list(film.frames())
        facts = film.facts()
    assert [frame_number(frame.pixels) for frame in frames] == list(range(20))
    assert [frame.seconds for frame in frames] == pytest.approx([index / 25 for index in range(20)], abs=0.001)
    assert (facts.size.width, facts.codec) == (64, "mpeg4")
    assert "The file holds 2 streams of pictures: stream 1 was read (64 x 48)." in facts.oddities


def test_av1_is_read(tmp_path: Path, ffmpeg: Ffmpeg) -> None:
    path = tmp_path / "film.mkv"
    ffmpeg("-i", make_film(tmp_path / "source.mkv", frames=8), "-c:v", "libaom-av1", "-cpu-used", "8", path)
    with open_film(path) as film:
        frames = list(film.frames())
        assert film.facts().codec == "av1"
    assert [frame_number(frame.pixels) for frame in frames] == list(range(8))
    assert frames[-1].seconds == pytest.approx(7 / 25, abs=0.001)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".avi", ".mkv"])
def test_both_decoders_give_the_same_frames_at_the_same_times(tmp_path: Path, suffix: str) -> None:
    path = make_film(tmp_path / f"film{suffix}", frames=12)
    other = AvFilm.open(path)
    assert other is not None
    with open_film(path) as film:
        for frame in film.frames():
            assert other.grab() == pytest.approx(frame.seconds, abs=1e-6)
            picture = other.picture()
            assert picture is not None
            assert np.abs(picture[..., ::-1].astype(int) - frame.pixels).mean() < 2
    assert other.grab() is None


def test_a_raw_stream_is_read_at_the_rate_that_it_states(tmp_path: Path, ffmpeg: Ffmpeg) -> None:
    path = tmp_path / "pi.h264"
    ffmpeg("-i", make_film(tmp_path / "film.mkv", frames=30, fps=10.0), "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
    with open_film(path) as film:
        assert film.facts().duration_seconds == pytest.approx(3.0, abs=0.01)
    with open_film(path, rate=5) as film:
        assert film.facts().duration_seconds == pytest.approx(6.0, abs=0.01)
