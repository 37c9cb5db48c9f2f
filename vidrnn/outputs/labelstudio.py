"""A task of Label Studio with the segments filled in, for people to check and correct.

It fits this labelling interface, with the classes as labels:

    <View>
      <TimelineLabels name="videoLabels" toName="video"><Label value="..."/></TimelineLabels>
      <Video name="video" value="$video" frameRate="$fps" timelineHeight="120"/>
    </View>

Format: https://labelstud.io/guide/predictions and https://labelstud.io/tags/timelinelabels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from typing_extensions import override

from vidrnn.outputs.base import Event, EventOutput, FilmEvents, rounded
from vidrnn.plain_json import json_text

_LOCAL_FILES = "/data/local-files/?d="
"""The address under which Label Studio serves a folder of its local storage."""


class LabelStudio(EventOutput):
    """Holds one task for each film. Label Studio counts frames from 1, and a range includes both of its ends.

    What a model said is a prediction of the task; what people said is an annotation.
    """

    suffix = ".labelstudio.json"
    joins: ClassVar[bool] = True
    counts_frames: ClassVar[bool] = True

    @override
    def text(self, films: Sequence[FilmEvents]) -> str:
        return json_text([task(film) for film in films], indent=1) + "\n"


def task(film: FilmEvents) -> dict[str, Any]:
    """The task of one film, to be imported."""
    regions = [_region(number, event, film) for number, event in enumerate(film.events, 1)]
    data: dict[str, Any] = {"video": _LOCAL_FILES + quote(film.name, errors="replace"), "fps": film.fps}
    if film.model is None:
        return {"data": data, "annotations": [{"result": regions}]}
    predicted: dict[str, Any] = {"model_version": film.model, "result": regions}
    if film.label is not None:
        data["label"], predicted["score"] = film.label.label, rounded(film.label.probability)
    return {"data": data, "predictions": [predicted]}


def _region(number: int, event: Event, film: FilmEvents) -> dict[str, Any]:
    first = min(round((event.start_seconds - film.first_seconds) * film.fps) + 1, film.frames)
    last = min(max(first, round((event.end_seconds - film.first_seconds) * film.fps)), film.frames)
    region: dict[str, Any] = {
        "id": f"segment{number}",
        "from_name": "videoLabels",
        "to_name": "video",
        "type": "timelinelabels",
    }
    if event.probability is not None:
        region["score"] = rounded(event.probability)
    return region | {"value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [event.label]}}
