"""Films are written whole or not at all, in time, and the same bytes twice."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, frame_number, paint_number

from vidrnn.atomic import write_file, write_text
from vidrnn.errors import OutputError, UsageError
from vidrnn.values import Pixels, Size
from vidrnn.video import writer
from vidrnn.video.reader import open_film
from vidrnn.video.writer import FILMED_SUFFIXES, write_film

KINDS = pytest.mark.parametrize("suffix", FILMED_SUFFIXES)


def numbers(count: int, size: Size = SMALL) -> Iterator[Pixels]:
    return (paint_number(index, size) for index in range(count))


@KINDS
@pytest.mark.parametrize("fps", [0.5, 7.5757575, 29.97])
def test_what_was_written_is_read_again_in_time(tmp_path: Path, suffix: str, fps: float) -> None:
    file = tmp_path / "new" / f"film{suffix}"
    assert write_film(file, numbers(20), fps) == 20
    with open_film(file) as film:
        frames = list(film.frames())
        codec = film.facts().codec
    assert [frame_number(frame.pixels) for frame in frames] == list(range(20))
    assert [frame.seconds for frame in frames] == pytest.approx([index / fps for index in range(20)], abs=0.001)
    assert codec == {".webm": "vp8", ".mp4": "h264"}[suffix]
    assert list(file.parent.iterdir()) == [file]


@KINDS
def test_colours_stay_what_they_are(tmp_path: Path, suffix: str) -> None:
    orange = np.full((48, 64, 3), (240, 140, 30), dtype=np.uint8)
    write_film(tmp_path / f"film{suffix}", [orange] * 3, 25)
    with open_film(tmp_path / f"film{suffix}") as film:
        assert np.abs(next(film.frames()).pixels.astype(int) - orange).max() < 12


@KINDS
@pytest.mark.parametrize(("size", "shown"), [(Size(49, 65), Size(50, 66)), (Size(1, 1), Size(16, 16))])
def test_odd_and_tiny_pictures_are_filled_up(tmp_path: Path, suffix: str, size: Size, shown: Size) -> None:
    write_film(tmp_path / f"film{suffix}", numbers(3, size), 25)
    with open_film(tmp_path / f"film{suffix}") as film:
        assert film.size == shown


@KINDS
def test_the_same_frames_give_the_same_bytes_and_nothing_is_said(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in ("a", "b", "c")]
    for file in files:
        write_film(file, numbers(10), 25)
    assert capfd.readouterr() == ("", "")
    # On a busy virtual machine x264 with AVX-512 was seen to code one of several hundred films differently. A random
    # number or a time in the file would make all three differ.
    assert len({file.read_bytes() for file in files}) <= {".webm": 1, ".mp4": 2}[suffix]


@KINDS
def test_a_writing_that_fails_on_its_way_leaves_what_was_there(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"film{suffix}"
    write_film(file, numbers(3), 25)
    before = file.read_bytes()

    def broken() -> Iterator[Pixels]:
        yield from numbers(5)
        raise RuntimeError("the painter fell ill")

    with pytest.raises(RuntimeError, match="fell ill"):
        write_film(file, broken(), 25)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@KINDS
def test_a_film_that_did_not_become_whole_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidrnn.video.writer._count_frames", lambda _: 2)
    with pytest.raises(OutputError, match="3 frames were written, but only 2 of them can be read"):
        write_film(tmp_path / f"film{suffix}", numbers(3), 25)
    assert not list(tmp_path.iterdir())


@KINDS
def test_frames_of_two_sizes_and_no_frames_are_refused(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"film{suffix}"
    with pytest.raises(ValueError, match="frame 2 is"):
        write_film(file, [paint_number(0), paint_number(0, Size(16, 16))], 25)
    with pytest.raises(OutputError, match="no frames to write"):
        write_film(file, [], 25)
    assert not list(tmp_path.iterdir())


def test_other_films_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.webm or \.mp4"):
        write_film(tmp_path / "film.avi", numbers(3), 25)


@KINDS
def test_a_place_that_takes_no_file_is_reported(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="could not be written"):
        write_film(tmp_path / "taken" / f"film{suffix}", numbers(3), 25)


@KINDS
def test_a_disk_that_fills_up_is_reported_and_what_was_there_stays(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"film{suffix}"
    write_film(file, numbers(3), 25)
    before = file.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (40, 128, 128, 3), dtype=np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=f"film{suffix}"):
            write_film(file, noise, 25)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@KINDS
def test_an_encoder_that_pyav_lacks_is_reported(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = replace(writer._ENCODERS[suffix], name="none")
    monkeypatch.setitem(writer._ENCODERS, suffix, lacking)
    with pytest.raises(OutputError, match=rf"\{suffix} files cannot be written: this PyAV has no encoder none"):
        write_film(tmp_path / f"film{suffix}", numbers(3), 25)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_reported_and_what_was_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    write_text(file, "old\r\n")
    with (
        pytest.raises(OutputError, match=r"rows\.csv: could not be written: No space left on device"),
        write_file(file),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert file.read_bytes() == b"old\r\n"
    assert list(tmp_path.iterdir()) == [file]
