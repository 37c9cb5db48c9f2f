"""Films are read whole, in order, by their own clock; a sentence says why a file cannot be read."""

from __future__ import annotations

import csv
import gc
import os
import shutil
import subprocess
import sys
import tracemalloc
import wave
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import (
    CODECS,
    FOOTAGE,
    SMALL,
    frame_number,
    make_cut,
    make_film,
    make_pictures,
    make_turned,
    make_uneven,
)

from vidrnn.errors import FilmError, UsageError
from vidrnn.values import FilmFacts, Pixels, Size
from vidrnn.video.clock import Clock, Grid
from vidrnn.video.diagnosis import _stream_types
from vidrnn.video.reader import is_film, open_film, resized

NTSC = 30000 / 1001
Ffmpeg = Callable[..., None]


def facts(path: Path) -> FilmFacts:
    with open_film(path) as film:
        return film.facts()


def numbers_and_times(path: Path, **how: float) -> tuple[list[int], list[float]]:
    with open_film(path, **how) as film:
        read = [(frame_number(frame.pixels), frame.seconds) for frame in film.frames()]
    return [number for number, _ in read], [seconds for _, seconds in read]


def sampled(path: Path, spacing: float, **how: bool) -> list[tuple[int, float]]:
    """(number that the pixels tell, seconds) of every sampled frame."""
    with open_film(path) as film:
        frames = list(film.sampled(spacing, **how))
    assert all(frame.index == frame_number(frame.pixels) for frame in frames)
    return [(frame.index, frame.seconds) for frame in frames]


# Every frame, in order, at its time


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("fps", [10.0, 25.0, NTSC])
def test_every_frame_is_read_in_order_at_its_time(tmp_path: Path, suffix: str, fps: float) -> None:
    numbers, seconds = numbers_and_times(make_film(tmp_path / f"film{suffix}", frames=40, fps=fps))
    assert numbers == list(range(40))
    assert seconds == pytest.approx([index / fps for index in range(40)], abs=0.00051)  # webm and mkv round to 1 ms


def test_uneven_frames_keep_their_own_times(tmp_path: Path) -> None:
    path = make_uneven(tmp_path / "uneven.gif", [40, 40, 200, 40, 1000, 40])
    numbers, seconds = numbers_and_times(path)
    assert numbers == list(range(6))
    assert seconds == pytest.approx([0, 0.04, 0.08, 0.28, 0.32, 1.32])
    assert "The frame rate varies: frames are 40 to 1000 ms apart." in facts(path).oddities


def test_uneven_frames_of_a_matroska_film(tmp_path: Path, ffmpeg: Ffmpeg) -> None:
    even, uneven = make_film(tmp_path / "even.mkv", frames=30), tmp_path / "uneven.mkv"
    stamps = "setpts='if(lt(N,10),N*0.04,0.4+(N-10)*0.3)/TB'"
    ffmpeg("-i", even, "-vf", stamps, "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-c:v", "ffv1", uneven)
    numbers, seconds = numbers_and_times(uneven)
    assert numbers == list(range(30))
    assert seconds == pytest.approx([n * 0.04 if n < 10 else 0.4 + (n - 10) * 0.3 for n in range(30)], abs=0.001)


def test_a_moving_webp_is_a_film(tmp_path: Path) -> None:
    numbers, seconds = numbers_and_times(make_uneven(tmp_path / "moving.webp", [100, 300, 100]))
    assert (numbers, seconds) == ([0, 1, 2], pytest.approx([0, 0.1, 0.4]))


def test_a_film_without_time_stamps_takes_the_claimed_rate_and_says_so(tmp_path: Path, ffmpeg: Ffmpeg) -> None:
    path = tmp_path / "raw.h264"
    ffmpeg("-i", make_film(tmp_path / "film.mkv", frames=20), "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
    numbers, seconds = numbers_and_times(path)
    assert numbers == list(range(20))
    assert seconds == pytest.approx([index / 25 for index in range(20)], abs=0.001)
    assert any("no time stamp" in oddity for oddity in facts(path).oddities)


def test_films_that_were_joined_go_on_in_time(tmp_path: Path, ffmpeg: Ffmpeg) -> None:
    part = tmp_path / "part.ts"
    ffmpeg("-i", make_film(tmp_path / "film.mkv", frames=50), "-c:v", "mpeg2video", "-q:v", "2", "-bf", "0", part)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part.read_bytes() * 2)
    with open_film(joined) as film:
        times = [frame.seconds for frame in film.frames()]
        notes = film.notes
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[-1] == pytest.approx((len(times) - 1) / 25, abs=0.05)
    assert any("go back" in note for note in notes)


