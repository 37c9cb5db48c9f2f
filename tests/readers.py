"""Readers for the tests of many films: what a film's name asks for, its reader does."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from vidrnn.batch.engines.base import Item, ItemFunction
from vidrnn.batch.records import Row
from vidrnn.errors import FilmError, ModelError, OutOfMemoryError, OutputError


def opened(settings: dict[str, Any]) -> Callable[[Path, str, Callable[[str], Path]], Row]:
    """A reader that copies a film's text, and fails in the way that its name tells."""
    if settings.get("broken"):
        raise ModelError("model: is broken. Copy it again.")
    if (starts := settings.get("dies_at_start")) and _counted(Path(starts["log"])) in starts["numbers"]:
        print("no room for a model", file=sys.stderr, flush=True)
        os.abort()
    if settings.get("dies"):
        print("no room for a model", file=sys.stderr, flush=True)
        os.abort()

    def read(film: Path, name: str, file_for: Callable[[str], Path]) -> Row:
        if log := settings.get("log"):
            with Path(log).open("a") as file:
                file.write(f"{name}\n")
        time.sleep(settings.get("seconds", 0))
        if settings.get("parts"):
            beside = file_for(".txt").with_name(f".part-{film.name}.txt")
            beside.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text("half of it")
        _fail(film.stem, film)
        text = film.read_text()
        process = {"process": os.getpid()} if settings.get("processes") else {}
        for suffix in settings.get("suffixes", (".txt",)):
            file_for(suffix).parent.mkdir(parents=True, exist_ok=True)
            file_for(suffix).write_text(text + settings.get("mark", suffix))
            if film.stem == "half" and suffix == settings.get("hangs_after"):
                time.sleep(1000)
        return {"path": name, "label": text, "frames": len(text), "notes": ["a", "b"], **process}

    return read


def _counted(folder: Path) -> int:
    """The number of this call, from 1, among the calls of all processes."""
    number = 1
    while True:
        try:
            (folder / str(number)).touch(exist_ok=False)
            return number
        except FileExistsError:
            number += 1


def _fail(how: str, film: Path) -> None:
    if how == "damaged":
        raise FilmError(f"{film}: is damaged.")
    if how == "aborts":
        os.abort()
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hangs":
        time.sleep(1000)
    if how == "grows":
        with film.open("a") as file:
            file.write("more")
    if how == "goes":
        film.unlink()
        raise FilmError(f"{film}: is gone.")
    if how == "short":
        raise MemoryError
    if how == "short-cv2":
        raise RuntimeError("OpenCV(5.0) error: (-4:Insufficient memory) Failed to allocate 9 bytes")
    if how == "short-film":
        raise OutOfMemoryError(f"{film}: cannot be decoded: Cannot allocate: not enough memory.")
    if how == "fault":
        raise TypeError("a fault\nof ours")
    if how == "full":
        raise OutputError(f"{film}: could not be written: No space left on device.")


def _close_what_leads_out() -> None:
    """Close what this process may only write to, as a library might by mistake. What it reads from stays open."""
    import fcntl

    for number in range(3, 256):
        with suppress(OSError):
            if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
                os.close(number)


def opened_and_watched(settings: dict[str, Any]) -> Callable[[Path, str, Callable[[str], Path]], Row]:
    """What reads films for `vidrnn predict --out`; each row tells whether torch was loaded."""
    from vidrnn.batch.work import open_reader

    read = open_reader(settings)

    def watched(film: Path, name: str, file_for: Callable[[str], Path]) -> Row:
        return {**read(film, name, file_for), "torch": "torch" in sys.modules}

    return watched


def opened_for_numbers(settings: dict[str, Any]) -> ItemFunction:
    """What works on an item for the seconds that it names, and tells of its process; a pair of items meets."""

    def worker(item: Item) -> dict[str, Any]:
        if folder := settings.get("tells_where"):
            Path(folder, str(os.getpid())).touch()
        if item.get("prints"):
            print("a library says so", flush=True)
            os.write(1, b"and so does one that is no Python\n")
        if item.get("reads"):
            return {"read": sys.stdin.read()}
        if item.get("closes"):
            _close_what_leads_out()
            time.sleep(100)
        if item.get("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(item.get("seconds", 0))
        if "touches" in item:
            Path(item["touches"]).touch()
            began = time.monotonic()
            while not Path(item["awaits"]).exists() and time.monotonic() < began + 20:
                time.sleep(0.01)
        return {"session": os.getsid(0), "met": "awaits" in item and Path(item["awaits"]).exists()}

    return worker
