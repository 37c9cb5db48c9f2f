"""Frames that a damaged film has lost are told, and a whole film is not accused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import frame_number, make_film, paint_number

from vidrnn.video.reader import open_film

FRAMES = 200
KINDS = {
    ".mp4": ("-c:v", "libx264"),
    ".mov": ("-c:v", "mjpeg"),
    ".mkv": ("-c:v", "libx264"),
    ".webm": ("-c:v", "libvpx"),
    ".avi": ("-c:v", "mpeg4"),
    ".ts": ("-c:v", "libx264"),
    ".mpg": ("-c:v", "mpeg2video"),
    ".flv": ("-c:v", "flv1"),
    ".wmv": ("-c:v", "wmv2"),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None]) -> dict[str, Path]:
    """A whole film of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    noise = np.random.default_rng(0).integers(0, 60, (FRAMES, 48, 64, 3), dtype=np.uint8)

    def paint(index: int, size: object) -> np.ndarray:
        return np.clip(paint_number(index).astype(int) + noise[index] - 30, 0, 255).astype(np.uint8)

    source = make_film(folder / "source.mkv", frames=FRAMES, paint=paint)
    made = {}
    for suffix, codec in KINDS.items():
        made[suffix] = folder / f"film{suffix}"
        ffmpeg("-i", source, *codec, "-g", "20", "-pix_fmt", "yuv420p", made[suffix])
    return made


def read(path: Path) -> tuple[int, tuple[str, ...]]:
    with open_film(path) as film:
        return film.facts().frames, film.notes


@pytest.mark.parametrize("suffix", KINDS)
def test_a_whole_film_has_no_notes(films: dict[str, Path], suffix: str) -> None:
    assert read(films[suffix]) == (FRAMES, ())


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        (suffix, how)
        for suffix in KINDS
        for how in ("zeros", "noise", "left out")
        if how != "left out" or suffix not in (".mp4", ".mov")  # these find their index no more, and are refused
    ],
)
def test_a_hole_in_a_film_is_told(tmp_path: Path, films: dict[str, Path], suffix: str, how: str) -> None:
    whole = films[suffix].read_bytes()
    start, length = len(whole) // 2, len(whole) // 8
    filling = {"zeros": bytes(length), "noise": np.random.default_rng(1).bytes(length), "left out": b""}[how]
    path = tmp_path / f"hole{suffix}"
    path.write_bytes(whole[:start] + filling + whole[start + length :])
    frames, notes = read(path)
    assert 0.6 * FRAMES < frames < 0.97 * FRAMES, "what comes after the hole is read"
    assert any(note.startswith("Damaged") for note in notes)


def test_a_hole_is_told_with_its_place_and_size(tmp_path: Path, ffmpeg: Callable[..., None]) -> None:
    path = tmp_path / "gap.ts"
    lost = "select='not(between(n,100,129))'"
    ffmpeg("-i", make_film(tmp_path / "film.mkv", frames=FRAMES), "-vf", lost, "-fps_mode", "passthrough", path)
    frames, notes = read(path)
    assert frames == FRAMES - 30
    assert notes[0].startswith(
        "Damaged: about 30 frames are missing; the first are missing after frame 100 (3.96 seconds)"
    )


@pytest.mark.parametrize("left_out", [False, True])
def test_times_after_a_hole_in_an_avi_are_not_trusted(tmp_path: Path, films: dict[str, Path], left_out: bool) -> None:
    whole = bytearray(films[".avi"].read_bytes())
    start, length = len(whole) // 2, len(whole) // 5
    whole[start : start + length] = b"" if left_out else bytes(length)
    path = tmp_path / "hole.avi"
    path.write_bytes(whole)
    with open_film(path) as film:
        late = [frame_number(frame.pixels) / 25 - frame.seconds for frame in film.frames()]
        notes = film.notes
    assert late[-1] > 0.8
    (sentence,) = [note for note in notes if "cannot be trusted" in note]
    assert f"{late[-1]:.1f} seconds too early" in sentence


def test_an_avi_that_is_cut_short_has_right_times(tmp_path: Path, films: dict[str, Path]) -> None:
    path = tmp_path / "cut.avi"
    whole = films[".avi"].read_bytes()
    path.write_bytes(whole[: len(whole) * 93 // 100])
    frames, notes = read(path)
    assert frames < FRAMES
    assert notes[0].startswith("Damaged or cut short: about ")
    assert not any("cannot be trusted" in note for note in notes)


def test_uneven_times_are_no_damage(tmp_path: Path, ffmpeg: Callable[..., None]) -> None:
    even = make_film(tmp_path / "film.mkv", frames=60)
    for suffix, codec in ((".mkv", "ffv1"), (".mp4", "mpeg4"), (".webm", "libvpx")):
        path = tmp_path / f"uneven{suffix}"
        times = ("-vf", "setpts='(N+4*floor(N/20))*0.04/TB'", "-fps_mode", "passthrough", "-enc_time_base", "1:1000")
        ffmpeg("-i", even, *times, "-pix_fmt", "yuv420p", "-c:v", codec, path)
        assert read(path) == (60, ()), suffix


def test_a_piece_whose_clock_runs_on_is_whole(tmp_path: Path, ffmpeg: Callable[..., None]) -> None:
    film = make_film(tmp_path / "film.mkv", frames=100)
    for suffix in (".mkv", ".webm"):
        path = tmp_path / f"piece{suffix}"
        codec = "ffv1" if suffix == ".mkv" else "libvpx"
        ffmpeg("-i", film, "-pix_fmt", "yuv420p", "-c:v", codec, "-output_ts_offset", "100", path)
        assert read(path) == (100, ()), suffix


def test_a_container_that_asks_for_more_memory_than_there_is_counts_as_damaged(
    tmp_path: Path, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged size of a packet can be enormous."""
    import av

    def fail(*_: object, **__: object) -> None:
        raise av.error.MemoryError(12, "Cannot allocate memory")

    for suffix in (".mp4", ".mkv"):
        whole = bytearray(films[suffix].read_bytes())
        whole[len(whole) // 2 : len(whole) * 5 // 8] = bytes(len(whole) * 5 // 8 - len(whole) // 2)
        path = tmp_path / f"hole{suffix}"
        path.write_bytes(whole)
        monkeypatch.setattr(av, "open", fail)
        assert any(note.startswith("Damaged") for note in read(path)[1])
