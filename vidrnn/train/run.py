"""What was asked of a training, and the folder where it is kept, from which it can be taken up again."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidrnn.config import RunConfig
from vidrnn.errors import RunError, UsageError
from vidrnn.events import LeftOut, Progress, RunEvent, as_json
from vidrnn.model.checkpoint import write_whole
from vidrnn.values import FilmFailure


@dataclass(frozen=True)
class Request:
    """What to train on, how, and where to keep it."""

    data: Path
    config: RunConfig
    out: Path
    cache: Path
    jobs: int
    command: str
    device: str = "cpu"
    overwrite: bool = False
    resume: bool = False
    terms: str | None = None
    """A sentence for the model card on where the films came from and what binds them."""
    portable: bool = True
    """Whether the model is also written as a portable file, which takes some seconds."""


@dataclass
class Run:
    """The folder of a run, which comes to be when there is something to keep."""

    folder: Path
    waiting: list[RunEvent] | None = field(default_factory=list)
    """Records that came before the folder did; None once it is there."""
    _left_out: list[FilmFailure] = field(default_factory=list)

    @property
    def checkpoint(self) -> Path:
        """What a stopped training is taken up from."""
        return self.folder / "checkpoint"

    @property
    def model(self) -> Path:
        """Where the model comes to stand."""
        return self.folder / "model"

    def refuse_taken(self, request: Request) -> None:
        """Say it early if the folder could not be made later.

        Raises:
            RunError: it is there already and nothing was said about that, or nothing can be written where it should be.
        """
        parent = next(parent for parent in self.folder.absolute().parents if parent.exists())
        if not os.access(parent, os.W_OK) or not parent.is_dir():
            raise RunError(f"{self.folder}: nothing can be written in {parent}. Choose another place with --out.")
        taken = self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir()))
        if request.resume or not taken:
            return
        if not request.overwrite:
            raise RunError(
                f"{self.folder}: exists already. Choose another place with --out, go on with --resume {self.folder}, "
                "or say --overwrite."
            )
        try:
            RunConfig.read(self.folder / "config.toml")
        except UsageError:
            raise RunError(
                f"{self.folder}: is not a run of vidrnn's, so it is not overwritten. Choose another --out."
            ) from None

    def open(self, request: Request) -> None:
        """Make the folder, in place of an older one where that was said, and write what waited.

        Raises:
            RunError: it cannot be written.
        """
        config = request.config.model_copy(update={"data": str(request.data.resolve())})
        try:
            if request.overwrite and not request.resume:
                shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            if not request.resume:
                config.write(self.folder / "config.toml")
        except OSError as error:
            raise RunError(
                f"{self.folder}: cannot be written ({error.strerror}). Choose another place with --out."
            ) from None
        waiting, self.waiting = self.waiting or [], None
        for event in waiting:
            self.log(event)

    def log(self, event: RunEvent) -> None:
        """Add a line to metrics.jsonl; progress is for eyes only."""
        if self.waiting is not None:
            self.waiting.append(event)
        elif not isinstance(event, Progress):
            try:
                with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(as_json(event)) + "\n")
                if isinstance(event, LeftOut):
                    self._left_out += event.failures
                    _write_left_out(self.folder / "left_out.csv", self._left_out)
            except OSError as error:
                raise RunError(
                    f"{self.folder}: cannot be written any more ({error.strerror}). Free some space, then --resume it."
                ) from None


def _write_left_out(file: Path, failures: Sequence[FilmFailure]) -> None:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["path", "reason"])
    rows.writerows([str(failure.path), failure.reason] for failure in failures)
    write_whole(file, text.getvalue())
