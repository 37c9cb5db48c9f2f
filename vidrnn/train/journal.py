"""The journal of a run: what is done of it, so that a training which was killed goes on where it was.

A run consists of pieces, each with a name: a fold, a try of the search, the model. The result of a piece that is done
is kept in a file of its own. Of the piece that is in work there is a checkpoint, at most some minutes old.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vidrnn.errors import RunError
from vidrnn.model.checkpoint import TrainingState, load_training, save_training
from vidrnn.model.header import PIECES
from vidrnn.train.fit import Fit
from vidrnn.train.shares.workers import Workers

_FIRST_WAIT_SECONDS = 5.0
"""Before the first checkpoint, when nobody knows yet how long one takes."""
_COST = 0.01
"""The largest share of the time that checkpoints take."""


@dataclass
class Journal:
    """The journal of a run, of a part of it, or of nothing that is kept."""

    folder: Callable[[], Path] | None = None
    """Gives the folder of the checkpoint; None: nothing is kept."""
    open: Callable[[], None] = lambda: None
    """Called before the first file is written."""
    resumed: bool = False
    """Whether there may be files of a training that was stopped."""
    minutes: float = 2.0
    """The longest time between two checkpoints."""
    workers: Workers = field(default_factory=Workers)
    films: str = ""
    """A hash of the films of the run with their truth and parts."""
    parts: tuple[str, ...] = ()
    """The names of the parts of the run that this is the journal of, from the outside in."""

    def within(self, name: str) -> Journal:
        """The journal of a part of the run."""
        return replace(self, parts=(*self.parts, name))

    def start(self) -> None:
        """Make the folder, if it is not there."""
        if self.folder is not None and self.workers.leads:
            self.open()

    def recall(self, name: str) -> Any:
        """What `note` was given for a piece; None if it is not done.

        Raises:
            RunError: the file is damaged, or the films are not those of the run.
        """
        if self.folder is None or not self.resumed:
            return None
        state = self._read(f"{PIECES}/{self._file(name)}")
        return None if state is None else _unpacked(state.facts["value"], state.tensors)

    def note(self, name: str, value: Any) -> None:
        """Keep the result of a piece: numbers, words, arrays, and lists and mappings of them.

        Raises:
            OutputError: the disk refuses.
        """
        if self.folder is None or not self.workers.leads:
            return
        self.open()
        arrays: dict[str, NDArray[Any]] = {}
        facts = {**self._facts(name), "value": _packed(value, arrays)}
        tensors = {key: torch.from_numpy(np.require(array, requirements=["C", "W"])) for key, array in arrays.items()}
        save_training(self.folder() / PIECES, TrainingState(tensors, facts), self._file(name))

    def resume(self, name: str, fit: Fit) -> bool:
        """Let a training go on from its checkpoint; False if there is none.

        Raises:
            RunError: the checkpoint is damaged, or the films are not those of the run.
        """
        state = self.workers.agree(self._checkpoint(name) if self.workers.leads else None)
        if state is not None:
            fit.resume(state)
        return state is not None

    def keeper(self, name: str) -> Keeper:
        """Writes the checkpoints of a training."""
        return Keeper(self, name)

    def write_checkpoint(self, name: str, fit: Fit) -> None:
        """Write the checkpoint of a training, in place of the one before.

        Raises:
            OutputError: the disk refuses.
        """
        if self.folder is None or not self.workers.leads:
            return
        self.open()
        state = fit.state()
        save_training(self.folder(), replace(state, facts={**state.facts, **self._facts(name)}))

    def _facts(self, name: str) -> dict[str, Any]:
        return {"piece": self._name(name), "films": self.films}

    def _checkpoint(self, name: str) -> TrainingState | None:
        state = self._read(None) if self.folder is not None and self.resumed else None
        return state if state is not None and state.facts["piece"] == self._name(name) else None

    def _read(self, piece: str | None) -> TrainingState | None:
        assert self.folder is not None
        state = load_training(self.folder(), *(() if piece is None else (piece,)))
        if state is not None and self.films and state.facts["films"] != self.films:
            raise RunError(
                f"{self.folder().parent}: the videos are not as they were when this run began: some were added, "
                "removed, changed or moved to another part. Going on would mix training with test. Train anew."
            )
        return state

    def _name(self, name: str) -> str:
        return "/".join((*self.parts, name))

    def _file(self, name: str) -> str:
        digits = hashlib.blake2b(self._name(name).encode(), digest_size=16).hexdigest()
        return f"{digits}.safetensors"


class Keeper:
    """Writes a checkpoint of a training when one is due: within some minutes, and not so often that it costs time."""

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal, self._name = journal, name
        self._last, self._wait = time.monotonic(), min(_FIRST_WAIT_SECONDS, 60 * journal.minutes)

    def __call__(self, fit: Fit, *, now: bool = False) -> None:
        """As `Keep` says."""
        started = time.monotonic()
        if not now and started - self._last < self._wait:
            return
        self._journal.write_checkpoint(self._name, fit)
        self._last = time.monotonic()
        self._wait = min(60 * self._journal.minutes, (self._last - started) / _COST)


def _packed(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """A value as JSON can hold it; its arrays go into `arrays`, equal ones once."""
    if isinstance(value, np.ndarray):
        about = f"{value.dtype.str}{value.shape}".encode()
        name = hashlib.blake2b(np.ascontiguousarray(value).tobytes() + about, digest_size=16).hexdigest()
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Mapping):
        return {"mapping": [[key, _packed(inner, arrays)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        return [_packed(inner, arrays) for inner in value]
    return value


def _unpacked(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """What `_packed` was given; tuples are lists."""
    if isinstance(value, list):
        return [_unpacked(inner, tensors) for inner in value]
    if isinstance(value, dict):
        if "array" in value:
            return tensors[value["array"]].numpy()
        return {key: _unpacked(inner, tensors) for key, inner in value["mapping"]}
    return value
