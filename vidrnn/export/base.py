"""The contract of an export: it writes a model in a portable form, and reads it back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vidrnn.model.checkpoint import LoadedModel
from vidrnn.runtimes.base import Runtime
from vidrnn.values import Window

Precision = Literal["fp32", "fp16", "int8"]


class Export(ABC):
    """A portable form of models."""

    file_name: str
    """The name of the file in a model's folder, in full precision."""
    precisions: tuple[Precision, ...] = ("fp32",)
    """The precisions in which it can be written."""

    @abstractmethod
    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Window]) -> None:
        """Write the model to `file`.

        `calibration`: windows like those the model is to read, for precisions that need them.
        """

    @abstractmethod
    def read(self, file: Path) -> Runtime:
        """A runtime of a file that was written."""

    def companions(self, file: Path) -> tuple[Path, ...]:
        """The files that belong to `file`, itself first."""
        return (file,)
