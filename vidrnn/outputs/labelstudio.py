"""A task of Label Studio with the segments filled in, for people to check and correct.

It fits this labelling interface, with the classes as labels:

    <View>
      <TimelineLabels name="videoLabels" toName="video"><Label value="..."/></TimelineLabels>
      <Video name="video" value="$video" frameRate="$fps" timelineHeight="120"/>
    </View>

Format: https://labelstud.io/guide/predictions and https://labelstud.io/tags/timelinelabels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, first_seconds, rounded, segments_of
from vidrnn.values import FilmPrediction, Segment

_LOCAL_FILES = "/data/local-files/?d="
"""The address under which Label Studio serves a folder of its local storage."""


class LabelStudio(Output):
    """Holds one task. Label Studio counts frames from 1, and a range includes both of its ends."""

    suffix = ".labelstudio.json"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        write_text(
            file,
            json.dumps([task(answered, segments_of(answered.prediction, file))], ensure_ascii=False, indent=1) + "\n",
        )


def task(answered: Answered, segments: Sequence[Segment]) -> dict[str, Any]:
    """The task of one film, to be imported."""
    prediction = answered.prediction
    fps = rounded(prediction.frames / prediction.duration_seconds)
    regions = [_region(number, segment, fps, prediction) for number, segment in enumerate(segments, 1)]
    predicted: dict[str, Any] = {"model_version": answered.model, "result": regions}
    data: dict[str, Any] = {"video": _LOCAL_FILES + quote(answered.name, errors="replace"), "fps": fps}
    if prediction.label is not None and prediction.probability is not None:
        data["label"], predicted["score"] = prediction.label, rounded(prediction.probability)
    return {"data": data, "predictions": [predicted]}


def _region(number: int, segment: Segment, fps: float, prediction: FilmPrediction) -> dict[str, Any]:
    zero, frames = first_seconds(prediction), prediction.frames
    first = min(round((segment.start_seconds - zero) * fps) + 1, frames)
    last = min(max(first, round((segment.end_seconds - zero) * fps)), frames)
    return {
        "id": f"segment{number}",
        "from_name": "videoLabels",
        "to_name": "video",
        "type": "timelinelabels",
        "score": rounded(segment.probability),
        "value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [segment.label]},
    }
