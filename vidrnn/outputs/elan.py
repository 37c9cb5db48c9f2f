"""An annotation file of ELAN with a tier for each behaviour, to be checked and corrected there.

Format: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from typing_extensions import override

from vidrnn.outputs.base import EventOutput, FilmEvents
from vidrnn.text import one_line

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_NO_DATE = "1970-01-01T00:00:00+00:00"
"""The schema wants a date, and the same answer gives the same bytes."""
_KIND = "behaviour"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold."""


class Elan(EventOutput):
    """Has a tier for each behaviour, and for each subject of it, whom the tier names as its participant.

    ELAN has no place for probabilities.
    """

    suffix = ".eaf"
    subjects: ClassVar[bool] = True

    @override
    def text(self, films: Sequence[FilmEvents]) -> str:
        (film,) = films
        root = Element(
            "ANNOTATION_DOCUMENT",
            {
                "AUTHOR": "",
                "DATE": _NO_DATE,
                "FORMAT": "3.0",
                "VERSION": "3.0",
                f"{_XSI}noNamespaceSchemaLocation": _SCHEMA,
            },
        )
        header = SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
        address = quote(film.name, errors="replace")
        media = {
            "MEDIA_URL": f"file:///{address}",
            "MIME_TYPE": mimetypes.guess_type(film.name, strict=False)[0] or "unknown",
            "RELATIVE_MEDIA_URL": f"./{address}",
        }
        SubElement(header, "MEDIA_DESCRIPTOR", media)
        last = SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
        last.text = str(len(film.events))
        slots = _add_times(root, film)
        _add_tiers(root, film, slots)
        SubElement(
            root,
            "LINGUISTIC_TYPE",
            {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": _KIND, "TIME_ALIGNABLE": "true"},
        )
        indent(root, "    ")
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _add_times(root: Element, film: FilmEvents) -> list[tuple[str, str]]:
    """Add the time slots in the order of their times; give those of each event's start and end."""
    times: list[tuple[int, int, int]] = []
    for number, event in enumerate(film.events):
        start = max(0, round(1000 * event.start_seconds))
        times += [(start, number, 0), (max(start + 1, round(1000 * event.end_seconds)), number, 1)]
    names = {}
    order = SubElement(root, "TIME_ORDER")
    for count, (time, number, side) in enumerate(sorted(times), 1):
        SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{count}", "TIME_VALUE": str(time)})
        names[number, side] = f"ts{count}"
    return [(names[number, 0], names[number, 1]) for number in range(len(film.events))]


def _add_tiers(root: Element, film: FilmEvents, slots: Sequence[tuple[str, str]]) -> None:
    tiers: dict[tuple[str, str], list[int]] = {}
    if not any(event.subject for event in film.events):
        tiers = {(label, ""): [] for label in film.behaviours}
    for number, event in enumerate(film.events):
        tiers.setdefault((event.label, event.subject), []).append(number)
    for (label, subject), numbers in tiers.items():
        name, participant = _plain(label), _plain(subject)
        tier = {"LINGUISTIC_TYPE_REF": _KIND, "TIER_ID": f"{name}@{participant}" if participant else name}
        element = SubElement(root, "TIER", tier | ({"PARTICIPANT": participant} if participant else {}))
        for number in numbers:
            start, end = slots[number]
            ids = {"ANNOTATION_ID": f"a{number + 1}", "TIME_SLOT_REF1": start, "TIME_SLOT_REF2": end}
            annotation = SubElement(SubElement(element, "ANNOTATION"), "ALIGNABLE_ANNOTATION", ids)
            SubElement(annotation, "ANNOTATION_VALUE").text = name


def _plain(text: str) -> str:
    """The text in one line; the characters that XML cannot hold are codes."""
    return _FORBIDDEN.sub("", one_line(text))
