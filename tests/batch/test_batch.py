"""Many films: one row each, whatever becomes of those who read; and what is done is never done again."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
import time
import unicodedata
from collections.abc import Generator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from vidrnn.batch.batch import Batch, FilmDone
from vidrnn.batch.engines.base import Engine, Item, Job, Outcome
from vidrnn.batch.engines.local import Local
from vidrnn.batch.records import Work
from vidrnn.batch.result_names import Roots
from vidrnn.batch.shards import Shard
from vidrnn.data.listing.own_results import result_file
from vidrnn.errors import ModelError, OutputError, RunError, UsageError
from vidrnn.file_names import portable_name

SLOW_ENGINES = [pytest.param("ray", marks=pytest.mark.slow)]
EVERY_ENGINE = pytest.mark.parametrize("engine", ["local", *SLOW_ENGINES])


def engine_named(name: str, jobs: int = 2) -> Engine:
    if name == "local":
        return Local(jobs)
    pytest.importorskip("ray", reason="the package ray is not installed")
    from vidrnn.batch.engines.ray import Ray

    return Ray(jobs)


def texts(folder: Path, *names: str) -> tuple[Path, ...]:
    """Films of the tests: files with their own names in them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return tuple(folder / name for name in names)


def batch_of(films: tuple[Path, ...], root: Path, out: Path, **how: Any) -> Batch:
    suffixes = how.pop("suffixes", (".txt",))
    settings = {"suffixes": list(suffixes), **how.pop("settings", {})}
    work = Work("readers:opened", settings, how.pop("identity", "one"), suffixes, ("label", "frames", "notes"))
    return Batch(work, films, (root,), out, **how)


def done(batch: Batch, engine: Engine | None = None) -> dict[str, FilmDone]:
    return {one.row["path"]: one for one in batch.run(engine or Local(2))}


def summary(out: Path) -> list[dict[str, str]]:
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tree(out: Path) -> dict[str, bytes]:
    """All that stands in a folder, but for the locks."""
    files = (file for file in out.rglob("*") if file.is_file() and file.suffix != ".lock")
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in files}


# --- names -----------------------------------------------------------------------------------------------------------


def test_films_of_one_name_have_results_of_their_own() -> None:
    films = [
        Path(name) for name in ("r/a/one.mp4", "r/b/one.mp4", "r/a/one.avi", "r/one.mp4", "r/a/one", "r/a one.mp4")
    ]
    names = [Roots.of([Path("r")]).name(film) for film in films]
    suffixes = (".csv", ".jsonl", ".labelstudio.json", ".video.webm", ".video.mp4")
    files = {result_file(Path("out"), name, suffix) for name in names for suffix in suffixes}
    assert len(files) == len(films) * len(suffixes)
    assert result_file(Path("out"), "a/one.mp4", ".csv") == Path("out/a/one.mp4.csv")


def test_names_too_long_for_a_file_system_are_cut_and_stay_apart() -> None:
    names = ["a/" + "é" * 120 + end for end in ("x.mp4", "y.mp4")]
    files = [result_file(Path("out"), name, ".labelstudio.json") for name in names]
    assert files[0] != files[1]
    assert all(len(os.fsencode(file.name)) < 240 for file in files)


def test_films_that_a_file_system_would_take_for_one_have_results_apart(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "One", "a\u0308", "one", "two", "\u00e4")
    if len({film.stat().st_ino for film in films}) < len(films):
        pytest.skip("no two such videos can be here")
    out = tmp_path / "out"
    found = done(batch_of(films, tmp_path / "films", out))
    assert sorted(one.row["path"] for one in found.values()) == ["One", "a\u0308", "one", "two", "\u00e4"]
    files = [file.name for file in out.glob("*.txt")]
    assert len({unicodedata.normalize("NFC", name).casefold() for name in files}) == len(films)
    assert "two.txt" in files, "a name that is alone stays as it is"
    assert all(one.before for one in done(batch_of(films, tmp_path / "films", out)).values())


