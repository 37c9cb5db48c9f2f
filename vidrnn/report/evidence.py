"""All that a run holds: its model's header, its answers, its events and its settings. No film is opened."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.model.header import find_weights, read_header
from vidrnn.model.metadata import ModelHeader
from vidrnn.report.answers import ANSWERS_NAME, Answers, Histograms, counted_shares
from vidrnn.values import Floats

_EVENTS, _SETTINGS = "metrics.jsonl", "config.toml"
_WHERE = {"folds": "all folds", "val": "validation", "test": "test", "data": "the videos of DATA"}


@dataclass(frozen=True)
class Evidence:
    """All that is known of a model and its training."""

    name: str
    header: ModelHeader
    answers: Answers | None
    """None for a run from before there were answers, and for a model without a run."""
    events: tuple[Mapping[str, Any], ...]
    """The lines of metrics.jsonl; none for a model without a run."""
    settings: Mapping[str, Any]

    @property
    def scores(self) -> Mapping[str, Any]:
        """The numbers of evaluation at the end of training."""
        return self.header.scores

    @property
    def part(self) -> str:
        """The part whose numbers stand in `scores`."""
        return str(self.scores.get("part") or (self.answers.scored if self.answers else ""))

    @property
    def where(self) -> str:
        """The films that the scores are of, in words."""
        return _WHERE.get(self.part, self.part)

    @property
    def answered(self) -> str:
        """The films that the answers are of, in words; they may be others than those of the scores."""
        return _WHERE[self.answers.scored] if self.answers else ""

    @cached_property
    def epochs(self) -> list[Mapping[str, Any]]:
        """The epochs of the model itself, in order; those of folds before it are left out.

        A training that was killed does some epochs again after its checkpoint. The later ones count.
        """
        found: list[Mapping[str, Any]] = []
        for event in self.events:
            if event.get("event") == "EpochDone" and event.get("training") == "model":
                found = [earlier for earlier in found if earlier["number"] < event["number"]]
                found.append(event)
        return found

    def sentences(self, key: str) -> tuple[str, ...]:
        """The sentences of the last report event that holds a number called `key`."""
        found = [event for event in self.events if event.get("event") == "Report" and key in event]
        return tuple(map(str, found[-1].get("sentences", ()))) if found else ()

    @property
    def notes(self) -> list[str]:
        """What was said of the data before the first epoch."""
        found = []
        for event in self.events:
            if event.get("event") == "EpochDone":
                break
            if event.get("event") == "Note":
                found.append(str(event.get("text", "")))
        return found

    @cached_property
    def shares(self) -> Mapping[str, Histograms]:
        """For each class how often a probability was said, where the class is shown and where not."""
        if self.answers is None:
            return {}
        if self.answers.shares:
            return self.answers.shares
        rows, truth = self.rows
        if not len(rows):
            return {}
        return {
            name: counted_shares(rows[:, place], (truth == place).astype(np.float64))
            for place, name in enumerate(self.answers.classes)
        }

    @cached_property
    def sure(self) -> Histograms | None:
        """How often a probability of the answer was said, right and wrong."""
        if self.answers is None or self.answers.shares:
            return self.answers.sure if self.answers else None
        rows, truth = self.rows
        return counted_shares(rows.max(1), (rows.argmax(1) == truth).astype(np.float64)) if len(rows) else None

    @cached_property
    def rows(self) -> tuple[Floats, NDArray[np.int64]]:
        """The probabilities (clips, classes) of the clips that were answered, and their true classes (clips,)."""
        films = [
            film for film in (self.answers.films if self.answers else ()) if film.answer and film.truth is not None
        ]
        return np.asarray([film.answer for film in films]), np.asarray([film.truth for film in films], dtype=np.int64)


def gather(run: Path, files: Path | None = None, answers: Answers | None = None) -> Evidence:
    """All that a run or a model folder holds.

    Args:
        run: the folder of the run or of the model.
        files: the folder of the events and the settings, if that is another one.
        answers: in place of those of the run.

    Raises:
        ModelError: there is no model.
        RunError: the answers are damaged.
    """
    header = read_header(find_weights(run))
    folder = files or run
    folder = folder if folder.is_dir() else folder.parent
    return Evidence(
        name=run.resolve().name,
        header=header,
        answers=answers or Answers.read(folder / ANSWERS_NAME),
        events=tuple(_events(folder / _EVENTS)),
        settings=_settings(folder / _SETTINGS),
    )


def stored_data(run: Path) -> Path | None:
    """The DATA that the settings of a run name, if it is still there."""
    with suppress(OSError, ValueError):
        data = tomllib.loads((run / _SETTINGS).read_text(encoding="utf-8")).get("data")
        if isinstance(data, str) and Path(data).exists():
            return Path(data)
    return None


def _events(file: Path) -> list[Mapping[str, Any]]:
    """The lines of a file of events; lines that a kill cut short are left out."""
    events: list[Mapping[str, Any]] = []
    with suppress(OSError):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, dict):
                    events.append(event)
    return events


def _settings(file: Path) -> dict[str, Any]:
    """The settings of a run; of a path on the machine of the training only the last part."""
    with suppress(OSError, ValueError, RecursionError):
        found: dict[str, Any] = _without_folders(tomllib.loads(file.read_text(encoding="utf-8")))
        return found
    return {}


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_folders(inner) for name, inner in value.items()}
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
