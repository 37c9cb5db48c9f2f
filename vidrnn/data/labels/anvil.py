"""Annotation files of ANVIL, `.anvil`: tracks of elements in seconds, half open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.label_markup import check_order, film_name, number, read_xml, sorted_bouts
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig


class Anvil(LabelFormat):
    """A track is a subject, and each attribute of an element is a behaviour. An element without one is its track's.

    Moments without an element have no behaviour, as in every tool with tracks along a time line.
    """

    title = "ANVIL file"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        return "<annotation" in beginning and "<track " in beginning and "<body>" in beginning

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        root = read_xml(data, self.title)
        tracks = root.findall("body/track")
        if root.tag != "annotation" or not tracks:
            raise DataError(f"{data}: has no tracks, as files of ANVIL have them. Save it in ANVIL again.")
        bouts: list[Bout] = []
        without_time = 0
        for track in tracks:
            name = track.get("name", "").strip()
            for element in track.findall("el"):
                place = f"{data}: element {element.get('index', '?')} of the track {name!r}"
                if element.get("start") is None or element.get("end") is None:
                    without_time += 1
                    continue
                start, end = number(element.get("start"), place), number(element.get("end"), place)
                check_order(start, end, place)
                labels = [" ".join((one.text or "").split()) for one in element.findall("attribute")]
                labels = [label for label in labels if label]
                bouts += [Bout(start, end, label, name) for label in labels] or [Bout(start, end, name)]
        video = root.find("head/video")
        source = "" if video is None else video.get("src", "")
        left_out = f"{counted(without_time, 'element')} that refer to other elements left out"
        return LabelFile(
            (NamedLabels(film_name(source) or data.stem, sorted_bouts(bouts)),),
            "seconds, the end not included",
            notes=(left_out,) if without_time else (),
        )
