"""The cache stays within its limit, keeps what is used, and removes only files that vidrnn wrote."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from vidrnn.data import store as store_module
from vidrnn.data.store import Store, cache_folder, open_cache, shown_size, size_in_bytes, store_at, with_notes
from vidrnn.data.stored import scan_store
from vidrnn.data.stored.scan_store import ScanRow, ScanStore, scans_at
from vidrnn.errors import UsageError
from vidrnn.events import Note

KEYS = [letter * 32 for letter in "abcdef"]


def entry(folder: Path, key: str, size: int = 1000, age_seconds: float = 0.0) -> Path:
    """An entry as large as asked, of two files."""
    file = folder / key[:2] / f"{key}.npy"
    file.parent.mkdir(parents=True, exist_ok=True)
    for name, content in ((f"{key}.index.npy", b"i" * 100), (file.name, b"a" * (size - 100))):
        (file.parent / name).write_bytes(content)
        os.utime(file.parent / name, (time.time() - age_seconds,) * 2)
    return file


def names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_STORES", {})


def test_what_was_used_longest_ago_goes_first_and_what_this_process_uses_stays(tmp_path: Path) -> None:
    files = [entry(tmp_path, key, age_seconds=100.0 - place) for place, key in enumerate(KEYS)]
    store = Store(tmp_path)
    store.use(files[0])
    assert store.prune(3000) == 3000
    assert [file.is_file() for file in files] == [True, False, False, False, True, True]
    assert len(names(tmp_path)) == 6, "the files of an entry go together"


def test_a_new_entry_makes_room_where_the_limit_is_passed(tmp_path: Path) -> None:
    old = [entry(tmp_path, key, age_seconds=1000.0 - place) for place, key in enumerate(KEYS[:3])]
    store = Store(tmp_path, limit_bytes=3500)
    store.tidy()
    new = entry(tmp_path, KEYS[3])
    for file in (new.with_suffix(".index.npy"), new):
        store.add(file)
    assert [file.is_file() for file in (*old, new)] == [False, True, True, True]
    assert not store.take_notes()


def test_a_run_that_needs_more_than_the_limit_is_told_once(tmp_path: Path) -> None:
    store = Store(tmp_path, limit_bytes=1500)
    store.tidy()
    for key in KEYS[:3]:
        store.add(entry(tmp_path, key, 1000))
    (note,) = store.take_notes()
    assert "more than its limit of 1.5 KB" in note and "--cache-size" in note
    assert not store.take_notes()
    assert len(names(tmp_path)) == 6


def test_files_of_other_origin_are_neither_counted_nor_removed(tmp_path: Path) -> None:
    foreign = ["mine.npy", "aa/mine.npy", "aa/.part-mine.npy", "scans-4/aa/x.json", "notes/a.txt", f"zz/{KEYS[0]}.npy"]
    for name in foreign:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"mine")
    entry(tmp_path, KEYS[0])
    scan = tmp_path / "scans-4" / "aa" / f"{KEYS[0]}-12.5.json"
    scan.write_bytes(b"{}")
    store = Store(tmp_path)
    contents = store.contents()
    assert (contents.films, contents.entries, contents.size_bytes) == (1, 1, 1002)
    assert store.clear() == 1002
    assert names(tmp_path) == set(foreign)


def test_unfinished_files_of_killed_writers_go_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    program = "import os, sys; from pathlib import Path; from vidrnn.atomic import write_file\n"
    program += "with write_file(Path(sys.argv[1]), '12-34-') as beside: beside.write_bytes(b'half'); os._exit(9)"
    place = tmp_path / "aa" / f"{KEYS[0]}.npy"
    assert subprocess.run([sys.executable, "-c", program, place], check=False).returncode == 9
    (part,) = (tmp_path / "aa").iterdir()
    store = Store(tmp_path)
    store.tidy()
    assert part.exists(), "it may be in use"
    os.utime(part, (time.time() - 4 * 3600,) * 2)
    store.tidy()
    assert not part.exists()


def test_without_a_home_or_with_a_cache_that_cannot_be_written_a_run_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "cache", Path("~nobody-of-that-name/cache")):
        monkeypatch.setenv("VIDRNN_CACHE", str(place))
        folder = open_cache(None)
        np.save(folder / "a.npy", np.zeros(3))
        (note,) = store_at(folder).take_notes()
        assert "later runs read these videos again. Name a folder in VIDRNN_CACHE." in note
    assert cache_folder() is None


def test_the_usual_limit_is_a_quarter_of_what_the_cache_could_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("vidrnn.data.store.shutil.disk_usage", lambda place: type("Usage", (), {"free": 7000}))
    entry(tmp_path / "cache", KEYS[0], 1000)
    assert store_at(open_cache(None)).limit_bytes == 2000
    assert store_at(open_cache("1.5 kB")).limit_bytes == 1500
    assert open_cache("500") and names(tmp_path) == set(), "an old cache is brought within its limit at once"


@pytest.mark.parametrize(
    ("text", "size"), [("20GB", 20 * 10**9), ("1.5tb", 15 * 10**11), ("300 MB", 3 * 10**8), ("7", 7), ("2K", 2000)]
)
def test_sizes(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "many", "1e9", "5 parsec"])
def test_what_is_no_size_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"--cache-size .*: is no size\. Say a number with"):
        size_in_bytes(text)


def test_sizes_are_shown_for_people() -> None:
    assert [shown_size(size) for size in (12, 1200, 34_500_000, 2e12)] == ["12 bytes", "1.2 KB", "34.5 MB", "2.0 TB"]


def test_notes_of_the_cache_come_between_the_events_of_a_run(tmp_path: Path) -> None:
    def events() -> Iterator[Note]:
        yield Note("first")
        store_at(tmp_path).note_damage()
        store_at(tmp_path).note_damage()
        yield Note("second")

    told = [note.text for note in with_notes(events(), tmp_path)]  # type: ignore[arg-type, union-attr]
    assert told == ["first", f"{tmp_path}: 2 entries were damaged and made again from the videos.", "second"]


def scans(folder: Path, count: int, day: int | None = None) -> ScanStore:
    """Scans as large as thumbnails usually are, last used on a day."""
    store = ScanStore(folder)
    for number in range(count):
        store.add(f"{number:032x}", None, ScanRow(b"[]", bytes(1536), b""))
    store.flush()
    if day is not None:
        with closing(sqlite3.connect(store.file)) as database:
            database.execute("UPDATE facts SET used = ?", (day,))
            database.commit()
    return store


def test_scans_are_counted_and_go_last_those_that_were_unused_for_long(tmp_path: Path) -> None:
    file = entry(tmp_path, KEYS[0], 100_000)
    stored = scans(tmp_path, 200, day=3)
    scans_at(tmp_path).add("f" * 32, None, ScanRow(b"[]", bytes(1536), b""))
    store = Store(tmp_path)
    before = store.contents()
    assert (before.films, before.entries, before.size_bytes) == (201, 1, 100_000 + stored.size_bytes)
    assert store.prune(stored.size_bytes + 5000) == 100_000 and not file.exists()
    assert store.contents().films == 201, "removing the entry was enough"
    removed = store.prune(stored.size_bytes // 2)
    left = store.contents()
    assert removed > 0 and 0 < left.films < 201 and left.size_bytes <= stored.size_bytes
    store.prune(0)
    assert store.contents().films == 1, "what was used today stays"
    assert store.clear() > 0 and names(tmp_path) == set()


def test_scans_that_are_used_count_as_used_today(tmp_path: Path) -> None:
    stored = scans(tmp_path, 2, day=3)
    assert stored.facts(f"{0:032x}", None) == b"[]"
    stored.shrink(0)
    assert [stored.facts(f"{number:032x}", None) for number in (0, 1)] == [b"[]", None]


def test_a_database_that_another_process_keeps_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_store, "_WAIT_SECONDS", 0.05)
    keeper = scans(tmp_path, 1)
    with closing(sqlite3.connect(keeper.file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store = ScanStore(tmp_path)
        assert store.facts(f"{0:032x}", None) is None and store.fails
        store.add("a" * 32, None, ScanRow(b"[]", b"", b""))
        store.flush()
    assert keeper.count() == 1, "nothing was lost"
