"""Exports of Label Studio: timeline labels of videos in frames, and labels of its audio player in seconds.

Label Studio counts frames from 1, and a range includes both of its ends: its own code takes `array[start - 1:end]`.
A frame is a time multiplied by the frame rate of the labelling interface, which need not be that of the film.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, unquote

from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.label_markup import check_order, film_name, member, sorted_bouts
from vidrnn.data.label_text import read_json
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

_LOCAL_FILES = "/data/local-files/"
_UPLOADS = "/data/upload/"
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{2,}-")
"""Label Studio puts it before the names of files that are uploaded."""
_VIDEO_KEYS = ("video", "video_url", "url")


class LabelStudio(LabelFormat):
    """Tasks with annotations, as JSON or JSON_MIN. Predictions in the file are no truth, and are not read.

    Moments without a label have no behaviour: a person submits a task when the whole video is labelled.
    """

    title = "Label Studio export"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        text = beginning.lstrip()
        if not text.startswith(("[", "{")):
            return False
        full = '"annotations"' in text and ('"result"' in text or '"data"' in text)
        return full or '"timelinelabels"' in text

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        content = read_json(data)
        tasks = content if isinstance(content, list) else [content]
        films: list[NamedLabels] = []
        notes: list[str] = []
        guessed = other = 0
        for number, task in enumerate(tasks, 1):
            where = f"{data}: task {number}"
            if not isinstance(task, dict):
                raise DataError(f"{where}: wanted an object, found {str(task)[:60]!r}. Export the file again as JSON.")
            annotations = [_annotation(found, where) for found in _annotations(task, where)]
            films += [_film(task, annotator, regions, where) for annotator, regions in annotations]
            guessed += not annotations and bool(task.get("predictions"))
            other += sum(_bouts_of(region, where) is None for _, regions in annotations for region in regions)
        if guessed:
            notes.append(f"{counted(guessed, 'task')} with predictions only: predictions are no truth and are left out")
        if other:
            notes.append(f"{counted(other, 'region')} of another kind than timeline labels left out")
        if not films:
            raise DataError(
                f"{data}: none of its {counted(len(tasks), 'task')} has an annotation that was submitted. "
                "Label the videos in Label Studio and export again."
            )
        return LabelFile(tuple(films), "frames from 1, the last one included", notes=tuple(notes))


def _annotations(task: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """The annotations of a task that were not cancelled; of JSON_MIN, the task itself with its regions as a result."""
    if "annotations" in task or "predictions" in task:
        for found in member(task, "annotations", list, where) if task.get("annotations") else ():
            if not isinstance(found, dict):
                raise DataError(f"{where}: an annotation is no object. Export the file again as JSON.")
            if not found.get("was_cancelled"):
                yield found
        return
    lists = [value for value in task.values() if isinstance(value, list)]
    ranges = [one for regions in lists for one in regions if isinstance(one, dict) and "ranges" in one]
    result = [{"type": "timelinelabels", "value": value} for value in ranges]
    if result or "annotation_id" in task:
        yield {"completed_by": task.get("annotator"), "result": result}


def _annotation(found: dict[str, Any], where: str) -> tuple[str, list[Any]]:
    """The annotator and the regions."""
    person = found.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    return "" if person is None else str(person), member(found, "result", list, where)


def _film(task: dict[str, Any], annotator: str, regions: list[Any], where: str) -> NamedLabels:
    fields = task["data"] if isinstance(task.get("data"), dict) else task
    found = [_bouts_of(region, where) or () for region in regions]
    kinds = {region["type"] for region, bouts in zip(regions, found, strict=True) if bouts}
    if kinds > {"timelinelabels"}:
        raise DataError(
            f"{where}: has labels of the video's frames beside labels of its sound in seconds. "
            "Keep one of the two in Label Studio."
        )
    rate = member(fields, "fps", float, where) if fields.get("fps") is not None else None
    if rate is not None and rate <= 0:
        raise DataError(f"{where}: has {rate:g} frames per second. Correct its field fps.")
    return NamedLabels(
        _name(fields, task, where),
        sorted_bouts(bout for bouts in found for bout in bouts),
        "seconds" if "labels" in kinds else "frames",
        rate=rate,
        annotator=annotator,
    )


def _bouts_of(region: Any, where: str) -> tuple[Bout, ...] | None:
    """The bouts of a region; None for one that labels no stretch of time, such as a box or a choice."""
    kind = region.get("type") if isinstance(region, dict) else None
    if kind not in ("timelinelabels", "labels"):
        return None
    value = member(region, "value", dict, where)
    if kind == "labels" and "start" not in value:
        return None
    labels = [str(label) for label in member(value, kind, list, where)]
    bouts = []
    for one in member(value, "ranges", list, where) if kind == "timelinelabels" else [value]:
        start, end = member(one, "start", float, where), member(one, "end", float, where)
        check_order(start, end, where)
        start -= kind == "timelinelabels"  # frame 1 is the first one
        bouts += [Bout(start, end, label) for label in labels]
    return tuple(bouts)


def _name(fields: dict[str, Any], task: dict[str, Any], where: str) -> str:
    """The name of the film, as it was before it came to Label Studio."""
    texts = [fields[key] for key in (*_VIDEO_KEYS, *fields) if isinstance(fields.get(key), str)]
    named = next((text for text in texts if "/" in text or Path(text).suffix), task.get("file_upload"))
    if not isinstance(named, str) or not named.strip():
        raise DataError(f"{where}: names no video. Its data should have a field 'video'.")
    if _LOCAL_FILES in named and (local := parse_qs(named.partition("?")[2]).get("d")):
        return local[0]
    name = film_name(named.partition("?")[0])
    if _UPLOADS in named:
        return _UPLOAD_PREFIX.sub("", unquote(name.rpartition("/")[2]))
    return name
