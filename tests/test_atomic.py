"""What is on disk under its final name is whole, whatever happens to the writer; a lock has one holder."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vidrnn.atomic import (
    move,
    remove_part,
    try_lock,
    without_waiting,
    write_bytes,
    write_file,
    write_files,
    write_folder,
    write_text,
)
from vidrnn.errors import OutputError

STOPS = pytest.mark.parametrize("stop", [ValueError("no"), KeyboardInterrupt()], ids=repr)


def names(folder: Path) -> list[str]:
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*"))


def test_a_text_and_bytes_are_written_whole_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    write_text(file, "größe = 1\r\n")
    assert file.read_bytes() == "größe = 1\r\n".encode()
    write_bytes(file, b"\0")
    assert file.read_bytes() == b"\0" and names(tmp_path) == ["new", "new/config.toml"]


@STOPS
def test_an_unfinished_file_leaves_nothing_and_the_old_one_stays(tmp_path: Path, stop: BaseException) -> None:
    file = tmp_path / "table.csv"
    write_text(file, "old")
    with pytest.raises(type(stop)), write_file(file) as beside:
        beside.write_text("half")
        assert beside.suffix == ".csv" and beside.parent == tmp_path and beside.name.startswith(".")
        raise stop
    assert file.read_text() == "old" and names(tmp_path) == ["table.csv"]


def test_files_that_belong_together_are_all_finished_before_the_first_has_its_name(tmp_path: Path) -> None:
    files = [tmp_path / "model.xml", tmp_path / "model.bin"]
    with write_files(files) as besides:
        for beside in besides:
            assert not files[0].exists() and not files[1].exists()
            beside.write_text("new")
    assert names(tmp_path) == ["model.bin", "model.xml"]


def test_the_part_of_a_killed_writer_can_be_removed(tmp_path: Path) -> None:
    program = "import os, sys; from pathlib import Path; from vidrnn.atomic import write_file\n"
    program += "with write_file(Path(sys.argv[1])) as beside: beside.write_text('half'); os._exit(9)"
    file = tmp_path / "a.txt"
    assert subprocess.run([sys.executable, "-c", program, file], check=False).returncode == 9
    assert len(names(tmp_path)) == 1 and not file.exists()
    remove_part(file)
    assert not names(tmp_path)


@pytest.mark.parametrize("refusals", [2, 10_000])
def test_a_move_that_the_system_refuses_for_a_moment_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    replace, tried = Path.replace, []

    def refuse(source: Path, target: Path) -> Path:
        tried.append(source)
        if len(tried) <= refusals:
            raise PermissionError(errno.EACCES, "The file is in use")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr("vidrnn.atomic._MOVE_SECONDS", 0.1)
    (tmp_path / "a").write_text("new")
    if refusals == 2:
        move(tmp_path / "a", tmp_path / "b")
        assert names(tmp_path) == ["b"] and len(tried) == 3
    else:
        with pytest.raises(PermissionError):
            move(tmp_path / "a", tmp_path / "b")
        with pytest.raises(OutputError, match=r"c: could not be written: The file is in use\. Wait\."):
            write_text(tmp_path / "c", "new", advice="Wait.")


# --- folders ---------------------------------------------------------------------------------------------------------

OWN = ("model.onnx", "model-int8.onnx")


def write_model(folder: Path, text: str, *more: str) -> None:
    with write_folder(folder, main="weights", own=OWN) as beside:
        for name in ("card", "weights", *more):
            (beside / name).write_text(text)


@STOPS
def test_an_unfinished_folder_leaves_nothing_and_the_old_one_stays(tmp_path: Path, stop: BaseException) -> None:
    folder = tmp_path / "a" / "model"
    write_model(folder, "old", "model.onnx")
    with pytest.raises(type(stop)), write_folder(folder, main="weights", own=OWN) as beside:
        (beside / "weights").write_text("new")
        raise stop
    assert names(tmp_path) == ["a", "a/model", "a/model/card", "a/model/model.onnx", "a/model/weights"]
    assert {file.read_text() for file in folder.iterdir()} == {"old"}


def test_a_finished_folder_replaces_its_own_files_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_model(folder, "old", *OWN)
    (folder / "notes").mkdir()
    for foreign in ("notes/mine", "mine.txt", "model-mine.onnx"):
        (folder / foreign).write_text("mine")
    write_model(folder, "new")
    texts = {name: (folder / name).read_text() for name in names(folder) if (folder / name).is_file()}
    assert texts == {
        **dict.fromkeys(("card", "weights"), "new"),
        **dict.fromkeys(("notes/mine", "mine.txt", "model-mine.onnx"), "mine"),
    }
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def stop_before(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise KeyboardInterrupt before the change of this number on the disk, and forbid all that come after it."""
    count = [0]
    for name in ("replace", "unlink", "mkdir", "rmdir"):
        monkeypatch.setattr(Path, name, _counted(getattr(Path, name), count, number))
    monkeypatch.setattr("vidrnn.atomic.shutil.rmtree", _counted(shutil.rmtree, count, number))


