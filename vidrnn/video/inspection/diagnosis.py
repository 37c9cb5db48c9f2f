"""Why a file cannot be read as a film, in one sentence that goes on after the file's name.

PyAV lists the streams of a file that OpenCV could not open. It gets the open file alone, and no other file or address.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path
from shlex import quote

from vidrnn.video.inspection.boxes import read_boxes
from vidrnn.video.inspection.contents import PROBE_BYTES, Contents

TEXT = "holds text; it is not a video."
_ANNEX = "annex/objects/"
"""In the target of a link, or in the text of a file, that stands for content in git-annex."""
_POINTERS = {
    b"version https://git-lfs": "is a pointer to content in Git LFS, which is not there. Get it: git lfs pull.",
    b"/annex/objects/": "is a pointer to content in git-annex, which is not there. Get it: git annex get.",
}
"""How the text begins that stands in a clone for content which was not fetched."""
ONLY_SOUND = "holds only sound, no pictures."
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_ENCRYPTED_MP4 = b"encv"
"""The sample entry of an encrypted video track (ISO/IEC 14496-12)."""
_ENCRYPTED_MATROSKA = b"\x47\xe1\x81"
"""The element ContentEncAlgo with one byte (RFC 9559)."""
_FLV_HEADER_BYTES = 13
_FLV_METADATA, _FLV_TAG_BYTES = b"\x12", 15
"""The type of a tag without pictures or sound, and the bytes around each tag's content."""
_CAUSES = {
    errno.EACCES: "may not be read: you have no permission. Change its permissions, or ask its owner.",
    errno.EPERM: "may not be read: the system forbids it. Give this program access to the folder.",
    errno.EIO: "cannot be read: the disk reports an error. Copy it from another place.",
    errno.ENOENT: "no such file.",
    errno.ENOTDIR: "no such file: a part of its path is a file, not a folder.",
    errno.ENAMETOOLONG: "cannot be opened: File name too long. Shorten it.",
    errno.ELOOP: "is a link that leads back to itself. Give the video that it was meant to name.",
    errno.EINVAL: "cannot be opened: this system refuses such a name or file. Rename or copy it.",
    errno.EMFILE: "cannot be opened: this process has too many open files. Read fewer videos at a time: --jobs 1.",
    errno.ESTALE: "cannot be read: it was replaced on its server while it was read. Try again.",
}


def why_system_refuses(error: OSError) -> str:
    """Why the system does not let a file be read."""
    known = _CAUSES.get(error.errno or 0)
    return known or f"cannot be opened: {error.strerror or 'the system gives no reason'}."


def why_no_file(path: Path) -> str | None:
    """Why a path is not a file that can be given to a decoder; None if it is one.

    Raises:
        OSError: the file cannot be looked at.
    """
    if path.is_symlink() and not path.exists():
        target = path.readlink().as_posix()
        annexed = f"Get its content: git annex get {quote(path.name)}"
        remedy = annexed if _ANNEX in target else "Get the file, or make the link anew"
        return f"is a link to {target}, which is not there. {remedy}."
    if not path.stat().st_size and path.is_file():
        return "is empty (0 bytes)."
    return None if path.is_file() else "is not a file."


def why_refused(contents: Contents) -> str | None:
    """Why a file must not be given to a decoder, or is no film by its own index; None if it may be a film."""
    if contents.list_kind:
        return f"is a playlist ({contents.list_kind}), which only names videos. Give the videos themselves."
    if contents.external:
        return (
            "is a reference movie: its index names other files that hold the pictures. Give those files, or save the "
            "movie as self-contained."
        )
    return ONLY_SOUND if contents.only_sound else None


def why_not_opened(path: Path) -> str:
    """Why no decoder could open a file that exists and is not empty."""
    with path.open("rb") as file:
        start = file.read(PROBE_BYTES)
    if not _CONTROL.search(start):
        return next((reason for words, reason in _POINTERS.items() if start.startswith(words)), TEXT)
    if not start.strip(b"\0"):
        return "holds only zeros: its content was never written, or is lost. Copy or record it again."
    from vidrnn.video.second_decoder import has_pyav

    streams = stream_types(path)
    if not streams:
        boxes = read_boxes(path, all_of_them=True)
        hurt = boxes is not None and (boxes.overrun is not None or boxes.broken_at is not None)
        streams = None if hurt else streams  # a hurt index may list no streams, though the film had some
    reason = _why_no_streams(path, start) if streams is None else _why_no_video(streams)
    return reason if has_pyav() else f"{reason} PyAV may read it, which is not installed here: pip install av."


