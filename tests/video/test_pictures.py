"""Stacks of pages and pictures of more than 8 bits are films like others."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import frame_number, paint_number

from vidrnn.errors import FilmError
from vidrnn.video.depth import Depth
from vidrnn.video.reader import open_film


def pages(count: int, most: int = 255) -> list[np.ndarray]:
    numbers = [paint_number(index)[..., 0] for index in range(count)]
    return [np.uint16(page / 255 * most) if most > 255 else page for page in numbers]


def test_every_page_of_a_stack_is_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    cv2.imwritemulti(str(path), pages(20))
    with pytest.raises(FilmError, match=r"holds 20 pages but has no rate\. Give one: --rate FPS\."):
        open_film(path)
    with open_film(path, rate=4) as film:
        assert [frame_number(frame.pixels) for frame in film.frames()] == list(range(20))
        assert film.facts().duration_seconds == pytest.approx(5)


def test_a_single_page_is_a_still_picture(tmp_path: Path) -> None:
    path = tmp_path / "still.tif"
    cv2.imwrite(str(path), pages(3)[2])
    with open_film(path) as film:
        assert [frame_number(frame.pixels) for frame in film.frames()] == [2]


def test_a_stack_among_numbered_pictures_is_refused(tmp_path: Path) -> None:
    for index in range(3):
        cv2.imwritemulti(str(tmp_path / f"frame{index}.tif"), pages(1 + index % 2))
    with pytest.raises(FilmError, match=r"frame1\.tif: is one of 3 numbered pictures, and has 2 pages"):
        open_film(tmp_path, rate=10)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("how", ["stack", "folder", "film"])
def test_numbers_of_16_bits_are_scaled_by_the_bits_in_use(
    tmp_path: Path, ffmpeg: Callable[..., None], bits: int, how: str
) -> None:
    deep = pages(12, (1 << bits) - 1)
    if how == "stack":
        path = tmp_path / "stack.tif"
        cv2.imwritemulti(str(path), deep)
    elif how == "folder":
        path = tmp_path
        for index, page in enumerate(deep):
            cv2.imwrite(str(tmp_path / f"frame{index}.png"), page)
    else:
        path = tmp_path / "film.avi"
        shape = ("-f", "rawvideo", "-pix_fmt", "gray16le", "-s", "64x48", "-r", "10", "-i", "-")
        command = ["ffmpeg", "-v", "error", *shape, "-c:v", "ffv1", "-pix_fmt", "gray16le", str(path)]
        subprocess.run(command, input=np.stack(deep).astype("<u2").tobytes(), check=True)
    with open_film(path, rate=10) as film:
        frames = [frame.pixels for frame in film.frames()]
        oddities = " ".join(film.facts().oddities)
    assert (np.max(frames), np.min(frames)) == (255, 0)
    assert [frame_number(frame) for frame in frames] == list(range(12))
    assert (f"use {bits} bits of 16" in oddities) == (bits < 16)


def test_brighter_numbers_than_the_first_frames_held_become_white_and_are_told() -> None:
    depth = Depth([np.full((2, 2), 900, np.uint16)])
    assert depth.bits == 10
    assert depth.shown(np.full((2, 2), 5000, np.uint16)).max() == 255
    assert [note[:30] for note in depth.notes()] == ["1 frames hold brighter numbers"]
