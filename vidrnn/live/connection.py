"""A live source is opened, or a sentence says why it cannot be. This module does not know when to try again."""

from __future__ import annotations

import os
import socket
import sys

from vidrnn.live.addresses import Kind, LiveAddress
from vidrnn.video.capture import Capture

_KNOCK_SECONDS = 2.0
"""How long a host may take to accept a connection, when the reason of a failure is looked for."""
_NO_FRAMES = {
    Kind.CAMERA: "gives no pictures. Is another program using it?",
    Kind.PIPE: "gave no video that can be read as it comes. Try: ffmpeg -i FILM -f mpegts - | vidrnn predict -",
    Kind.NETWORK: "was opened, but sent no frame.",
}

_NO_CAMERA = {
    "linux": "cannot be opened. Is one connected (on Linux: ls /dev/video*), and may you read it?",
    "darwin": "cannot be opened. Is one connected, and may this terminal use it (System Settings, Privacy & Security, "
    "Camera)?",
    "win32": "cannot be opened. Is one connected, and may desktop apps use it (Settings, Privacy & security, Camera)?",
}


def open_source(address: LiveAddress, open_seconds: float, silence_seconds: float) -> Capture | None:
    """The opened source; None if it cannot be opened within `open_seconds`.

    A network stream ends after `silence_seconds` without data. A pipe may be silent for any time. These limits do not
    apply to a camera.
    """
    if address.kind is Kind.CAMERA:
        return Capture.open_camera(int(address.source))
    if address.kind is Kind.PIPE:
        _read_bytes_from_input()
        return Capture.open_stream("pipe:0", None, None)
    return Capture.open_stream(address.source, open_seconds, silence_seconds)


def why_no_frames(address: LiveAddress) -> str:
    """Why a source that was opened gave no frame: the sentence goes on after the name of the source."""
    return _NO_FRAMES[address.kind]


def why_not_opened(address: LiveAddress, system: str = sys.platform) -> str:
    """Why a source could not be opened on a system: the sentence goes on after the name of the source."""
    if address.kind is Kind.PIPE:
        return _NO_FRAMES[Kind.PIPE]
    if address.kind is Kind.CAMERA:
        return _NO_CAMERA.get(system, _NO_CAMERA["linux"])
    if address.host is None:
        return "nothing came in time. Is something sent there?"
    return _why_no_answer(*address.host)


def _read_bytes_from_input() -> None:
    """Have the standard input give its bytes as they are. Windows would end it at the first byte 26."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(0, os.O_BINARY)


def _why_no_answer(host: str, port: int) -> str:
    """The result of a plain TCP connection to the host."""
    try:
        socket.create_connection((host, port), timeout=_KNOCK_SECONDS).close()
    except (socket.gaierror, UnicodeError):
        return f"there is no host {host}."
    except ConnectionRefusedError:
        return f"nothing listens on port {port} of {host}."
    except OSError as error:
        return f"no answer from port {port} of {host}: {error.strerror or error}."
    return f"port {port} of {host} answers, but gives no stream. Is the path right? Does it need USER:PASSWORD@?"
