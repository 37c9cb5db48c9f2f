"""FFmpeg's options: the lists are always there, the user's own pairs stay, and the environment is left as it was."""

from __future__ import annotations

import os
from threading import Event, Thread

import pytest

from vidrnn.live.addresses import SCHEMES
from vidrnn.video.inspection.whitelists import FILE_OPTIONS, HANDLE_OPTIONS, opencv_options, stream_options

VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
DANGEROUS = {"concat", "hls", "dash", "imf", "image2", "sdp", "vobsub", "webm_dash_manifest", "tty", "mlv", "lavfi"}


@pytest.mark.parametrize("own", [None, "rtsp_transport;udp|stimeout;5", "protocol_whitelist;file,http"])
def test_the_users_pairs_stay_and_win(monkeypatch: pytest.MonkeyPatch, own: str | None) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if own is not None:
        monkeypatch.setenv(VARIABLE, own)
    with opencv_options(FILE_OPTIONS):
        pairs = dict(pair.split(";") for pair in os.environ[VARIABLE].split("|"))
    assert pairs["rtsp_flags"] == "prefer_tcp", "OpenCV's own option, which the variable replaces"
    assert pairs == {**pairs, **dict(pair.split(";") for pair in (own or "").split("|") if pair)}
    assert os.environ.get(VARIABLE) == own


def test_openings_of_two_kinds_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    inside, seen = Event(), []

    def open_stream() -> None:
        inside.wait()
        with opencv_options(stream_options("http://host/film")):
            seen.append(os.environ[VARIABLE])

    thread = Thread(target=open_stream)
    thread.start()
    with opencv_options(FILE_OPTIONS), opencv_options(FILE_OPTIONS):
        inside.set()
        thread.join(0.1)
        assert not seen
    thread.join(5)
    assert "hls" in seen[0]


def test_no_list_has_a_format_that_opens_other_files() -> None:
    for options in (FILE_OPTIONS, HANDLE_OPTIONS):
        assert not DANGEROUS & {*options["format_whitelist"].split(",")}
    assert HANDLE_OPTIONS["protocol_whitelist"] == ""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_stream_may_speak_to_the_disk(scheme: str) -> None:
    protocols = {*stream_options(f"{scheme}://host/path")["protocol_whitelist"].split(",")}
    assert scheme in protocols
    assert not protocols & {"file", "concat", "concatf", "subfile", "pipe", "fd", "unix", "async", "cache"}
