"""A picture that is too large is refused before it is decoded, and lack of memory is not called damage."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import make_film, make_pictures

from vidrnn.errors import FilmError, OutOfMemoryError
from vidrnn.video.inspection.limits import allow_pixels
from vidrnn.video.inspection.picture_size import picture_size
from vidrnn.video.pictures import Pictures
from vidrnn.video.reader import open_film


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    content = b"IHDR" + struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif", ".ppm"])
def test_the_size_of_a_picture_is_read_from_its_header(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (37, 53, 3), dtype=np.uint8))
    size = picture_size(path.read_bytes())
    assert size == (53, 37)
    assert picture_size(path.read_bytes()[:12]) in (None, (53, 37), (0, 0))


def test_a_picture_that_is_too_large_is_refused_by_its_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDRNN_MAX_PIXELS", raising=False)
    folder = make_pictures(tmp_path / "shots", frames=3)
    (folder / "frame1.png").write_bytes(png_header(30_000, 30_000))
    with (
        open_film(folder, rate=10) as film,
        pytest.raises(FilmError, match=r"have 900,000,000 pixels \(30,000 x 30,000\), and 64,000,000"),
    ):
        list(film.frames())
    (tmp_path / "single.png").write_bytes(png_header(30_000, 30_000))
    with pytest.raises(FilmError, match=r"allow more: --max-pixels 900000000\."):
        open_film(tmp_path / "single.png")


def test_the_limit_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDRNN_MAX_PIXELS", "1")
    path = make_film(tmp_path / "film.avi")
    allow_pixels(64 * 48 - 1)
    with pytest.raises(FilmError, match=r"3,072 pixels \(64 x 48\), and 3,071 are"):
        open_film(path)
    allow_pixels(64 * 48)
    open_film(path).close()


@pytest.mark.parametrize("error", [MemoryError(), cv2.error("alloc.cpp:73: error: (-4:Insufficient memory) Failed to")])
def test_lack_of_memory_is_not_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    folder = make_pictures(tmp_path / "shots", frames=3)
    with open_film(folder, rate=10) as film:
        monkeypatch.setattr(cv2, "imdecode", fail)
        with pytest.raises(OutOfMemoryError, match=r"memory ran out while it was read\. The video may be whole"):
            list(film.frames())
    with pytest.raises(OutOfMemoryError):
        open_film(folder, rate=10)
    monkeypatch.setattr(Pictures, "of_folder", fail)
    with pytest.raises(OutOfMemoryError):
        open_film(folder, rate=10)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a process's memory is Linux's")
def test_a_film_that_does_not_fit_into_memory_says_so(tmp_path: Path) -> None:
    program = """
import resource, sys
from vidrnn.errors import OutOfMemoryError
from vidrnn.video.reader import open_film
import numpy as np
film = open_film(sys.argv[1], rate=10)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 20_000_000, -1))
try:
    print(len(list(film.frames())))
except OutOfMemoryError:
    print("told")
"""
    folder = tmp_path / "shots"
    folder.mkdir()
    cv2.imwrite(str(folder / "frame0.png"), np.zeros((10, 10, 3), np.uint8))
    cv2.imwrite(str(folder / "frame1.png"), np.zeros((4000, 5000, 3), np.uint8))
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "told"
