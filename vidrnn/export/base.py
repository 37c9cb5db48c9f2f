"""The contract of an export: how a model is written in a portable form, and what reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vidrnn.model.checkpoint import LoadedModel
from vidrnn.runtimes.base import Runtime
from vidrnn.values import Pixels

Precision = Literal["fp32", "fp16", "int8"]


class Export(ABC):
    """A portable form of models: how it is written, and what reads it."""

    file_name: str
    """Of the file, in full precision, in a model's folder."""
    precisions: tuple[Precision, ...] = ("fp32",)
    """In which it can be written."""

    @abstractmethod
    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Pixels]) -> None:
        """Write the model to `file`.

        `calibration`: clips (time, height, width, 3) like those the model is to read, for precisions that need them.
        """

    @abstractmethod
    def read(self, file: Path) -> Runtime:
        """What was written, ready to be asked."""

    def companions(self, file: Path) -> tuple[Path, ...]:
        """The files that belong to `file`, itself first."""
        return (file,)
