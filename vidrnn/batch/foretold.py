"""What `vidrnn predict` does with a film where the model foretells frames: errors, what is unusual, a film of both."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from vidrnn import __version__
from vidrnn.atomic import write_text
from vidrnn.batch.records import FilmReader, Row, Work
from vidrnn.batch.work import model_hash, portable_remark
from vidrnn.errors import UsageError
from vidrnn.outputs.base import rounded, segment_json
from vidrnn.outputs.forecast_video import Filmstrip
from vidrnn.predict.predictor import open_frames
from vidrnn.runtimes.base import FrameRuntime
from vidrnn.tasks.next_frame import FilmErrors, FilmForecast, Showing
from vidrnn.timeline.anomaly import Alarm, decibels, normalised_in_film
from vidrnn.values import Pixels
from vidrnn.video.writer import write_film

COLUMNS = ("most_unusual", "segments", "mean_mse", "duration_seconds", "frames", "notes")
"""Of what was found, as far as the summary shows it."""
SUFFIXES = {"video": ".foretold.webm", "csv": ".frames.csv", "jsonl": ".frames.jsonl"}
"""Of the files of each film, by the name that `--format` takes."""
DEFAULT_OUT = Path("foretold")
"""Where the files go where nothing was said."""
_FRAME_COLUMNS = ("frame", "seconds", "mse", "psnr", "worst_block", "unusual")
_NORMALISED = "unusual_in_film"
_SLOWEST_FPS, _FASTEST_FPS = 1.0, 60.0


@dataclass(frozen=True)
class Asked:
    """How films are to be watched, and what is wanted of them."""

    model: Path
    formats: tuple[str, ...] = tuple(SUFFIXES)
    runtime: str | None = None
    device: str = "cpu"
    threshold: float = 0.5
    rollout: int = 0
    """Frames that the model has each film go on with beyond its end."""
    normalised: bool = False
    """Whether to tell beside each score that of Liu et al. 2018, which has to know the whole film."""
    rate: float | None = None

    def work(self) -> Work:
        """The same for a batch of films."""
        settings = {**asdict(self), "model": str(self.model.absolute())}
        told = [value for name, value in settings.items() if name not in {"model", "formats"}]
        told += [__version__, model_hash(self.model)]
        return Work(
            opener="vidrnn.batch.foretold:opened",
            settings=settings,
            identity=hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest(),
            suffixes=tuple(SUFFIXES[name] for name in self.formats),
            columns=COLUMNS,
        )

    def remark(self) -> str:
        """A sentence where the model is not read as usual."""
        return portable_remark(self.model, self.runtime, self.device)

    @property
    def alarm(self) -> Alarm:
        """When a stretch is called unusual."""
        return Alarm(self.threshold, 0.8 * self.threshold)


def foretold_formats(text: str | None) -> tuple[str, ...]:
    """The forms of `--format video,csv`, each once; all where nothing was said.

    Raises:
        UsageError: there is none of such a name.
    """
    if text is None:
        return tuple(SUFFIXES)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or any(name not in SUFFIXES for name in names):
        raise UsageError(f"--format {text}: of foretold frames there are: {', '.join(SUFFIXES)}.")
    return names


def opened(settings: dict[str, Any]) -> FilmReader:
    """What watches a film and writes what was found, with the model loaded."""
    asked = Asked(**{**settings, "model": Path(settings["model"]), "formats": tuple(settings["formats"])})
    model, _ = open_frames(asked.model, asked.runtime, asked.device)

    def read(film: Path, name: str, file_for: Callable[[str], Path]) -> Row:
        found = watched(model, film, asked, file_for)
        return row_of(name, found)

    return read


def watched(model: FrameRuntime, film: Path, asked: Asked, file_for: Callable[[str], Path]) -> FilmForecast:
    """Watch one film and write the files asked for.

    Raises:
        FilmError: it cannot be read, or holds no frames.
        OutputError: a file cannot be written.
    """
    showing = Showing(model, film, asked.rate, asked.alarm)
    if "video" in asked.formats:
        fps = float(np.clip(1 / model.handling.spacing_seconds, _SLOWEST_FPS, _FASTEST_FPS))
        write_film(file_for(SUFFIXES["video"]), _pictures(showing, asked), fps)
    else:
        for _ in showing.frames():
            pass
    found = showing.found
    assert found is not None
    rows = list(frame_rows(found.errors, normalised=asked.normalised))
    if "csv" in asked.formats:
        write_text(file_for(SUFFIXES["csv"]), _table(rows))
    if "jsonl" in asked.formats:
        write_text(file_for(SUFFIXES["jsonl"]), "".join(json.dumps(row) + "\n" for row in rows))
    return found


def _pictures(showing: Showing, asked: Asked) -> Iterator[Pixels]:
    handling = showing.model.handling
    strip = Filmstrip(handling.size, handling.channels, asked.threshold)
    for frame, judged in showing.frames():
        yield strip.watched(frame.pixels, judged, frame.seconds)
    for step, painted in enumerate(showing.watcher.go_on(asked.rollout), 1):
        yield strip.beyond(painted, step)


def frame_rows(errors: FilmErrors, *, normalised: bool = False) -> Iterator[dict[str, Any]]:
    """A row for each frame: its number in the film, its time, its errors and how unusual it is; None where it had
    nothing before it to be foretold from.
    """
    in_film = normalised_in_film(np.asarray(errors.mse)) if normalised else None
    columns = zip(errors.indices, errors.seconds, errors.mse, errors.worst_block, errors.score, strict=True)
    for place, (index, seconds, mse, worst, score) in enumerate(columns):
        psnr = float(decibels(np.asarray(mse)))
        told = (index, rounded(seconds), *(_number(value) for value in (mse, psnr, worst, score)))
        row = dict(zip(_FRAME_COLUMNS, told, strict=True))
        yield row if in_film is None else {**row, _NORMALISED: _number(float(in_film[place]))}


def row_of(name: str, found: FilmForecast) -> Row:
    """What was found as one JSON object."""
    return {
        "path": name,
        "most_unusual": _number(found.most_unusual),
        "mean_mse": _number(found.mean_mse),
        "segments": [segment_json(segment) for segment in found.segments],
        "duration_seconds": rounded(found.duration_seconds),
        "frames": found.frames,
        "notes": list(found.notes),
    }


def _number(value: float) -> float | None:
    """To four significant digits, so that a result does not depend on the last bits of a processor."""
    return None if isnan(value) else float(f"{value:.4g}")


def _table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, rows[0], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()
