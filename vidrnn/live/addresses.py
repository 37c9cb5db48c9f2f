"""Which sources are live, and their names for people and for files. This module reads text; it opens nothing.

A password in an address is never shown, and is in no file name.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit

from vidrnn.errors import UsageError

PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
"""The default port of each scheme."""
SCHEMES = (*PORTS, "udp", "tcp", "rtp")
PIPE = "-"
READER = "vidrnn-camera"
"""The name of the thread that reads a live source."""

_SECRET = r"pass|pw|psw|token|key|secret|auth|sig|cred|jwt"
"""Parts of the names of settings whose values are hidden."""
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)
_SECRET_INSIDE = re.compile(rf"(?:{_SECRET})[^=]*=|//[^/]*@", re.IGNORECASE)
"""A secret inside a value that is itself a list of settings or an address."""
_SETTING = re.compile(r"([^=]*)=(.*?)(?=_[A-Za-z]+=[^=]|$)", re.DOTALL)
"""NAME=VALUE; video recorders write several in a row as user=a_password=b."""
_IN_PATH, _IN_QUERY = re.compile(r"([/&]|;(?=[^=/&;]*=))"), re.compile(r"(&|;(?=[^=&;]*=))")
"""The separators of settings."""
_HIDDEN = "***"
_PLAIN = re.compile(r"[a-z]+://[\w.]+(?::\d+|(?!/\d+(?:/|$)))(?:/[\w.]+)*", re.ASCII)
"""Addresses that get different names when each separator is written as a dash."""
_ESCAPES = "In passwords and paths write / as %2F, ? as %3F, # as %23 and @ as %40."
_LONGEST_NAME = 80
_LONGEST_NUMBER = 4


class Kind(StrEnum):
    """The way by which a live source reaches this machine."""

    CAMERA = "camera"
    PIPE = "pipe"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class LiveAddress:
    """The address of a live source."""

    source: str = field(repr=False)
    """The address as it is opened. It may hold a password."""
    kind: Kind

    @property
    def shown(self) -> str:
        """The address for people, without passwords."""
        if self.kind is Kind.CAMERA:
            return f"camera {self.source}"
        if self.kind is Kind.PIPE:
            return "the pipe"
        return self._public_parts.geturl()

    @property
    def name(self) -> str:
        """The source as part of a file's name: camera-0, pipe, rtsp-10.0.0.7-554-door.

        A hash of the shown address is added where the plain name would not be unique.
        """
        if self.kind is not Kind.NETWORK:
            return f"camera-{int(self.source)}" if self.kind is Kind.CAMERA else "pipe"
        parts = self._public_parts
        plain = f"{parts.scheme}://{parts.netloc}{'' if parts.path == '/' else parts.path}"
        name = re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-")
        rest = f"?{parts.query}" + f"#{parts.fragment}" * bool(parts.fragment)
        if rest == "?" and _PLAIN.fullmatch(plain) and len(name) <= _LONGEST_NAME:
            return name
        digest = hashlib.blake2b(f"{plain}{rest}".encode(), digest_size=4).hexdigest()
        return f"{name[:_LONGEST_NAME]}-{digest}"

    @property
    def may_be_film(self) -> bool:
        """Whether a film with an end may lie at the address, as on a web server."""
        return self.kind is Kind.NETWORK and urlsplit(self.source).scheme in ("http", "https")

    @property
    def _public_parts(self) -> SplitResult:
        """The parts of the address without user and password, and with secrets hidden."""
        parts = urlsplit(self.source)
        path, query, fragment = _masked(parts.path, _IN_PATH), _masked(parts.query), _masked(parts.fragment)
        if (path, query) != (parts.path, parts.query) and fragment:
            fragment = _HIDDEN  # a secret that contains # continues here
        return parts._replace(netloc=_host(parts), path=path, query=query, fragment=fragment)

    @property
    def host(self) -> tuple[str, int] | None:
        """The host and port that a stream is asked from; None if the stream comes by itself, or the port is unknown."""
        parts = urlsplit(self.source)
        port = parts.port or PORTS.get(parts.scheme)
        listens = parts.scheme in ("udp", "rtp") or "listen" in parts.query
        return (parts.hostname, port) if parts.hostname and port and not listens else None


def live_address(source: str) -> LiveAddress | None:
    """The live source that an argument names: a number is a camera, - is a pipe, scheme://... is a stream.

    None for films. A number that is the name of an existing file or folder is not a camera.

    Raises:
        UsageError: it looks like a camera or an address, but is not a valid one.
    """
    if source == PIPE:
        return LiveAddress(source, Kind.PIPE)
    if source.isascii() and source.isdecimal() and not os.path.exists(source):  # noqa: PTH110 - Path fails at long names
        return _camera(source)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    return _network(source, scheme[1].lower()) if scheme else None


def _camera(source: str) -> LiveAddress:
    if len(source) > _LONGEST_NUMBER:
        raise UsageError(f"{source[:_LONGEST_NUMBER]}...: no camera has such a number. The first camera is 0.")
    return LiveAddress(source, Kind.CAMERA)


def _network(source: str, scheme: str) -> LiveAddress:
    if scheme not in SCHEMES:
        raise UsageError(
            f"{scheme}://...: such an address cannot be read. Wanted {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}. "
            "Give a video by its path."
        )
    if re.search("[/?#].*@", source.partition("://")[2], re.DOTALL):
        raise UsageError(f"{scheme}://...: has an @ after its first /, ? or #. {_ESCAPES}")
    try:
        parts = urlsplit(source)
        has_host = bool(parts.port) * (scheme not in PORTS) or bool(parts.hostname)
    except ValueError:  # its message quotes the address, which may hold a password
        raise UsageError(
            f"{scheme}://...: is not an address. Wanted {scheme}://HOST:PORT/PATH with a port up to 65535. {_ESCAPES}"
        ) from None
    if not has_host:
        raise UsageError(f"{scheme}://...: names no host. Wanted {scheme}://HOST:PORT/PATH.")
    return LiveAddress(scheme + source[len(scheme) :], Kind.NETWORK)  # decoders know schemes in lower case only


def _host(parts: SplitResult) -> str:
    """Host and port, without user and password."""
    return parts.netloc.rpartition("@")[2]


def _masked(text: str, between: re.Pattern[str] = _IN_QUERY) -> str:
    """A part of an address with its secrets hidden."""
    return "".join(_setting_masked(piece) for piece in between.split(text))


def _setting_masked(piece: str) -> str:
    if "=" not in piece:
        return _HIDDEN if _SECRET_INSIDE.search(unquote(piece)) else piece
    return _SETTING.sub(_value_masked, piece)


def _value_masked(setting: re.Match[str]) -> str:
    name, value = unquote(setting[1]), unquote(setting[2])
    return f"{setting[1]}={_HIDDEN}" if _SECRET_NAME.search(name) or _SECRET_INSIDE.search(value) else setting[0]
