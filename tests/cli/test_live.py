"""Cameras, streams and pipes on the command line: lines of JSON, a record that stays, and a clean end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import IO

import pytest
from cli.test_cli import Command, vidrnn
from live.test_camera import free_port, running

from vidrnn.cli import _leave
from vidrnn.cli.predict import _no_error_of_a_stop
from vidrnn.errors import FilmError
from vidrnn.live.addresses import READER

__all__ = ["vidrnn"]  # the fixture

MODEL = Path("models/moves").resolve()
FILM = Path("sample_videos/a_day.webm").resolve()


@contextmanager
def watching(*arguments: str | Path, source: str = "-") -> Iterator[subprocess.Popen[bytes]]:
    """`vidrnn predict SOURCE ...` in a process of its own, with a pipe to write to."""
    command = [sys.executable, "-c", "from vidrnn.cli import run; run()", "predict", source, "--model", str(MODEL)]
    pipe = subprocess.PIPE
    process = subprocess.Popen([*command, *map(str, arguments)], stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines(text: bytes | str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def fed(pipe: IO[bytes] | None) -> None:
    """The film is in the pipe, which stays open: nobody knows whether more will come."""
    assert pipe is not None

    def feed() -> None:
        with suppress(BrokenPipeError):
            pipe.write(FILM.read_bytes())
            pipe.flush()

    threading.Thread(target=feed, daemon=True).start()


def recorded(folder: Path) -> list[dict[str, object]]:
    """What is in the record, which holds nothing but whole lines."""
    file = folder / "pipe.segments.jsonl"
    text = file.read_text() if file.exists() else ""
    assert not text or text.endswith("\n")
    return lines(text)


def test_a_film_through_a_pipe_gets_the_answer_of_the_film(vidrnn: Command, tmp_path: Path) -> None:
    with watching("--out", tmp_path) as process:
        out, err = process.communicate(FILM.read_bytes(), timeout=60)
        assert process.returncode == 0, err
    changes = lines(out)
    assert {"seconds", "time", "label", "probability", "dropped"} == set(changes[0])
    assert len(changes) > 5
    assert all(one["label"] != after["label"] for one, after in pairwise(changes))
    film = json.loads(vidrnn("predict", FILM, "--model", MODEL, "--json").out)["films"][0]
    assert changes[-1]["dropped"] == 0, "a video that can be sent faster than it lasts is not left behind"
    written = recorded(tmp_path)
    assert [one["label"] for one in written] == [one["label"] for one in film["segments"]]
    for name in ("start_seconds", "end_seconds", "probability"):
        expected = [one[name] for one in film["segments"]]
        assert [one[name] for one in written] == pytest.approx(expected, abs=0.1 if name == "end_seconds" else 1e-3)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_stops_at_once_with_its_last_segment_closed_though_the_pipe_is_silent(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with watching("--out", tmp_path) as process:
        fed(process.stdin)
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        while recorded_until(tmp_path) < 24:
            time.sleep(0.05)
        process.send_signal(number)
        began = time.monotonic()
        assert process.wait(timeout=10) == code
        assert time.monotonic() - began < 3
        last = json.loads(process.stdout.read().splitlines()[-1])
    written = recorded(tmp_path)
    assert first["seconds"] == written[0]["start_seconds"] == 0
    assert written[-1]["end_seconds"] >= last["seconds"]  # type: ignore[operator]
    assert all(one["end_seconds"] == after["start_seconds"] for one, after in pairwise(written))


def test_ctrl_c_that_ends_the_sender_of_a_silent_pipe_too_is_no_error() -> None:
    with watching() as process:
        assert process.stderr is not None and process.stdin is not None
        while not process.stderr.readline().startswith(b"watching"):
            pass
        process.stdin.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert process.stderr.read() == b""
        process.stdin = None


def test_a_stream_that_breaks_off_just_before_it_is_stopped_is_no_error() -> None:
    stop = threading.Event()
    with _no_error_of_a_stop(stop):
        threading.Timer(0.05, stop.set).start()
        raise FilmError("the pipe: broke off.")
    with pytest.raises(FilmError), _no_error_of_a_stop(threading.Event()):
        raise FilmError("the pipe: broke off.")


@pytest.mark.slow
def test_it_ends_well_though_the_decoder_waits_for_the_next_piece_of_a_stream(
    tmp_path: Path, ffmpeg: Callable[..., None]
) -> None:
    """Pieces over http that are listed in a file, which says that more will come; they do not."""
    pieces = ["-f", "hls", "-hls_time", "5", "-hls_flags", "omit_endlist"]
    ffmpeg("-i", FILM, "-c:v", "libx264", "-preset", "ultrafast", "-g", "12", *pieces, tmp_path / "live.m3u8")
    port = free_port()
    serve: list[str | Path] = [sys.executable, "-m", "http.server", "--directory", tmp_path, "--bind", "127.0.0.1"]
    address = f"http://127.0.0.1:{port}/live.m3u8"
    with running([*serve, str(port)], port), watching("--out", tmp_path / "out", source=address) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
    (file,) = (tmp_path / "out").iterdir()
    assert len(lines(file.read_bytes())) > 1


def test_the_process_is_left_at_once_while_a_stream_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)
    _leave(0)
    wait = threading.Event()
    reader = threading.Thread(target=wait.wait, name=READER)
    reader.start()
    for code in (130, None, "a sentence"):
        _leave(code)
    wait.set()
    reader.join()
    _leave(2)
    assert left == [130, 0, 1]


def recorded_until(folder: Path) -> float:
    written = recorded(folder)
    return float(str(written[-1]["end_seconds"])) if written else 0.0


def test_what_was_recorded_stays_when_all_is_killed_and_is_gone_on_with(tmp_path: Path) -> None:
    counts = []
    for _ in range(2):
        with watching("--out", tmp_path) as process:
            fed(process.stdin)
            until = time.monotonic() + 30
            before = counts[-1] if counts else 0
            while len(recorded(tmp_path)) < before + 3:
                assert time.monotonic() < until
                time.sleep(0.01)
            process.kill()
        counts.append(len(recorded(tmp_path)))
    assert counts[1] >= counts[0] + 3


def test_who_reads_no_further_ends_it(tmp_path: Path) -> None:
    with watching("--out", tmp_path) as process:
        fed(process.stdin)
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) == 1
        assert b"Traceback" not in process.stderr.read()


REFUSED = {
    "0 video.mp4": "Name it alone",
    "rtsp://host/a rtsp://host/b": "Name it alone",
    "0 --rate 5": "--rate",
    "0 --jobs 2": "--jobs",
    "video.mp4 --show": "--show",
    "video.mp4 --reconnect 5": "--reconnect",
    "video.mp4 --silence 5": "--silence",
    "ftp://host/film.mp4": "Wanted rtsp",
    "rtsp://": "names no host",
    "0 --reconnect -1": "--reconnect",
    "0 --show": "no screen here",
    "0 --silence nan": "--silence",
    "0 --reconnect nan": "--reconnect",
    "99999999999": "no camera has such a number",
    "rtsp://admin:geheim/1@host/door": "%2F",
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_meant_is_refused_with_a_sentence(
    vidrnn: Command, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert REFUSED[message] in vidrnn("predict", *message.split(), "--model", MODEL).refused(2)


def test_a_pipe_that_nobody_writes_to_is_an_error(vidrnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert "nothing is piped in" in vidrnn("predict", "-", "--model", MODEL).refused(2)


def test_a_pipe_that_is_closed_is_an_error(vidrnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert "nothing is piped in" in vidrnn("predict", "-", "--model", MODEL).refused(2)


@pytest.mark.parametrize("long", ["inf", "1e12"])
def test_patience_may_be_endless(vidrnn: Command, long: str) -> None:
    patience = ["--silence", long, "--reconnect", long]
    assert "nothing listens" in vidrnn("predict", "tcp://127.0.0.1:9", "--model", MODEL, *patience).refused(1)


def test_a_stream_that_is_not_there_fails_without_its_password(vidrnn: Command) -> None:
    message = vidrnn("predict", "tcp://me:hunter2@127.0.0.1:9", "--model", MODEL).refused(1)
    assert "tcp://127.0.0.1:9: nothing listens" in message
    assert "hunter2" not in message
