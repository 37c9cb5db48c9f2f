"""Decoding ahead: the chunks are the film, buffers go round and are never more, and whoever stops leaves no thread."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import frame_number, make_film, make_uneven, paint_number

from vidrnn.errors import FilmError
from vidrnn.values import Size
from vidrnn.video.film import Film
from vidrnn.video.prefetch import Chunk, decoded
from vidrnn.video.reader import open_film

SMALL = Size(24, 32)


def copied(chunk: Chunk) -> Chunk:
    """A chunk that stays as it is, its buffer given back."""
    copy = replace(chunk, pixels=chunk.pixels.copy(), before=None if chunk.before is None else chunk.before.copy())
    chunk.give_back()
    return copy


def chunks_of(
    film: Path, length: int = 4, buffers: int = 3, spacing: float = 0.1, motion_seconds: float | None = None
) -> list[Chunk]:
    with open_film(film) as opened, closing(decoded(opened, spacing, SMALL, length, buffers, motion_seconds)) as chunks:
        return [copied(chunk) for chunk in chunks]


@pytest.mark.parametrize("count", [1, 4, 5, 12, 30])
def test_the_chunks_are_the_films_frames_in_order(tmp_path: Path, count: int) -> None:
    film = make_film(tmp_path / "film.mkv", frames=count, fps=10.0)
    chunks = chunks_of(film)
    assert [frame_number(one) for chunk in chunks for one in chunk.pixels] == list(range(count))
    assert [len(chunk.pixels) for chunk in chunks[:-1]] == [4] * (len(chunks) - 1)
    seconds = [at for chunk in chunks for at in chunk.seconds]
    assert seconds == pytest.approx(np.arange(count) / 10)
    assert [index for chunk in chunks for index in chunk.indices] == list(range(count))
    assert all(chunk.before is None for chunk in chunks)


def test_pictures_are_those_that_are_read_one_by_one(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=9, size=Size(90, 120), fps=10.0)
    with open_film(film) as opened:
        single = [frame.pixels for frame in opened.sampled(0.1, size=SMALL)]
    assert np.array_equal(np.concatenate([chunk.pixels for chunk in chunks_of(film)]), np.stack(single))


def test_a_frame_that_stands_long_is_given_for_each_of_its_times(tmp_path: Path) -> None:
    film = make_uneven(tmp_path / "film.gif", [100, 100, 600, 100, 100])
    with open_film(film) as opened:
        single = [frame_number(frame.pixels) for frame in opened.sampled(0.1, size=SMALL)]
    assert single.count(3) > 3
    chunks = chunks_of(film, length=2)
    assert [frame_number(one) for chunk in chunks for one in chunk.pixels] == single
    assert [index for chunk in chunks for index in chunk.indices] == single


@pytest.mark.parametrize("length", [1, 3, 4, 20])
def test_each_frame_comes_with_the_frame_before_it(tmp_path: Path, length: int) -> None:
    film = make_film(tmp_path / "film.mkv", frames=30, fps=20.0)
    chunks = chunks_of(film, length, motion_seconds=0.15)
    assert [frame_number(one) for chunk in chunks for one in chunk.pixels] == list(range(0, 30, 2))
    before = [frame_number(one) for chunk in chunks if chunk.before is not None for one in chunk.before]
    assert before == [0, 1, *range(1, 26, 2)], "the frame right before, until there is one 0.15 s earlier"


def test_no_more_is_decoded_ahead_than_there_are_buffers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_film(tmp_path / "film.mkv", frames=40, fps=10.0)
    pictures = 0
    picture = Film._picture

    def counting(self: Film, *how: object) -> object:
        nonlocal pictures
        pictures += 1
        return picture(self, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(Film, "_picture", counting)
    with open_film(film) as opened, closing(decoded(opened, 0.1, SMALL, 4, 3)) as chunks:
        first, second, third = next(chunks), next(chunks), next(chunks)
        assert pictures == 12
        memory = {one.pixels.ctypes.data for one in (first, second, third)}
        for _ in range(5):
            first.give_back()
            first = next(chunks)
            memory.add(first.pixels.ctypes.data)
    assert len(memory) == 3


def test_who_stops_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    film = make_film(tmp_path / "film.mkv", frames=60, fps=10.0)
    with open_film(film) as opened, closing(decoded(opened, 0.1, SMALL, 4, 2)) as chunks:
        next(chunks)
    assert threading.active_count() == before


def test_what_goes_wrong_while_decoding_is_raised_where_the_chunks_are_read(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=10, fps=10.0)
    with open_film(film) as opened:

        def broken(*_: object, **__: object) -> object:
            yield from ()
            raise FilmError("video.mkv: the disk is gone.")

        opened.sampled = broken  # type: ignore[method-assign,assignment]
        with pytest.raises(FilmError, match="the disk is gone"), closing(decoded(opened, 0.1, SMALL, 4, 3)) as chunks:
            list(chunks)


def test_a_picture_of_the_models_size_is_written_where_it_belongs(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=6, size=SMALL, fps=10.0)
    chunks = chunks_of(film)
    for number, one in enumerate(picture for chunk in chunks for picture in chunk.pixels):
        assert np.array_equal(one, paint_number(number, SMALL))
