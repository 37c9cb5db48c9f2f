"""A part of a film is read as a film of its own, at the times of the whole film."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import frame_number, make_film, make_pictures

from vidrnn.errors import FilmError
from vidrnn.values import Excerpt
from vidrnn.video.reader import open_film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv", frames=40, fps=10.0)


@pytest.mark.parametrize(
    ("excerpt", "numbers"),
    [
        (Excerpt(1.0, 2.0), range(10, 20)),
        (Excerpt(0.95, 1.05), range(10, 11)),
        (Excerpt(0.0, 0.1), range(1)),
        (Excerpt(3.5), range(35, 40)),
        (Excerpt(3.5, 100.0), range(35, 40)),
        (Excerpt(10, 20, "frames"), range(10, 20)),
        (Excerpt(39, None, "frames"), range(39, 40)),
    ],
)
def test_the_frames_of_an_excerpt_and_no_others(film: Path, excerpt: Excerpt, numbers: range) -> None:
    with open_film(film, excerpt=excerpt) as part:
        frames = list(part.frames())
        facts = part.facts()
    assert [frame_number(frame.pixels) for frame in frames] == list(numbers)
    assert [frame.seconds for frame in frames] == pytest.approx([number / 10 for number in numbers])
    assert [frame.index for frame in frames] == list(range(len(numbers)))
    assert facts.frames == len(numbers)
    assert not [each for each in facts.oddities if "claim" in each or "Cut short" in each]


def test_the_grid_begins_with_the_excerpt(film: Path) -> None:
    with open_film(film, excerpt=Excerpt(1.0, 2.0)) as part:
        numbers = [frame_number(frame.pixels) for frame in part.sampled(0.3)]
    assert numbers == [10, 13, 16, 19]


def test_pictures_and_features_have_excerpts_too(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", frames=12)
    with open_film(tmp_path / "pictures", rate=10, excerpt=Excerpt(0.5, 0.8)) as part:
        assert [frame_number(frame.pixels) for frame in part.frames()] == [5, 6, 7]
    np.save(tmp_path / "rows.npy", np.arange(24, dtype=np.float32).reshape(12, 2))
    with open_film(tmp_path / "rows.npy", rate=10, excerpt=Excerpt(0.5, 0.8)) as part:
        assert [frame.pixels[0] for frame in part.frames()] == [10, 12, 14]


@pytest.mark.parametrize(
    ("excerpt", "sentence"),
    [
        (Excerpt(5.0, 6.0), "ends after 4.000 seconds, before its part from 5 to 6 seconds begins"),
        (Excerpt(90, None, "frames"), "ends after 40 frames, before its part from 90 to the end frames begins"),
        (Excerpt(1.02, 1.05), "no frame lies in its part from 1.02 to 1.05 seconds"),
    ],
)
def test_an_excerpt_without_a_frame_is_an_error(film: Path, excerpt: Excerpt, sentence: str) -> None:
    with pytest.raises(FilmError, match=rf"film.mkv: {sentence}"):
        open_film(film, excerpt=excerpt)
