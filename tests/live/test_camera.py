"""Live sources are read: real servers on this machine, which go away and come back, and captures that misbehave."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest
from conftest import SMALL, frame_number, make_film, paint_number
from serving import serving

from vidrnn.errors import FilmError
from vidrnn.live.addresses import live_address
from vidrnn.live.camera import Camera, LiveFrame, Patience, Sight
from vidrnn.live.connection import why_not_opened
from vidrnn.values import Pixels
from vidrnn.video.reader import open_film

FPS = 50
EVERY = Sight(SMALL, 1 / FPS)
"""Looks at every frame."""
QUICK = Patience(open_seconds=8, silence_seconds=1, lost_seconds=15)
NO_PATIENCE = Patience(open_seconds=8, silence_seconds=1, lost_seconds=0)
LONGEST_SECONDS = 20.0
"""A test that waits longer has failed."""


def camera(source: str, patience: Patience = QUICK, **how: object) -> Camera:
    address = live_address(source)
    assert address is not None
    return Camera(address, EVERY, patience, **how)  # type: ignore[arg-type]


def news(opened: Camera) -> Iterator[LiveFrame | str]:
    """All that comes, until it is over."""
    until = time.monotonic() + LONGEST_SECONDS
    while not opened.over:
        assert time.monotonic() < until, "it does not end"
        item = opened.take(0.05)
        if item is not None:
            yield item


def frames(opened: Camera, count: int) -> list[LiveFrame]:
    """The next frames; sentences between them are skipped."""
    taken: list[LiveFrame] = []
    for item in news(opened):
        taken += [item] if isinstance(item, LiveFrame) else []
        if len(taken) == count:
            break
    return taken


def numbers(taken: list[LiveFrame]) -> list[int]:
    return [frame_number(frame.pixels) for frame in taken]


# --- servers ---------------------------------------------------------------------------------------------------------

RTSP_PROGRAM = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
server, factory = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory()
server.set_address("127.0.0.1"); server.set_service(sys.argv[1])
factory.set_launch(f"( filesrc location={sys.argv[2]} ! avidemux ! rtpjpegpay name=pay0 pt=26 )")
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
GLib.MainLoop().run()
"""

