"""Each sentence on a file that cannot be read is held against the truth of the file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import make_film

from vidrnn.errors import FilmError
from vidrnn.video.inspection.diagnosis import why_system_refuses
from vidrnn.video.reader import open_film


def refusal(path: Path) -> str:
    with pytest.raises(FilmError) as caught:
        open_film(path)
    return str(caught.value).removeprefix(f"{path}: ")


def changed(path: Path, place: int, content: bytes) -> Path:
    whole = bytearray(path.read_bytes())
    whole[place : place + len(content)] = content
    path.write_bytes(whole)
    return path


def test_an_index_that_is_missing_cut_or_hurt_is_told_apart(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4")
    whole = path.read_bytes()
    index, data = whole.index(b"moov") - 4, whole.index(b"mdat") - 4
    assert data < index
    path.write_bytes(whole[:index])
    assert refusal(path).startswith("was not finished: its index (moov) is missing.")
    path.write_bytes(whole[: index + 100])
    claimed = int.from_bytes(whole[index : index + 4], "big")
    assert refusal(path).startswith(
        f"is cut short: its index (moov), which claims {claimed:,} bytes, and only 100 are there."
    )
    path.write_bytes(whole[: index - 50])
    assert "its box mdat claims" in refusal(path) and "Its index (moov) is missing" in refusal(path)
    path.write_bytes(whole)
    changed(path, data, b"\0\0\0\3")
    assert refusal(path).startswith(f"is damaged at byte {data}: no box of an MP4 file begins there")
    path.write_bytes(whole)
    assert changed(path, index + 8, bytes(len(whole) - index - 8))
    assert "its index (moov) is there" in refusal(path) or "lists no streams" in refusal(path)


def test_a_file_of_zeros_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "zeros.mp4"
    path.write_bytes(bytes(100_000))
    assert refusal(path).startswith("holds only zeros")


def test_a_link_that_leads_nowhere_is_called_so(tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to("gone.mp4")
    assert refusal(link) == "is a link to gone.mp4, which is not there. Get the file, or make the link anew."
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / "file" / "film.mp4") == "no such file: a part of its path is a file, not a folder."
    circle = tmp_path / "circle.mp4"
    circle.symlink_to(circle)
    assert "link" in refusal(circle)


def test_a_file_that_may_not_be_read_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_film(tmp_path / "film.avi")
    opened = Path.open

    def deny(self: Path, *how: object, **more: object) -> object:
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(self, *how, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", deny)
    assert refusal(path).startswith("may not be read: you have no permission.")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.EMFILE, errno.EPERM, errno.ESTALE])
def test_what_the_system_says_becomes_a_sentence_with_a_way_out(number: int) -> None:
    sentence = why_system_refuses(OSError(number, os.strerror(number)))
    assert sentence.endswith(".") and os.strerror(number) not in sentence
    assert why_system_refuses(OSError(errno.EXDEV, "odd")) == "cannot be opened: odd."


def test_a_flash_film_without_frames_is_told_from_a_damaged_one(tmp_path: Path, ffmpeg: Callable[..., None]) -> None:
    path = tmp_path / "film.flv"
    ffmpeg("-i", make_film(tmp_path / "film.mkv"), "-c:v", "flv1", path)
    whole = path.read_bytes()
    metadata = 13 + 15 + int.from_bytes(whole[14:17], "big")
    path.write_bytes(whole[:metadata])
    assert refusal(path).startswith("is cut short: it ends before its first frame.")
    path.write_bytes(whole[:13] + b"\xaa" * (len(whole) - 13))
    assert "cut short" not in refusal(path)


def test_sound_with_a_cover_is_only_sound(tmp_path: Path, ffmpeg: Callable[..., None]) -> None:
    cover = tmp_path / "cover.png"
    ffmpeg("-i", make_film(tmp_path / "film.mkv"), "-frames:v", "1", cover)
    tone = ("-f", "lavfi", "-i", "sine=d=1")
    attached = ("-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v:0", "attached_pic")
    for name, how in {
        "song.m4a": (*tone, "-i", cover, *attached),
        "song.mp3": (*tone, "-i", cover, *attached),
        "song.mka": (*tone, "-attach", cover, "-metadata:s:t", "mimetype=image/png"),
        "song.flac": (*tone, "-i", cover, *attached),
    }.items():
        ffmpeg(*how, tmp_path / name)
        assert refusal(tmp_path / name) == "holds only sound, no pictures.", name
