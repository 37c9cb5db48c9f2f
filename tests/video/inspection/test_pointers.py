"""Files that stand for content which is elsewhere get a sentence that says how to fetch it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidrnn.errors import FilmError
from vidrnn.video.reader import open_film


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        ("/annex/objects/MD5E-s11--0a0b.mp4\n", "git annex get"),
    ],
)
def test_a_pointer_says_how_to_get_its_content(tmp_path: Path, text: str, remedy: str) -> None:
    (tmp_path / "film.mp4").write_text(text)
    with pytest.raises(FilmError, match=rf"film.mp4: is a pointer to content .*{remedy}"):
        open_film(tmp_path / "film.mp4")


def test_a_broken_link_says_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "film 1.mp4").symlink_to(".git/annex/objects/xx/film.mp4")
    with pytest.raises(FilmError, match=r"is a link to .*film.mp4, which is not there.*: git annex get 'film 1.mp4'"):
        open_film(tmp_path / "film 1.mp4")
    (tmp_path / "other.mp4").symlink_to("/mnt/away/other.mp4")
    with pytest.raises(FilmError, match=r"is a link to /mnt/away/other.mp4, which is not there. Get the file"):
        open_film(tmp_path / "other.mp4")