Served = tuple[str, list[str | Path], int | None]
"""An address, the command that serves it, and the port on which that is seen to be ready."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with closing(socket.socket(socket.AF_INET, kind)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether a server of this machine waits there; asking it would take the one connection that some have to give."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


@contextmanager
def running(command: list[str | Path], port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A server, until the block ends; with a port, from when it listens."""
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([*map(str, command)], stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        until = time.monotonic() + LONGEST_SECONDS
        while port is not None and not listens(port):
            assert server.poll() is None, f"{command[0]} ended"
            assert time.monotonic() < until, f"{command[0]} does not listen"
            time.sleep(0.02)
        yield server
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def lossless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of motion JPEG whose frames tell which they are, 12 seconds long."""
    return make_film(tmp_path_factory.mktemp("live") / "film.avi", frames=12 * FPS, fps=FPS)


@pytest.fixture(scope="session")
def sendable(lossless: Path, ffmpeg: Callable[..., None]) -> Path:
    """The same film as cameras send it."""
    film = lossless.with_suffix(".ts")
    ffmpeg("-i", lossless, "-c:v", "mpeg4", "-q:v", "2", "-g", "10", film)
    return film


def sent(film: Path, *target: str) -> list[str | Path]:
    """The command that sends a film as fast as life, once."""
    return [shutil.which("ffmpeg") or "", "-v", "quiet", "-re", "-i", film, "-c", "copy", "-f", "mpegts", *target]


def tcp(film: Path) -> Served:
    port = free_port()
    return f"tcp://127.0.0.1:{port}", sent(film, f"tcp://127.0.0.1:{port}?listen"), port


def http(film: Path) -> Served:
    port = free_port()
    return f"http://127.0.0.1:{port}/live", sent(film, "-listen", "1", f"http://127.0.0.1:{port}/live"), port


def udp(film: Path) -> Served:
    port = free_port(socket.SOCK_DGRAM)
    return f"udp://127.0.0.1:{port}", sent(film, f"udp://127.0.0.1:{port}?pkt_size=1316"), None


@pytest.fixture(scope="session")
def rtsp(lossless: Path, ffmpeg: Callable[..., None]) -> Served:
    """The address of an RTSP server, and how to start it; the test is skipped where GStreamer's is not installed."""
    python = "/usr/bin/python3"
    asked = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if not Path(python).exists() or subprocess.run([python, "-c", asked], capture_output=True, check=False).returncode:
        pytest.skip("GStreamer's RTSP server is not installed (gir1.2-gst-rtsp-server-1.0, python3-gi)")
    film, port = lossless.with_name("rtp.avi"), free_port()
    ffmpeg("-i", lossless, "-c:v", "mjpeg", "-huffman", "default", "-q:v", "2", film)
    return f"rtsp://127.0.0.1:{port}/cam", [python, "-c", RTSP_PROGRAM, str(port), film], port


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams are looked for again without much ado."""
    monkeypatch.setattr("vidrnn.live.camera._FIRST_PAUSE_SECONDS", 0.1)


def in_step(taken: list[LiveFrame]) -> None:
    """Frames come in order, and their times are as far apart as their numbers say."""
    seen = numbers(taken)
    assert seen == sorted(set(seen))
    apart = [
        (after.seconds - taken[0].seconds) * FPS - (number - seen[0]) for after, number in zip(taken, seen, strict=True)
    ]
    assert np.abs(apart).max() < 1.5


@pytest.mark.parametrize("how", [tcp, http, udp])
def test_a_stream_of_ffmpegs_is_read_in_its_own_time(sendable: Path, how: Callable[[Path], Served]) -> None:
    source, command, port = how(sendable)
    with running(command, port), camera(source) as opened:
        taken = frames(opened, 40)
    assert len(taken) == 40
    in_step(taken)


def test_an_rtsp_stream_is_read_in_its_own_time(rtsp: Served) -> None:
    source, command, port = rtsp
    with running(command, port), camera(source) as opened:
        in_step(frames(opened, 40))


def comes_back(source: str, command: list[str | Path], port: int | None) -> None:
    """A server goes away and comes back: sentences say so, and time goes on meanwhile."""
    with running(command, port) as server, camera(source) as opened:
        before = frames(opened, 10)
        server.kill()
        gone = time.monotonic()
        note = next(item for item in news(opened) if isinstance(item, str))
        assert "broke off after" in note
        time.sleep(0.3)
        with running(command, port):
            note = next(item for item in news(opened) if isinstance(item, str))
            away = time.monotonic() - gone
            after = frames(opened, 10)
    assert "is back after" in note
    assert [frame.life for frame in before + after] == [0] * 10 + [1] * 10
    assert numbers(after)[0] < 200, "the server began anew"
    assert before[-1].seconds < after[0].seconds < before[-1].seconds + away + 2
    in_step(after)


def test_a_stream_that_goes_away_and_comes_back_is_read_on(sendable: Path) -> None:
    comes_back(*tcp(sendable))


@pytest.mark.slow
def test_a_http_stream_that_goes_away_and_comes_back_is_read_on(sendable: Path) -> None:
    comes_back(*http(sendable))


@pytest.mark.slow
def test_a_udp_stream_that_goes_away_and_comes_back_is_read_on(sendable: Path) -> None:
    comes_back(*udp(sendable))


@pytest.mark.slow
def test_an_rtsp_stream_that_goes_away_and_comes_back_is_read_on(rtsp: Served) -> None:
    comes_back(*rtsp)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_stream_that_falls_silent_or_ends_is_given_up_in_time(sendable: Path, how: signal.Signals) -> None:
    source, command, port = tcp(sendable)
    with running(command, port) as server, camera(source, NO_PATIENCE) as opened:
        frames(opened, 3)
        server.send_signal(how)
        began = time.monotonic()
        with pytest.raises(FilmError, match="did not come back"):
            list(news(opened))
        assert time.monotonic() - began < 5


def test_who_watches_a_silent_stream_can_stop_at_once(sendable: Path) -> None:
    source, command, port = tcp(sendable)
    stop = Event()
    with running(command, port) as server, camera(source, Patience(silence_seconds=30), stop=stop) as opened:
        frames(opened, 3)
        server.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        began = time.monotonic()
        stop.set()
        list(news(opened))
        opened.close()
        assert time.monotonic() - began < 2


def test_a_film_at_an_address_is_read_whole_faster_than_life_and_seen_as_a_film_is(tmp_path: Path) -> None:
    film, port = make_film(tmp_path / "film.avi", frames=60, fps=10.0), free_port()
    serve: list[str | Path] = [sys.executable, "-m", "http.server", "--directory", tmp_path, "--bind", "127.0.0.1"]
    with running([*serve, str(port)], port):
        began = time.monotonic()
        with camera(f"http://127.0.0.1:{port}/film.avi") as opened:
            taken = [item for item in news(opened) if isinstance(item, LiveFrame)]
    assert time.monotonic() - began < 3, "it lasts six seconds"
    with open_film(film) as whole:
        for live, read in zip(taken, whole.frames(size=SMALL), strict=True):
            assert live.seconds == pytest.approx(read.seconds, abs=1e-3)
            assert np.array_equal(live.pixels, read.pixels)
    assert taken[-1].dropped == 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("tcp://127.0.0.1:{port}", "nothing listens on port"),
        ("rtsp://127.0.0.1:{port}/cam", "nothing listens on port"),
        ("http://nowhere.invalid/cam", "there is no host nowhere.invalid"),
        ("http://no..where/cam", "there is no host no..where"),
        ("udp://127.0.0.1:{port}", "nothing came in time"),
        ("63", "cannot be opened"),
    ],
)
def test_why_there_is_no_stream_is_reported(source: str, reason: str) -> None:
    with (
        camera(source.format(port=free_port()), Patience(open_seconds=0.5)) as opened,
        pytest.raises(FilmError, match=reason),
    ):
        list(news(opened))


def test_a_server_that_answers_without_a_stream_is_reported(tmp_path: Path) -> None:
    port = free_port()
    serve = [sys.executable, "-m", "http.server", "--directory", tmp_path, "--bind", "127.0.0.1", str(port)]
    reason = pytest.raises(FilmError, match="answers, but gives no stream")
    with running(serve, port), camera(f"http://127.0.0.1:{port}/cam") as opened, reason:
        list(news(opened))


# --- captures that misbehave -----------------------------------------------------------------------------------------


class Capture:
    """A capture that gives numbered frames, `apart_seconds` apart in life and in its own time."""

    def __init__(self, count: int, apart_seconds: float = 0.0, stamp: Callable[[int], float] = lambda i: i / 5) -> None:
        self.count, self.apart_seconds, self.stamp, self.index = count, apart_seconds, stamp, -1
        self.unreadable: set[int] = set()

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def get(self, what: int) -> float:
        return 1000 * self.stamp(self.index) if what == cv2.CAP_PROP_POS_MSEC else 0.0

    def set(self, what: int, value: float) -> bool:
        return True

    def grab(self) -> bool:
        time.sleep(self.apart_seconds)
        self.index += 1
        return self.index < self.count

    def retrieve(self, memory: Pixels | None = None) -> tuple[bool, Pixels]:
        return self.index not in self.unreadable, paint_number(self.index)

    def release(self) -> None:
        pass


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[Capture]:
    """What is opened, one after another; then nothing can be."""
    waiting: list[Capture] = []
    nothing = Capture(0)
    nothing.isOpened = lambda: False  # type: ignore[method-assign]
    monkeypatch.setattr("vidrnn.video.capture.cv2.VideoCapture", lambda *_: waiting.pop(0) if waiting else nothing)
    return waiting


def test_frames_that_cannot_be_kept_up_with_are_counted_and_the_newest_is_taken(captures: list[Capture]) -> None:
    captures.append(Capture(60, apart_seconds=1 / FPS, stamp=lambda i: i / FPS))
    taken: list[LiveFrame] = []
    with camera("-") as opened:
        for frame in news(opened):
            assert isinstance(frame, LiveFrame)
            taken.append(frame)
            time.sleep(0.15)
    seen = numbers(taken)
    assert len(taken) < 15
    assert seen == sorted(seen)
    assert seen[-1] == 59, "the newest frame is there when one looks"
    assert taken[-1].dropped == 60 - len(taken)
    assert [frame.dropped for frame in taken] == [number - place for place, number in enumerate(seen)]


def test_frames_that_come_at_once_are_kept_until_they_are_taken(captures: list[Capture]) -> None:
    captures.append(Capture(40))
    taken = []
    with camera("-") as opened:
        for frame in news(opened):
            taken.append(frame)
            time.sleep(0.005)
    assert numbers(taken) == list(range(40))


def test_a_camera_is_never_waited_with(captures: list[Capture]) -> None:
    captures.append(Capture(30, apart_seconds=0.01, stamp=lambda i: i * 10.0))
    taken = []
    with camera("0", NO_PATIENCE) as opened, pytest.raises(FilmError):
        for frame in news(opened):
            taken.append(frame)
            time.sleep(0.1)
    assert len(taken) < 12, "its stamps are not what counts"


@pytest.mark.parametrize("spacing", [1 / FPS, 0.1])
def test_each_frame_comes_with_the_frame_before_it_though_frames_are_dropped(
    captures: list[Capture], spacing: float
) -> None:
    captures.append(Capture(60, apart_seconds=1 / FPS, stamp=lambda i: i / FPS))
    address, taken = live_address("-"), list[LiveFrame]()
    assert address is not None
    with Camera(address, Sight(SMALL, spacing, motion_seconds=0.08), QUICK) as opened:
        for frame in news(opened):
            assert isinstance(frame, LiveFrame) and frame.before is not None
            taken.append(frame)
            time.sleep(0.15)
    assert taken[-1].dropped > 0 or spacing == 0.1
    for frame, number in zip(taken, numbers(taken), strict=True):
        assert frame_number(frame.before) == (number - 4 if number >= 4 else max(0, number - 1))


def test_a_stream_that_comes_back_has_nothing_before_its_first_frame(captures: list[Capture]) -> None:
    captures += [Capture(6), Capture(6)]
    address, taken = live_address("rtsp://127.0.0.1/x"), list[LiveFrame]()
    assert address is not None
    with Camera(address, Sight(SMALL, 0.2, motion_seconds=0.2), QUICK) as opened:
        taken = frames(opened, 12)
    firsts = [frame for frame in taken if frame_number(frame.pixels) == 0]
    assert len(firsts) == 2
    assert all(frame.before is not None and frame_number(frame.before) == 0 for frame in firsts)


def test_a_frame_that_cannot_be_decoded_is_made_good_by_the_next(captures: list[Capture]) -> None:
    captures.append(Capture(6))
    captures[0].unreadable = {2, 3}
    with camera("-") as opened:
        taken = frames(opened, 4)
    assert numbers(taken) == [0, 1, 4, 5]
    assert (taken[2].since_seconds, taken[2].seconds) == pytest.approx((0.2 + 1 / FPS, 0.8))


def test_a_decoder_that_says_no_once_is_asked_again(captures: list[Capture]) -> None:
    captures.append(Capture(6))
    grab, asked = captures[0].grab, list[int]()

    def grudging() -> bool:
        asked.append(len(asked))
        return asked[-1] % 3 == 2 and grab()

    captures[0].grab = grudging  # type: ignore[method-assign]
    with camera("-") as opened:
        assert numbers(frames(opened, 6)) == list(range(6))


@pytest.mark.parametrize(
    ("source", "patience", "limits"),
    [
        ("-", Patience(), (0, 0)),
        ("tcp://h:1", Patience(open_seconds=8, silence_seconds=1.5), (8000, 1500)),
        ("tcp://h:1", Patience(open_seconds=1e-9, silence_seconds=float("inf")), (1, 2**31 - 1)),
    ],
)
def test_how_long_a_source_may_be_silent_is_passed_to_the_decoder_and_of_a_pipe_nothing(
    monkeypatch: pytest.MonkeyPatch, source: str, patience: Patience, limits: tuple[int, int]
) -> None:
    asked: list[list[int]] = []

    def opened(source: str, reader: int, settings: list[int]) -> Capture:
        asked.append(settings)
        return Capture(1)

    monkeypatch.setattr("vidrnn.video.capture.cv2.VideoCapture", opened)
    with camera(source, patience) as one:
        frames(one, 1)
    settings = dict(zip(asked[0][::2], asked[0][1::2], strict=True))
    assert (settings[cv2.CAP_PROP_OPEN_TIMEOUT_MSEC], settings[cv2.CAP_PROP_READ_TIMEOUT_MSEC]) == limits


def test_a_frame_that_is_kept_for_its_time_keeps_nobody_from_leaving(captures: list[Capture]) -> None:
    captures.append(Capture(9, stamp=lambda i: 5.0 * i))
    opened = camera("-")
    with opened:
        frames(opened, 1)
        time.sleep(0.1)
    assert not opened._thread.is_alive()


def test_a_stream_that_breaks_off_again_and_again_is_looked_for_ever_more_patiently(
    captures: list[Capture],
) -> None:
    pauses: list[float] = []

    class Hasty(Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return len(pauses) == 8

    captures += [Capture(5), *(Capture(0) for _ in range(3)), Capture(5)]
    with camera("tcp://h:1", Patience(lost_seconds=float("inf")), stop=Hasty()) as opened:
        notes = [item for item in news(opened) if isinstance(item, str)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 0.1, 0.2, 0.4, 0.8])
    assert [line.split(": ")[1].split(" after")[0] for line in notes] == ["broke off", "is back", "broke off"]


def test_what_goes_wrong_in_the_thread_is_not_lost(captures: list[Capture]) -> None:
    def stamp(index: int) -> float:
        raise ZeroDivisionError

    captures.append(Capture(5, stamp=stamp))
    with camera("-") as opened, pytest.raises(ZeroDivisionError):
        list(news(opened))


def test_memory_does_not_grow(captures: list[Capture]) -> None:
    captures.append(Capture(3000))
    sizes = []
    tracemalloc.start()
    with camera("-", watched=True) as opened:
        for place, _ in enumerate(news(opened)):
            if place in (500, 2900):
                sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] < sizes[0] + 20_000
    assert opened.picture is not None and opened.picture.shape == (48, 64, 3)


@pytest.mark.parametrize("name", ["recorded.webm", "film.ts", "film.avi", "list.m3u8"])
def test_a_film_at_an_address_is_read_once_though_it_states_no_length(
    lossless: Path, ffmpeg: Callable[..., None], tmp_path: Path, name: str
) -> None:
    ways = {
        "recorded.webm": ["-c:v", "libvpx", "-live", "1"],
        "film.ts": ["-c:v", "mpeg4", "-bf", "0"],
        "film.avi": ["-c", "copy"],
        "list.m3u8": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-f", "hls", "-hls_time", "0.4"],
    }
    ffmpeg("-t", "1", "-i", lossless, *ways[name], tmp_path / name)
    with serving(tmp_path) as server, camera(f"{server}/{name}") as opened:
        taken = list(news(opened))
    assert [item.life for item in taken if isinstance(item, LiveFrame)] == [0] * FPS
    assert not [item for item in taken if isinstance(item, str)]


def test_a_stream_over_http_reads_no_file_of_this_machine(tmp_path: Path) -> None:
    secret = make_film(tmp_path / "private" / "secret.avi")
    www = tmp_path / "www"
    www.mkdir()
    names = {"file.m3u8": f"file://{secret}", "path.m3u8": str(secret), "subfile.m3u8": f"subfile,,:{secret}"}
    for name, target in names.items():
        (www / name).write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n")
    (www / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    redirects = {"/away.avi": f"file://{secret}"}
    with serving(www, redirects) as server:
        for name in (*names, "list.mp4", "away.avi"):
            refused = pytest.raises(FilmError)
            with camera(f"{server}/{name}", Patience(open_seconds=3, lost_seconds=0)) as opened, refused:
                list(news(opened))
        assert len({path for path in server.asked if path.rpartition("/")[2] in {*names, "list.mp4", "away.avi"}}) == 5


def test_a_redirect_to_another_host_is_followed_over_http(tmp_path: Path) -> None:
    make_film(tmp_path / "there" / "film.avi", frames=10, fps=float(FPS))
    (tmp_path / "here").mkdir()
    with serving(tmp_path / "there") as there, serving(tmp_path / "here", {"/film.avi": f"{there}/film.avi"}) as here:
        with camera(f"{here}/film.avi") as opened:
            taken = [item for item in news(opened) if isinstance(item, LiveFrame)]
        assert here.asked and there.asked
    assert numbers(taken) == list(range(10))


@pytest.mark.parametrize(
    ("system", "words"), [("linux", "ls /dev/video"), ("darwin", "System Settings"), ("win32", "desktop apps")]
)
def test_a_camera_that_cannot_be_opened_has_a_remedy_for_its_system(system: str, words: str) -> None:
    address = live_address("0")
    assert address is not None and words in why_not_opened(address, system)
