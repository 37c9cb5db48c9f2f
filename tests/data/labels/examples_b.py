"""A small file of each of these label formats, written from one truth as its labelling tool would write it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from examples import Example, Truth, written
from vidrnn.values import Bout


def workbook(file: Path, *sheets: Sequence[Sequence[Any]]) -> Path:
    """The rows of sheets as an Excel workbook."""
    book = Workbook()
    for number, rows in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet()
        assert sheet is not None
        for row in rows:
            sheet.append(list(row))
    book.save(file)
    return file


def labelstudio(folder: Path, truth: Truth) -> Path:
    """Frames from 1, the last one included."""
    regions = [
        {
            "type": "timelinelabels",
            "from_name": "videoLabels",
            "to_name": "video",
            "value": {"ranges": [{"start": first + 1, "end": end}], "timelinelabels": [label]},
        }
        for first, end, label in truth.in_frames
    ]
    data = {"video": f"/data/upload/1/ab12cd34-{truth.film}", "fps": truth.rate}
    cancelled = {"id": 4, "completed_by": 2, "was_cancelled": True, "result": []}
    annotations = [{"id": 3, "completed_by": 1, "was_cancelled": False, "result": regions}, cancelled]
    tasks = [{"id": 1, "annotations": annotations, "predictions": [], "data": data}]
    return written(folder / "export.json", json.dumps(tasks, indent=1))


def elan(folder: Path, truth: Truth) -> Path:
    """Milliseconds; a tier of a subject may not overlap itself, so each behaviour has its own."""
    slots, tiers = [], []
    for number, label in enumerate(dict.fromkeys(bout.label for bout in truth.bouts)):
        annotations = []
        for count, bout in enumerate(one for one in truth.bouts if one.label == label):
            names = f"ts{number}{count}a", f"ts{number}{count}b"
            times = round(bout.start * 1000), round(bout.end * 1000)
            slots += [
                f'<TIME_SLOT TIME_SLOT_ID="{name}" TIME_VALUE="{time}"/>'
                for name, time in zip(names, times, strict=True)
            ]
            annotations.append(
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}{count}" TIME_SLOT_REF1="{names[0]}" '
                f'TIME_SLOT_REF2="{names[1]}"><ANNOTATION_VALUE>{label}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>'
                "</ANNOTATION>"
            )
        tiers.append(
            f'<TIER LINGUISTIC_TYPE_REF="t" PARTICIPANT="one" TIER_ID="T{number}">{"".join(annotations)}</TIER>'
        )
    return written(
        folder / "session.eaf",
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<ANNOTATION_DOCUMENT AUTHOR="" DATE="2020-01-01T00:00:00+01:00" FORMAT="3.0" VERSION="3.0">',
        '<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">',
        f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/videos/{truth.film}" MIME_TYPE="video/x-msvideo"/>',
        "</HEADER>",
        f"<TIME_ORDER>{''.join(slots)}</TIME_ORDER>",
        *tiers,
        '<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="t" TIME_ALIGNABLE="true"/>',
        "</ANNOTATION_DOCUMENT>",
    )


def anvil(folder: Path, truth: Truth) -> Path:
    """Seconds."""
    elements = [
        f'<el index="{number}" start="{one.start}" end="{one.end}"><attribute name="type">{one.label}</attribute></el>'
        for number, one in enumerate(truth.bouts)
    ]
    return written(
        folder / "session.anvil",
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<annotation><head><video src="{truth.film}"/></head><body><track name="one" type="primary">',
        *elements,
        "</track></body></annotation>",
    )


def cvat(folder: Path, truth: Truth) -> Path:
    """Frames from 0, one at a time."""
    images = []
    for frame in range(truth.frames):
        tags = [
            f'<tag label="{label}" source="manual"/>' for first, end, label in truth.in_frames if first <= frame < end
        ]
        name = f'<image id="{frame}" name="frame_{frame:06d}" width="64" height="48">'
        images.append("".join([name, *tags, "</image>"]))
    labels = "".join(f"<label><name>{label}</name></label>" for label in ("dig", "rear"))
    return written(
        folder / "annotations.xml",
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations><version>1.1</version>",
        f"<meta><task><id>7</id><name>mice</name><size>{truth.frames}</size><start_frame>0</start_frame>"
        f"<stop_frame>{truth.frames - 1}</stop_frame><frame_filter></frame_filter><labels>{labels}</labels>"
        f"<source>{truth.film}</source></task></meta>",
        *images,
        "</annotations>",
    )


def via(folder: Path, truth: Truth) -> Path:
    """Seconds; the values are names of options."""
    options = {"1": "dig", "2": "rear"}
    ids = {label: name for name, label in options.items()}
    attributes = {
        "1": {"aname": "Behaviour", "anchor_id": "FILE1_Z2_XY0", "type": 4, "options": options},
        "2": {"aname": "Subject", "anchor_id": "FILE1_Z2_XY0", "type": 1, "options": {}},
    }
    rows = []
    for number, one in enumerate(truth.bouts, 1):
        quoted = json.dumps({"1": ids[one.label], "2": one.subject}).replace('"', '""')
        rows.append(f'"1_{number}","[""{truth.film}""]",0,"[{one.start},{one.end}]","[]","{quoted}"')
    header = "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata"
    return written(
        folder / "via.csv",
        "# Exported using VGG Image Annotator",
        f"# ATTRIBUTE = {json.dumps(attributes)}",
        header,
        *rows,
    )


def via_json(folder: Path, truth: Truth) -> Path:
    """The project of the same labels."""
    attributes = {"1": {"aname": "Behaviour", "anchor_id": "FILE1_Z2_XY0", "type": 1, "options": {}}}
    metadata = {
        f"1_{number}": {"vid": "1", "flg": 0, "z": [one.start, one.end], "xy": [], "av": {"1": one.label}}
        for number, one in enumerate(truth.bouts)
    }
    project = {
        "project": {"pid": "__VIA_PROJECT_ID__", "vid_list": ["1"]},
        "config": {},
        "attribute": attributes,
        "file": {"1": {"fid": "1", "fname": truth.film, "type": 4, "loc": 1, "src": truth.film}},
        "metadata": metadata,
        "view": {"1": {"fid_list": ["1"]}},
    }
    return written(folder / "via.json", json.dumps(project))


def _event_rows(truth: Truth) -> list[tuple[float, Bout, str]]:
    """The time, the bout and the kind of each event, in the order of time."""
    starts = [(one.start, one, "start") for one in truth.bouts]
    stops = [(one.end, one, "stop") for one in truth.bouts]
    return sorted(starts + stops, key=lambda event: (event[0], event[2] == "start"))


def observer(folder: Path, truth: Truth) -> Path:
    """The events are in the last sheet."""
    columns = ["Time_Relative_hmsf", "Observation", "Subject", "Behavior", "Event_Type", "Comment"]
    rows = [
        [f"00:00:{seconds:06.3f}", Path(truth.film).stem, one.subject, one.label, f"State {kind}", None]
        for seconds, one, kind in _event_rows(truth)
    ]
    return workbook(folder / "observer.xlsx", [["Project", "mice"]], [columns, *rows])


def ethovision(folder: Path, truth: Truth) -> Path:
    """A header of keys and values, then names, units and events; the tracks are another sheet."""
    header: list[list[Any]] = [
        ["Number of header lines:", "6"],
        ["Experiment", "mice"],
        ["Video file", f"D:\\videos\\{truth.film}"],
        [],
        ["Trial time", "Recording time", "Subject", "Behavior", "Event"],
        ["(s)", "(s)", "", "", ""],
    ]
    rows = [
        [seconds + 7, seconds, one.subject, one.label, f"state {kind}"] for seconds, one, kind in _event_rows(truth)
    ]
    tracks: list[list[Any]] = [
        ["Number of header lines:", "3"],
        ["Recording time", "X center"],
        ["(s)", "(cm)"],
        [0, 1.5],
    ]
    return workbook(folder / "ethovision.xlsx", tracks, [*header, *rows])


def activitynet(folder: Path, truth: Truth) -> Path:
    """Seconds; the names have no suffix."""
    annotations = [{"segment": [one.start, one.end], "label": one.label} for one in truth.bouts]
    record = {"subset": "validation", "duration": truth.seconds, "annotations": annotations}
    return written(
        folder / "activitynet.json", json.dumps({"version": "1.3", "database": {Path(truth.film).stem: record}})
    )


def audacity(folder: Path, truth: Truth) -> Path:
    """Seconds, with a row of frequencies."""
    rows = [f"{one.start:.6f}\t{one.end:.6f}\t{one.label}" for one in truth.bouts]
    return written(folder / f"{Path(truth.film).stem}.txt", *rows, "\\\t100.000000\t200.000000")


def captions(folder: Path, truth: Truth) -> Path:
    """SubRip, as vidrnn writes it."""
    lines = []
    for number, one in enumerate(truth.bouts, 1):
        start, end = (f"00:00:{seconds:06.3f}".replace(".", ",") for seconds in (one.start, one.end))
        lines += [str(number), f"{start} --> {end}", f"{one.label}  0.93", ""]
    return written(folder / f"{truth.film}.srt", *lines)


def vtt(folder: Path, truth: Truth) -> Path:
    """WebVTT, with a comment, cue settings and voices."""
    lines = ["WEBVTT - mice", "", "NOTE", "Labelled twice", ""]
    for one in truth.bouts:
        lines += [
            f"00:{one.start:06.3f} --> 00:{one.end:06.3f} align:start",
            f"<v {one.subject}><b>{one.label}</b></v>",
            "",
        ]
    return written(folder / f"{truth.film}.vtt", *lines)


def matlab(folder: Path, truth: Truth) -> Path:
    """Frames from 1, the last one included; the film is the first one."""
    rows = []
    for label in ("dig", "rear"):
        ranges = [f"{first + 1}:{end}" for first, end, other in truth.in_frames if other == label]
        rows.append(f"gt(1).{label} = [{', '.join(ranges)}];")
    return written(folder / "truth.m", "% the truth", "gt = struct();", *rows)


EXAMPLES: dict[str, Example] = {
    "labelstudio": labelstudio,
    "elan": elan,
    "anvil": anvil,
    "cvat": cvat,
    "via": via,
    "observer": observer,
    "ethovision": ethovision,
    "activitynet": activitynet,
    "audacity": audacity,
    "captions": captions,
    "matlab": matlab,
}
"""By the name of the format, as in LABEL_FORMATS."""
