"""Which sources are live, and what they are called: text only; nothing is opened here.

A password that stands in an address is never shown, and is in no file name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from vidrnn.errors import UsageError

PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
"""The port that each kind of address means where it names none."""
SCHEMES = (*PORTS, "udp", "tcp", "rtp")
PIPE = "-"
READER = "vidrnn-camera"
"""The name of the thread that reads a live source."""

_SECRET = re.compile(r"((?:^|&)[^=&]*(?:pass|pwd|token|key|secret|auth|sig)[^=&]*=)[^&]*", re.IGNORECASE)
_LONGEST_NAME = 80


class Kind(StrEnum):
    """How a live source reaches this machine."""

    CAMERA = "camera"
    PIPE = "pipe"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class LiveAddress:
    """A live source."""

    source: str
    """As it was named; may hold a password."""
    kind: Kind

    @property
    def shown(self) -> str:
        """The source for people, without passwords."""
        if self.kind is Kind.CAMERA:
            return f"camera {self.source}"
        if self.kind is Kind.PIPE:
            return "the pipe"
        parts = urlsplit(self.source)
        return parts._replace(netloc=_host(parts), query=_SECRET.sub(r"\1***", parts.query)).geturl()

    @property
    def name(self) -> str:
        """The source as a file's name: camera-0, pipe, rtsp-10.0.0.7-554-door.

        Addresses that differ in what a name cannot show, or must not, are told apart by a hash of it.
        """
        if self.kind is not Kind.NETWORK:
            return f"camera-{int(self.source)}" if self.kind is Kind.CAMERA else "pipe"
        parts = urlsplit(self.source)
        plain = f"{parts.scheme}://{_host(parts)}{parts.path.rstrip('/')}"
        name = re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-")
        if name == re.sub("://|[:/]", "-", plain) and len(name) <= _LONGEST_NAME and not parts.query:
            return name
        digest = hashlib.blake2b(f"{plain}?{parts.query}".encode(), digest_size=4).hexdigest()
        return f"{name[:_LONGEST_NAME]}-{digest}"

    @property
    def host(self) -> tuple[str, int] | None:
        """Host and port that must answer before there can be a stream; None where that is not known beforehand."""
        parts = urlsplit(self.source)
        port = parts.port or PORTS.get(parts.scheme)
        listens = parts.scheme in ("udp", "rtp") or "listen" in parts.query
        return (parts.hostname, port) if parts.hostname and port and not listens else None


def live_address(source: str) -> LiveAddress | None:
    """The live source that a word means: a number is a camera, - a pipe, and scheme://... an address; None for films.

    A film or a folder that is called by a number is that, and not a camera.

    Raises:
        UsageError: it looks like an address, and nothing can be read there.
    """
    if source == PIPE:
        return LiveAddress(source, Kind.PIPE)
    if source.isascii() and source.isdecimal() and not Path(source).exists():
        return LiveAddress(source, Kind.CAMERA)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    return _network(source, scheme[1].lower()) if scheme else None


def _network(source: str, scheme: str) -> LiveAddress:
    if scheme not in SCHEMES:
        raise UsageError(
            f"{scheme}://...: no stream is read from such an address. Wanted {', '.join(SCHEMES[:-1])} or "
            f"{SCHEMES[-1]}; a film is named by its path."
        )
    try:
        parts = urlsplit(source)
        there = bool(parts.port) * (scheme not in PORTS) or bool(parts.hostname)
    except ValueError as error:
        raise UsageError(f"{scheme}://...: is not an address: {str(error).lower()}.") from None
    if not there:
        raise UsageError(f"{scheme}://...: names no host. Wanted {scheme}://HOST:PORT/PATH.")
    return LiveAddress(source, Kind.NETWORK)


def _host(parts: SplitResult) -> str:
    """Host and port, without who asks."""
    return parts.netloc.rpartition("@")[2]
