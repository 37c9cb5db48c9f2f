"""Exports of CVAT for images 1.1: tags of single frames. The frame is the image's id, counted from 0.

Format: https://docs.cvat.ai/docs/manual/advanced/xml_format
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_markup import film_name, read_xml, sorted_bouts
from vidrnn.data.label_text import runs_of
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout, Span

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from vidrnn.config import LabelsConfig

_ELEMENTS = ("<image ", "<track ", "<meta>")


class Cvat(LabelFormat):
    """A task, or a project with several tasks.

    Frames of the task without a tag have no behaviour, since the file lists every frame that was shown. Frames before
    the task's first and after its last frame were not shown, so nothing is known of them.
    """

    title = "CVAT export"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        return "<annotations>" in beginning and any(element in beginning for element in _ELEMENTS)

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        root = read_xml(data, self.title)
        images = root.findall("image")
        if root.tag != "annotations" or not (images or root.findall("track")):
            raise DataError(f"{data}: holds no images. Export the task from CVAT as 'CVAT for images 1.1'.")
        if not root.findall("image/tag"):
            held = "tracks of boxes" if root.findall("track") else "images without tags"
            raise DataError(
                f"{data}: holds {held}, and no tags, which label whole frames. "
                "Tag the frames in CVAT and export the task as 'CVAT for images 1.1'."
            )
        tasks = {one.findtext("id", "").strip(): one for one in (*root.iter("task"), *root.iter("job"))}
        only = next(iter(tasks.values()), None) if len(tasks) < 2 else None
        by_task: dict[str, list[Element]] = {}
        for image in images:
            by_task.setdefault(image.get("task_id", "") if only is None else "", []).append(image)
        films = [_film(data, only if only is not None else tasks.get(task), by_task[task]) for task in by_task]
        labels = (label.findtext("name", "").strip() for label in root.iterfind("meta//labels/label"))
        names = tuple(dict.fromkeys(name for name in labels if name))
        return LabelFile(tuple(films), "frames from 0, one at a time", names)


def _film(data: Path, task: Element | None, images: list[Element]) -> NamedLabels:
    source = "" if task is None else task.findtext("source", "").strip()
    step = re.search(r"step\s*=\s*(\d{1,6})\b", "" if task is None else task.findtext("frame_filter", ""))
    stride = max(1, int(step.group(1))) if step else 1
    tags = [
        (_whole(image.get("id"), f"{data}: an image"), tag.get("label", "").strip())
        for image in images
        for tag in image.findall("tag")
    ]
    if any(not label for _, label in tags):
        raise DataError(f"{data}: has a tag without a label. Export the task again.")
    bouts = [
        Bout(start, end, label)
        for label in {label for _, label in tags}
        for start, end in runs_of(frame + place for frame, other in tags if other == label for place in range(stride))
    ]
    return NamedLabels(film_name(source) or data.stem, sorted_bouts(bouts), "frames", known=_known(data, task, stride))


def _known(data: Path, task: Element | None, stride: int) -> tuple[Span, ...] | None:
    """The frames that the task shows; None where the file does not say it."""
    first, last = (None, None) if task is None else (task.findtext("start_frame"), task.findtext("stop_frame"))
    if first is None or last is None:
        return None
    return ((float(_whole(first, f"{data}: start_frame")), float(_whole(last, f"{data}: stop_frame") + stride)),)


def _whole(text: str | None, where: str) -> int:
    if text is None or not re.fullmatch(r"\s*\d{1,12}\s*", text):
        raise DataError(f"{where} has the number {text!r}, where a whole number from 0 should be. Export it again.")
    return int(text)
