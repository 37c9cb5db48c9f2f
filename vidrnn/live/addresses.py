"""Which sources are live, and what they are called: text only; nothing is opened here.

A password that stands in an address is never shown, and is in no file name.
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
"""The port that each kind of address means where it names none."""
SCHEMES = (*PORTS, "udp", "tcp", "rtp")
PIPE = "-"
READER = "vidrnn-camera"
"""The name of the thread that reads a live source."""

_SECRET = r"pass|pw|psw|token|key|secret|auth|sig|cred|jwt"
"""What a setting is called whose value is not shown."""
_CALLED = re.compile(_SECRET, re.IGNORECASE)
_WITHIN = re.compile(rf"(?:{_SECRET})[^=]*=|//[^/]*@", re.IGNORECASE)
"""A secret in what is itself a list of settings or an address."""
_SETTING = re.compile(r"([^=]*)=(.*?)(?=_[A-Za-z]+=[^=]|$)", re.DOTALL)
"""NAME=VALUE; recorders write several in a row as user=a_password=b."""
_IN_PATH, _IN_QUERY = re.compile(r"([/&]|;(?=[^=/&;]*=))"), re.compile(r"(&|;(?=[^=&;]*=))")
"""What stands between settings."""
_HIDDEN = "***"
_PLAIN = re.compile(r"[a-z]+://[\w.]+(?::\d+|(?!/\d+(?:/|$)))(?:/[\w.]+)*", re.ASCII)
"""Addresses of which no two have one name when what stands between words is written as a dash."""
_ENCODED = "In a password and in a path these signs are written in code: / is %2F, ? is %3F, # is %23, @ is %40."
_LONGEST_NAME = 80
_LONGEST_NUMBER = 4


class Kind(StrEnum):
    """How a live source reaches this machine."""

    CAMERA = "camera"
    PIPE = "pipe"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class LiveAddress:
    """A live source."""

    source: str = field(repr=False)
    """As it is opened; may hold a password."""
    kind: Kind

    @property
    def shown(self) -> str:
        """The source for people, without passwords."""
        if self.kind is Kind.CAMERA:
            return f"camera {self.source}"
        if self.kind is Kind.PIPE:
            return "the pipe"
        return self._told.geturl()

    @property
    def name(self) -> str:
        """The source as a file's name: camera-0, pipe, rtsp-10.0.0.7-554-door.

        Addresses that differ in what a name cannot show, or must not, are told apart by a hash of what is shown.
        """
        if self.kind is not Kind.NETWORK:
            return f"camera-{int(self.source)}" if self.kind is Kind.CAMERA else "pipe"
        told = self._told
        plain = f"{told.scheme}://{told.netloc}{'' if told.path == '/' else told.path}"
        name = re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-")
        more = f"?{told.query}" + f"#{told.fragment}" * bool(told.fragment)
        if more == "?" and _PLAIN.fullmatch(plain) and len(name) <= _LONGEST_NAME:
            return name
        digest = hashlib.blake2b(f"{plain}{more}".encode(), digest_size=4).hexdigest()
        return f"{name[:_LONGEST_NAME]}-{digest}"

    @property
    def _told(self) -> SplitResult:
        """The parts of an address that may be told: without who asks, and with nothing in place of secrets."""
        parts = urlsplit(self.source)
        path, query, fragment = _masked(parts.path, _IN_PATH), _masked(parts.query), _masked(parts.fragment)
        if (path, query) != (parts.path, parts.query) and fragment:
            fragment = _HIDDEN  # a secret with a # in it goes on here
        return parts._replace(netloc=_host(parts), path=path, query=query, fragment=fragment)

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
        UsageError: it looks like an address or a camera, and nothing can be read there.
    """
    if source == PIPE:
        return LiveAddress(source, Kind.PIPE)
    if source.isascii() and source.isdecimal() and not os.path.exists(source):  # noqa: PTH110 - of any length
        return _camera(source)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    return _network(source, scheme[1].lower()) if scheme else None


def _camera(source: str) -> LiveAddress:
    if len(source) > _LONGEST_NUMBER:
        raise UsageError(f"{source[:_LONGEST_NUMBER]}...: no camera has such a number; the first one's is 0.")
    return LiveAddress(source, Kind.CAMERA)


def _network(source: str, scheme: str) -> LiveAddress:
    if scheme not in SCHEMES:
        raise UsageError(
            f"{scheme}://...: no stream is read from such an address. Wanted {', '.join(SCHEMES[:-1])} or "
            f"{SCHEMES[-1]}; a film is named by its path."
        )
    if re.search("[/?#].*@", source.partition("://")[2], re.DOTALL):
        raise UsageError(f"{scheme}://...: has an @ after its first /, ? or #. {_ENCODED}")
    try:
        parts = urlsplit(source)
        there = bool(parts.port) * (scheme not in PORTS) or bool(parts.hostname)
    except ValueError:  # it quotes what may be a password
        raise UsageError(
            f"{scheme}://...: is not an address. Wanted {scheme}://HOST:PORT/PATH with a port up to 65535. {_ENCODED}"
        ) from None
    if not there:
        raise UsageError(f"{scheme}://...: names no host. Wanted {scheme}://HOST:PORT/PATH.")
    return LiveAddress(scheme + source[len(scheme) :], Kind.NETWORK)  # decoders know the small letters only


def _host(parts: SplitResult) -> str:
    """Host and port, without who asks."""
    return parts.netloc.rpartition("@")[2]


def _masked(text: str, between: re.Pattern[str] = _IN_QUERY) -> str:
    """A part of an address, with nothing in place of the secrets in it."""
    return "".join(_setting_masked(piece) for piece in between.split(text))


def _setting_masked(piece: str) -> str:
    if "=" not in piece:
        return _HIDDEN if _WITHIN.search(unquote(piece)) else piece
    return _SETTING.sub(_value_masked, piece)


def _value_masked(setting: re.Match[str]) -> str:
    name, value = unquote(setting[1]), unquote(setting[2])
    return f"{setting[1]}={_HIDDEN}" if _CALLED.search(name) or _WITHIN.search(value) else setting[0]
