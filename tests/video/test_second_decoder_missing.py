"""Films where PyAV is not installed, as in the small install: others are read, and a sentence says what would help."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import make_film

from vidrnn.errors import FilmError
from vidrnn.video.inspection.losses import _packets, _reader_complains
from vidrnn.video.reader import open_film


@pytest.fixture(autouse=True)
def _without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)


def test_a_film_that_opencv_reads_needs_no_pyav(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=12)
    with open_film(film) as opened:
        assert opened.facts().frames == 12


def test_a_film_that_opencv_cannot_open_says_what_may_help(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(FilmError, match=r"PyAV may read it, which is not installed here: pip install av\.$"):
        open_film(tmp_path / "film.mp4")


def test_a_damaged_film_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = make_film(tmp_path / "film.avi", frames=40)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with open_film(whole) as opened:
        assert 0 < opened.facts().frames < 40
    assert _packets(whole) == 0 and not _reader_complains(whole)
