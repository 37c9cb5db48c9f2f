"""What is live and what is a film, what a live source is called, and that no password is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidrnn.errors import UsageError
from vidrnn.live.addresses import Kind, LiveAddress, live_address


def address(source: str) -> LiveAddress:
    live = live_address(source)
    assert live is not None
    return live


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("0", Kind.CAMERA),
        ("12", Kind.CAMERA),
        ("-", Kind.PIPE),
        ("rtsp://host/cam", Kind.NETWORK),
        ("RTSP://host/cam", Kind.NETWORK),
        ("udp://:1234", Kind.NETWORK),
        ("udp://@:1234", Kind.NETWORK),
        ("tcp://[::1]:90", Kind.NETWORK),
    ],
)
def test_cameras_pipes_and_streams_are_live(source: str, kind: Kind) -> None:
    assert address(source).kind is kind


@pytest.mark.parametrize("source", ["film.mp4", "films/", "*.avi", "0.mp4", "-1", "½", "²", "a:b", "c:\\film.avi", ""])
def test_films_are_not_live(source: str) -> None:
    assert live_address(source) is None


def test_a_folder_that_is_called_by_a_number_is_no_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert live_address("7") is not None
    (tmp_path / "7").mkdir()
    assert live_address("7") is None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("file:///film.mp4", "wanted rtsp"),
        ("ftp://host/film.mp4", "wanted rtsp"),
        ("http://", "names no host"),
        ("rtsp:///cam", "names no host"),
        ("rtsp://host:99999/cam", "is not an address"),
        ("tcp://:99999", "is not an address"),
        ("http://[::1", "is not an address"),
    ],
)
def test_an_address_that_leads_nowhere_is_reported(source: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"(?i){reason}"):
        live_address(source)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "source",
    [
        f"rtsp://me:{SECRET}@10.0.0.7:8554/door",
        f"http://10.0.0.7/live?user=me&password={SECRET}&channel=1",
        f"http://10.0.0.7/live?channel=1&PWD={SECRET}",
        f"http://10.0.0.7/live?access_token={SECRET}",
        f"https://{SECRET}@host/x",
        f"http://h/live?psw={SECRET}",
        f"rtsp://h:1/user=admin&password={SECRET}&channel=1",
        f"rtsp://h:1/user=admin_password={SECRET}_channel=1_stream=0.sdp?real_stream",
        f"rtsp://h:1/user=admin_password=my_{SECRET}_channel=1",
        f"rtsp://h:1/user%3Dadmin%26password%3D{SECRET}",
        f"rtsp://h:1/cam;token={SECRET}/1",
        f"http://h/x?a=1;password={SECRET}",
        f"http://h/x?a=1,password={SECRET}",
        f"http://h/x?a=1%26password={SECRET}",
        f"http://h/x?password=a;{SECRET}",
        f"http://h/x?password=a%26{SECRET}",
        f"http://h/x?password=a/{SECRET}?b",
        f"http://h/x?password=a#{SECRET}",
        f"http://h/x?pass_phrase={SECRET}",
        f"http://h/x?token=Zm9_{SECRET}==",
        f"http://h/x?p%61ss={SECRET}",
        f"http://h/x#token={SECRET}",
        f"http://h/x?url=rtsp%3A%2F%2Fme%3A{SECRET}%40cam%2F1",
    ],
)
def test_passwords_are_neither_shown_nor_in_a_files_name(source: str) -> None:
    live = address(source)
    assert SECRET not in live.shown + live.name + repr(live)
    assert live.source == source, "the source itself is opened"


def test_beside_a_secret_all_else_is_shown() -> None:
    recorder = address("rtsp://h:1/user=admin_password=x_y_channel=1_stream=0.sdp?real_stream&c=2")
    assert recorder.shown == "rtsp://h:1/user=admin_password=***_channel=1_stream=0.sdp?real_stream&c=2"
    assert address("http://h/a_b;c=1/d?e=f&token=x&g").shown == "http://h/a_b;c=1/d?e=f&token=***&g"


@pytest.mark.parametrize("sign", ["/", "?", "#"])
@pytest.mark.parametrize("number", ["1234", "geheim"])
def test_a_password_that_cuts_an_address_short_is_refused_and_not_quoted(sign: str, number: str) -> None:
    with pytest.raises(UsageError, match="%2F") as refused:
        live_address(f"rtsp://admin:{number}{sign}{SECRET}@10.0.0.7/door")
    assert SECRET not in str(refused.value) and number not in str(refused.value)


@pytest.mark.parametrize("source", [f"rtsp://admin:{SECRET}/1", f"rtsp://[{SECRET}@h/1", f"rtsp://a:{SECRET}@h:x/1"])
def test_what_is_no_address_is_refused_and_not_quoted(source: str) -> None:
    with pytest.raises(UsageError, match="is not an address") as refused:
        live_address(source)
    assert SECRET not in str(refused.value)


def test_a_password_in_code_is_none_that_cuts_an_address_short() -> None:
    assert address("rtsp://admin:a%2Fb%40c@10.0.0.7/door").shown == "rtsp://10.0.0.7/door"


@pytest.mark.parametrize("source", ["99999999999", "1" * 300, "9" * 5000])
def test_a_number_that_no_camera_has_is_refused(source: str) -> None:
    with pytest.raises(UsageError, match="no camera has such a number"):
        live_address(source)


def test_an_address_in_capitals_is_opened_as_decoders_know_it() -> None:
    assert address("RTSP://Me:X@Host/Cam").source == "rtsp://Me:X@Host/Cam"


def test_what_is_no_secret_is_shown() -> None:
    assert address("rtsp://me:x@10.0.0.7:8554/door?channel=2").shown == "rtsp://10.0.0.7:8554/door?channel=2"
    assert [address(source).shown for source in ("3", "-")] == ["camera 3", "the pipe"]


def test_a_name_is_that_of_a_file_and_tells_sources_apart() -> None:
    sources = ["0", "1", "-", "rtsp://h/a", "rtsp://h/b", "rtsp://h:554/a", "http://h/a", "http://h/a?c=1", "udp://:90"]
    sources += [
        "http://h/a?c=2",
        "http://h/a b",
        "http://h/a/b",
        "http://h/a_b",
        "tcp://[::1]:9",
        f"http://h/{'a' * 300}",
    ]
    sources += ["rtsp://h/a-b", "rtsp://h/a/b", "rtsp://h-a/b", "rtsp://h:554/x", "rtsp://h/554/x", "rtsp://h:554"]
    sources += [
        "rtsp://h/554",
        "rtsp://h/a/",
        "rtsp://h//a",
        "rtsp://h/a#1",
        "rtsp://h-a",
        "rtsp://h:5/6",
        "rtsp://h/5/6",
    ]
    sources += ["rtsp://h/x?token=1&front", "rtsp://h/x?token=1&back", "rtsp://h/token=1/1", "rtsp://h/token=1/2"]
    names = [address(source).name for source in sources]
    assert names[:4] == ["camera-0", "camera-1", "pipe", "rtsp-h-a"]
    assert len(set(names)) == len(names)
    assert address("rtsp://10.0.0.7:554/Streaming/101").name == "rtsp-10.0.0.7-554-Streaming-101"
    assert all(len(name) < 100 and name.replace("-", "").replace(".", "").replace("_", "").isalnum() for name in names)


def test_who_asks_and_with_which_password_does_not_change_the_name() -> None:
    assert address("rtsp://a:1@h/x").name == address("rtsp://b:2@h/x").name == address("rtsp://h/x").name


@pytest.mark.parametrize(
    ("source", "host"),
    [
        ("rtsp://me@h/x", ("h", 554)),
        ("http://h:81/x", ("h", 81)),
        ("tcp://[::1]:90", ("::1", 90)),
        ("tcp://h:90?listen", None),
        ("udp://h:90", None),
    ],
)
def test_where_somebody_must_answer_is_known(source: str, host: tuple[str, int] | None) -> None:
    assert address(source).host == host
