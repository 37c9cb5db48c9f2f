"""Why a file is no film, in one sentence: looked into only after the file was found wanting.

The sentences go on after the file's name. Files are read here byte by byte; nothing is decoded.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

TEXT = "holds text; it is not a film."


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
        return (
            "is cut short or damaged: its index (moov) is missing, so no frame can be found. Copy or record it again."
        )
    if _is_sound(ends):
        return "holds only sound, no pictures."
    return "no pictures were found in it: it may hold only sound, be damaged at its start, or not be a film at all."


def why_no_frames(path: Path, codec: str, claimed_frames: int) -> str:
    """Why nothing could be decoded of a film that was opened; the codec and the count are what it says of itself."""
    ends = _both_ends(path) if path.is_file() else b""
    if b"encv" in ends or b"\x47\xe1\x81" in ends:  # an encrypted sample entry of MP4; ContentEncAlgo of Matroska
        return "is encrypted; only a copy without encryption can be read."
    if codec == "av1":
        return f"holds AV1, which this OpenCV cannot decode. Convert it: ffmpeg -i {path.name} -c:v libx264 out.mp4"
    if claimed_frames == 0:
        return "there are no frames in it."
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
    return (
        ends[:4] in (b"fLaC", b"#!AM")
        or ends[:3] == b"ID3"
        or ends[:2] in (b"\xff\xfb", b"\xff\xf1")
        or ends[8:12] == b"WAVE"
    )
