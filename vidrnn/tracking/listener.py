"""The listener of a training: it hands the events that make metrics.jsonl to a tracker.

A tracker never costs a training: where it fails, the training goes on without it, and a note says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vidrnn.atomic import write_text
from vidrnn.errors import UsageError, first_line
from vidrnn.events import Done, EpochDone, Note, RunEvent
from vidrnn.model.header import find_weights, read_header
from vidrnn.plain_json import json_text
from vidrnn.registry import load_member
from vidrnn.tables import Report, as_markdown
from vidrnn.tracking import TRACKERS
from vidrnn.tracking.base import Ending, Place, Tracker
from vidrnn.values import Pixels

_CELL, _LARGEST = 24, 960
"""Pixels of a cell of the confusion matrix, and of the whole picture, at most."""
_LIGHT, _DARK = np.array([247, 251, 255]), np.array([8, 48, 107])


class Listener:
    """Hands events to one tracker, or to none."""

    def __init__(self, name: str | None, settings: Mapping[str, Any], *, resumed: bool = False) -> None:
        """Choose the tracker; its package is not imported yet.

        Args:
            name: of the tracker; None for none.
            settings: those of the training, as plain values.
            resumed: whether the training goes on: it then does without a tracker that is not installed any more.

        Raises:
            UsageError: there is no such tracker, or its package is not installed.
        """
        self._name, self._settings = name, settings
        self._tracker: Tracker | None = None
        self._open, self._waiting = False, list[RunEvent]()
        self._missing = ""
        if name is not None:
            self._tracker = load_member(TRACKERS, "--track", name)()
            if find_spec(self._tracker.package) is None:
                self._missing = (
                    f"--track {name}: needs the package {self._tracker.package}, which is not installed here. "
                    f'Install it: pip install "vidrnn[{name}]".'
                )
                if not resumed:
                    raise UsageError(self._missing)
                self._tracker = None

    def take(self, event: RunEvent, folder: Path | None, state: Path) -> Iterator[Note]:
        """Record an event; gives a note if that fails.

        Args:
            event: of the training.
            folder: that of the run; None where it is not there yet. Events wait for it.
            state: the file that names the recording of each tracker, so that a resumed training goes on with it.
        """
        if self._missing:
            yield Note(f"{self._missing} Until then the training goes on without it.", warning=True)
            self._missing = ""
        if self._tracker is None:
            return
        try:
            self._waiting.append(event)
            if folder is None:
                return
            if not self._open:
                self._begin(self._tracker, folder, state)
            while self._waiting:
                _record(self._tracker, self._waiting.pop(0))
        except Exception as error:  # whatever another program's library raises
            yield self._given_up(error)

    def close(self, ending: Ending) -> None:
        """End the recording; what goes wrong then changes nothing."""
        if self._tracker is not None and self._open:
            try:
                self._tracker.close(ending)
            except Exception as error:
                self._given_up(error)

    def _begin(self, tracker: Tracker, folder: Path, state: Path) -> None:
        known = _identities(state)
        identity = tracker.open(Place(folder, known.get(self._name or "")))
        self._open = True
        if identity != known.get(self._name or ""):
            tracker.settings(flat(self._settings))
            write_text(state, json_text({**known, self._name: identity}) + "\n")

    def _given_up(self, error: Exception) -> Note:
        self._tracker = None
        reason = first_line(error)
        return Note(f"--track {self._name}: records nothing more ({reason}). The training goes on.", warning=True)


def _identities(file: Path) -> dict[str, str]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return (
        {name: value for name, value in content.items() if isinstance(value, str)} if isinstance(content, dict) else {}
    )


def _record(tracker: Tracker, event: RunEvent) -> None:
    if isinstance(event, EpochDone):
        before = "" if event.training == "model" else f"{event.training}/"
        numbers = {"train_loss": event.train_loss, "loss": event.loss, **event.measures, "seconds": event.seconds}
        tracker.scalars({f"{before}{name}": float(number) for name, number in numbers.items()}, event.number)
    elif isinstance(event, Report):
        if lines := "\n".join(as_markdown(event)).strip():
            tracker.text(event.title or "report", lines)
    elif isinstance(event, Done):
        header = read_header(find_weights(event.model))
        scores = {name: number for name, number in flat(header.scores).items() if isinstance(number, int | float)}
        tracker.scalars({f"scores/{name}": float(number) for name, number in scores.items()}, 0)
        tracker.text("result", "\n\n".join(event.sentences))
        for name, matrix in confusions(header.scores).items():
            tracker.picture(name, confusion_picture(matrix))


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values inside values under names with points: `head.size`. Of lists only those of plain values stay, as text."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            plain |= {f"{name}.{inner}": each for inner, each in flat(value).items()}
        elif isinstance(value, list | tuple):
            if all(isinstance(each, str | int | float) for each in value):
                plain[str(name)] = ", ".join(map(str, value))
        elif value is not None:
            plain[str(name)] = value
    return plain


def confusions(scores: Mapping[str, Any]) -> dict[str, list[list[float]]]:
    """The confusion matrices in scores, by name; those of folds lie in a record of their own."""
    found = {}
    for name, value in scores.items():
        if name == "confusion" and value:
            found[name] = value
        elif isinstance(value, Mapping):
            found |= {f"{name}.{inner}": each for inner, each in confusions(value).items()}
    return found


def confusion_picture(matrix: list[list[float]]) -> Pixels:
    """A confusion matrix (true, predicted) as squares: the darker, the larger the share of the true class."""
    counts = np.asarray(matrix, dtype=np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    cell = max(1, min(_CELL, _LARGEST // len(counts)))
    colours = _LIGHT + shares[..., None] * (_DARK - _LIGHT)
    return np.asarray(np.kron(np.rint(colours), np.ones((cell, cell, 1))), dtype=np.uint8)
