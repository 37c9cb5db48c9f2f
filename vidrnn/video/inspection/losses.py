"""Frames that a damaged film has lost, found by three witnesses: its times, its index, and the reader of its container.

A decoder passes over damage and says nothing. Whole films of a varying rate have gaps too, so a gap alone counts only
where the container is one of a steady rate. Otherwise PyAV reads the container again without decoding, which takes a
hundredth of the time of decoding, and only for a film that gives cause.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from vidrnn.values import Floats
from vidrnn.video.inspection.boxes import read_boxes

_STEADY_SHARE = 0.85
"""A film is steady if this share of its frames are equally far apart."""
_GAP = 1.8
"""A step of so many usual steps is a gap: at least one frame is missing in it."""
_LEAST_SHARE, _LEAST_FRAMES = 0.01, 2
"""Fewer missing frames are no sign of damage: counts of containers are off by so much."""
_ROUNDING_SECONDS = 0.0011
_TS_PACKETS = (188, 192, 204)
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""The identifier of the ASF object that holds the size of the file."""
_HEADER_BYTES = 1 << 13
_AVI_TAIL_BYTES = 1 << 22
"""The index of an AVI takes 16 bytes for each chunk, and lies in these last bytes."""
_STEADY_KINDS = frozenset(["ts", "mpg", "asf"])
"""Formats of broadcast and of old cameras, whose rate is steady."""
_HARMLESS = re.compile(
    r"discontinuity|unhandled|codec parameters|stimating duration|non-intra|Skipping|not found", re.I
)
"""Remarks of a container's reader that whole films cause too."""
NEAR_DAMAGE = "Pictures near the damage may be wrong, or stand at wrong times."
_READING = Lock()
"""The level of FFmpeg's messages is one for the whole process."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a whole film gave."""

    frames: int
    seconds: Floats
    """(frames,) the time of each frame; empty where the times are not the film's own."""
    claimed_frames: int
    fps: float
    """Claimed frames per second; 0 if not known."""
    refused: bool
    """Whether the decoder refused to go on at some place."""


@dataclass(frozen=True, slots=True)
class _Gaps:
    steady: bool
    missing: int = 0
    places: int = 0
    first: int = 0
    """The number of frames before the first gap."""


def loss_notes(path: Path, reading: Reading) -> tuple[str, ...]:
    """One or two sentences if frames are missing from a film file that was read to its end; none for a whole film."""
    try:
        kind = _kind(path)
        return _notes(path, kind, reading) if kind else ()
    except OSError:  # the film is gone by now; what was read of it stays true
        return ()


def _notes(path: Path, kind: str, reading: Reading) -> tuple[str, ...]:
    gaps = _gaps(reading.seconds)
    least = max(_LEAST_FRAMES, round(_LEAST_SHARE * reading.frames))
    in_gaps = gaps.missing if gaps.missing >= least else 0
    short = max(0, reading.claimed_frames - reading.frames)
    short = short if short > least else 0
    cut = _why_cut(path, kind)
    if not (in_gaps or short or cut or reading.refused or kind == "mpg"):
        return ()
    if kind == "avi":
        return _without_stamps(short, 0 if cut else short - in_gaps, reading) if short else ()
    if kind == "mp4":
        lost = max(0, (_packets(path) if short or in_gaps else reading.frames) - reading.frames)
        missing = lost if lost > least else 0
        return _sentences(max(missing, in_gaps if missing else 0), gaps, cut, reading)
    sure = bool(cut) or (in_gaps and gaps.steady and kind in _STEADY_KINDS) or _reader_complains(path)
    if not sure:
        return ()
    guess = max(in_gaps, short if kind == "matroska" and not in_gaps else 0)
    return _sentences(guess, gaps, cut or "damaged", reading)


def _sentences(missing: int, gaps: _Gaps, cut: str, reading: Reading) -> tuple[str, ...]:
    if missing and gaps.missing:
        at = float(reading.seconds[gaps.first - 1])
        more = f", in {gaps.places} places" if gaps.places > 1 else ""
        return (
            f"Damaged: about {missing} frames are missing{more}; the first are missing after frame {gaps.first} "
            f"({at:.2f} seconds). {NEAR_DAMAGE}",
        )
    if missing:
        return (f"Damaged: about {missing} frames are missing. {NEAR_DAMAGE}",)
    if cut and cut != "damaged":
        return (f"{cut} How many frames are missing is not known.",)
    return ("Damaged: the container is broken in places. How many frames are missing is not known.",) if cut else ()


def _without_stamps(short: int, not_in_gaps: int, reading: Reading) -> tuple[str, ...]:
    """Of a film whose frames are only counted: a frame that is lost before the end moves all later ones."""
    late = not_in_gaps / reading.fps if reading.fps else 0.0
    lost = f"Damaged or cut short: about {short} of {reading.claimed_frames} frames are missing."
    if late < 1 / 8:
        return (lost,)
    return (
        lost,
        "Its container has no time stamps, so times after the damage cannot be trusted: they may be "
        f"{late:.1f} seconds too early.",
    )