def test_time_only_goes_forward_and_missing_stamps_are_filled(clock_of: Callable[..., list[float]]) -> None:
    assert clock_of(0, 0.1, 0.2, 0, 0.4) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert clock_of(0, 0.1, 0.05, 0.15) == pytest.approx([0, 0.1, 0.101, 0.15])
    assert clock_of(5, 5.1, 0.7, 0.8) == pytest.approx([5, 5.1, 5.2, 5.3])
    assert clock_of(0, 0, 0, fps=10) == pytest.approx([0, 0.1, 0.2])
    assert clock_of(0, 0, 0, fps=90000) == pytest.approx([0, 0.04, 0.08])


@pytest.fixture
def clock_of() -> Callable[..., list[float]]:
    def times(*raw: float, fps: float = 25.0) -> list[float]:
        clock = Clock(fps)
        return [clock.tick(stamp) for stamp in raw]

    return times


# The picture


def test_colours_are_rgb(tmp_path: Path) -> None:
    colour = (200, 100, 30)

    def paint(_: int, size: Size) -> Pixels:
        return np.full((size.height, size.width, 3), colour, dtype=np.uint8)

    with open_film(make_film(tmp_path / "colour.mkv", frames=2, paint=paint)) as film:
        frame = next(film.frames())
    assert frame.pixels.dtype == np.uint8
    assert np.abs(frame.pixels.astype(int) - colour).max() <= 6


def test_a_turned_film_is_shown_upright(tmp_path: Path) -> None:
    with open_film(make_turned(tmp_path / "turned.mp4", frames=4, size=Size(48, 64))) as film:
        upright = [frame_number(np.rot90(frame.pixels)) for frame in film.frames()]
        measured = film.facts()
    assert upright == [0, 1, 2, 3]
    assert (film.size, measured.size, measured.rotation_degrees) == (Size(64, 48), Size(64, 48), 90)
    assert any("turned by 90 degrees clockwise" in oddity for oddity in measured.oddities)


@pytest.mark.parametrize("size", [Size(16, 16), Size(96, 128), Size(30, 200), Size(48, 64)])
def test_the_whole_picture_is_resized_never_cropped(tmp_path: Path, size: Size) -> None:
    with open_film(make_film(tmp_path / "film.mkv", frames=20)) as film:
        frames = list(film.frames(size=size))
    assert all(frame.pixels.shape == (size.height, size.width, 3) for frame in frames)
    assert [frame_number(frame.pixels) for frame in frames] == list(range(20))


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 640), (479, 641), (150, 302), (1080, 1920)])
def test_a_shrunk_picture_is_the_mean_over_areas(height: int, width: int) -> None:
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([across, down, (across + down) / 2], axis=-1).astype(np.uint8)
    shown = resized(pixels, Size(56, 72)).astype(int)
    columns = [255 * (column + 0.5) / 72 for column in range(72)]
    rows = [255 * (row + 0.5) / 56 for row in range(56)]
    assert np.abs(shown[..., 0] - columns).max() <= 3
    assert np.abs(shown[..., 1] - np.asarray(rows)[:, None]).max() <= 3
    checks = (255 * (np.indices((height, width)).sum(0) % 2)).astype(np.uint8)
    grey = resized(np.stack([checks] * 3, axis=-1), Size(56, 72))
    assert 95 <= grey.min() <= grey.max() <= 160, "fine patterns become grey, and no moire"