def test_results_have_names_that_windows_takes_too(tmp_path: Path) -> None:
    names = ("aux.mp4", "run./one?", "two: the end. ", "three")
    films = texts(tmp_path / "films", *names)
    found = done(batch_of(films, tmp_path / "films", tmp_path / "out"))
    assert {one.row["path"] for one in found.values()} == {*names}, "people see the name that the film has"
    files = [file for file in (tmp_path / "out").rglob("*") if file.name != ".vidrnn"]
    assert len([file for file in files if file.suffix == ".txt"]) == len(names)
    assert not [file for file in files if portable_name(file.name) != file.name]
    assert all(one.before for one in done(batch_of(films, tmp_path / "films", tmp_path / "out")).values())


def test_names_begin_at_where_all_sources_stand() -> None:
    assert Roots.of([Path("x/films")]).folders == {"": Path("x/films").absolute()}
    roots = Roots.of([Path("x/films"), Path("x/more/films")])
    assert roots.name(Path("x/more/films/../films/a.mp4")) == "more/films/a.mp4"


def test_films_of_several_drives_have_names_that_begin_with_the_drive() -> None:
    starts = [PureWindowsPath(name) for name in ("C:/a/films", "c:/A/more", "D:/x", "//lab/share/y")]
    roots = Roots.of(starts)
    films = [PureWindowsPath(name) for name in ("c:/a/more/one.mp4", "D:/x/one.mp4", r"\\lab\share\y\z\one.mp4")]
    assert [roots.name(film) for film in films] == ["C/more/one.mp4", "D/one.mp4", "LAB/SHARE/z/one.mp4"]
    assert Roots.of(starts[:2]).name(films[0]) == "more/one.mp4", "one drive needs no name"


# --- rows ------------------------------------------------------------------------------------------------------------


@EVERY_ENGINE
def test_whatever_happens_to_a_film_costs_one_row(engine: str, tmp_path: Path) -> None:
    names = ("a/one", "a/damaged", "aborts", "b/one", "fault", "hangs", "killed", "two")
    films = texts(tmp_path / "films", *names)
    batch = batch_of(films, tmp_path / "films", tmp_path / "out", timeout_seconds=1.5)
    rows = {name: one.row for name, one in done(batch, engine_named(engine)).items()}
    assert set(rows) == set(names)
    reasons = {name: row["error"] for name, row in rows.items() if "error" in row}
    assert set(reasons) == {"a/damaged", "aborts", "fault", "hangs", "killed"}
    assert reasons["a/damaged"] == "is damaged."
    assert reasons["fault"] == "vidrnn failed on it: TypeError: a fault of ours"
    assert reasons["hangs"] == "given up, since it took more than 2 seconds. Give it more: --timeout SECONDS."
    assert reasons["aborts"].startswith("the process that read it ")
    if engine == "local":
        assert "SIGABRT" in reasons["aborts"]
        assert "memory" in reasons["killed"]
    found = summary(tmp_path / "out")
    assert [row["path"] for row in found] == list(names), "in the order of the videos"
    assert found[0] == {"path": "a/one", "label": "a/one", "frames": "5", "notes": "a b", "error": ""}
    assert {row["path"]: row["error"] for row in found if row["error"]} == reasons
    assert (tmp_path / "out/b/one.txt").read_text() == "b/one.txt"
    assert not (tmp_path / "out/a/damaged.txt").exists()


@EVERY_ENGINE
def test_nothing_half_written_is_left_of_a_film_that_brought_its_process_down(engine: str, tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "aborts", "damaged", "hangs")
    settings = {"parts": True}
    batch = batch_of(films, tmp_path / "films", tmp_path / "out", timeout_seconds=1.5, settings=settings)
    assert all("error" in one.row for one in done(batch, engine_named(engine)).values())
    assert not [file for file in tree(tmp_path / "out") if ".part-" in file]


def test_what_was_half_written_before_a_kill_is_gone_when_the_work_goes_on(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "half", "one")
    out, wide = tmp_path / "out", {"suffixes": (".csv", ".txt"), "settings": {"hangs_after": ".csv"}}
    stopped_halfway(batch_of(films, tmp_path / "films", out, **wide), out / "half.csv")
    for name in (".part-half.txt", ".part-half.csv", ".vidrnn/.part-half.json"):
        (out / name).write_text("half of it")
    done(batch_of(films, tmp_path / "films", out, suffixes=(".csv",)))
    assert not [file for file in tree(out) if ".part-" in file], "be they of forms that are not wanted any more"


