"""A project of BORIS: an ethogram of the classes, and an observation for each film, to be checked and corrected there.

BORIS stores no START and STOP: an event of a state starts it and the next one of the same subject and code stops it.
Format: https://www.boris.unito.it, as its version 8 reads and writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from string import ascii_lowercase, digits
from typing import Any, ClassVar

from typing_extensions import override

from vidrnn.outputs.base import Event, EventOutput, FilmEvents, rounded
from vidrnn.plain_json import json_text

_FORMAT = "7.0"
_NO_DATE = "1970-01-01T00:00:00"
"""BORIS wants a date, and the same answer gives the same bytes."""


class Boris(EventOutput):
    """Opens in BORIS. The comment of an event is its probability."""

    suffix = ".boris"
    joins: ClassVar[bool] = True
    counts_frames: ClassVar[bool] = True
    subjects: ClassVar[bool] = True

    @override
    def text(self, films: Sequence[FilmEvents]) -> str:
        events = [event for film in films for event in film.events]
        labels = dict.fromkeys(label for film in films for label in film.behaviours)
        states = {event.label for event in events if event.end_seconds > event.start_seconds}
        points = {event.label for event in events} - states
        subjects = dict.fromkeys(event.subject for event in events if event.subject)
        project = {
            "time_format": "hh:mm:ss",
            "project_date": _NO_DATE,
            "project_name": "vidrnn",
            "project_description": "",
            "project_format_version": _FORMAT,
            "subjects_conf": {
                str(number): {"key": key, "name": name, "description": ""}
                for number, (name, key) in enumerate(_keys(subjects, digits + ascii_lowercase))
            },
            "behaviors_conf": {
                str(number): _behaviour(label, key, point=label in points)
                for number, (label, key) in enumerate(_keys(labels, ascii_lowercase + digits))
            },
            "observations": {film.name: _observation(film, points) for film in films},
            "behavioral_categories": [],
            "independent_variables": {},
            "coding_map": {},
            "behaviors_coding_map": [],
            "converters": {},
        }
        return (
            json_text(project, indent=1, ascii_only=True) + "\n"
        )  # in ASCII: BORIS reads it in the encoding of its system


def _keys(names: Iterable[str], letters: str) -> Iterator[tuple[str, str]]:
    """Each name with a key of the keyboard: one of its own letters if it is free. Keys repeat only if all are taken."""
    taken: set[str] = set()
    for name in names:
        own = [letter for letter in name.casefold() if letter in letters]
        key = next((letter for letter in chain(own, letters) if letter not in taken), (own or [letters[0]])[0])
        taken.add(key)
        yield name, key


def _behaviour(label: str, key: str, *, point: bool) -> dict[str, Any]:
    return {
        "type": "Point event" if point else "State event",
        "key": key,
        "code": label,
        "description": "",
        "color": "",
        "category": "",
        "modifiers": {},
        "excluded": "",
        "coding map": "",
    }


def _observation(film: FilmEvents, points: set[str]) -> dict[str, Any]:
    rows = (row for event in film.events for row in _rows(event, film, point=event.label in points))
    return {
        "file": {str(player): [film.name] if player == 1 else [] for player in range(1, 9)},
        "type": "MEDIA",
        "date": _NO_DATE,
        "description": "",
        "time offset": 0.0,
        "events": sorted(rows, key=lambda row: row[0]),
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {film.name: rounded(film.duration_seconds)},
            "fps": {film.name: film.fps},
            "hasVideo": {film.name: True},
            "hasAudio": {film.name: False},
            "offset": {"1": 0.0},
        },
    }


def _rows(event: Event, film: FilmEvents, *, point: bool) -> Iterator[list[Any]]:
    """The rows of an event: time, subject, code, modifiers, comment, and the frame counted from 0."""
    comment = "" if event.probability is None else f"probability {event.probability:.2f}"
    for seconds in [event.start_seconds] if point else [event.start_seconds, event.end_seconds]:
        frame = max(0, round((seconds - film.first_seconds) * film.fps))
        yield [round(float(seconds), 3), event.subject, event.label, "", comment, frame]
