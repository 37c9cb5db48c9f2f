"""Scans: films are read in parallel, in order and once only."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, frame_number, make_film, make_pictures, paint_number

from vidrnn.data import scan as scan_module
from vidrnn.data.scan import scan_film, scan_films
from vidrnn.data.store import cache_folder, store_at
from vidrnn.errors import FilmError
from vidrnn.values import FilmFailure, FilmScan, Pixels, Size


def scans(*paths: Path, cache: Path | None = None, **how: float) -> list[FilmScan]:
    found = [each for _, each in scan_films(paths, cache=cache, jobs=2, **how)]  # type: ignore[arg-type]
    assert all(isinstance(each, FilmScan) for each in found), found
    return found  # type: ignore[return-value]


def read_no_film(*_: object) -> FilmScan:
    raise AssertionError("a video was read that is in the cache")


def test_the_first_and_the_last_frame_are_among_the_thumbnails(tmp_path: Path) -> None:
    (scan,) = scans(make_film(tmp_path / "a.mkv", frames=250))
    assert scan.facts.frames == 250
    assert scan.thumbnails.shape == (8, 12, 16)
    first, *_, last = np.repeat(scan.thumbnails[..., None], 3, axis=3)
    assert (frame_number(first), frame_number(last)) == (0, 249)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_short_film_has_fewer_thumbnails(tmp_path: Path, frames: int) -> None:
    (scan,) = scans(make_film(tmp_path / "a.mkv", frames=frames))
    assert 1 <= len(scan.thumbnails) <= frames
    assert frame_number(np.repeat(scan.thumbnails[-1, ..., None], 3, axis=2)) == frames - 1


def test_results_come_in_order_and_a_bad_film_costs_one_row(tmp_path: Path) -> None:
    paths = [make_film(tmp_path / f"{number}.avi", frames=60 - number) for number in range(30)]
    paths[7].write_bytes(b"no video at all")
    paths.insert(3, tmp_path / "gone.avi")
    found = list(scan_films(paths, cache=None, jobs=3))
    assert [path for path, _ in found] == paths
    assert [index for index, (_, each) in enumerate(found) if isinstance(each, FilmFailure)] == [3, 8]
    assert not any(each.reason.startswith(str(tmp_path)) for _, each in found if isinstance(each, FilmFailure))


def test_films_are_scanned_while_results_are_taken(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.avi", frames=2)
    asked = []

    def paths() -> object:
        for number in range(100):
            asked.append(number)
            yield film

    results = scan_films(paths(), cache=None, jobs=2)  # type: ignore[arg-type]
    next(results)
    assert len(asked) < 20
    results.close()  # type: ignore[attr-defined]


def test_a_film_is_read_once_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_film(tmp_path / "a.avi", frames=20)
    (first,) = scans(film, cache=tmp_path / "cache")
    moved = film.rename(tmp_path / "b.avi")
    monkeypatch.setattr(scan_module, "_read", read_no_film)
    (second,) = scans(moved, cache=tmp_path / "cache")
    assert second.facts.path == moved
    assert second.content_hash == first.content_hash
    assert np.array_equal(second.thumbnails, first.thumbnails)
    assert repr(second.facts).replace("b.avi", "a.avi") == repr(first.facts)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"facts": {"size": 3}}', b"\xff\xfe\x00"])
def test_a_damaged_entry_is_computed_again(tmp_path: Path, damage: bytes) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=20), tmp_path / "cache"
    whole = scan_film(film, cache=cache)
    (entry,) = (each for each in cache.rglob("*") if each.is_file())
    kept = entry.read_bytes()
    entry.write_bytes(damage)
    assert np.array_equal(scan_film(film, cache=cache).thumbnails, whole.thumbnails)
    assert entry.read_bytes() == kept


def test_a_film_of_large_pictures_is_refused_though_its_scan_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_film(tmp_path / "film.avi")
    scan_film(film, cache=tmp_path / "cache")
    monkeypatch.setenv("VIDRNN_MAX_PIXELS", "100")
    with pytest.raises(FilmError, match="100 are allowed"):
        scan_film(film, cache=tmp_path / "cache")


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert scan_film(make_film(tmp_path / "a.avi", frames=3), cache=blocked).facts.frames == 3


def test_folders_of_pictures_are_cached_by_rate(tmp_path: Path) -> None:
    folder, cache = make_pictures(tmp_path / "film", frames=10), tmp_path / "cache"
    (slow,), (fast,) = scans(folder, cache=cache, rate=5), scans(folder, cache=cache, rate=10)
    assert (slow.facts.duration_seconds, fast.facts.duration_seconds) == (2.0, 1.0)


def test_a_rate_holds_for_films_of_every_kind(tmp_path: Path) -> None:
    film, folder = make_film(tmp_path / "a.avi", frames=25), make_pictures(tmp_path / "film", frames=10)
    assert [round(scan.facts.fps) for scan in scans(film, folder, rate=5)] == [5, 5]


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"VIDRNN_CACHE": "/x/own", "XDG_CACHE_HOME": "/x/shared"}, "/x/own"),
        ({"XDG_CACHE_HOME": "/x/shared"}, "/x/shared/vidrnn"),
        ({}, "/x/home/.cache/vidrnn"),
    ],
)
def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str) -> None:
    for name in ("VIDRNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/x/home", **variables}.items():
        monkeypatch.setitem(os.environ, name, value)
    assert cache_folder() == Path(folder)


@pytest.mark.footage
def test_odd_files_are_scanned_or_refused_and_never_stop_the_rest(footage: Path) -> None:
    paths = sorted(path for path in (footage / "odd").iterdir() if path.stat().st_size < 60_000)
    found = list(scan_films(paths, cache=None, jobs=2))
    assert [path for path, _ in found] == paths
    assert {type(each) for _, each in found} == {FilmScan, FilmFailure}


@pytest.mark.parametrize("damage", ["flip", "empty", "cut", "no sum"])
def test_a_damaged_scan_is_made_anew_and_told(tmp_path: Path, damage: str) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=25), tmp_path / "cache"
    scan = scan_film(film, cache=cache)
    (entry,) = (file for file in cache.rglob("*.json"))
    text = entry.read_text()
    place = text.index('"frames": 25')
    damaged = {
        "flip": text[:place] + '"frames": 26' + text[place + len('"frames": 25') :],
        "empty": "",
        "cut": text[: len(text) // 2],
        "no sum": text[: text.index(', "sum"')] + "}",
    }
    entry.write_text(damaged[damage])
    again = scan_film(film, cache=cache)
    assert again.facts == scan.facts and entry.read_text() == text
    assert "1 entry was damaged" in store_at(cache).take_notes()[0]


def test_stretches_that_show_nothing_are_part_of_a_scan_and_come_back_from_the_cache(tmp_path: Path) -> None:
    def freeze(index: int, size: Size = SMALL) -> Pixels:
        return paint_number(min(index, 10), size) if index < 60 else np.zeros((size.height, size.width, 3), np.uint8)

    film = make_film(tmp_path / "a.mkv", frames=100, paint=freeze)
    (scan,) = scans(film, cache=tmp_path / "cache")
    assert scan.still == ((0.5, 2.25), (2.5, 3.96))
    assert scan.blank == ((2.5, 3.96),)
    (again,) = scans(film, cache=tmp_path / "cache")
    assert (again.still, again.blank) == (scan.still, scan.blank)