def test_a_film_whose_results_have_no_place_costs_one_row(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "beside", "sub/damaged", "sub/one", "two")
    out = tmp_path / "out"
    (out / "beside.txt").mkdir(parents=True)
    (out / "sub").write_text("mine")
    rows = {name: one.row for name, one in done(batch_of(films, tmp_path / "films", out)).items()}
    assert rows["beside"]["error"].endswith("out/beside.txt is a folder, where a file is to be. Move it away.")
    for name in ("sub/one", "sub/damaged"):
        assert rows[name]["error"].endswith("out/sub is a file, where a folder is to be. Move it away.")
    assert "error" not in rows["two"]
    assert (out / "sub").read_text() == "mine"
    assert len(summary(out)) == 4
    (out / "sub").unlink()
    found = done(batch_of(films, tmp_path / "films", out))
    assert [name for name, one in found.items() if one.before] == ["two"]
    assert found["sub/damaged"].row["error"] == "is damaged."
    assert "error" not in found["sub/one"].row


def test_a_place_for_the_summary_that_is_taken_is_an_error(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one")
    (tmp_path / "out/summary.csv").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"summary.csv is a folder, where a file is to be\. Move it away\. What was"):
        done(batch_of(films, tmp_path / "films", tmp_path / "out"))


def test_large_films_have_more_time_unless_it_is_said(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "large", "small")
    os.truncate(films[0], 10_000_000)

    class Noting(Local):
        def run(self, job: Job, items: Sequence[Item], seconds: Sequence[float]) -> Generator[Outcome]:
            noted.append([round(each) for each in seconds])
            yield from ()

    noted: list[list[int]] = []
    for seconds in (None, 7):
        done(batch_of(films, tmp_path / "films", tmp_path / "out", timeout_seconds=seconds), Noting())
    assert noted == [[900, 300], [7, 7]]


@EVERY_ENGINE
def test_each_who_works_opens_the_model_once(engine: str, tmp_path: Path) -> None:
    films = texts(tmp_path / "films", *(f"film{number}" for number in range(12)))
    batch = batch_of(films, tmp_path / "films", tmp_path / "out", settings={"processes": True})
    rows = done(batch, engine_named(engine)).values()
    assert len({one.row["process"] for one in rows}) <= 2
    assert os.getpid() not in {one.row["process"] for one in rows}


