"""Scans: films are read in parallel, in order and once only."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, frame_number, make_film, make_pictures, paint_number

from vidrnn.data import scan as scan_module
from vidrnn.data.films import content_hash
from vidrnn.data.scan import scan_film, scan_films, thumbnails_of
from vidrnn.data.store import cache_folder, store_at
from vidrnn.data.stored import scan_store
from vidrnn.data.stored.scan_store import scans_at
from vidrnn.errors import FilmError
from vidrnn.values import Excerpt, FilmFailure, FilmScan, Pixels, Size


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


@pytest.mark.parametrize("anew", [False, True], ids=["open", "opened anew"])
@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe\x00", b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_database_begins_anew(
    tmp_path: Path, damage: bytes, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=20), tmp_path / "cache"
    whole = scan_film(film, cache=cache)
    scans_at(cache).file.write_bytes(damage)
    if anew:
        monkeypatch.setattr(scan_store, "_STORES", {})
    assert scan_film(film, cache=cache).facts == whole.facts
    nearly_empty = anew and len(damage) < 2  # it counts as a new one
    assert nearly_empty or "1 entry was damaged" in store_at(cache).take_notes()[0]
    monkeypatch.setattr(scan_module, "_read", read_no_film)
    assert scan_film(film, cache=cache).facts == whole.facts


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were just written count as unchanged for long."""
    monkeypatch.setattr(scan_store, "_STILL_SECONDS", -1.0)


def read_no_bytes(path: Path) -> str:
    raise AssertionError(f"the bytes of {path} were read, though it is as it was")


@pytest.mark.usefixtures("old")
def test_a_file_that_is_as_it_was_is_not_read_again_and_a_changed_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=20), tmp_path / "cache"
    (first,) = scans(film, cache=cache)
    changed = make_film(tmp_path / "b.avi", frames=30).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(scan_module, "content_hash", read_no_bytes)
        (again,) = scans(film, cache=cache)
        (tmp_path / "link.avi").symlink_to(film)
    assert (again.facts, again.content_hash) == (first.facts, first.content_hash)
    assert np.array_equal(again.frame_seconds, first.frame_seconds)
    facts = film.stat()
    film.write_bytes(changed.ljust(facts.st_size, b"\0")[: facts.st_size])
    os.utime(film, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert scans(film, cache=cache)[0].content_hash != first.content_hash, "size and time are those of before"


def test_a_file_that_has_just_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=20), tmp_path / "cache"
    scans(film, cache=cache)
    read = []
    monkeypatch.setattr(scan_module, "content_hash", lambda path: read.append(path) or content_hash(path))
    scans(film, cache=cache)
    assert read == [film]


def test_a_scan_from_the_cache_holds_no_arrays_and_gives_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=50), tmp_path / "cache"
    plain, stored = scan_film(film), scan_film(film, cache=cache)
    part = Excerpt(10, 20, "frames")
    cut = stored.cut(part, 10, replace(stored.facts, frames=10)).at_rate(12.0)
    assert not {"thumbnails", "frame_seconds"} & {name for name in type(stored).__slots__ if hasattr(stored, name)}
    assert np.array_equal(stored.frame_seconds, plain.frame_seconds)
    assert np.array_equal(cut.frame_seconds, plain.frame_seconds[10:20]) and cut.rate == 12.0
    (shown,) = thumbnails_of([stored])
    assert np.array_equal(shown, plain.thumbnails)
    scans_at(cache).clear()
    assert np.array_equal(scan_film(film, cache=cache).thumbnails, plain.thumbnails), "the cache was cleared meanwhile"


def test_two_processes_fill_one_cache(tmp_path: Path) -> None:
    films = [make_film(tmp_path / f"{number}.avi", frames=5 + number) for number in range(12)]
    program = "import sys; from pathlib import Path; from vidrnn.data.scan import scan_films\n"
    program += "list(scan_films([Path(each) for each in sys.argv[2:]], cache=Path(sys.argv[1]), jobs=2))"
    cache = tmp_path / "cache"
    parts = (films[:8], films[4:])
    running = [subprocess.Popen([sys.executable, "-c", program, cache, *part]) for part in parts]
    assert [one.wait() for one in running] == [0, 0]
    assert scans_at(cache).count() == 12


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


@pytest.mark.parametrize("column", ["facts", "sum"])
def test_a_damaged_scan_is_made_anew_and_told(tmp_path: Path, column: str) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=25), tmp_path / "cache"
    scan = scan_film(film, cache=cache)
    with closing(sqlite3.connect(scans_at(cache).file)) as database:
        database.execute(f"UPDATE facts SET {column} = ?", (b"[26, 3]" if column == "facts" else 7,))
        database.commit()
    again = scan_film(film, cache=cache)
    assert again.facts == scan.facts
    assert "1 entry was damaged" in store_at(cache).take_notes()[0]
    assert scan_film(film, cache=cache).facts == scan.facts and not store_at(cache).take_notes()


def test_damaged_arrays_are_made_anew_when_they_are_asked_for(tmp_path: Path) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=25), tmp_path / "cache"
    plain, scan = scan_film(film), scan_film(film, cache=cache)
    with closing(sqlite3.connect(scans_at(cache).file)) as database:
        database.execute("UPDATE arrays SET thumbnails = zeroblob(192)")
        database.commit()
    assert np.array_equal(scan.thumbnails, plain.thumbnails)
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


def test_a_scan_of_the_cache_can_be_sent_to_another_process(tmp_path: Path) -> None:
    film, cache = make_film(tmp_path / "a.avi", frames=25), tmp_path / "cache"
    scan_film(film, cache=cache)
    sent = scan_film(film, cache=cache).at_rate(5.0)
    received = pickle.loads(pickle.dumps(sent))
    assert (received.facts, received.content_hash, received.rate) == (sent.facts, sent.content_hash, 5.0)
    assert np.array_equal(received.frame_seconds, sent.frame_seconds)
    assert np.array_equal(received.thumbnails, sent.thumbnails)
