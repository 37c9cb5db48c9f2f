"""Weights & Biases: written into the run's folder, and sent by `wandb sync` or where WANDB_MODE says `online`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from vidrnn.tracking.base import Ending, Place, Tracker
from vidrnn.values import Pixels

_PROJECT = "vidrnn"


class WandbTracker(Tracker):
    """A run of the project `vidrnn`, or of the one that WANDB_PROJECT names."""

    package: ClassVar[str] = "wandb"

    @override
    def open(self, place: Place) -> str:
        import wandb

        self._wandb: Any = wandb
        identity = place.identity or secrets.token_hex(4)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            name=place.folder.name,
            id=identity,
            resume="allow",
            dir=str(place.folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(console="off", silent=True),
        )
        return identity

    @override
    def settings(self, settings: Mapping[str, Any]) -> None:
        self._run.config.update(dict(settings), allow_val_change=True)

    @override
    def scalars(self, numbers: Mapping[str, float], step: int) -> None:
        self._run.log({**numbers, "epoch": step})

    @override
    def picture(self, name: str, pixels: Pixels) -> None:
        self._run.log({name: self._wandb.Image(pixels)})

    @override
    def text(self, name: str, text: str) -> None:
        self._run.summary[name] = text

    @override
    def close(self, ending: Ending) -> None:
        self._run.finish(exit_code=0 if ending == "finished" else 1)
