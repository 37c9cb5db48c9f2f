"""Why a file cannot be read as a film, in one sentence that goes on after the file's name.

PyAV lists the streams of a file that OpenCV could not open. It gets the open file alone, and no other file or address.
"""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote

TEXT = "holds text; it is not a video."
_ANNEX = "annex/objects/"
"""In the target of a link, or in the text of a file, that stands for content in git-annex."""
_POINTERS = {
    b"version https://git-lfs": "is a pointer to content in Git LFS, which is not there. Get it: git lfs pull.",
    b"/annex/objects/": "is a pointer to content in git-annex, which is not there. Get it: git annex get.",
}
"""How the text begins that stands in a clone for content which was not fetched."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_PLAYLIST = re.compile(
    rb"\A(ffconcat version|#EXTM3U)|<(MPD|CompositionPlaylist|SmoothStreamingMedia)[\s>]", re.IGNORECASE
)
"""Of FFmpeg's concat, HLS, DASH, IMF and Smooth Streaming. FFmpeg would open the files that they name."""
_FIRST_BYTES = 4096
_PROBE_BYTES = 1 << 20
"""FFmpeg looks at no more than so many bytes to see what a file is."""
_ENCRYPTED_MP4 = b"encv"
"""The sample entry of an encrypted video track (ISO/IEC 14496-12)."""
_ENCRYPTED_MATROSKA = b"\x47\xe1\x81"
"""The element ContentEncAlgo with one byte (RFC 9559)."""


def why_refused(path: Path) -> str | None:
    """Why a path must not be given to a decoder; None if it may.

    Raises:
        OSError: the file cannot be looked at.
    """
    if reason := why_no_file(path):
        return reason
    if path.stat().st_size == 0:
        return "is empty (0 bytes)."
    if _is_playlist(path):
        return "is a playlist, which only names videos. Give the videos themselves."
    return None


def why_no_file(path: Path) -> str | None:
    """Why a path leads to no ordinary file; None if it leads to one. A broken link is told from a missing file.

    Raises:
        OSError: the path cannot be looked at.
    """
    if path.is_file():
        return None
    if path.exists():
        return "is not a file."
    if not path.is_symlink():
        return "no such file."
    target = path.readlink().as_posix()
    remedy = (
        f"Get its content: git annex get {quote(path.name)}"
        if _ANNEX in target
        else "Get the file, or make the link anew"
    )
    return f"is a link to {target}, which is not there. {remedy}."


def _is_playlist(path: Path) -> bool:
    """Whether FFmpeg would take the file for a list of other files and addresses to open."""
    with path.open("rb") as file:
        text = file.read(_FIRST_BYTES)
        if b"\0" not in text:
            text += file.read(_PROBE_BYTES)
    return bool(_PLAYLIST.search(text.partition(b"\0")[0]))


def why_not_opened(path: Path) -> str:
    """Why OpenCV could not open a file that exists and is not empty."""
    with path.open("rb") as file:
        start = file.read(_PROBE_BYTES)
    if not _CONTROL.search(start):
        return next((reason for words, reason in _POINTERS.items() if start.startswith(words)), TEXT)
    streams = _stream_types(path)
    if streams is None:
        return _why_no_streams(start)
    if not streams:
        return "lists no streams, so there is no video in it."
    if "video" in streams:
        return "holds video, but OpenCV cannot open it: it is damaged, or its format is not supported. Convert it."
    if set(streams) == {"audio"}:
        return "holds only sound, no pictures."
    return f"holds no video: its streams are of type {', '.join(dict.fromkeys(streams))}."


def _stream_types(path: Path) -> list[str] | None:
    """The types of all streams in a file (video, audio, subtitle, data, ...); None if PyAV cannot open it."""
    import av  # only here: most films are never diagnosed

    # The empty whitelist denies FFmpeg all protocols: a file that names others is not followed.
    options = {"protocol_whitelist": ""}
    try:
        with path.open("rb") as file, av.open(file, options=options, metadata_errors="replace") as container:
            return [stream.type for stream in container.streams]
    except (av.FFmpegError, OSError, ValueError):
        return None


def _why_no_streams(start: bytes) -> str:
    if start[4:8] == b"ftyp":
        return "is cut short or damaged: its index (moov) is missing or broken. Copy or record it again."
    if start[:3] == b"FLV":
        return "is cut short: it ends before its first frame. Copy or record it again."
    return "is damaged at its start, or is not a video: no streams were found in it."


def why_no_frames(path: Path, codec: str, claimed_frames: int) -> str:
    """Why no frame could be decoded from a film that was opened; the codec and the count are the container's claims."""
    ends = _both_ends(path) if path.is_file() else b""
    if _ENCRYPTED_MP4 in ends or _ENCRYPTED_MATROSKA in ends:
        return "is encrypted; only a copy without encryption can be read."
    if codec == "av1":
        convert = f"ffmpeg -i {quote(path.name)} -c:v libx264 out.mp4"
        return f"holds AV1, which this OpenCV cannot decode. Convert it in its folder: {convert}"
    if claimed_frames == 0:
        return "holds no frames."
    if path.is_file() and claimed_frames > path.stat().st_size:  # a frame takes a byte or more: the count is a guess
        return f"claims to hold video ({codec}), but no frame could be decoded: it is damaged or cut short."
    return f"none of its {claimed_frames} claimed frames ({codec}) could be decoded: it is damaged."


def _both_ends(path: Path) -> bytes:
    """The first and the last MiB of a file."""
    with path.open("rb") as file:
        start = file.read(_PROBE_BYTES)
        file.seek(max(_PROBE_BYTES, path.stat().st_size - _PROBE_BYTES))
        return start + file.read(_PROBE_BYTES)
