"""Annotation files of ELAN, `.eaf`: tiers of annotations in milliseconds, half open.

Format: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.label_markup import check_order, film_name, number, read_xml, sorted_bouts
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout, Span

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from vidrnn.config import LabelsConfig

_DEFAULT_TIER = "default"
"""ELAN's name for the first tier of a new file, which names nobody."""


class Elan(LabelFormat):
    """A tier is a subject and the value of an annotation is its behaviour.

    The participant of a tier, where it has one, is the subject in place of the tier. A tier whose annotations all are
    empty, or all have the name of the tier, is a behaviour.

    Moments without an annotation have no behaviour: a tier is annotated from the beginning of a film to its end, and
    ELAN has no other way to say that nothing happens.
    """

    title = "ELAN file"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        return "<ANNOTATION_DOCUMENT" in beginning

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        film, notes = _read(data)
        return LabelFile((film,), "milliseconds, the end not included", notes=tuple(notes))


def _read(file: Path) -> tuple[NamedLabels, list[str]]:
    root = read_xml(file, Elan.title)
    header = root.find("HEADER")
    if root.tag != "ANNOTATION_DOCUMENT" or header is None:
        raise DataError(f"{file}: is no ELAN file: its first element is {root.tag}. Save it in ELAN as .eaf.")
    unit = header.get("TIME_UNITS", "milliseconds")
    if unit != "milliseconds":
        raise DataError(f"{file}: has its times in {unit}. Save it with a newer ELAN, which writes milliseconds.")
    notes = []
    media = [one for one in header.iter("MEDIA_DESCRIPTOR") if not one.get("MIME_TYPE", "").startswith("audio/")]
    if len(media) > 1:
        notes.append(f"{file.name}: {counted(len(media), 'video')}; the labels are read for the first one")
    origin = number(media[0].get("TIME_ORIGIN", "0"), f"{file}: TIME_ORIGIN") if media else 0.0
    times, tiers = _Times(file, root), root.findall("TIER")
    bouts, empty = [], 0
    for tier in tiers:
        found, unnamed = _bouts(tier, times)
        bouts += found
        empty += unnamed
    if empty:
        notes.append(f"{file.name}: {counted(empty, 'annotation')} without a value left out")
    shifted = (Bout((one.start + origin) / 1000, (one.end + origin) / 1000, one.label, one.subject) for one in bouts)
    return NamedLabels(_name(file, media), sorted_bouts(shifted)), notes


def _name(file: Path, media: list[Element]) -> str:
    """The film that the file names first, by its path relative to the file where it has one."""
    if media and (address := media[0].get("RELATIVE_MEDIA_URL", "").strip()):
        return unquote(address).removeprefix("./")
    if media and (address := media[0].get("MEDIA_URL", "").strip()):
        return film_name(address)
    return file.stem


def _bouts(tier: Element, times: _Times) -> tuple[list[Bout], int]:
    """The bouts of a tier in milliseconds, and the number of its annotations without a value that are left out."""
    name = tier.get("TIER_ID", "").strip()
    participant = tier.get("PARTICIPANT", "").strip()
    found = [(one, " ".join((one.findtext("ANNOTATION_VALUE") or "").split())) for one in _annotations(tier)]
    values = {value for _, value in found}
    spans = [times.span(one.get("ANNOTATION_ID", "")) for one, _ in found]
    behaviour = name.removesuffix(f"@{participant}") if participant else name
    if values <= {""} or values == {behaviour}:
        return [Bout(start, end, behaviour, participant) for start, end in spans], 0
    subject = participant or ("" if name == _DEFAULT_TIER else name)
    pairs = zip(spans, found, strict=True)
    bouts = [Bout(start, end, value, subject) for (start, end), (_, value) in pairs if value]
    return bouts, len(found) - len(bouts)


def _annotations(tier: Element) -> list[Element]:
    return [one for holder in tier.findall("ANNOTATION") for one in holder]


class _Times:
    """The start and the end of each annotation of a file, in milliseconds."""

    def __init__(self, file: Path, root: Element) -> None:
        self._file = file
        self._slots: dict[str, float | None] = {}
        """Their times; None where the file has none and none was found yet."""
        for slot in root.iterfind("TIME_ORDER/TIME_SLOT"):
            value, name = slot.get("TIME_VALUE"), slot.get("TIME_SLOT_ID", "")
            self._slots[name] = None if value is None else number(value, f"{file}: time slot {name}")
        self._own: dict[str, tuple[str, str]] = {}
        """Of annotations with times: the slots of start and end."""
        self._parents: dict[str, tuple[str, int, int]] = {}
        """Of the others: the parent, and which part of the parent's time it is: its number, and of how many."""
        for tier in root.findall("TIER"):
            self._add(tier)

    def _add(self, tier: Element) -> None:
        children: dict[str, list[str]] = {}
        after: dict[str, str] = {}
        for one in _annotations(tier):
            name = one.get("ANNOTATION_ID", "")
            if one.tag == "REF_ANNOTATION":
                children.setdefault(one.get("ANNOTATION_REF", ""), []).append(name)
                continue
            start, end = one.get("TIME_SLOT_REF1", ""), one.get("TIME_SLOT_REF2", "")
            if not {start, end} <= self._slots.keys():
                raise DataError(f"{self._file}: annotation {name} names a time slot that is not there. Save it again.")
            self._own[name] = (start, end)
            after[start] = end
        for parent, names in children.items():
            self._parents |= {name: (parent, place, len(names)) for place, name in enumerate(names)}
        self._align(after)

    def _align(self, after: dict[str, str]) -> None:
        """Give slots without a time one: annotations in a row without times share the time between two times.

        Args:
            after: the slot of each annotation's start, and that of its end.
        """
        for first in [slot for slot in after if self._slots[slot] is not None]:
            row = [first]
            while row[-1] in after and (len(row) == 1 or self._slots[row[-1]] is None) and len(row) <= len(after):
                row.append(after[row[-1]])
            start, end = self._slots[first], self._slots[row[-1]]
            if start is None or end is None:
                continue
            for place, slot in enumerate(row[1:-1], 1):
                self._slots[slot] = start + (end - start) * place / (len(row) - 1)

    def span(self, name: str) -> Span:
        """The start and the end of an annotation.

        Raises:
            DataError: it has none, or ends before it starts.
        """
        path: list[tuple[int, int]] = []
        where = f"{self._file}: annotation {name}"
        while name in self._parents:
            name, place, of = self._parents[name]
            path.append((place, of))
            if len(path) > len(self._parents):
                raise DataError(f"{where} is its own parent. Save the file again in ELAN.")
        start, end = (self._slots.get(slot) for slot in self._own.get(name, ("", "")))
        if start is None or end is None:
            raise DataError(f"{where} has no time, and none can be told from its neighbours. Align it in ELAN.")
        check_order(start, end, where)
        for place, of in reversed(path):
            start, end = start + (end - start) * place / of, start + (end - start) * (place + 1) / of
        return start, end
