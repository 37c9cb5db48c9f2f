"""The request for a training, and the folder of its run.

A run is a folder: `run.json` marks it, `config.toml` holds the settings, `metrics.jsonl` the events, `left_out.csv` the
films that were left out, `tracking.json` the names of its recordings by other programs, `checkpoint/` the state of the
training with the pieces that are done, and `model/` the model. vidrnn replaces and removes these files only, and only
in a folder with the mark; all other files in the folder stay.

With `--overwrite` the new training is in the hidden folder `.training` of the run until its model is written. Then
its files take the places of the old ones. The old model is therefore there until the new one is whole, and `--resume`
goes on with the new training after a kill.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vidrnn.atomic import finished_name, move, remove_file, remove_part, write_text
from vidrnn.claims import Claim, claim_folder, claim_free_folder, holds_nothing
from vidrnn.config import RunConfig
from vidrnn.errors import RunError, UsageError
from vidrnn.events import Done, LeftOut, Progress, RunEvent, as_json
from vidrnn.model.header import PIECES, TRAINING_NAME
from vidrnn.plain_json import json_text
from vidrnn.report.answers import ANSWERS_NAME, PAGE_NAME
from vidrnn.text import table_cell
from vidrnn.values import FilmFailure

MARK_NAME = "run.json"
"""The file that marks a run."""
_MARK = {"vidrnn_run": 1}
"""Its content; the number is that of the format."""
_WAY = "data"
"""Beside it: the path of DATA from the folder of the run."""
_NEW = ".training"
"""The folder, inside a run, of a training that is to replace the run."""
_ENDED = "ended.json"
"""In that folder: the list of its files, once they are complete and only have to be moved."""
_CONFIG, _METRICS, _LEFT_OUT, _CHECKPOINT = "config.toml", "metrics.jsonl", "left_out.csv", "checkpoint"
_TRACKING = "tracking.json"
_TRAINING = f"{_CHECKPOINT}/{TRAINING_NAME}"
_FILES = (_METRICS, _LEFT_OUT, ANSWERS_NAME, PAGE_NAME, _TRACKING, _TRAINING, _CONFIG)
"""The files of a training, as paths below its folder, in the order in which they are moved. The pieces come first."""
_PIECES = f"{_CHECKPOINT}/{PIECES}"
_PIECE = re.compile(r"[0-9a-f]{32}\.safetensors")
"""The names of the files in that folder."""


@dataclass(frozen=True)
class Request:
    """The data, the settings and the folders of a training."""

    data: Path
    config: RunConfig
    out: Path
    cache: Path
    jobs: int
    command: str
    device: str = "cpu"
    overwrite: bool = False
    resume: bool = False
    numbered: bool = False
    """Whether `out` may get a number where a folder of that name is there or in use."""
    terms: str | None = None
    """A sentence for the model card: the origin of the films and the terms of their use."""
    portable: bool = True
    """Whether to write the model as a portable file too, which takes some seconds."""
    settings_file: Path | None = None
    """The file of `--config`, which the run must not replace."""


def settings_file(folder: Path) -> Path:
    """The settings of the training that `--resume` goes on with, in the folder of a run.

    Raises:
        UsageError: there is no such training, as after a kill before anything was done.
    """
    found = next((file for file in (folder / _NEW / _CONFIG, folder / _CONFIG) if file.is_file()), None)
    if found is None:
        raise UsageError(
            f"--resume {folder}: holds no training to go on with, since there is no {_CONFIG} in it. A training writes "
            "nothing while it looks at the videos. Start it anew, with DATA and --out."
        )
    return found


@dataclass
class Run:
    """The folder of a run. It appears with the first file."""

    folder: Path
    waiting: list[RunEvent] | None = field(default_factory=list)
    """Events from before the folder was there; None after that."""
    _left_out: list[FilmFailure] = field(default_factory=list)
    _replaces: bool = False
    """Whether the training is to replace the run that is in the folder."""
    _claim: Claim | None = None
    _done: bool = False

    @property
    def training(self) -> Path:
        """The folder of the settings, the events and the checkpoint while the training lasts."""
        return self.folder / _NEW if self._replaces else self.folder

    @property
    def checkpoint(self) -> Path:
        """The folder from which a stopped training goes on."""
        return self.training / _CHECKPOINT

    @property
    def tracking(self) -> Path:
        """The file that names the recording of each tracker, so that a resumed training goes on with it."""
        return self.training / _TRACKING

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.folder / "model"

    def claim(self, request: Request) -> None:
        """Choose the folder of the training, and keep other trainings out of it until `release`.

        Nothing is written yet, but an exchange that a kill cut short is ended.

        Raises:
            UsageError: the folder is one that a run must not be written to.
            RunError: the folder exists and the request does not allow for that, another training has it, or nothing
                can be written there.
        """
        if not request.resume:
            _refuse_folder_in_use(self.folder, request)
        place = self.folder.absolute()
        parent = next((parent for parent in place.parents if parent.exists()), place)
        if not os.access(parent, os.W_OK) or not parent.is_dir():
            raise RunError(f"{self.folder}: nothing can be written in {parent}. Choose another place with --out.")
        if self.folder.exists() and not self.folder.is_dir():
            raise RunError(f"{self.folder}: exists already and is a file. Choose another place with --out.")
        self._lock(request)
        try:
            self._settle(request)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let other trainings have the folder. It is removed if nothing was written into it."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    @property
    def resumable(self) -> str:
        """The sentence that says how to go on with this training; empty where there is nothing to go on with."""
        there = self.waiting is None and not self._done and (self.training / _CONFIG).is_file()
        return how_to_resume(self.folder) if there else ""

    def _lock(self, request: Request) -> None:
        """Claim the folder, or with `numbered` the next one that is free.

        Raises:
            RunError: another training has it, or it cannot be made.
        """
        try:
            self._claim = claim_free_folder(self.folder) if request.numbered else claim_folder(self.folder)
        except OSError as error:
            raise RunError(
                f"{self.folder}: cannot be made or written ({error.strerror or error}). Choose another place with "
                "--out."
            ) from None
        if self._claim is None:
            elsewhere = "" if request.resume else ", or choose another place with --out"
            raise RunError(f"{self.folder}: another training is writing to it now. Wait until it has ended{elsewhere}.")
        self.folder = self._claim.folder

    def _settle(self, request: Request) -> None:
        """Refuse a folder that the request does not allow for; end an exchange that a kill cut short."""
        if is_run(self.folder) and (request.resume or request.overwrite):
            self._finish_exchange()
        if request.resume:
            self._replaces = (self.folder / _NEW / _CONFIG).is_file()
            if not self._replaces:  # a kill before the settings were written leaves nothing to go on with
                _remove_training(self.folder / _NEW)
            return
        if holds_nothing(self.folder):
            return
        if not request.overwrite:
            raise RunError(
                f"{self.folder}: exists already. Choose another place with --out, go on with --resume {self.folder}, "
                "or say --overwrite."
            )
        if not is_run(self.folder):
            raise RunError(
                f"{self.folder}: is not a run of vidrnn (it holds no {MARK_NAME} of vidrnn), so it is not overwritten. "
                "Choose another --out."
            )
        self._replaces = True

    def open(self, request: Request) -> None:
        """Create the folder and write the waiting events.

        Raises:
            OutputError: it cannot be written.
        """
        if not request.resume:
            if not is_run(self.folder):
                mark = {**_MARK, **_way_to(request.data, self.folder)}
                write_text(
                    self.folder / MARK_NAME,
                    json_text(mark, ascii_only=True) + "\n",
                    advice="Choose another place with --out.",
                )
            if self._replaces:
                _remove_training(self.training)
            request.config.located(request.data).write(self.training / _CONFIG)
        waiting, self.waiting = self.waiting or [], None
        for event in waiting:
            self.log(event)

    def log(self, event: RunEvent) -> None:
        """Add a line to metrics.jsonl, but not for progress. The event that the training is done ends the exchange.

        Raises:
            RunError: the disk refuses.
        """
        if self.waiting is not None:
            self.waiting.append(event)
        elif not isinstance(event, Progress):
            try:
                _append_line(self.training / _METRICS, json_text(as_json(event), ascii_only=True))
            except OSError as error:
                raise RunError(
                    f"{self.folder}: cannot be written any more ({error.strerror}). Free some space, then --resume it."
                ) from None
            if isinstance(event, LeftOut):
                self._left_out += event.failures
                _write_left_out(self.training / _LEFT_OUT, self._left_out)
            if isinstance(event, Done):
                self._end()
                self._done = True

    def _end(self) -> None:
        """Move the files of a new training to the places of the old ones. A kill on the way loses nothing."""
        if self._replaces:
            files = [name for name in _files_of(self.training) if (self.training / name).is_file()]
            write_text(self.training / _ENDED, json_text(files, ascii_only=True))
            self._finish_exchange()

    def _finish_exchange(self) -> None:
        """Move what remains to be moved of a training that has ended, if there is one."""
        new = self.folder / _NEW
        try:
            files = json.loads((new / _ENDED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for name in dict.fromkeys((*_files_of(self.folder), *_files_of(new))):
            if name not in files:
                remove_file(self.folder / name)
            elif (new / name).is_file():
                try:
                    (self.folder / name).parent.mkdir(exist_ok=True, parents=True)
                    move(new / name, self.folder / name)
                except OSError as error:
                    raise RunError(
                        f"{self.folder / name}: cannot be replaced ({error.strerror}). Close what uses it, then "
                        f"--resume {self.folder}."
                    ) from None
        self._replaces = False
        _remove_training(new)


def refuse_folder(request: Request) -> None:
    """Refuse a folder that the training cannot have, before its processes are started.

    Raises:
        UsageError: as for `Run.claim`.
        RunError: as for `Run.claim`.
    """
    run = Run(request.out)
    run.claim(request)
    run.release()


def how_to_resume(folder: Path) -> str:
    """The sentence that says how to go on with the training in a folder."""
    return f"Go on with it: {shlex.join(['vidrnn', 'train', '--resume', str(folder)])}"


def _way_to(data: Path, folder: Path) -> dict[str, str]:
    """The path of DATA from the folder of the run, if there is one, for a run that is moved together with DATA."""
    with suppress(ValueError):  # they are on two disks of Windows
        return {_WAY: Path(os.path.relpath(data.resolve(), folder.resolve())).as_posix()}
    return {}


def find_data(folder: Path, stored: str) -> Path:
    """DATA of a run that is resumed: where it was, or at the same place beside the run, if both were moved together.

    Whether the videos are those of the run is seen by their content later.

    Raises:
        UsageError: it is at neither place.
    """
    if Path(stored).exists():
        return Path(stored)
    with suppress(OSError, ValueError, KeyError, TypeError):
        mark = json.loads((folder / MARK_NAME).read_text(encoding="utf-8"))
        beside: Path = (folder.resolve() / mark[_WAY]).resolve()
        if beside.exists():
            return beside
    raise UsageError(
        f"--resume {folder}: its videos were in {stored}, which is not there any more. Say where DATA is now: "
        f"vidrnn train DATA --resume {folder}"
    )


def is_run(folder: Path) -> bool:
    """Whether a folder has the mark of a run."""
    try:
        mark = json.loads((folder / MARK_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(mark, dict) and "vidrnn_run" in mark


def _refuse_folder_in_use(folder: Path, request: Request) -> None:
    """Refuse a folder that holds the user's own files or folders.

    Raises:
        UsageError: the folder holds DATA, the settings file, the current folder or the home folder, or is a root.
    """
    place = folder.resolve()
    if place == Path(place.anchor):
        raise UsageError(f"--out {folder}: is the root of a disk. Name a folder for the run, such as --out runs/first.")
    inside = {"the training data": request.data, "the file of --config": request.settings_file}
    inside |= {"the current folder": Path.cwd()}
    with suppress(RuntimeError):  # there is no home folder
        inside["the home folder"] = Path.home()
    for name, path in inside.items():
        if path is not None and path.resolve().is_relative_to(place):
            there = "is" if path.resolve() == place else "holds"
            raise UsageError(
                f"--out {folder}: {there} {name} ({path}). Name another folder for the run, such as --out runs/first."
            )


def _files_of(training: Path) -> tuple[str, ...]:
    """The files that the folder of a training may hold, as paths below it, also where they are not finished."""
    names = {finished_name(file) or file.name for file in (training / _PIECES).glob("*")}
    return (*(f"{_PIECES}/{name}" for name in sorted(names) if _PIECE.fullmatch(name)), *_FILES)


def _remove_training(folder: Path) -> None:
    """Remove the files of a training, and its folders where nothing else is in them."""
    for name in (_ENDED, *reversed(_files_of(folder))):
        remove_file(folder / name)
        remove_part(folder / name)
    for part in (folder / _PIECES, folder / _CHECKPOINT, folder):
        with suppress(OSError):  # it holds files of other origin, or is not there
            part.rmdir()


def _append_line(file: Path, text: str) -> None:
    """Add a line to a file. A line there that a full disk or a kill cut short stays a line by itself.

    Raises:
        OSError: the disk refuses.
    """
    with file.open("a+b") as lines:
        if lines.seek(0, os.SEEK_END):
            lines.seek(-1, os.SEEK_END)
            if lines.read(1) != b"\n":
                lines.write(b"\n")
        lines.write(text.encode() + b"\n")


def _write_left_out(file: Path, failures: Sequence[FilmFailure]) -> None:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["path", "reason"])
    rows.writerows([table_cell(str(failure.path)), table_cell(failure.reason)] for failure in failures)
    write_text(file, text.getvalue(), advice="Free some space, then --resume.")
