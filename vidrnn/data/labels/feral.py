"""FERAL's label files: JSON with a class, or a 0 or 1 for each class, at each frame of each film."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.data.label_text import json_mentions, read_json, spans_of
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout, Part

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig


class Feral(LabelFormat):
    """Every frame has a label. Films of the split `inference` have no part."""

    title: ClassVar[str] = "FERAL labels"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        return json_mentions(data, beginning, "class_names", "labels", "splits")

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        content = read_json(data)
        try:
            names = {int(place): str(name) for place, name in content["class_names"].items()}
            labels = {str(name): frames for name, frames in content["labels"].items()}
            splits = {part: tuple(content.get("splits", {}).get(part.value) or ()) for part in Part}
        except (TypeError, KeyError, ValueError, AttributeError):
            raise DataError(f"{data}: is no label file of FERAL: it needs class_names, labels and splits.") from None
        if sorted(names) != list(range(len(names))):
            raise DataError(f"{data}: class_names are numbered {sorted(names)}; FERAL counts them from 0.")
        classes = tuple(names[place] for place in sorted(names))
        films = tuple(_film(data, name, frames, classes, splits) for name, frames in labels.items())
        return LabelFile(films, base="frames from 0", behaviours=classes)


def _film(
    data: Path, name: str, frames: Any, classes: tuple[str, ...], splits: dict[Part, tuple[str, ...]]
) -> NamedLabels:
    shown = _shown(data, name, frames, len(classes))
    bouts = tuple(
        Bout(start, end, label) for place, label in enumerate(classes) for start, end in spans_of(shown[:, place])
    )
    parts = [part for part, names in splits.items() if name in names]
    if len(parts) > 1 and Part.TRAIN in parts:
        raise DataError(f"{data}: {name} is in the splits {' and '.join(parts)}; keep one.")
    return NamedLabels(name, bouts, unit="frames", known=((0.0, float(len(shown))),), part=parts[-1] if parts else None)


def _shown(data: Path, name: str, frames: Any, classes: int) -> NDArray[np.bool_]:
    """(frames, classes): whether each frame shows each class."""
    try:
        values = np.asarray(frames, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.zeros(())
    if values.ndim == 1 and len(values) and np.isin(values, np.arange(classes)).all():
        return np.asarray(values[:, None] == np.arange(classes), dtype=np.bool_)
    if values.ndim == 2 and values.shape[1] == classes and np.isin(values, (0, 1)).all():
        return np.asarray(values == 1, dtype=np.bool_)
    raise DataError(
        f"{data}: the labels of {name} are neither a class from 0 to {classes - 1} for each frame, nor "
        f"{classes} times 0 or 1 for each frame."
    )
