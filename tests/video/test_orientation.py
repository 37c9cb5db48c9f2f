"""Pictures are shown as the display matrix of their film asks: turned, mirrored, or both."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import make_film

from vidrnn.values import Pixels, Size
from vidrnn.video.reader import open_film

ONE = 1 << 16
WIDTH, HEIGHT = 64, 48
WAYS: dict[str, tuple[tuple[int, ...], Callable[[Pixels], Pixels]]] = {
    "as it is": ((ONE, 0, 0, ONE, 0, 0), lambda picture: picture),
    "a quarter": ((0, ONE, -ONE, 0, HEIGHT, 0), lambda picture: np.rot90(picture, -1)),
    "a half": ((-ONE, 0, 0, -ONE, WIDTH, HEIGHT), lambda picture: np.rot90(picture, 2)),
    "three quarters": ((0, -ONE, ONE, 0, 0, WIDTH), lambda picture: np.rot90(picture, 1)),
    "hflip": ((-ONE, 0, 0, ONE, WIDTH, 0), lambda picture: picture[:, ::-1]),
    "vflip": ((ONE, 0, 0, -ONE, 0, HEIGHT), lambda picture: picture[::-1]),
    "transpose": ((0, ONE, ONE, 0, 0, 0), lambda picture: picture.transpose(1, 0, 2)),
    "antitranspose": ((0, -ONE, -ONE, 0, HEIGHT, WIDTH), lambda picture: picture[::-1, ::-1].transpose(1, 0, 2)),
}


def paint(index: int, size: Size) -> Pixels:
    """A picture that looks different in each of the eight orientations."""
    across, down = np.meshgrid(np.linspace(0, 255, size.width), np.linspace(0, 255, size.height))
    return np.stack([across, down, 0 * across], -1).astype(np.uint8)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("whole_film", [False, True])
def test_a_film_is_shown_as_its_matrix_asks(tmp_path: Path, way: str, whole_film: bool) -> None:
    (a, b, c, d, x, y), shown = WAYS[way]
    path = make_film(tmp_path / "film.mp4", frames=3, paint=paint)
    with open_film(path) as film:
        plain = next(film.frames()).pixels
    raw = bytearray(path.read_bytes())
    place = raw.index(b"mvhd") + 4 + 36 if whole_film else raw.index(b"tkhd") + 4 + 40
    raw[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, x << 16, y << 16, 1 << 30)
    path.write_bytes(raw)
    with open_film(path) as film:
        seen = next(film.frames()).pixels
        oddities = " ".join(film.facts().oddities)
    wanted = shown(plain)
    assert seen.shape == wanted.shape
    assert np.abs(seen.astype(int) - wanted).mean() < 3
    assert ("mirrored" in oddities) == (way in ("hflip", "vflip", "transpose", "antitranspose"))
