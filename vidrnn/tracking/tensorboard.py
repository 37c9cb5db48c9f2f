"""TensorBoard: event files in the folder of the run. Look at them with `tensorboard --logdir runs`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from typing_extensions import override

from vidrnn.tracking.base import Ending, Place, Tracker
from vidrnn.values import Pixels


class TensorboardTracker(Tracker):
    """Event files in `tensorboard/TIME/` of the run; a training that goes on writes one more into the same folder."""

    package: ClassVar[str] = "tensorboard"

    @override
    def open(self, place: Place) -> str:
        from torch.utils.tensorboard import SummaryWriter

        identity = place.identity or datetime.now().strftime("%Y%m%d-%H%M%S")
        self._writer: Any = SummaryWriter(str(place.folder / "tensorboard" / identity))
        return identity

    @override
    def settings(self, settings: Mapping[str, Any]) -> None:
        rows = "".join(f"| {name} | {value} |\n" for name, value in settings.items())
        self._writer.add_text("settings", f"| setting | value |\n|---|---|\n{rows}")

    @override
    def scalars(self, numbers: Mapping[str, float], step: int) -> None:
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)
        self._writer.flush()

    @override
    def picture(self, name: str, pixels: Pixels) -> None:
        self._writer.add_image(name, pixels, dataformats="HWC")

    @override
    def text(self, name: str, text: str) -> None:
        self._writer.add_text(name, text)

    @override
    def close(self, ending: Ending) -> None:
        self._writer.close()
