"""What a file is by its content, before any decoder sees it: its name may say anything.

Nothing is decoded here, and no other file is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vidrnn.video.inspection.boxes import Boxes, Track, read_boxes
from vidrnn.video.orientation import Orientation

FIRST_BYTES = 4096
PROBE_BYTES = 1 << 20
"""FFmpeg looks at no more than so many bytes to see what a file is."""
_LISTS = (
    ("ffconcat list", re.compile(rb"\A\s*ffconcat version", re.IGNORECASE)),
    ("HLS or M3U playlist", re.compile(rb"\A\s*#EXTM3U|^#EXT-X-TARGETDURATION", re.IGNORECASE | re.MULTILINE)),
    ("PLS playlist", re.compile(rb"\A\s*\[playlist\]", re.IGNORECASE)),
    ("ASX playlist", re.compile(rb"\A[^<]{0,16}<asx[\s>]|\A\s*\[Reference\]", re.IGNORECASE)),
    ("DASH manifest", re.compile(rb"<MPD[\s>]", re.IGNORECASE)),
    ("IMF playlist", re.compile(rb"<CompositionPlaylist[\s>]", re.IGNORECASE)),
    ("Smooth Streaming manifest", re.compile(rb"<SmoothStreamingMedia[\s>]", re.IGNORECASE)),
    ("SMIL playlist", re.compile(rb"<smil[\s>]|\A\s*<\?wpl", re.IGNORECASE)),
    ("XSPF playlist", re.compile(rb"<playlist[\s>][^>]*xspf", re.IGNORECASE)),
    ("session description (SDP)", re.compile(rb"\A\s*v=0\r?\n|^c=IN IP[46] ", re.MULTILINE)),
    ("stream reference", re.compile(rb"\A(RTSPtext|SMILtext|\s*rtsp://)", re.IGNORECASE)),
    ("VobSub index", re.compile(rb"\A\s*# VobSub index file", re.IGNORECASE)),
    ("AviSynth script", re.compile(rb"\b(AviSource|DirectShowSource|FFVideoSource)\s*\(", re.IGNORECASE)),
)
"""Texts that only name films. FFmpeg would open the files or addresses in most of them."""
_EBML = b"\x1a\x45\xdf\xa3"
_CLUSTER = b"\x1f\x43\xb6\x75"
_VIDEO_TRACK, _SOUND_TRACK = b"\x83\x81\x01", b"\x83\x81\x02"
"""The element TrackType of a Matroska track (RFC 9559)."""
_AVI_VIDEO = re.compile(rb"strh.{4}vids", re.DOTALL)
_HEADER_BYTES = 1 << 16
_WITH_COVERS = (_EBML, b"OggS", b"ID3", b"fLaC", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")
"""First bytes of Matroska, Ogg, MP3, FLAC and ASF."""
_RAW = (b"\0\0\0\1", b"\0\0\1")
"""The start code of a raw H.264 or H.265 stream, and of MPEG video."""
_RAW_SUFFIXES = frozenset([".264", ".265", ".h264", ".h265", ".hevc", ".avc", ".jsv", ".vvc"])


@dataclass(frozen=True, slots=True)
class Contents:
    """What a first look at a file found."""

    list_kind: str = ""
    """The kind of list of other files or addresses that it is; empty for any other file."""
    boxes: Boxes | None = None
    """Of an MP4 or MOV file."""
    several_videos: bool = False
    """Whether it may hold more than one stream of pictures, or only a cover beside sound."""
    may_be_cover: bool = False
    """Whether it is of a kind that holds sound, with a cover as its only picture."""
    raw: bool = False
    """Whether it is a codec's stream without a container, which has no time stamps."""

    @property
    def external(self) -> bool:
        """Whether the data of some track lies in another file."""
        return self.boxes is not None and any(track.external for track in self.boxes.tracks)

    @property
    def only_sound(self) -> bool:
        """Whether an index that could be read lists sound and no pictures."""
        tracks = self.boxes.tracks if self.boxes else []
        return bool(tracks) and all(track.kind == "soun" for track in tracks)

    @property
    def main_video(self) -> Track | None:
        """The track that is the film: the first that is enabled, of several that with the largest pictures."""
        videos = self.boxes.videos if self.boxes else []
        moving = [track for track in videos if track.samples != 1] or videos
        return max(moving, key=lambda track: (track.enabled, track.width * track.height), default=None)

    @property
    def orientation(self) -> Orientation | None:
        """How the pictures of the film are shown, where the index says so."""
        return Orientation.of(self.main_video.matrix) if self.main_video else None


def look_into(path: Path) -> Contents:
    """The first look at a file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(FIRST_BYTES)
        if b"\0" not in start:
            text = start + file.read(PROBE_BYTES)
            return Contents(list_kind=_list_kind(text.partition(b"\0")[0]))
        if kind := _list_kind(start.partition(b"\0")[0]):
            return Contents(kind)
        if boxes := read_boxes(path):
            return Contents(boxes=boxes, several_videos=len(boxes.videos) > 1)
        start += file.read(_HEADER_BYTES)
    raw = start.startswith(_RAW) and path.suffix.lower() in _RAW_SUFFIXES
    return Contents(several_videos=_may_hold_several(start), may_be_cover=start.startswith(_WITH_COVERS), raw=raw)


def _list_kind(text: bytes) -> str:
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ""
    text = text.removeprefix(b"\xef\xbb\xbf")
    return next((kind for kind, pattern in _LISTS if pattern.search(text)), "")


def _may_hold_several(start: bytes) -> bool:
    """Whether the header of a Matroska or AVI file lists several streams of pictures, or Matroska none beside sound."""
    if start.startswith(_EBML):
        header = start.partition(_CLUSTER)[0]
        videos = header.count(_VIDEO_TRACK)
        return videos > 1 or (videos == 0 and _SOUND_TRACK in header)
    return start[8:12] == b"AVI " and len(_AVI_VIDEO.findall(start)) > 1
