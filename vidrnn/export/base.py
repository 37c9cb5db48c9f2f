"""The contract of an export: how a model is written in a portable form, and what reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vidrnn.model.checkpoint import LoadedModel
from vidrnn.runtimes.base import Runtime
from vidrnn.values import Pixels

Precision = Literal["fp32", "fp16", "int8"]


class Export:
    """A portable form of models: how it is written, and what reads it."""

    file_name: str
    """Of the file, in full precision, in a model's folder."""
    precisions: tuple[Precision, ...] = ("fp32",)
    """In which it can be written."""
    for_predict: bool = True
    """Whether its runtime also encodes frames and scores windows, as predict needs."""

    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Pixels]) -> None:
        """Write the model to `file`.

        `calibration`: clips (time, height, width, 3) like those the model is to read, for precisions that need them.
        """
        raise TypeError(f"{type(self).__name__} must say how it writes a model")

    def read(self, file: Path) -> Runtime:
        """What was written, ready to be asked."""
        raise TypeError(f"{type(self).__name__} must say how it reads what it wrote")

    def companions(self, file: Path) -> tuple[Path, ...]:
        """The files that belong to `file`, itself first."""
        return (file,)
