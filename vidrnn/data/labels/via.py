"""Projects and exports of the VGG Image Annotator 3: stretches of films in seconds, half open, as CSV and as JSON.

Format: https://gitlab.com/vgg/via/-/blob/master/via-3.x.y/CodeDoc.md
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.label_markup import check_order, film_name, member, number, sorted_bouts
from vidrnn.data.label_text import read_json, read_text
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

_HEADER = "# CSV_HEADER"
_ATTRIBUTES = "# ATTRIBUTE"
_COLUMNS = ("file_list", "temporal_coordinates", "metadata")
_CHECKBOX = 2
"""The type of an attribute that takes several options."""
_SUBJECTS = frozenset({"subject", "individual", "animal", "actor", "person"})
"""An attribute of one of these names is the subject of a stretch, and no behaviour."""


class Via(LabelFormat):
    """Each attribute of a stretch is a behaviour; one that is called subject, animal or the like is the subject.

    Moments without a stretch have no behaviour: a film is labelled along its time line, and what is left blank is what
    its labeller did not see.
    """

    title = "VIA 3 file"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        if f"{_HEADER} = metadata_id,file_list" in beginning:
            return True
        keys = ('"attribute"', '"file"', '"view"')
        return beginning.lstrip().startswith("{") and all(key in beginning for key in keys)

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        text = read_text(data).lstrip()
        if text.startswith("{"):
            attributes, regions = _of_json(data, read_json(data))
        else:
            attributes, regions = _of_csv(data, text)
        films: dict[str, list[Bout]] = {}
        without_time = without_label = 0
        for region in regions:
            bouts = films.setdefault(region.film, [])
            if region.in_picture or len(region.times) not in (1, 2):
                without_time += 1
                continue
            start, end = region.times[0], region.times[-1]
            check_order(start, end, region.place)
            labels, subject = _labels(region.values, attributes)
            without_label += not labels
            bouts += [Bout(start, end, label, subject) for label in labels]
        if not films:
            raise DataError(f"{data}: holds no labels. Label its videos in VIA and export again.")
        notes = []
        if without_time:
            notes.append(f"{counted(without_time, 'region')} of pictures or whole files left out")
        if without_label:
            notes.append(f"{counted(without_label, 'time span')} without a behaviour left out")
        named = tuple(NamedLabels(film, sorted_bouts(bouts)) for film, bouts in films.items())
        return LabelFile(named, "seconds, the end not included", notes=tuple(notes))


@dataclass(frozen=True)
class _Region:
    film: str
    times: tuple[float, ...]
    in_picture: bool
    """Whether it is a shape in a picture."""
    values: Mapping[str, Any]
    """By the id of the attribute."""
    place: str


def _of_csv(data: Path, text: str) -> tuple[Mapping[str, Any], Iterator[_Region]]:
    lines = text.splitlines()
    header = next((line for line in lines if line.startswith(_HEADER)), "")
    columns = [name.strip() for name in header.partition("=")[2].split(",")]
    if missing := [name for name in _COLUMNS if name not in columns]:
        raise DataError(f"{data}: its line {_HEADER} lacks {', '.join(missing)}. Export it from VIA 3 as CSV.")
    attributes: Mapping[str, Any] = {}
    for line in lines:
        if line.startswith(_ATTRIBUTES):
            attributes = _json(line.partition("=")[2], dict, f"{data}: the line {_ATTRIBUTES}")
    return attributes, _rows(data, columns, text)


def _rows(data: Path, columns: list[str], text: str) -> Iterator[_Region]:
    reader = csv.reader(io.StringIO("\n".join(line for line in text.splitlines() if not line.startswith("#"))))
    try:
        for count, cells in enumerate((cells for cells in reader if cells), 1):
            place = f"{data}: label {count}"
            if len(cells) < len(columns):
                raise DataError(f"{place}: has {len(cells)} cells in place of {len(columns)}. Export it again.")
            row = dict(zip(columns, cells, strict=False))
            files = _json(row["file_list"], list, place)
            shape = row.get("spatial_coordinates", "[]")
            yield _Region(
                film_name(str(files[0])) if files else "",
                tuple(number(one, place) for one in _json(row["temporal_coordinates"], list, place)),
                bool(_json(shape, list, place)),
                _json(row["metadata"], dict, place),
                place,
            )
    except csv.Error as problem:
        raise DataError(f"{data}: line {reader.line_num} is no CSV: {problem}. Export it again.") from None


def _json(text: str, kind: type[Any], place: str) -> Any:
    """The value of JSON in a cell; an empty cell is empty."""
    try:
        value = json.loads(text) if text.strip() else kind()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise DataError(f"{place}: {text[:60]!r} is damaged. Export it again.")
    return value


def _of_json(data: Path, content: Any) -> tuple[Mapping[str, Any], Iterator[_Region]]:
    return member(content, "attribute", dict, str(data)), _regions(data, content)


def _regions(data: Path, content: Any) -> Iterator[_Region]:
    files, views = member(content, "file", dict, str(data)), member(content, "view", dict, str(data))
    for name, record in member(content, "metadata", dict, str(data)).items():
        place = f"{data}: label {name}"
        view = views.get(str(record.get("vid")) if isinstance(record, dict) else "")
        shown = member(view, "fid_list", list, f"{place}, its view")
        file = files.get(str(shown[0])) if shown else None
        times = tuple(number(one, place) for one in member(record, "z", list, place))
        yield _Region(
            film_name(member(file, "fname", str, f"{place}, its file")),
            times,
            bool(record.get("xy")),
            member(record, "av", dict, place),
            place,
        )


def _labels(values: Mapping[str, Any], attributes: Mapping[str, Any]) -> tuple[list[str], str]:
    """The behaviours and the subject of a stretch. The value of an attribute with options names one of them."""
    labels: list[str] = []
    subject = ""
    for name, value in values.items():
        attribute = attributes.get(name)
        attribute = attribute if isinstance(attribute, dict) else {}
        options = attribute.get("options") or {}
        written = str(value).strip()
        several = attribute.get("type") == _CHECKBOX
        parts = [part.strip() for part in written.split(",")] if several else [written]
        found = [str(options.get(part, part) if isinstance(options, dict) else part).strip() for part in parts]
        found = [one for one in found if one]
        if str(attribute.get("aname", "")).strip().casefold() in _SUBJECTS:
            subject = ", ".join(found)
        else:
            labels += found
    return labels, subject