def test_a_side_that_shrinks_is_averaged_though_the_other_one_grows() -> None:
    stripes = np.zeros((50, 2000, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(resized(stripes, Size(112, 160)).astype(int)) <= 16


def test_a_live_picture_and_a_read_one_are_resized_alike(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", frames=3)
    with open_film(path) as small, open_film(path) as whole:
        for read, full in zip(small.frames(size=Size(20, 30)), whole.frames(), strict=True):
            assert np.array_equal(read.pixels, resized(full.pixels, Size(20, 30)))


# Sampling


@pytest.mark.parametrize("fps", [8.0, 10.0, 24.0, 25.0, NTSC, 30.0, 60.0])
@pytest.mark.parametrize("spacing", [0.04, 0.1, 0.25, 0.4])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_grid_time_is_served_by_the_first_frame_at_or_after_it(
    tmp_path: Path, fps: float, spacing: float, suffix: str
) -> None:
    path = make_film(tmp_path / f"film{suffix}", frames=60, fps=fps)
    times = numbers_and_times(path)[1]
    grid = [k * spacing for k in range(1000) if k * spacing <= times[-1] + 0.002]
    wanted = [next(index for index, seconds in enumerate(times) if seconds >= time - 0.002) for time in grid]
    read = sampled(path, spacing)
    assert [index for index, _ in read] == wanted
    assert [seconds for _, seconds in read] == pytest.approx(grid)


def test_a_frame_after_a_gap_stands_for_every_time_it_comes_after(tmp_path: Path) -> None:
    path = make_uneven(tmp_path / "gap.gif", [100, 100, 500, 100, 100])
    assert sampled(path, 0.2) == [
        (0, 0.0),
        (2, pytest.approx(0.2)),
        (3, pytest.approx(0.4)),
        (3, pytest.approx(0.6)),
        (4, pytest.approx(0.8)),
    ]


def test_a_long_jump_starts_the_grid_anew(tmp_path: Path) -> None:
    path = make_uneven(tmp_path / "jump.gif", [100] * 4 + [11_050] + [100] * 4)
    read = sampled(path, 0.2)
    assert [index for index, _ in read] == [0, 2, 4, 5, 7]
    assert [seconds for _, seconds in read] == pytest.approx([0, 0.2, 0.4, 11.45, 11.65])
    assert "The time jumps forward by 11 seconds at frame 5." in facts(path).oddities


def test_the_grid_needs_no_later_frame_and_begins_at_the_first() -> None:
    grid = Grid(0.5)
    assert [grid.times_served(seconds) for seconds in (7.0, 7.2, 7.499, 7.9, 9.1)] == [
        [7.0],
        [],
        [7.5],
        [],
        [8.0, 8.5, 9.0],
    ]
    with pytest.raises(ValueError, match="apart"):
        Grid(0)


def test_the_ending_gives_the_last_frame(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", frames=60)
    assert sampled(path, 1.0)[-1][0] == 50
    read = sampled(path, 1.0, ending=True)
    assert read[-1] == (59, pytest.approx(2.36))
    assert len(read) < 15


def test_facts_after_sampling_cost_no_second_reading(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.avi", frames=30)
    with open_film(path) as film:
        assert len(list(film.sampled(0.4))) == 3
        path.unlink()
        assert film.facts().frames == 30


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with open_film(make_film(tmp_path / "film.mkv", frames=6)) as film:
        assert frame_number(next(film.frames()).pixels) == 0
        assert frame_number(next(film.frames()).pixels) == 1
        assert film.facts().frames == 6
        assert list(film.frames()) == []


# Any length


def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    path = make_film(tmp_path / "long.mkv", frames=2000)
    gc.collect()
    tracemalloc.start()
    with open_film(path) as film:
        count = sum(1 for _ in film.frames())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2000
    assert peak < 100 * SMALL.height * SMALL.width * 3


# Facts


def test_facts_are_measured(tmp_path: Path) -> None:
    measured = facts(make_film(tmp_path / "film.mp4", frames=60, fps=NTSC))
    assert (measured.frames, measured.size, measured.codec, measured.oddities) == (60, SMALL, "mpeg4", ())
    assert measured.first_seconds == 0
    assert measured.last_seconds == pytest.approx(59 / NTSC, abs=1e-4)
    assert measured.duration_seconds == pytest.approx(60 / NTSC, abs=1e-4)
    assert measured.fps == pytest.approx(NTSC, abs=1e-3)


def test_one_frame_is_a_film(tmp_path: Path) -> None:
    measured = facts(make_film(tmp_path / "one.avi", frames=1))
    assert (measured.frames, measured.duration_seconds) == (1, pytest.approx(0.04))
    assert "There is only one frame." in measured.oddities


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".webm"])
def test_a_cut_film_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path, suffix: str) -> None:
    path = make_cut(tmp_path / f"cut{suffix}", frames=120)
    numbers, _ = numbers_and_times(path)
    assert 30 < len(numbers) < 100
    assert numbers == list(range(len(numbers)))
    oddities = " ".join(facts(path).oddities)
    assert f"Cut short after {len(numbers)} frames" in oddities
    assert f"claims 120 frames; {len(numbers)} could be read" in oddities


def test_damage_in_the_middle_does_not_end_the_film(tmp_path: Path) -> None:
    path = make_film(tmp_path / "damaged.mkv", frames=60)
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 3000] = bytes(3000)
    path.write_bytes(whole)
    with open_film(path) as film:
        numbers = [frame_number(frame.pixels) for frame in film.frames()]
        notes = film.notes
    assert numbers[0] == 0
    assert numbers[-1] == 59
    assert len(numbers) < 60
    assert any(note.startswith("Damaged after") for note in notes)


# Folders of pictures


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_folder_of_pictures_is_a_film_in_the_order_of_its_numbers(tmp_path: Path, suffix: str) -> None:
    folder = make_pictures(tmp_path / "shots", frames=12, suffix=suffix)
    (folder / ".DS_Store").write_bytes(b"\0")
    numbers, seconds = numbers_and_times(folder, rate=10)
    assert numbers == list(range(12))
    assert seconds == pytest.approx([index / 10 for index in range(12)])
    with open_film(folder, rate=10) as film:
        assert film.facts().codec == f"{suffix[1:]} pictures"


def test_pictures_of_other_sizes_or_unreadable_are_reported(tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "shots", frames=3)
    make_pictures(tmp_path / "wide", frames=5, size=Size(48, 100))
    shutil.copy(tmp_path / "wide" / "frame4.png", folder / "frame4.png")
    (folder / "frame3.png").write_bytes(b"no picture")
    with open_film(folder, rate=10) as film:
        read = [(frame.index, frame_number(frame.pixels), frame.pixels.shape) for frame in film.frames()]
    assert read == [(n, n, (48, 64, 3)) for n in (0, 1, 2, 4)]
    assert any("Damaged after 3 frames" in note for note in film.notes)
    assert any("size of the picture changes" in note for note in film.notes)


def test_a_first_picture_that_is_damaged_is_reported(tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "shots", frames=4)
    (folder / "frame0.png").write_bytes(b"no picture")
    with open_film(folder, rate=10) as film:
        assert [frame_number(frame.pixels) for frame in film.frames()] == [1, 2, 3]
        assert any("Damaged after 0 frames" in note for note in film.notes)


def test_pictures_that_vanish_or_are_empty_while_the_film_is_read_are_damage(tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "Ünïcode 雪", frames=4)
    with open_film(folder, rate=10) as film:
        (folder / "frame1.png").unlink()
        (folder / "frame2.png").write_bytes(b"")
        assert [frame_number(frame.pixels) for frame in film.frames()] == [0, 3]
        (note,) = film.notes
    assert note.startswith("Damaged after 1 frames and in 1 more places: these places were skipped, and the rest read")


def test_a_film_left_early_is_not_called_cut_short(tmp_path: Path) -> None:
    with open_film(make_film(tmp_path / "film.mkv", frames=100)) as film:
        next(film.frames())
    assert film.notes == ()


def test_what_counts_as_a_film_in_a_folder(tmp_path: Path) -> None:
    assert is_film(make_film(tmp_path / "film.avi", frames=1))
    (tmp_path / "FILM.MP4").write_bytes(b"x")
    assert is_film(tmp_path / "FILM.MP4")
    assert is_film(make_pictures(tmp_path / "shots"))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    mixed = make_pictures(tmp_path / "mixed")
    (mixed / "labels.csv").write_text("x")
    unnumbered = make_pictures(tmp_path / "unnumbered", frames=1)
    (unnumbered / "cover.png").write_bytes(b"x")
    for other in ("notes.txt", "empty", "mixed", "unnumbered", "absent.mp4", "."):
        assert not is_film(tmp_path / other), other


# What cannot be read


_NO_TRACKS = b"\0\0\0\x10ftypisom\0\0\2\0" + b"\0\0\0\x0cmoov\0\0\0\0"


def text(path: Path) -> None:
    path.write_text("This is not a video.\n" * 50, encoding="utf-8")


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def sound(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))


