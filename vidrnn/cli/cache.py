"""vidrnn cache"""

from __future__ import annotations

from typing import Annotated

import typer

from vidrnn.cli.flags import Settings, with_flags
from vidrnn.cli.options import Json
from vidrnn.config import RunConfig
from vidrnn.errors import UsageError


@with_flags("cache", RunConfig)
def cache(
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove what was used longest ago, until the cache is within its limit.")
    ] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Remove everything that vidrnn stored there.")] = False,
    json: Json = False,
    *,
    settings: Settings,
) -> None:
    """Show the cache of decoded videos, and remove what it holds.

    Everything in it can be made again from the videos. A training keeps it within its limit by itself.
    """
    from vidrnn.cli.views.cache import show_cache
    from vidrnn.data.store import cache_folder, size_in_bytes, store_at

    if prune and clear:
        raise UsageError("--prune and --clear: --clear removes all, so say only one of them.")
    folder = cache_folder()
    if folder is None:
        raise UsageError("There is no home folder, so there is no cache. Name its folder in VIDRNN_CACHE.")
    store = store_at(folder)
    size_bytes = store.contents().size_bytes
    size = settings.get("cache_size")
    limit_bytes = size_in_bytes(size) if size else store.usual_limit(size_bytes)
    removed_bytes = None
    if clear:
        removed_bytes = store.clear()
    elif prune:
        store.tidy()
        removed_bytes = store.prune(limit_bytes)
    show_cache(folder, store.contents(), limit_bytes, removed_bytes, as_json=json)