def _counted(change: Callable[..., object], count: list[int], number: int) -> Callable[..., object]:
    def counted(*given: object, **how: object) -> object:
        count[0] += 1
        if count[0] >= number:
            raise KeyboardInterrupt
        return change(*given, **how)

    return counted


def test_at_each_moment_the_folder_has_one_main_file_and_nothing_that_contradicts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 100):
        folder = tmp_path / str(number) / "model"
        write_model(folder, "old", *OWN)
        with monkeypatch.context() as patch:
            stop_before(number, patch)
            try:
                write_model(folder, "new", "model.onnx")
                ended = True
            except KeyboardInterrupt:
                ended = False
        main = (folder / "weights").read_text()
        assert main in {"old", "new"}
        derived = {(folder / name).read_text() for name in OWN if (folder / name).exists()}
        assert derived <= {main}
        if ended:
            assert main == "new"
            assert number > 5, "there were moments to be stopped at"
            return
        write_model(folder, "newer")  # the remains of the stopped writer are no obstacle
        assert {file.read_text() for file in folder.iterdir()} == {"newer"}
    raise AssertionError("it never came to an end")


def test_at_each_moment_the_main_file_has_the_file_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(text: str, needed: str | None) -> None:
        with write_folder(folder, main="weights", needed=("graph",)) as beside:
            (beside / "weights").write_text(text)
            if needed is not None:
                (beside / "graph").write_text(needed)

    for number in range(1, 100):
        folder = tmp_path / str(number) / "model"
        write("old", "the same graph")
        with monkeypatch.context() as patch:
            stop_before(number, patch)
            try:
                write("new", "the same graph")
                ended = True
            except KeyboardInterrupt:
                ended = False
        assert (folder / "graph").read_text() == "the same graph"
        if ended:
            break
    assert (folder / "weights").read_text() == "new" and number > 3
    write("newer", None)
    assert names(folder) == ["weights"]


# --- locks -----------------------------------------------------------------------------------------------------------


def test_a_lock_has_one_holder_until_it_is_released(tmp_path: Path) -> None:
    file = tmp_path / "new" / "data.lock"
    lock = try_lock(file)
    assert lock is not None and try_lock(file) is None and try_lock(file, 0.1) is None
    lock.release()
    again = try_lock(file)
    assert again is not None
    again.release()


def test_who_is_killed_lets_go(tmp_path: Path) -> None:
    program = "import os, sys, time; from pathlib import Path; from vidrnn.atomic import try_lock\n"
    program += "lock = try_lock(Path(sys.argv[1])); print(lock is not None, flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", program, tmp_path / "lock"], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "True\n"
    assert try_lock(tmp_path / "lock") is None
    holder.kill()
    holder.communicate()
    lock = try_lock(tmp_path / "lock")
    assert lock is not None
    lock.release()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_counts_as_unlocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert try_lock(tmp_path / "lock") is not None
    with pytest.raises(OSError, match=r"Is a directory|Permission"):
        try_lock(tmp_path)


# --- the disk --------------------------------------------------------------------------------------------------------


@pytest.fixture
def to_disk(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files and folders that were brought to the disk, and of files that got their names, in order."""
    done: list[str] = []
    fsync, replace, paths = os.fsync, Path.replace, dict[int, str]()
    opening = os.open

    def opened(path: os.PathLike[str] | str, *how: int) -> int:
        number = opening(path, *how)
        paths[number] = Path(path).name
        return number

    def brought(number: int) -> None:
        done.append(paths[number])
        fsync(number)

    def replaced(source: Path, target: Path) -> Path:
        done.append(f"-> {Path(target).name}")
        return replace(source, target)

    monkeypatch.setattr("vidrnn.atomic.os.open", opened)
    monkeypatch.setattr("vidrnn.atomic.os.fsync", brought)
    monkeypatch.setattr(Path, "replace", replaced)
    return done


def test_a_file_is_on_the_disk_before_it_gets_its_name_and_then_its_name_is(tmp_path: Path, to_disk: list[str]) -> None:
    write_text(tmp_path / "out" / "a.txt", "new")
    assert to_disk == [".part-a.txt", "-> a.txt", "out"]


def test_the_files_of_a_folder_are_on_the_disk_before_it_gets_its_name(tmp_path: Path, to_disk: list[str]) -> None:
    write_model(tmp_path / "run" / "model", "new")
    place = to_disk.index("-> model")
    assert {"card", "weights", ".part-model"} <= {*to_disk[:place]} and {"model", "run"} <= {*to_disk[place:]}


def test_files_that_can_be_made_again_do_not_wait_for_the_disk(tmp_path: Path, to_disk: list[str]) -> None:
    write_text(tmp_path / "a", "new", lasting=False)
    with without_waiting():
        write_bytes(tmp_path / "b", b"new")
    write_bytes(tmp_path / "c", b"new")
    assert to_disk == ["-> a", "-> b", ".part-c", "-> c", tmp_path.name]


def test_a_disk_that_refuses_the_content_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a", "old")

    def refuse(number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("vidrnn.atomic.os.fsync", refuse)
    with pytest.raises(OutputError, match="Input/output error"):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old" and names(tmp_path) == ["a"]