@EVERY_ENGINE
def test_a_broken_model_ends_the_run_with_its_sentence(engine: str, tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one")
    batch = batch_of(films, tmp_path / "films", tmp_path / "out", settings={"broken": True})
    with pytest.raises(ModelError, match="is broken"):
        done(batch, engine_named(engine))


def test_processes_that_cannot_begin_end_the_run_with_what_they_said(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one")
    batch = batch_of(films, tmp_path / "films", tmp_path / "out", settings={"dies": True})
    with pytest.raises(
        RunError, match=r"^3 processes in a row .* was ended by SIGABRT before it began\. It said: no room for a model"
    ):
        done(batch)


@pytest.mark.parametrize(("jobs", "numbers"), [(1, [1, 2]), (2, [1, 2]), (2, [1, 3, 4, 5, 6, 7]), (4, [1, 2])])
def test_a_process_that_dies_while_it_starts_is_replaced(jobs: int, numbers: list[int], tmp_path: Path) -> None:
    films = texts(tmp_path / "films", *(f"film{number}" for number in range(6)))
    (tmp_path / "starts").mkdir()
    starts = {"dies_at_start": {"log": str(tmp_path / "starts"), "numbers": numbers}, "seconds": 0.2}
    rows = done(batch_of(films, tmp_path / "films", tmp_path / "out", settings=starts), Local(jobs))
    assert len(rows) == 6 and not [name for name, one in rows.items() if "error" in one.row]


def test_a_film_that_changes_or_goes_while_films_are_read_keeps_its_row(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "goes", "grows", "one")
    done(batch_of(films, tmp_path / "films", tmp_path / "out"))
    assert [(row["path"], row["error"]) for row in summary(tmp_path / "out")] == [
        ("goes", "is gone."),
        ("grows", ""),
        ("one", ""),
    ]
    found = done(batch_of(films[1:], tmp_path / "films", tmp_path / "out"))
    assert [name for name, one in found.items() if one.before] == ["one"], "what grew is read again"


def test_films_for_which_memory_was_short_are_read_again_and_are_not_damaged(tmp_path: Path) -> None:
    names = ("one", "short", "short-cv2", "short-film")
    films = texts(tmp_path / "films", *names)
    for _ in range(2):
        found = done(batch_of(films, tmp_path / "films", tmp_path / "out"))
        assert [name for name in names if not found[name].before and "error" in found[name].row] == list(names[1:])
    assert "memory ran out" in found["short"].row["error"] and "memory ran out" in found["short-cv2"].row["error"]
    assert "vidrnn failed" not in str(found)


def test_a_path_that_is_too_long_costs_one_row(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "deep/one", "fine")
    out = tmp_path
    while len(os.fsencode(out)) < 3700:
        out = out / ("d" * 250)
    rest = 4095 - len(os.fsencode(out)) - len("/.vidrnn/fine.json") - 6 - 3
    out = out / ("e" * rest)  # so that `fine` has a place and `deep/one` has none
    found = done(batch_of(films, tmp_path / "films", out))
    assert "error" not in found["fine"].row
    assert "longer than the system allows. Name a folder with a shorter path" in found["deep/one"].row["error"]
    assert [row["path"] for row in summary(out)] == ["deep/one", "fine"]


# --- what is done is not done again ----------------------------------------------------------------------------------


def test_a_second_run_does_only_what_is_missing(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "damaged", "one", "two", "three", "killed")
    log = tmp_path / "log"

    def again(**how: Any) -> list[str]:
        log.write_text("")
        found = done(batch_of(films, tmp_path / "films", tmp_path / "out", settings={"log": str(log)}, **how))
        assert list(found) or not films
        read = sorted(log.read_text().split())
        assert sorted(name for name, one in found.items() if not one.before) == read
        return read

    assert again() == ["damaged", "killed", "one", "three", "two"]
    before = tree(tmp_path / "out")
    assert again() == ["killed"], "who was killed may have been so for want of memory; the damaged stay damaged"
    assert tree(tmp_path / "out") == before
    (tmp_path / "out/one.txt").unlink()
    texts(tmp_path / "films", "two")  # written anew
    assert again() == ["killed", "one", "two"]
    assert again(identity="another model") == ["damaged", "killed", "one", "three", "two"]
    assert again(identity="another model", suffixes=(".txt", ".csv")) == ["killed", "one", "three", "two"]


def test_files_of_other_work_are_not_taken_for_those_of_this(tmp_path: Path) -> None:
    films, out = texts(tmp_path / "films", "one"), tmp_path / "out"

    def before(work: str, *suffixes: str) -> bool:
        batch = batch_of(films, tmp_path / "films", out, identity=work, suffixes=suffixes, settings={"mark": work})
        return done(batch)["one"].before

    assert not before("A", ".csv", ".txt")
    assert not before("B", ".csv")
    assert (out / "one.txt").read_text() == "oneA", "what somebody may still want is left"
    assert not before("B", ".txt"), "the other file is of A"
    assert (out / "one.txt").read_text() == "oneB"
    assert before("B", ".csv", ".txt"), "both are of B"
    texts(tmp_path / "films", "one")  # written anew
    assert not before("B", ".csv")
    assert not before("B", ".csv", ".txt")


def test_a_film_that_got_damaged_loses_its_results(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one")
    done(batch_of(films, tmp_path / "films", tmp_path / "out"))
    assert (tmp_path / "out/one.txt").exists()
    (tmp_path / "films/one").write_bytes(b"\xff\xfe\xff")
    row = done(batch_of(films, tmp_path / "films", tmp_path / "out"))["one"].row
    assert "UnicodeDecodeError" in row["error"]
    assert not (tmp_path / "out/one.txt").exists()


def test_a_torn_record_is_no_record(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one")
    done(batch_of(films, tmp_path / "films", tmp_path / "out"))
    record = tmp_path / "out/.vidrnn/one.json"
    for text in (record.read_text()[:20], "{}", record.read_text().replace('"format": 1', '"format": 2')):
        record.write_text(text)
        assert not done(batch_of(films, tmp_path / "films", tmp_path / "out"))["one"].before


@pytest.mark.parametrize("damage", ["emptied", "one bit", "removed", "a bit of the record"])
def test_a_damaged_result_is_made_again(tmp_path: Path, damage: str) -> None:
    films, out = texts(tmp_path / "films", "one", "two"), tmp_path / "out"
    done(batch_of(films, tmp_path / "films", out))
    before, result, record = tree(out), out / "one.txt", out / ".vidrnn/one.json"
    if damage == "emptied":
        result.write_text("")
    elif damage == "one bit":
        result.write_bytes(bytes([before["one.txt"][0] ^ 1]) + before["one.txt"][1:])
    elif damage == "removed":
        result.unlink()
    else:
        record.write_text(record.read_text().replace('"again": false', '"again": true '))
    again = done(batch_of(films, tmp_path / "films", out))
    assert (again["one"].before, again["two"].before) == (False, True)
    assert result.read_bytes() == before["one.txt"]


def test_a_result_that_a_person_edited_is_kept_beside_the_one_that_is_made_anew(tmp_path: Path) -> None:
    films, out = texts(tmp_path / "films", "one"), tmp_path / "out"
    done(batch_of(films, tmp_path / "films", out))
    for number, name in ((1, "one.txt.changed"), (2, "one.txt.changed2")):
        (out / "one.txt").write_text(f"corrected by hand {number}")
        again = done(batch_of(films, tmp_path / "films", out))["one"]
        assert (out / name).read_text() == f"corrected by hand {number}"
        assert (out / "one.txt").read_text() != f"corrected by hand {number}"
        assert any(f"It is kept as {name}" in note for note in again.row["notes"])


def test_results_that_were_copied_and_records_without_sums_are_as_good(tmp_path: Path) -> None:
    films, out = texts(tmp_path / "films", "one"), tmp_path / "out"
    done(batch_of(films, tmp_path / "films", out))
    os.utime(out / "one.txt", (1, 1))
    assert done(batch_of(films, tmp_path / "films", out))["one"].before
    record = out / ".vidrnn/one.json"
    fields = json.loads(record.read_text())
    del fields["sum"], fields["states"]
    record.write_text(json.dumps(fields))
    assert done(batch_of(films, tmp_path / "films", out))["one"].before


def test_results_beside_the_films_are_not_taken_for_films(tmp_path: Path) -> None:
    root = tmp_path / "films"
    films = texts(root, "one", "two")
    done(batch_of(films, root, root))
    found = (*films, root / "one.txt", root / "two.txt", *texts(root, "three.txt"))
    assert set(done(batch_of(found, root, root))) == {"one", "two", "three.txt"}
    inside = root / "elsewhere"
    done(batch_of(films, root, inside))
    assert set(batch_of((*found, inside / "one.txt"), root, tmp_path / "out").names) == {"one", "two", "three.txt"}


def stopped_halfway(batch: Batch, file: Path) -> None:
    """Run a batch of "half" and of another film until the former has written one of its files."""
    journey = batch.run(Local(2))
    next(journey)
    while not file.exists():
        time.sleep(0.01)
    journey.close()


def test_results_of_films_that_were_not_finished_are_not_taken_for_films(tmp_path: Path) -> None:
    root, out = tmp_path / "films", tmp_path / "films/out"
    films = texts(root, "half", "one")
    how: dict[str, Any] = {"suffixes": (".txt", ".csv"), "settings": {"hangs_after": ".txt"}}
    stopped_halfway(batch_of(films, root, out, **how), out / "half.txt")
    mine = texts(out, "mine.txt")
    found = (*films, out / "half.txt", out / "one.csv", *mine)
    expected = {"half", "one", "out/mine.txt"}
    assert set(batch_of(found, root, out, **how).names) == expected
    assert set(batch_of(found, root, tmp_path / "elsewhere", suffixes=(".srt",)).names) == expected
    assert set(done(batch_of(found, root, out, suffixes=(".csv",)))) == expected


def test_a_film_that_other_work_was_begun_on_is_done_again(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "half", "one")
    out = tmp_path / "out"
    done(batch_of(films, tmp_path / "films", out))
    (out / "half.txt").unlink()
    other = {"hangs_after": ".txt", "mark": " of another model"}
    stopped_halfway(batch_of(films, tmp_path / "films", out, identity="two", settings=other), out / "half.txt")
    assert (out / "half.txt").read_text() == "half of another model"
    assert [row["path"] for row in summary(out)] == ["one"]
    assert not done(batch_of(films, tmp_path / "films", out))["half"].before
    assert (out / "half.txt").read_text() == "half.txt"


def test_results_among_the_films_are_passed_over_and_counted(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one", "two")
    first = batch_of(films, tmp_path / "films", tmp_path / "films" / "out")
    done(first)
    assert first.remark == ""
    again = [*films, *(tmp_path / "films" / "out").glob("*.txt")]
    second = batch_of(again, tmp_path / "films", tmp_path / "films" / "out")
    assert len(again) == 4 and len(second.names) == 2
    assert second.remark == "2 videos are answers that vidrnn wrote, and passed over."


def test_results_alone_are_refused(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one")
    done(batch_of(films, tmp_path / "films", tmp_path / "out"))
    with pytest.raises(UsageError, match=r"one\.txt: was written by vidrnn"):
        batch_of((tmp_path / "out/one.txt",), tmp_path / "out", tmp_path / "more").of_shard()


# --- stopping --------------------------------------------------------------------------------------------------------


@EVERY_ENGINE
def test_who_stops_keeps_what_is_finished(engine: str, tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one", "two", "hangs", "three", "hangs too")
    batch = batch_of(films, tmp_path / "films", tmp_path / "out")
    journey = batch.run(engine_named(engine))
    began, rows = time.monotonic(), [next(journey).row["path"], next(journey).row["path"]]
    (tmp_path / "out/.part-hangs.txt").write_text("half of it")
    journey.close()
    assert time.monotonic() - began < 60, "nobody waits for a video that hangs"
    assert {row["path"] for row in summary(tmp_path / "out")} >= set(rows)
    assert not [file for file in tree(tmp_path / "out") if ".part-" in file]


@EVERY_ENGINE
def test_a_full_disk_ends_the_run_with_its_sentence_and_keeps_what_is_whole(engine: str, tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one", "full", "two")
    with pytest.raises(OutputError, match="full: could not be written: No space left on device"):
        done(batch_of(films, tmp_path / "films", tmp_path / "out"), engine_named(engine, jobs=1))
    assert [row["path"] for row in summary(tmp_path / "out")] == ["one"]


def test_the_reason_of_a_stop_is_given_though_the_summary_cannot_be_written(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one", "two")
    journey = batch_of(films, tmp_path / "films", tmp_path / "out").run(Local(1))
    next(journey)
    (tmp_path / "out/summary.csv").mkdir()
    with pytest.raises(KeyboardInterrupt):
        journey.throw(KeyboardInterrupt)


def test_reasons_with_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one")
    out = tmp_path / "o\udcff"
    (out / "one.txt").mkdir(parents=True)
    assert "o?/one.txt is a folder" in done(batch_of(films, tmp_path / "films", out))["one"].row["error"]


def test_a_folder_that_takes_no_results_is_an_error(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one")
    (tmp_path / "taken").touch()
    with pytest.raises(OutputError, match="taken: results cannot be written there"):
        done(batch_of(films, tmp_path / "films", tmp_path / "taken"))


def test_two_runs_do_not_write_the_same_results(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", "one", "two")
    first = batch_of(films, tmp_path / "films", tmp_path / "out").run(Local(1))
    next(first)
    with pytest.raises(OutputError, match="another vidrnn is writing these results"):
        done(batch_of(films, tmp_path / "films", tmp_path / "out"))
    first.close()
    assert len(done(batch_of(films, tmp_path / "films", tmp_path / "out"))) == 2


@pytest.mark.parametrize(
    ("at_work", "comes"), [(Shard(), Shard(1, 2)), (Shard(2, 3), Shard()), (Shard(1, 2), Shard(2, 3))]
)
def test_results_are_not_shared_out_in_two_ways_at_once(at_work: Shard, comes: Shard, tmp_path: Path) -> None:
    films = texts(tmp_path / "films", *"abcdef")
    out = tmp_path / "out"
    first = batch_of(films, tmp_path / "films", out, shard=at_work).run(Local(1))
    next(first)
    how = rf"results in {at_work.count} shards\. Do one of them" if at_work.count > 1 else r"results\. Wait for it"
    with pytest.raises(OutputError, match=how):
        done(batch_of(films, tmp_path / "films", out, shard=comes))
    if at_work.count > 1:
        other = Shard(at_work.number % at_work.count + 1, at_work.count)
        assert done(batch_of(films, tmp_path / "films", out, shard=other)), "shards of one count work side by side"
        with pytest.raises(OutputError, match=how):
            done(batch_of(films, tmp_path / "films", out, shard=comes))
    first.close()
    assert done(batch_of(films, tmp_path / "films", out, shard=comes))


def test_where_a_file_system_knows_no_locks_the_work_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", unknown)
    films = texts(tmp_path / "films", "one", "two")
    for shard in (Shard(), Shard(1, 2), Shard(2, 2)):
        assert done(batch_of(films, tmp_path / "films", tmp_path / "out", shard=shard))


# --- shards ----------------------------------------------------------------------------------------------------------


def test_shards_share_the_films_out_and_give_what_one_run_gives(tmp_path: Path) -> None:
    films = texts(tmp_path / "films", *(f"film{number}" for number in range(7)), "damaged")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done(batch_of(films, tmp_path / "films", whole))
    shards = [batch_of(films, tmp_path / "films", parts, shard=Shard(number, 3)) for number in (1, 2, 3)]
    names = [name for batch in shards for name in batch.of_shard()]
    assert sorted(names) == sorted(batch_of(films, tmp_path / "films", whole).of_shard())
    assert {len(batch.of_shard()) for batch in shards} == {2, 3}
    for batch in shards:
        assert set(done(batch, Local(1))) == set(batch.of_shard())
    assert tree(parts) == tree(whole)


def test_the_last_shard_to_write_the_summary_has_seen_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    films = texts(tmp_path / "films", "one", "two")
    first, second = (batch_of(films, tmp_path / "films", tmp_path / "out", shard=Shard(n, 2)) for n in (1, 2))
    read = Batch.rows

    def slow(batch: Batch) -> list[dict[str, Any]]:
        """The second shard ends between the first one's reading and writing, and writes its summary before."""
        rows = read(batch)
        if batch is first and not (tmp_path / "out/two.txt").exists():
            done(second, Local(1))
        return rows

    monkeypatch.setattr(Batch, "rows", slow)
    done(first, Local(1))
    assert [row["path"] for row in summary(tmp_path / "out")] == ["one", "two"]


@pytest.mark.parametrize("text", ["0/4", "5/4", "-1/4", "1", "1/", "a/b", ""])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="shard"):
        Shard.parse(text)


def test_torchrun_gives_the_shard() -> None:
    assert Shard.from_environment({"RANK": "0", "WORLD_SIZE": "3"}) == Shard(1, 3)
    assert Shard.from_environment({"RANK": "2", "WORLD_SIZE": "3"}) == Shard(3, 3)
    assert Shard.from_environment({"RANK": "0", "WORLD_SIZE": "1"}) is None
    assert Shard.from_environment({"WORLD_SIZE": "3"}) is None
    with pytest.raises(UsageError, match="RANK 3 and WORLD_SIZE 3"):
        Shard.from_environment({"RANK": "3", "WORLD_SIZE": "3"})


# --- killed ----------------------------------------------------------------------------------------------------------

_PROGRAM = """
import sys
from pathlib import Path, PureWindowsPath
from batch.test_batch import batch_of, done
videos = tuple(sorted(Path(sys.argv[1]).iterdir()))
done(batch_of(videos, Path(sys.argv[1]), Path(sys.argv[2]), settings={"seconds": 0.01}))
"""


def started(films: Path, out: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, sys.path)])
    return subprocess.Popen([sys.executable, "-c", _PROGRAM, films, out], env={**os.environ, "PYTHONPATH": path})


def test_who_is_killed_takes_the_processes_along_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    texts(tmp_path / "films", *(f"film{number:03}" for number in range(40)))
    out = tmp_path / "out"
    running = started(tmp_path / "films", out)
    while not len(list(out.rglob("*.json"))) > 5:
        assert running.poll() is None, "it was to be killed on its way"
        time.sleep(0.01)
    running.kill()
    running.wait()
    time.sleep(0.3)
    after = tree(out)
    time.sleep(0.3)
    assert tree(out) == after, "nobody goes on writing"
    assert 5 < len([name for name in after if name.endswith(".json")]) < 40
    assert started(tmp_path / "films", out).wait() == 0
    started(tmp_path / "films", tmp_path / "whole").wait()
    assert tree(out) == tree(tmp_path / "whole")
