"""The view of the cache."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from vidrnn.data.films import counted
from vidrnn.data.store import Contents, shown_size
from vidrnn.plain_json import json_text


def show_cache(folder: Path, contents: Contents, limit_bytes: int, removed_bytes: int | None, *, as_json: bool) -> None:
    """Print where the cache is, what it holds, its limit, and what was removed if something was to be."""
    if as_json:
        shown = {
            "folder": str(folder),
            "films": contents.films,
            "entries": contents.entries,
            "size_bytes": contents.size_bytes,
            "limit_bytes": limit_bytes,
            "removed_bytes": removed_bytes,
        }
        print(json_text(shown))
        return
    console = Console()
    console.print(f"folder  {escape(str(folder))}", soft_wrap=True, highlight=False)
    what = f"{counted(contents.films, 'video')}, {counted(contents.entries, 'set')} of frames or features"
    console.print(f"holds   {what}, {shown_size(contents.size_bytes)}", highlight=False)
    console.print(f"limit   {shown_size(limit_bytes)}", highlight=False)
    if removed_bytes is not None:
        console.print(f"removed {shown_size(removed_bytes)}", highlight=False)
