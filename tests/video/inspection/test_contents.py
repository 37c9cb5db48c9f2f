"""No file that a person did not name is opened while a film is read, whatever the film's bytes say."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import make_film
from serving import serving

from vidrnn.errors import FilmError
from vidrnn.video.inspection.contents import look_into
from vidrnn.video.reader import open_film

LISTS = {
    "ffconcat list": "ffconcat version 1.0\nfile {target}\n",
    "HLS or M3U playlist": "\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
    "PLS playlist": "[playlist]\nFile1={target}\n",
    "ASX playlist": "<asx version='3.0'><entry><ref href='{target}'/></entry></asx>",
    "DASH manifest": "<?xml version='1.0'?><MPD profiles='urn:mpeg:dash:profile:isoff-main:2011'><BaseURL>{target}",
    "SMIL playlist": "<smil><body><video src='{target}'/></body></smil>",
    "XSPF playlist": "<?xml version='1.0'?><playlist version='1' xmlns='http://xspf.org/ns/0/'>{target}",
    "session description (SDP)": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "stream reference": "RTSPtext\r\n{target}\r\n",
    "VobSub index": "# VobSub index file, v7\nid: en, index: 0\n",
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".ts"])
def test_a_list_of_films_is_refused_by_its_kind_under_any_name(tmp_path: Path, kind: str, suffix: str) -> None:
    make_film(tmp_path / "secret.avi")
    path = tmp_path / f"film{suffix}"
    path.write_text(LISTS[kind].replace("{target}", "secret.avi"), encoding="utf-8")
    with pytest.raises(FilmError) as caught:
        open_film(path)
    assert str(caught.value) == f"{path}: is a playlist ({kind}), which only names videos. Give the videos themselves."


@pytest.mark.parametrize("kind", ["ffconcat list", "HLS or M3U playlist", "session description (SDP)"])
@pytest.mark.parametrize("remote", [False, True])
def test_ffmpeg_itself_opens_nothing_that_a_list_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, remote: bool
) -> None:
    """The first look is one wall, the lists of formats and protocols another: it stands where the look is blind."""
    monkeypatch.setattr("vidrnn.video.inspection.contents._LISTS", ())
    www = make_film(tmp_path / "www" / "secret.avi").parent
    with serving(www) as server:
        target = f"{server}/secret.avi" if remote else str(www / "secret.avi")
        path = tmp_path / "film.mp4"
        path.write_text(LISTS[kind].replace("{target}", target), encoding="utf-8")
        with pytest.raises(FilmError, match="holds text"):
            open_film(path)
        assert not server.asked


def test_a_text_that_is_no_list_is_not_drawn_as_a_film(tmp_path: Path) -> None:
    path = tmp_path / "art.ans"
    path.write_bytes(b"\x1b[31mhello\x1b[0m\n" * 100)
    with pytest.raises(FilmError):
        open_film(path)


def test_a_name_with_a_pattern_names_one_file_only(tmp_path: Path) -> None:
    make_film(tmp_path / "film1.avi", frames=3)
    make_film(tmp_path / "film%d.avi", frames=2)
    with open_film(tmp_path / "film%d.avi") as film:
        assert film.facts().frames == 2


def test_a_movie_whose_pictures_lie_in_another_file_is_refused(tmp_path: Path) -> None:
    path = make_film(tmp_path / "reference.mp4")
    whole = path.read_bytes()
    own = whole.index(b"dref") + 12
    location = b"file:///secret.mp4\0"
    named = struct.pack(">I4sI", 12 + len(location), b"url ", 0) + location
    changed = bytearray(whole[:own] + named + whole[own + 12 :])
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        place = changed.index(box) - 4
        size = int.from_bytes(changed[place : place + 4], "big") + len(location)
        changed[place : place + 4] = size.to_bytes(4, "big")
    path.write_bytes(changed)
    with pytest.raises(FilmError, match="is a reference movie: its index names other files"):
        open_film(path)
    assert not look_into(make_film(tmp_path / "plain.mp4")).external


def test_an_endless_list_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "live.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n")
    with pytest.raises(FilmError, match="HLS"):
        open_film(path)


@pytest.mark.parametrize(
    "suffix", [".mp4", ".mov", ".avi", ".ts", ".mpg", ".flv", ".wmv", ".ogv", ".gif", ".m2ts", ".mxf", ".y4m"]
)
def test_a_film_of_any_kind_is_no_list_and_is_read_whole(
    tmp_path: Path, ffmpeg: Callable[..., None], suffix: str
) -> None:
    path = tmp_path / f"film{suffix}"
    pixels = [] if suffix == ".gif" else ["-pix_fmt", "yuv420p"]
    ffmpeg("-i", make_film(tmp_path / "film.mkv", frames=10), *pixels, path)
    with open_film(path) as film:
        assert film.facts().frames == 10
        assert film.notes == ()
        assert np.ptp(film.frame_seconds) == pytest.approx(9 / 25, abs=0.02)