def _gaps(seconds: Floats) -> _Gaps:
    """The gaps between frames of a steady film."""
    steps = np.diff(seconds)
    usual = float(np.median(steps)) if len(steps) else 0.0
    if usual <= 0:
        return _Gaps(steady=False)
    steady = bool(np.mean(np.abs(steps - usual) < usual / 4 + _ROUNDING_SECONDS) >= _STEADY_SHARE)
    wide = np.flatnonzero(steps > _GAP * usual + _ROUNDING_SECONDS)
    if not len(wide):
        return _Gaps(steady)
    return _Gaps(steady, int(np.rint(steps[wide] / usual - 1).sum()), len(wide), int(wide[0]) + 1)


def _kind(path: Path) -> str:
    """The kind of container, as far as losses can be found in it; empty for others."""
    with path.open("rb") as file:
        start = file.read(_TS_PACKETS[-1] * 2 + 8)
    if start[:4] == b"RIFF":
        return "avi" if start[8:12] == b"AVI " else ""
    known = {b"\x1a\x45\xdf\xa3": "matroska", b"\x30\x26\xb2\x75": "asf", b"\0\0\1\xba": "mpg", b"FLV\1": "flv"}
    if start[:4] in known:
        return known[start[:4]]
    if _ts_packet_bytes(start):
        return "ts"
    return "mp4" if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"styp") else ""


def _ts_packet_bytes(start: bytes) -> int:
    """The size of a packet of a transport stream by its first bytes; 0 for another file."""
    for size in _TS_PACKETS:
        lead = 4 if size == 192 else 0
        if len(start) > size + lead and start[lead] == start[size + lead] == 0x47:
            return size
    return 0


def _why_cut(path: Path, kind: str) -> str:
    """Why the file itself cannot be whole, by its size alone; empty if it may be."""
    size = path.stat().st_size
    if kind == "asf":
        with path.open("rb") as file:
            start = file.read(_HEADER_BYTES)
        place = start.find(_ASF_FILE)
        claimed = int.from_bytes(start[place + 40 : place + 48], "little") if place >= 0 else 0
        if claimed > size:
            return f"Cut short: its header claims {claimed:,} bytes, and {size:,} are there."
    if kind == "avi":
        with path.open("rb") as file:
            claimed = int.from_bytes(file.read(8)[4:], "little") + 8
            file.seek(max(0, size - _AVI_TAIL_BYTES))
            indexed = b"idx1" in file.read()  # it comes last: a part was left out before it
        return "Cut short." if claimed > size and not indexed else ""
    if kind == "mp4":
        boxes = read_boxes(path, all_of_them=True)
        if boxes is not None and "moof" in boxes.names:
            if boxes.overrun is not None:
                return f"Cut short: its last box ({boxes.overrun[0]}) goes on after the end of the file."
            if boxes.broken_at is not None:
                return f"Damaged: the chain of its fragments breaks at byte {boxes.broken_at:,}."
    return ""


def _packets(path: Path) -> int:
    """How many packets with a frame to show a film holds, as far as its container can be read; 0 if it cannot."""
    from vidrnn.video.second_decoder import has_pyav, main_stream, open_container

    if not has_pyav():
        return 0
    import av

    count = 0
    # A damaged size can be one that no memory holds, and damage can add streams that PyAV does not know.
    with suppress(av.error.FFmpegError, LookupError, ValueError):
        container = open_container(path)
        if container is not None:
            with container:
                stream = main_stream(container)
                for packet in container.demux(stream) if stream is not None else ():
                    count += bool(packet.size) and not packet.is_discard
    return count


def _reader_complains(path: Path) -> bool:
    """Whether FFmpeg's reader of the container finds damage, without decoding."""
    from vidrnn.video.second_decoder import has_pyav, main_stream, open_container

    if not has_pyav():
        return False
    import av.logging

    logger = logging.getLogger("libav")
    if not logger.handlers:  # messages are gathered here, and must not reach stderr
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    with _READING:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.WARNING)
        try:
            with av.logging.Capture() as messages:
                container = open_container(path)
                if container is None:
                    return True
                with container:
                    own = container.format.name
                    stream = main_stream(container)
                    corrupt = stream is not None and any(packet.is_corrupt for packet in container.demux(stream))
        except (av.error.FFmpegError, ValueError, LookupError):  # damage can add streams that PyAV does not know
            return True
        finally:
            av.logging.set_level(level)
    remarks = (text for _, name, text in messages if name == own or name in own.split(","))
    return corrupt or any(not _HARMLESS.search(text) for text in remarks)
