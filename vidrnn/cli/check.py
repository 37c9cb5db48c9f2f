"""vidrnn check DATA"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidrnn.cli.flags import Settings, refuse_foreign, with_flags
from vidrnn.cli.options import Json, chosen_settings, films_named
from vidrnn.config import RunConfig


@with_flags("check", RunConfig, first=("task", "fix", "json"))
def check(
    *,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a clean manifest here: bad rows left out, names joined, labels cut."),
    ] = None,
    json: Json = False,
    settings: Settings,
) -> None:
    """Look at labelled videos before a training: what is wrong with them, and what may mislead a model.

    It reads DATA as vidrnn train does. Exit code 1 means that vidrnn train would refuse it. Warnings do not change the
    exit code.
    """
    data = settings.pop("data", None)

    from vidrnn.check.checker import check_data
    from vidrnn.check.reading import CheckRequest
    from vidrnn.cli.views.check import CheckView
    from vidrnn.data.store import open_cache, with_notes
    from vidrnn.tasks.base import task_named

    chosen = chosen_settings(None, settings, "vidrnn check")
    task = task_named(chosen.task)
    refuse_foreign(task.name, RunConfig, settings, task.settings)
    cache = open_cache(chosen.cache_size)
    request = CheckRequest(
        data=films_named(data, None, "vidrnn check"),
        task=task,
        config=chosen.with_defaults(task.defaults),
        cache=cache,
        jobs=chosen.jobs or 1,
    )
    with CheckView(as_json=json) as view:
        checked = view.follow(with_notes(check_data(request, fix), cache))
    if checked.refused:
        raise typer.Exit(1)
