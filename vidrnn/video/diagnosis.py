"""Why a file is no film, in one sentence: looked into only after the file was found wanting.

The sentences go on after the file's name. Files are read here byte by byte; nothing is decoded.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from shlex import quote

TEXT = "holds text; it is not a film."
_FLV_PICTURES = 1
"""In the fifth byte of an FLV file: that it holds pictures."""
_TS_PACKET = 188
_TS_SOUND = frozenset([0x03, 0x04, 0x0F, 0x11, 0x1C, 0x2D, 0x2E, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87])
_TS_PICTURES = frozenset([0x01, 0x02, 0x10, 0x1B, 0x1E, 0x1F, 0x20, 0x21, 0x24, 0x25, 0x33, 0x42, 0xD1, 0xEA])
"""Stream types of MPEG-TS, by ISO 13818-1 and ATSC A/52."""


def why_not_a_file(path: Path) -> str | None:
    """What is wrong before anything is decoded; None if nothing is."""
    if not path.exists():
        return "no such file."
    if not path.is_file():
        return "is not a file."
    return "is empty (0 bytes)." if path.stat().st_size == 0 else None


def why_not_opened(path: Path) -> str:
    """Why no decoder wanted a file that is there and not empty."""
    ends = _both_ends(path)
    if not re.search(rb"[\x00-\x08\x0e-\x1f]", ends):
        return TEXT
    if ends[4:8] == b"ftyp" and b"moov" not in _boxes(path):
        return "is cut short or damaged: its index (moov) is missing, so no frame can be found. Copy or event it again."
    if _is_sound(ends):
        return "holds only sound, no pictures."
    return _what_it_holds(ends) or (
        "no pictures were found in it: it may hold only sound, be damaged at its start, or not be a film at all."
    )


def _what_it_holds(ends: bytes) -> str | None:
    """What a file that nobody could open says of its own streams, where it says anything."""
    if streams := _stream_types(ends):
        found = f"none of its {len(streams)} streams is" if len(streams) > 1 else "its only stream is no"
        return f"holds no pictures: {found} video."
    if ends[4:8] == b"ftyp" and b"trak" not in ends:
        return "has an index without tracks: there is no video stream in it."
    if ends[:3] == b"FLV" and ends[4] & _FLV_PICTURES:
        return "says that it holds pictures, but ends before the first: it is cut short."
    return None


def why_no_frames(path: Path, codec: str, claimed_frames: int) -> str:
    """Why nothing could be decoded of a film that was opened; the codec and the count are what it says of itself."""
    ends = _both_ends(path) if path.is_file() else b""
    if b"encv" in ends or b"\x47\xe1\x81" in ends:  # an encrypted sample entry of MP4; ContentEncAlgo of Matroska
        return "is encrypted; only a copy without encryption can be read."
    if codec == "av1":
        convert = f"ffmpeg -i {quote(path.name)} -c:v libx264 out.mp4"
        return f"holds AV1, which this OpenCV cannot decode. Where it lies, convert it: {convert}"
    if claimed_frames == 0:
        return "holds no frames."
    if path.is_file() and claimed_frames > path.stat().st_size:  # no frame takes less than a byte: a guess, no claim
        return f"says that it holds pictures ({codec}), but none could be decoded: it is damaged or cut short."
    return f"none of its {claimed_frames} claimed frames ({codec}) could be decoded: it is damaged."


def _both_ends(path: Path, most: int = 1 << 20) -> bytes:
    """The first and the last MiB of a file."""
    with path.open("rb") as file:
        start = file.read(most)
        file.seek(max(most, path.stat().st_size - most))
        return start + file.read(most)


def _boxes(path: Path) -> set[bytes]:
    """The names of the boxes at the top level of an MP4 file."""
    names = set()
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            names.add(head[4:])
            length = int.from_bytes(head[:4]) - 8
            if length == 1 - 8:
                length = int.from_bytes(file.read(8)) - 16
            if length < 0:
                break
            file.seek(length, os.SEEK_CUR)
    return names


def _is_sound(ends: bytes) -> bool:
    if ends[4:8] == b"ftyp":
        return b"soun" in ends and b"vide" not in ends
    if ends[:4] == b"\x1aE\xdf\xa3":
        return b"A_" in ends and b"V_" not in ends
    if ends[:4] == b"OggS":
        return b"theora" not in ends
    if ends[:3] == b"FLV":
        return not ends[4] & _FLV_PICTURES
    if streams := _stream_types(ends):
        return all(kind in _TS_SOUND for kind in streams)
    return (
        ends[:4] in (b"fLaC", b"#!AM")
        or ends[:3] == b"ID3"
        or ends[:2] in (b"\xff\xfb", b"\xff\xf1")
        or ends[8:12] == b"WAVE"
    )


def _stream_types(ends: bytes) -> list[int]:
    """The types of the streams of an MPEG transport stream that holds no pictures; none if it does, or is another."""
    tables: set[int] = set()
    kinds: list[int] = []
    for packet in _ts_packets(ends):
        number = int.from_bytes(packet[1:3]) & 0x1FFF
        section = _section(packet)
        if number == 0:
            tables |= {int.from_bytes(entry[2:4]) & 0x1FFF for entry in _pieces(section[8:-4], 4) if any(entry[:2])}
        elif number in tables and not kinds:
            kinds = _kinds(section)
    return [] if _TS_PICTURES & set(kinds) else kinds


def _ts_packets(ends: bytes) -> list[bytes]:
    """Packets that begin a section or a picture, as long as they stand where they should."""
    whole = [ends[start : start + _TS_PACKET] for start in range(0, len(ends) - _TS_PACKET, _TS_PACKET)]
    sound = whole and all(packet[0] == 0x47 for packet in whole[:5])
    return [packet for packet in whole if packet[0] == 0x47 and packet[1] & 0x40] if sound else []


def _section(packet: bytes) -> bytes:
    """The table that begins in a packet."""
    payload = packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) :]
    table = payload[1 + payload[0] :] if payload else b""
    return table[: 3 + (int.from_bytes(table[1:3]) & 0xFFF)]


def _pieces(raw: bytes, length: int) -> list[bytes]:
    return [raw[start : start + length] for start in range(0, len(raw) - length + 1, length)]


def _kinds(section: bytes) -> list[int]:
    """The stream types of a program map."""
    kinds, at = [], 12 + (int.from_bytes(section[10:12]) & 0xFFF)
    while at + 5 <= len(section) - 4:
        kinds.append(section[at])
        at += 5 + (int.from_bytes(section[at + 3 : at + 5]) & 0xFFF)
    return kinds
