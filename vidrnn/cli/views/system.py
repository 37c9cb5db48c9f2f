"""The view of `vidrnn info --system`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from vidrnn.cli.views.base import open_console, plain
from vidrnn.data.films import counted
from vidrnn.data.store import shown_size
from vidrnn.system import FolderFacts, Machine
from vidrnn.text import json_line
from vidrnn.video.inspection.codecs import Decoders


def show_system(
    machine: Machine,
    decoders: Decoders,
    computing: Mapping[str, Sequence[str]],
    cache: Mapping[str, Any],
    folders: Sequence[FolderFacts],
    *,
    as_json: bool,
) -> None:
    """Print what a report of a fault needs.

    Args:
        machine: the program and the machine.
        decoders: what reads films.
        computing: the devices, and what each runtime computes on, by name.
        cache: the facts of the cache, by name.
        folders: how some folders treat files.
        as_json: print one JSON object.
    """
    if as_json:
        parts = {"decoders": asdict(decoders), **computing, "cache": cache, "folders": [asdict(one) for one in folders]}
        print(json_line({**asdict(machine), **parts}))
        return
    memory = f", {shown_size(machine.memory_bytes)} of memory" if machine.memory_bytes else ""
    rows = {
        "vidrnn": machine.vidrnn,
        "Python": machine.python,
        "system": machine.system,
        "processor": f"{machine.processor}, {machine.cores} cores{memory}",
        "text": f"names of files {machine.names_encoding}, other programs {machine.locale_encoding}",
        **{name: ", ".join(each) or "none" for name, each in computing.items()},
        "OpenCV": f"FFmpeg codecs {decoders.opencv_ffmpeg or 'none'}; {', '.join(decoders.opencv_sources)}",
        "PyAV": f"FFmpeg codecs {decoders.pyav_ffmpeg}; reads {', '.join(decoders.reads)}; writes "
        f"{', '.join(decoders.writes)}"
        if decoders.pyav_ffmpeg
        else "not installed",
        "cache": _cache(cache),
        **{f"folder {one.folder}": _folder(one) for one in folders},
        "packages": ", ".join(f"{name} {version}" for name, version in machine.packages.items() if version),
        "not installed": ", ".join(name for name, version in machine.packages.items() if version is None),
    }
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, text in rows.items():
        if text:
            table.add_row(plain(name), plain(text))
    open_console().print(table)


def _cache(facts: Mapping[str, Any]) -> str:
    if not facts:
        return "none, since there is no home folder"
    what = f"{counted(facts['videos'], 'video')}, {counted(facts['entries'], 'set')} of frames or features"
    return f"{what}, {shown_size(facts['bytes'])}"


def _folder(facts: FolderFacts) -> str:
    free = f"{shown_size(facts.free_bytes)} free" if facts.free_bytes is not None else "size unknown"
    if not facts.writable:
        return f"{free}; cannot be written"
    longest = f"; names of at most {facts.longest_name_bytes} bytes" if facts.longest_name_bytes else ""
    answers = {
        "large and small letters differ": facts.tells_case_apart,
        "spellings of accents differ": facts.tells_accents_apart,
        "locks": facts.locks,
        "links": facts.links,
    }
    return f"{free}; " + ", ".join(f"{name}: {'yes' if yes else 'no'}" for name, yes in answers.items()) + longest
