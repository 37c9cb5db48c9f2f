"""Captures: OpenCV is opened in one place, with the options that each kind of source needs."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import CODECS, frame_number, make_film, make_turned
from serving import serving

import vidrnn
from vidrnn.values import Size
from vidrnn.video.capture import Capture


def opened(path: Path, threads: int = 1) -> Capture:
    capture = Capture.open_file(path, threads=threads)
    assert capture is not None
    return capture


def test_only_one_file_opens_captures_and_only_one_writes_films() -> None:
    house = Path(vidrnn.__file__).parent
    texts = {file.relative_to(house).as_posix(): file.read_text(encoding="utf-8") for file in house.rglob("*.py")}
    uses = {name for name, text in texts.items() if re.search(r"cv2\.VideoCapture\(|cv2\.VideoWriter\b", text)}
    assert uses == {"video/capture.py"}
    by_name = {name for name, text in texts.items() if re.search(r"cv2\.(imread|imreadanimation|imwrite)\b", text)}
    assert by_name == set(), "OpenCV cannot open every name on Windows"


@pytest.mark.parametrize("suffix", CODECS)
def test_the_claims_are_those_of_the_container(tmp_path: Path, suffix: str) -> None:
    capture = opened(make_film(tmp_path / f"film{suffix}", frames=12, fps=10.0))
    assert capture.claimed_pixels == 48 * 64
    assert capture.claimed_frames in {12, 13}
    assert capture.claimed_fps == pytest.approx(10.0, abs=0.01)
    assert capture.rotation_degrees == 0
    assert capture.codec == {".avi": "mjpg", ".mkv": "ffv1", ".mp4": "mpeg4", ".webm": "vp8"}[suffix]


def test_a_file_that_cannot_be_opened_gives_none(tmp_path: Path) -> None:
    (tmp_path / "film.avi").write_bytes(b"no video")
    assert Capture.open_file(tmp_path / "film.avi", threads=1) is None
    assert Capture.open_camera(63) is None


def test_pictures_come_turned(tmp_path: Path) -> None:
    capture = opened(make_turned(tmp_path / "turned.mp4", frames=2, size=Size(48, 64)))
    assert capture.rotation_degrees == 90
    assert capture.grab() == 0
    picture = capture.picture()
    assert picture is not None
    assert picture.shape == (64, 48, 3)


@pytest.mark.parametrize("threads", [1, 4])
def test_frames_come_in_order_with_their_stamps_until_there_are_no_more(tmp_path: Path, threads: int) -> None:
    capture = opened(make_film(tmp_path / "film.mkv", frames=5, fps=10.0), threads)
    read = []
    while (raw := capture.grab()) is not None:
        picture = capture.picture()
        assert picture is not None
        read.append((raw, frame_number(picture[..., ::-1])))
    assert read == [(pytest.approx(index / 10), index) for index in range(5)]
    assert capture.grab() is None


def test_a_files_pictures_share_memory_and_a_streams_pictures_do_not(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", frames=3)
    with serving(tmp_path) as address:
        stream = Capture.open_stream(f"{address}/{path.name}", 5.0, 5.0)
    assert stream is not None
    for capture, shared in ((opened(path), True), (stream, False)):
        pictures = []
        for _ in range(2):
            capture.grab()
            pictures.append(capture.picture())
        assert pictures[0] is not None and pictures[1] is not None
        assert np.shares_memory(pictures[0], pictures[1]) == shared


class Refusing:
    """A capture of OpenCV that refuses a given number of times before each frame."""

    def __init__(self, refusals: list[int]) -> None:
        self.refusals = refusals

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_POS_MSEC: 40.0, cv2.CAP_PROP_FPS: 1e7, cv2.CAP_PROP_FRAME_COUNT: -5.0}.get(what, 0.0)

    def grab(self) -> bool:
        if self.refusals[0]:
            self.refusals[0] -= 1
            return False
        del self.refusals[0]
        return True


def test_a_decoder_that_refuses_twice_is_asked_again_and_one_that_goes_on_refusing_has_ended() -> None:
    capture = Capture(Refusing([0, 2, 0, 1, 3]), reuse_memory=False)
    assert [capture.grab() for _ in range(5)] == [0.04] * 4 + [None]
    assert capture.refusals == 2


def test_nonsense_claims_are_none_at_all() -> None:
    capture = Capture(Refusing([]), reuse_memory=False)
    assert (capture.claimed_frames, capture.claimed_fps, capture.claimed_pixels) == (0, 0.0, 0)
    assert capture.codec == "unknown codec"