def _why_no_video(streams: list[str]) -> str:
    """Why a file with these types of streams could not be opened as a film."""
    if not streams:
        return "lists no streams, so there is no video in it."
    if "video" in streams:
        return "holds video, but it cannot be opened: it is damaged, or its format is not supported. Convert it."
    if set(streams) <= {"audio", "cover"}:
        return ONLY_SOUND
    return f"holds no video: its streams are of type {', '.join(dict.fromkeys(streams))}."


def stream_types(path: Path) -> list[str] | None:
    """The types of all streams in a file (video, audio, cover, subtitle, data); None if PyAV cannot open it."""
    from vidrnn.video.second_decoder import has_pyav, open_container

    if not has_pyav():
        return None
    from av.stream import Disposition  # only here: most films are never diagnosed

    try:
        container = open_container(path)
    except OSError:
        return None
    if container is None:
        return None
    with container:
        return [
            "cover" if one.type == "video" and one.disposition & Disposition.attached_pic else one.type
            for one in container.streams
        ]


def _why_no_streams(path: Path, start: bytes) -> str:
    if start[4:8] == b"ftyp":
        return _why_no_index(path)
    if start[:3] == b"FLV":
        place = _FLV_HEADER_BYTES
        while start[place : place + 1] == _FLV_METADATA:
            place += int.from_bytes(start[place + 1 : place + 4], "big") + _FLV_TAG_BYTES
        if path.stat().st_size <= place:
            return "is cut short: it ends before its first frame. Copy or record it again."
    return "is damaged at its start, or is not a video: no streams were found in it."


def _why_no_index(path: Path) -> str:
    """What the chain of boxes of an MP4 file shows, where no decoder can open it."""
    boxes = read_boxes(path, all_of_them=True)
    again = "Copy or record it again."
    if boxes is None or (not boxes.names and boxes.broken_at is not None):
        return f"is damaged at its start. {again}"
    indexed = "moov" in boxes.names
    if boxes.overrun is not None:
        kind, claimed, there = boxes.overrun
        lost = "its index (moov), which" if kind == "moov" else f"its box {kind}"
        missing = "" if indexed else " Its index (moov) is missing: it would come after that."
        return f"is cut short: {lost} claims {claimed:,} bytes, and only {there:,} are there.{missing} {again}"
    if boxes.broken_at is not None:
        missing = "" if indexed else ", and no index (moov) was found before that place"
        return f"is damaged at byte {boxes.broken_at:,}: no box of an MP4 file begins there{missing}. {again}"
    if not indexed:
        return f"was not finished: its index (moov) is missing. Was the recording stopped? {again}"
    return f"is damaged: its index (moov) is there, but it cannot be read. {again}"


def why_no_frames(path: Path, codec: str, claimed_frames: int) -> str:
    """Why no frame could be decoded from a film that was opened; the codec and the count are the container's claims."""
    ends = _both_ends(path) if path.is_file() else b""
    if _ENCRYPTED_MP4 in ends or _ENCRYPTED_MATROSKA in ends:
        return "is encrypted; only a copy without encryption can be read."
    if codec == "av1":
        convert = f"ffmpeg -i {quote(path.name)} -c:v libx264 out.mp4"
        return f"holds AV1, which could not be decoded here: it may be damaged. Convert it in its folder: {convert}"
    if claimed_frames == 0:
        return "holds no frames."
    if path.is_file() and claimed_frames > path.stat().st_size:  # a frame takes a byte or more: the count is a guess
        return f"claims to hold video ({codec}), but no frame could be decoded: it is damaged or cut short."
    return f"none of its {claimed_frames} claimed frames ({codec}) could be decoded: it is damaged."


def _both_ends(path: Path) -> bytes:
    """The first and the last MiB of a file."""
    with path.open("rb") as file:
        start = file.read(PROBE_BYTES)
        file.seek(max(PROBE_BYTES, path.stat().st_size - PROBE_BYTES))
        return start + file.read(PROBE_BYTES)
