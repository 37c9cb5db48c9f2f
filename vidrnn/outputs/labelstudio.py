"""A task of Label Studio with its timeline filled in, to be looked at and put right by people.

The labelling interface that fits, with the classes as labels:

    <View>
      <TimelineLabels name="videoLabels" toName="video"><Label value="..."/></TimelineLabels>
      <Video name="video" value="$video" frameRate="$fps" timelineHeight="120"/>
    </View>

Format: https://labelstud.io/guide/predictions and https://labelstud.io/tags/timelinelabels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, rounded
from vidrnn.values import FilmPrediction, Segment

_LOCAL_FILES = "/data/local-files/?d="
"""Under which Label Studio serves a folder that it was given as local storage."""


class LabelStudio(Output):
    """One task, with frames counted from 1 and both ends of a range in it, as Label Studio counts."""

    suffix = ".labelstudio.json"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        write_text(file, json.dumps([task(answered)], ensure_ascii=False, indent=1) + "\n")


def task(answered: Answered) -> dict[str, Any]:
    """What is to be imported of one film."""
    found = answered.prediction
    fps = rounded(found.frames / found.duration_seconds)
    regions = [_region(number, segment, fps, found) for number, segment in enumerate(found.segments, 1)]
    predicted: dict[str, Any] = {"model_version": answered.model, "result": regions}
    data: dict[str, Any] = {"video": _LOCAL_FILES + quote(answered.name, errors="replace"), "fps": fps}
    if found.label is not None and found.probability is not None:
        data["label"], predicted["score"] = found.label, rounded(found.probability)
    return {"data": data, "predictions": [predicted]}


def _first_seconds(found: FilmPrediction) -> float:
    """The time of the film's first frame."""
    if found.timeline is not None and len(found.timeline.seconds):
        return float(found.timeline.seconds[0])
    return found.segments[0].start_seconds


def _region(number: int, segment: Segment, fps: float, found: FilmPrediction) -> dict[str, Any]:
    zero = _first_seconds(found)
    first = min(round((segment.start_seconds - zero) * fps) + 1, found.frames)
    last = min(max(first, round((segment.end_seconds - zero) * fps)), found.frames)
    return {
        "id": f"segment{number}",
        "from_name": "videoLabels",
        "to_name": "video",
        "type": "timelinelabels",
        "score": rounded(segment.probability),
        "value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [segment.label]},
    }