def sound_by_av(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 44100
        frame.planes[0].update(bytes(4 * 1024))
        container.mux([*stream.encode(frame), *stream.encode()])


def transport_stream(*types: int) -> Callable[[Path], object]:
    """Writes an MPEG transport stream that tells of streams of these types, and holds nothing of them."""
    kinds = b"".join(bytes([kind, 0xE1, number, 0xF0, 0]) for number, kind in enumerate(types))
    programs = bytes([0, 0xB0, 13, 0, 1, 0xC1, 0, 0, 0, 1, 0xF0, 0]) + bytes(4)
    streams = bytes([2, 0xB0, 13 + len(kinds), 0, 1, 0xC1, 0, 0, 0xE1, 0, 0xF0, 0]) + kinds + bytes(4)
    packets = [bytes([0x47, 0x40 | number >> 8, number & 255, 0x10, 0]) + table for number, table in
               ((0, programs), (0x1000, streams))]  # fmt: skip
    return lambda path: path.write_bytes(b"".join(packet.ljust(188, b"\xff") for packet in packets * 20))


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("absent.mp4", lambda path: None, "no such file"),
        ("empty.mp4", Path.touch, "empty (0 bytes)"),
        ("text.mp4", text, "holds text"),
        ("text.txt", text, "holds text"),
        ("noise.avi", noise, "no streams were found in it"),
        ("sound.wav", sound, "holds only sound"),
        ("sound.mp4", sound, "holds only sound"),
        ("still.webp", noise, "holds no frames"),
        ("cut.mp4", make_cut, "its index (moov) is missing or broken"),
        ("index.mp4", lambda path: path.write_bytes(_NO_TRACKS), "lists no streams"),
        ("header.flv", lambda path: path.write_bytes(b"FLV\1\1\0\0\0\x09\0\0\0\0"), "ends before its first frame"),
        ("sound.flv", sound_by_av, "holds only sound"),
        ("sound.mkv", sound_by_av, "holds only sound"),
        ("sound.ts", transport_stream(0x0F, 0x81), "holds only sound"),
        ("data.ts", transport_stream(0x06), "its streams are of type data."),
        ("mixed.ts", transport_stream(0x81, 0x06, 0x05), "its streams are of type audio, data."),
        ("pipe", os.mkfifo, "is not a file"),
        ("folder", Path.mkdir, "is a folder, but not one of numbered pictures alone"),
        ("shots", make_pictures, "holds 12 pictures but has no rate. Give one: --rate FPS."),
        ("x" * 300 + ".mp4", lambda path: None, "cannot be opened: File name too long"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_cannot_be_read_gets_a_sentence(
    tmp_path: Path, name: str, write: Callable[[Path], object], sentence: str
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(FilmError) as caught:
        open_film(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert sentence in message
    assert message.endswith(".")


PLAYLISTS = {
    "concat.mp4": "ffconcat version 1.0\nfile other.avi\n",
    "hls.ts": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.avi\n#EXT-X-ENDLIST\n",
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n",
    "dash.mp4": f"<?xml version='1.0'?>\n<!--{'-' * 9000}-->\n<MPD profiles='urn:mpeg:dash:profile:isoff-main:2011'>",
    "film.avi": "ffconcat version 1.0\nfile http://127.0.0.1:9/film.mp4\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_file_that_names_other_files_or_addresses_is_not_followed(tmp_path: Path, name: str) -> None:
    make_film(tmp_path / "other.avi")
    (tmp_path / name).write_text(PLAYLISTS[name], encoding="utf-8")
    with pytest.raises(FilmError, match=r"is a playlist, which only names videos. Give the videos themselves\."):
        open_film(tmp_path / name)


def test_the_diagnosis_follows_no_file_that_names_others(tmp_path: Path) -> None:
    make_film(tmp_path / "other.avi")
    path = tmp_path / "concat.mp4"
    path.write_text(PLAYLISTS[path.name], encoding="utf-8")
    with av.open(str(path)) as followed:
        assert [stream.type for stream in followed.streams] == ["video"], "PyAV would follow it if it could"
    assert _stream_types(path) is None


def test_a_film_that_is_read_loads_no_pyav_and_a_damaged_one_does(tmp_path: Path) -> None:
    make_film(tmp_path / "film.avi")
    noise(tmp_path / "noise.avi")
    program = """
import sys
from vidrnn.errors import FilmError
from vidrnn.video import writer
from vidrnn.video.reader import open_film
open_film("film.avi").facts()
assert "av" not in sys.modules
try:
    open_film("noise.avi")
except FilmError:
    assert "av" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_an_encrypted_film_gets_a_sentence(tmp_path: Path, ffmpeg: Ffmpeg) -> None:
    path, key = tmp_path / "locked.mp4", "00112233445566778899aabbccddeeff"
    lock = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key]
    ffmpeg("-i", make_film(tmp_path / "film.mkv"), "-c:v", "mpeg4", *lock, path)
    with pytest.raises(FilmError, match="is encrypted"):
        open_film(path)


def test_a_rate_counts_in_place_of_the_time_stamps_of_any_film(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.avi", frames=5, fps=25.0)
    numbers, seconds = numbers_and_times(path, rate=10)
    assert (numbers, seconds) == (list(range(5)), pytest.approx([0, 0.1, 0.2, 0.3, 0.4]))
    with open_film(path, rate=10) as film:
        measured = film.facts()
    assert measured.duration_seconds == pytest.approx(0.5)
    with pytest.raises(UsageError, match="more than 0"):
        open_film(make_pictures(tmp_path / "shots"), rate=0)


def test_names_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("12:31.avi", "über %03d, 'x'.avi", "-film.avi"):
        make_film(tmp_path / "film.avi", frames=2).rename(name)
        assert facts(Path(name)).frames == 2


def test_the_decoder_is_silent(tmp_path: Path) -> None:
    path = make_cut(tmp_path / "cut.mp4")
    program = "import sys; from vidrnn.video.reader import open_film; open_film(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert done.stderr.strip().splitlines()[-1].startswith("vidrnn.errors.FilmError")
    assert "moov atom" not in done.stderr
    assert "[" not in done.stderr.split("Traceback")[0]


# Real footage


@pytest.mark.footage
def test_odd_files_are_read_or_refused_with_a_sentence(footage: Path) -> None:
    rows = list(csv.DictReader((footage / "odd" / "index.csv").open(encoding="utf-8")))
    refused = {row["path"]: sentence for row in rows if (sentence := _refusal(footage / "odd" / row["path"], row))}
    assert len(rows) == 71
    assert all(sentence.endswith((".", ".mp4")) and "Traceback" not in sentence for sentence in refused.values())
    with_frames = {row["path"] for row in rows if row["packets"] != "-"}
    assert set(refused) & with_frames == {
        "exoplayer__invalid-bitstream.webm",  # ffmpeg decodes none of it either
        "exoplayer__sample_with_colr_mdcv_and_clli.mp4",  # AV1, which OpenCV's wheels cannot decode
        "exoplayer__subsample_encrypted_noaltref.webm",
        "small__webp.webp",  # a header and no picture
        "torchcodec__av1_video.mkv",  # AV1
    }


def _refusal(path: Path, row: dict[str, str]) -> str | None:
    """Why a file was refused, or None where as many frames were read as the probe saw packets, or one less."""
    try:
        measured = facts(path)
    except FilmError as error:
        return str(error)
    assert int(row["packets"]) - 1 <= measured.frames <= int(row["packets"]), path.name
    if row["duration_seconds"] != "-" and path.name not in _LYING_DURATIONS:
        assert measured.duration_seconds == pytest.approx(float(row["duration_seconds"]), abs=0.25), path.name
    return None


_LYING_DURATIONS = {"exoplayer__sample_fragmented.mp4", "small__webm.webm"}


@pytest.mark.footage
def test_real_clips_have_no_oddities(footage: Path) -> None:
    clips = sorted((footage / "ucf9").glob("*/*.mp4"))[::40] + sorted((footage / "lips").glob("*.mp4"))[::100]
    assert clips, f"no clips in {FOOTAGE.name}"
    for clip in clips:
        measured = facts(clip)
        assert measured.oddities == (), clip.name
        assert measured.frames == measured.claimed_frames


@pytest.mark.parametrize(("folder", "picture"), [(b"f\xfclm", b"1.png"), (b"film", b"\xfc1.png")])
def test_pictures_whose_names_are_not_utf8_are_a_sentence(tmp_path: Path, folder: bytes, picture: bytes) -> None:
    shots = make_pictures(tmp_path / "film", frames=1)
    (shots / "frame0.png").rename(shots / os.fsdecode(picture))
    film = shots.rename(tmp_path / os.fsdecode(folder))
    with pytest.raises(FilmError, match=r"not UTF-8"):
        open_film(film, rate=5.0)


def test_a_name_that_is_not_utf8_is_a_sentence_and_not_the_end_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"f\xfclm.avi")
    make_film(tmp_path / "film.avi")
    (tmp_path / "film.avi").rename(path)
    with pytest.raises(FilmError, match=r"not UTF-8"):
        open_film(path)
