"""Suspect labels as files: a table, and tasks for Label Studio, where people look at them and correct them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Event, FilmEvents
from vidrnn.outputs.labelstudio import task
from vidrnn.plain_json import json_text
from vidrnn.report.suspects import Suspect
from vidrnn.text import table_cell

TABLE_NAME, TASKS_NAME = "suspects.csv", "suspects.labelstudio.json"
COLUMNS = ("path", "fault", "start_seconds", "end_seconds", "given", "proposed", "doubt")


def write_suspects(suspects: Sequence[Suspect], classes: Sequence[str], folder: Path) -> tuple[Path, Path]:
    """Write the table and the tasks of suspects, the most doubtful first.

    Raises:
        OutputError: a file cannot be written.
    """
    table, tasks = folder / TABLE_NAME, folder / TASKS_NAME
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([table_cell(value) for value in one.as_json().values()] for one in suspects)
    write_text(table, text.getvalue())
    write_text(tasks, json_text(label_studio_tasks(suspects, classes), indent=1) + "\n")
    return table, tasks


def label_studio_tasks(suspects: Sequence[Suspect], classes: Sequence[str]) -> list[dict[str, object]]:
    """A task for each film with suspects: what is proposed stands as a prediction, and the doubt as its score."""
    by_film: dict[tuple[str, float], list[Suspect]] = {}
    for one in suspects:
        by_film.setdefault((one.film.path, one.film.start_seconds), []).append(one)
    tasks: list[dict[str, object]] = []
    for some in by_film.values():
        film = some[0].film
        length = max(film.end_seconds - film.start_seconds, 1e-6)
        events = tuple(
            Event(one.start_seconds, one.end_seconds, one.proposed or one.given, "", one.doubt)
            for one in sorted(some, key=lambda one: one.start_seconds)
        )
        made = task(
            FilmEvents(
                film.path, events, tuple(classes), film.start_seconds, length, max(1, film.frames), model="vidrnn"
            )
        )
        made["data"]["suspects"] = "; ".join(one.sentence for one in some)
        made["predictions"][0]["score"] = max(one.doubt for one in some)
        tasks.append(made)
    return tasks
