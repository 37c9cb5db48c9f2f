"""Label formats of labelling tools: base, end and rate; text as systems write it; damage is a sentence."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from examples_b import EXAMPLES, via_json, vtt, workbook

from examples import Truth, written
from vidrnn.config import LabelsConfig
from vidrnn.data.label_text import beginning_of
from vidrnn.data.labelled_frames import read_frame_labelled
from vidrnn.data.labels import LABEL_FORMATS
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels
from vidrnn.errors import DataError
from vidrnn.registry import load_attribute
from vidrnn.values import Bout, Part

TRUTH = Truth(
    film="film.avi",
    bouts=(
        Bout(0.4, 1.2, "dig", "one"),
        Bout(1.2, 1.4, "rear", "one"),
        Bout(2.0, 3.0, "rear", "one"),
        Bout(2.6, 3.6, "dig", "one"),
    ),
)
"""The last two bouts overlap."""
PLAIN = LabelsConfig()
EVERY = pytest.mark.parametrize("name", EXAMPLES)
TEXTS = tuple(name for name in EXAMPLES if name not in ("observer", "ethovision"))
IN_FRAMES = frozenset({"labelstudio", "cvat", "matlab"})
WITH_SUBJECTS = frozenset({"elan", "anvil", "via", "observer", "ethovision"})
NAMES = {
    "elan": "C:/videos/film.avi",
    "ethovision": "D:/videos/film.avi",
    "observer": "film",
    "activitynet": "film",
    "audacity": "film",
    "matlab": "1",
}


def form(name: str) -> LabelFormat:
    made: LabelFormat = load_attribute(LABEL_FORMATS[name])()
    return made


def read(name: str, path: Path) -> LabelFile:
    assert form(name).recognises(path, beginning_of(path))
    return form(name).read(path, PLAIN)


def only(name: str, path: Path) -> NamedLabels:
    (film,) = read(name, path).films
    return film


def seconds(bouts: tuple[Bout, ...], scale: float = 1.0) -> list[tuple[float, float, str, str]]:
    return [(round(one.start * scale, 6), round(one.end * scale, 6), one.label, one.subject) for one in bouts]


def expected(*, subjects: bool = False) -> list[tuple[float, float, str, str]]:
    return seconds(tuple(one if subjects else replace(one, subject="") for one in TRUTH.bouts))


@EVERY
def test_the_truth_is_read_back(name: str, tmp_path: Path) -> None:
    film = only(name, EXAMPLES[name](tmp_path, TRUTH))
    assert film.name == NAMES.get(name, TRUTH.film)
    assert film.unit == ("frames" if name in IN_FRAMES else "seconds")
    scale = 1 / TRUTH.rate if film.unit == "frames" else 1.0
    assert seconds(film.bouts, scale) == expected(subjects=name in WITH_SUBJECTS)


@EVERY
def test_a_format_says_what_its_times_and_its_silence_mean(name: str, tmp_path: Path) -> None:
    assert form(name).silence == "none"
    assert re.match("frames|seconds|milliseconds", read(name, EXAMPLES[name](tmp_path, TRUTH)).base)


@EVERY
def test_a_file_is_recognised_by_its_content_and_by_one_format_only(name: str, tmp_path: Path) -> None:
    path = EXAMPLES[name](tmp_path, TRUTH)
    renamed = path.rename(path.with_name("labels.data"))
    beginning = beginning_of(renamed)
    assert [other for other in EXAMPLES if form(other).recognises(renamed, beginning)] == [name]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("way", ["bom", "crlf", "utf-16"])
def test_text_is_read_as_systems_write_it(name: str, way: str, tmp_path: Path) -> None:
    path = EXAMPLES[name](tmp_path, TRUTH)
    text = path.read_text(encoding="utf-8")
    if way == "utf-16":
        path.write_bytes(text.replace('encoding="UTF-8"', "").replace('encoding="utf-8"', "").encode("utf-16"))
    else:
        path.write_bytes(text.encode("utf-8-sig") if way == "bom" else text.replace("\n", "\r\n").encode())
    assert len(only(name, path).bouts) == len(TRUTH.bouts)


@EVERY
def test_an_empty_file_is_an_error_with_a_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(DataError, match=r"empty: is empty\. Export the labels again\."):
        form(name).read(path, PLAIN)
    assert not form(name).recognises(path, "")


@EVERY
def test_a_file_that_is_not_there_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        form(name).read(tmp_path / "none", PLAIN)


@EVERY
@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 0.95])
def test_half_a_file_is_read_or_refused_and_never_a_traceback(name: str, share: float, tmp_path: Path) -> None:
    path = EXAMPLES[name](tmp_path, TRUTH)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused_or_read(name, path)


@EVERY
def test_a_file_with_other_bytes_is_read_or_refused_and_never_a_traceback(name: str, tmp_path: Path) -> None:
    path = EXAMPLES[name](tmp_path, TRUTH)
    content = path.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:place] + b"]\xff" + content[place + 2 :])
        refused_or_read(name, path)
        path.write_bytes(content[:place] + b'"9' + content[place + 2 :])
        refused_or_read(name, path)


def refused_or_read(name: str, path: Path) -> None:
    form(name).recognises(path, beginning_of(path))
    try:
        form(name).read(path, PLAIN)
    except DataError as error:
        assert str(error).startswith(str(path)) and str(error).endswith(".")


@pytest.mark.parametrize("name", ["labelstudio", "activitynet", "via"])
@pytest.mark.parametrize("value", ["null", "[]", "{}", "7", '"x"', '[{"annotations": 7}]', '{"a": {"annotations": 7}}'])
def test_json_of_another_form_is_an_error_with_a_sentence(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.$"):
        form(name).read(written(tmp_path / "other.json", value), PLAIN)


@pytest.mark.parametrize("name", ["elan", "anvil", "cvat"])
def test_entities_are_refused(name: str, tmp_path: Path) -> None:
    path = EXAMPLES[name](tmp_path, TRUTH)
    secret = written(tmp_path / "secret.txt", "dig")
    text = path.read_text()
    line, _, rest = text.partition("\n")
    path.write_text(f'{line}\n<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>\n{rest}'.replace(">dig<", ">&e;<"))
    with pytest.raises(DataError, match="declares entities or refers to other files"):
        form(name).read(path, PLAIN)


@pytest.mark.parametrize("name", ["elan", "anvil", "cvat"])
def test_xml_of_another_form_is_an_error_with_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.$"):
        form(name).read(written(tmp_path / "other.xml", "<html><body/></html>"), PLAIN)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("anvil", 'start="0.4" end="1.2"', 'start="2.4" end="1.2"'),
        ("audacity", "0.400000\t1.200000", "2.400000\t1.200000"),
        ("captions", "00:00:00,400", "00:00:02,400"),
        ("via", "[0.4,1.2]", "[2.4,1.2]"),
        ("activitynet", "[0.4, 1.2]", "[2.4, 1.2]"),
        ("labelstudio", '"start": 11', '"start": 51'),
        ("matlab", "11:30", "51:30"),
        ("elan", 'TIME_VALUE="400"', 'TIME_VALUE="2400"'),
    ],
)
def test_a_bout_that_ends_before_it_starts_is_refused_with_its_place(
    name: str, before: str, after: str, tmp_path: Path
) -> None:
    path = EXAMPLES[name](tmp_path, TRUTH)
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(DataError, match="ends before that"):
        form(name).read(path, PLAIN)


# Label Studio


def task(video: str = "film.avi", **fields: object) -> dict[str, Any]:
    result = [{"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 25}], "timelinelabels": ["dig"]}}]
    return {"id": 1, "data": {"video": video}, "annotations": [{"completed_by": 1, "result": result}], **fields}


def tasks(folder: Path, *wanted: object) -> Path:
    return written(folder / "tasks.json", json.dumps(wanted))


@pytest.mark.parametrize(
    ("video", "name"),
    [
        ("/data/upload/1/ab-a.mp4", "a.mp4"),
        ("/data/upload/12/1f2e3d4c-my%20film.mp4", "my film.mp4"),
        ("/data/local-files/?d=day%201/a.mp4", "day 1/a.mp4"),
        ("s3://bucket/mice/a.mp4", "/mice/a.mp4"),
        ("https://example.org/mice/a.mp4?token=1", "/mice/a.mp4"),
        ("ab-a.mp4", "ab-a.mp4"),
    ],
)
def test_label_studio_names_films_as_they_were_before(video: str, name: str, tmp_path: Path) -> None:
    assert only("labelstudio", tasks(tmp_path, task(video))).name == name


def test_label_studio_says_the_rate_where_the_task_has_one(tmp_path: Path) -> None:
    assert only("labelstudio", tasks(tmp_path, task())).rate is None
    assert only("labelstudio", tasks(tmp_path, task(data={"video": "a.mp4", "fps": 30}))).rate == 30.0


def test_label_studio_has_a_film_once_for_each_annotator_and_none_for_predictions(tmp_path: Path) -> None:
    first = task()
    (annotation,) = first["annotations"]
    other = {**annotation, "completed_by": {"id": 5, "email": "b@lab.org"}}
    guessed = {"id": 2, "data": {"video": "b.mp4"}, "annotations": [], "predictions": [{"result": []}]}
    found = read("labelstudio", tasks(tmp_path, {**first, "annotations": [annotation, other]}, guessed))
    assert [(film.name, film.annotator) for film in found.films] == [("film.avi", "1"), ("film.avi", "b@lab.org")]
    assert found.notes == ("1 task with predictions only: predictions are no truth and are left out",)
    with pytest.raises(DataError, match="none of its 1 task has an annotation that was submitted"):
        form("labelstudio").read(tasks(tmp_path, guessed), PLAIN)


def test_label_studio_reads_its_short_form_and_labels_of_sound(tmp_path: Path) -> None:
    short = {"video": "a.mp4", "id": 1, "annotator": 3, "annotation_id": 9}
    ranges = [{"ranges": [{"start": 3, "end": 3}], "timelinelabels": ["dig", "rear"]}]
    film = only("labelstudio", tasks(tmp_path, {**short, "videoLabels": ranges}))
    assert (film.annotator, seconds(film.bouts)) == ("3", [(2.0, 3.0, "dig", ""), (2.0, 3.0, "rear", "")])
    sound = [
        {"type": "labels", "value": {"start": 0.5, "end": 1.25, "labels": ["dig"]}},
        {"type": "choices", "value": {}},
    ]
    found = read("labelstudio", tasks(tmp_path, task(annotations=[{"result": sound}])))
    assert (found.films[0].unit, seconds(found.films[0].bouts)) == ("seconds", [(0.5, 1.25, "dig", "")])
    assert found.notes == ("1 region of another kind than timeline labels left out",)


# ELAN

EAF = """<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds">{media}</HEADER>
<TIME_ORDER>{slots}</TIME_ORDER>{tiers}</ANNOTATION_DOCUMENT>"""


def eaf(folder: Path, slots: dict[str, int | None], *tiers: str, media: str = "") -> Path:
    shown = [
        f'<TIME_SLOT TIME_SLOT_ID="{name}"/>'
        if time is None
        else f'<TIME_SLOT TIME_SLOT_ID="{name}" TIME_VALUE="{time}"/>'
        for name, time in slots.items()
    ]
    return written(folder / "a.eaf", EAF.format(media=media, slots="".join(shown), tiers="".join(tiers)))


def aligned(name: str, start: str, end: str, value: str) -> str:
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}" TIME_SLOT_REF1="{start}" TIME_SLOT_REF2="{end}">'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def referring(name: str, parent: str, value: str) -> str:
    return (
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{name}" ANNOTATION_REF="{parent}">'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    )


def tier(name: str, *annotations: str, participant: str = "") -> str:
    return f'<TIER TIER_ID="{name}" PARTICIPANT="{participant}">{"".join(annotations)}</TIER>'


def test_elan_shares_time_among_annotations_without_times(tmp_path: Path) -> None:
    words = [aligned("a1", "t1", "t2", "x"), aligned("a2", "t2", "t3", "y"), aligned("a3", "t3", "t4", "z")]
    path = eaf(tmp_path, {"t1": 1000, "t2": None, "other": 1100, "t3": None, "t4": 2500}, tier("A", *words))
    assert seconds(only("elan", path).bouts) == [(1.0, 1.5, "x", "A"), (1.5, 2.0, "y", "A"), (2.0, 2.5, "z", "A")]


def test_elan_refuses_a_time_that_no_neighbour_tells(tmp_path: Path) -> None:
    path = eaf(tmp_path, {"t1": 1000, "t2": None}, tier("A", aligned("a1", "t1", "t2", "x")))
    with pytest.raises(DataError, match=r"annotation a1 has no time, and none can be told .* Align it in ELAN"):
        form("elan").read(path, PLAIN)
    path = eaf(tmp_path, {"t1": 1000}, tier("A", aligned("a1", "t1", "t9", "x")))
    with pytest.raises(DataError, match="annotation a1 names a time slot that is not there"):
        form("elan").read(path, PLAIN)
    path = eaf(tmp_path, {}, tier("A", referring("a1", "a2", "x")), tier("B", referring("a2", "a1", "x")))
    with pytest.raises(DataError, match="is its own parent"):
        form("elan").read(path, PLAIN)


def test_elan_gives_annotations_that_refer_the_time_of_their_parent(tmp_path: Path) -> None:
    parent = tier("A", aligned("a1", "t1", "t2", "x"))
    parts = tier("B", referring("b1", "a1", "y"), referring("b2", "a1", "z"))
    last = tier("C", referring("c1", "b2", "w"))
    path = eaf(tmp_path, {"t1": 1000, "t2": 2000}, last, parent, parts)
    bouts = [(1.0, 1.5, "y", "B"), (1.0, 2.0, "x", "A"), (1.5, 2.0, "w", "C"), (1.5, 2.0, "z", "B")]
    assert seconds(only("elan", path).bouts) == bouts


@pytest.mark.parametrize(
    ("name", "participant", "values", "label", "subject"),
    [
        ("mouse A", "", ("dig",), "dig", "mouse A"),
        ("default", "", ("dig",), "dig", ""),
        ("dig", "", ("",), "dig", ""),
        ("dig", "", ("dig",), "dig", ""),
        ("dig", "A", ("dig",), "dig", "A"),
        ("dig@A", "A", ("dig",), "dig", "A"),
        ("dig@A", "A", ("",), "dig", "A"),
        ("behaviour", "A", ("dig",), "dig", "A"),
    ],
)
def test_an_elan_tier_is_a_subject_or_a_behaviour(
    name: str, participant: str, values: tuple[str], label: str, subject: str, tmp_path: Path
) -> None:
    path = eaf(
        tmp_path, {"t1": 0, "t2": 1000}, tier(name, aligned("a1", "t1", "t2", values[0]), participant=participant)
    )
    assert seconds(only("elan", path).bouts) == [(0.0, 1.0, label, subject)]


def test_elan_adds_the_time_origin_and_takes_the_first_video(tmp_path: Path) -> None:
    media = (
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/a.wav" MIME_TYPE="audio/x-wav"/>'
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/a.mp4" RELATIVE_MEDIA_URL="./my%20films/a.mp4" TIME_ORIGIN="2000"/>'
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/b.mp4"/>'
    )
    annotations = aligned("a1", "t1", "t2", "dig"), aligned("a2", "t1", "t2", " ")
    path = eaf(tmp_path, {"t1": 0, "t2": 500}, tier("A", *annotations), media=media)
    found = read("elan", path)
    assert found.films == (NamedLabels("my films/a.mp4", (Bout(2.0, 2.5, "dig", "A"),)),)
    assert found.notes == (
        "a.eaf: 2 videos; the labels are read for the first one",
        "a.eaf: 1 annotation without a value left out",
    )


def test_elan_in_other_units_is_refused(tmp_path: Path) -> None:
    path = eaf(tmp_path, {})
    path.write_text(path.read_text().replace("milliseconds", "PAL-frames"))
    with pytest.raises(DataError, match="has its times in PAL-frames"):
        form("elan").read(path, PLAIN)


# CVAT


def test_cvat_for_video_is_refused(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.xml",
        '<annotations><version>1.1</version><meta/><track id="0" label="dig"><box frame="0" outside="0"/></track>'
        "</annotations>",
    )
    assert form("cvat").recognises(path, beginning_of(path))
    with pytest.raises(DataError, match=r"holds tracks of boxes, and no tags.* 'CVAT for images 1\.1'"):
        form("cvat").read(path, PLAIN)


def test_cvat_knows_the_frames_of_the_task_and_its_step(tmp_path: Path) -> None:
    path = EXAMPLES["cvat"](tmp_path, TRUTH)
    found = read("cvat", path)
    assert (found.films[0].known, found.behaviours) == (((0.0, 100.0),), ("dig", "rear"))
    text = path.read_text().replace("<frame_filter></frame_filter>", "<frame_filter>step=5</frame_filter>")
    path.write_text(re.sub(r'<image id="\d*[1-46-9]".*', "", text).replace("<stop_frame>99<", "<stop_frame>95<"))
    film = only("cvat", path)
    assert seconds(film.bouts)[:2] == [(10.0, 30.0, "dig", ""), (30.0, 35.0, "rear", "")]
    assert film.known == ((0.0, 100.0),)


def test_cvat_projects_hold_several_films(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.xml",
        "<annotations><meta><project><tasks><task><id>1</id><source>a.mp4</source></task>"
        "<task><id>2</id><source>b.mp4</source></task></tasks></project></meta>",
        '<image id="0" task_id="1"><tag label="dig"/></image><image id="3" task_id="2"><tag label="dig"/></image>',
        "</annotations>",
    )
    found = read("cvat", path)
    assert [(film.name, film.bouts[0].start) for film in found.films] == [("a.mp4", 0.0), ("b.mp4", 3.0)]
    damaged = written(tmp_path / "b.xml", path.read_text().replace('id="3"', 'id="x"'))
    with pytest.raises(DataError, match="an image has the number 'x'"):
        form("cvat").read(damaged, PLAIN)


# VIA


def test_via_projects_are_read(tmp_path: Path) -> None:
    assert seconds(only("via", via_json(tmp_path, TRUTH)).bouts) == expected()


def test_via_has_points_and_leaves_regions_out(tmp_path: Path) -> None:
    path = EXAMPLES["via"](tmp_path, TRUTH)
    lines = [line for line in path.read_text().splitlines() if line.startswith("#")]
    row = '"1_{}","[""film.avi""]",0,"{}","{}","{}"'
    point, region = (
        row.format(1, "[1.5]", "[]", '{""1"":""1""}'),
        row.format(2, "[1.5]", "[2,0,0,4,4]", '{""1"":""1""}'),
    )
    empty = row.format(3, "[1,2]", "[]", "{}")
    found = read("via", written(path, *lines, point, region, empty))
    assert found.films[0].bouts == (Bout(1.5, 1.5, "dig"),)
    assert found.notes == ("1 region of pictures or whole files left out", "1 time span without a behaviour left out")


# Noldus


def test_a_state_without_its_stop_costs_its_observation_only(tmp_path: Path) -> None:
    columns = ["Time_Relative_hmsf", "Observation", "Behavior", "Event_Type"]
    start, point = ["0:00:01.5", "a", "dig", "State start"], ["0:00:02", "b", "call", "Point"]
    found = read("observer", workbook(tmp_path / "a.xlsx", [columns, start, point]))
    assert [(film.name, film.bouts) for film in found.films] == [("b", (Bout(2.0, 2.0, "call"),))]
    assert found.failures == (
        ("a", "'dig' starts at 1.500 s and never stops. Correct it in Observer XT and export again"),
    )
    stop = ["0:01:02,25", "a", "dig", "State stop"]
    film, _ = read("observer", workbook(tmp_path / "b.xlsx", [columns, start, point, stop])).films
    assert film.bouts == (Bout(1.5, 62.25, "dig"),)
    with pytest.raises(DataError, match=r"row 2: has the behavior 'dig' and the event type 'Other'"):
        form("observer").read(workbook(tmp_path / "d.xlsx", [columns, ["1", "a", "dig", "Other"]]), PLAIN)


def test_times_may_be_cells_of_excel(tmp_path: Path) -> None:
    columns = ["Time_Relative_hmsf", "Observation", "Behavior", "Event_Type"]
    rows = [[time(0, 0, 1, 500_000), "a", "dig", "State start"], [timedelta(hours=30), "a", "dig", "State stop"]]
    assert only("observer", workbook(tmp_path / "a.xlsx", [columns, *rows])).bouts == (Bout(1.5, 108_000.0, "dig"),)


def test_an_ethovision_log_with_a_state_that_never_stops_is_refused(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", "Number of header lines:,3", "Recording time,Behavior,Event", ",,", "1,dig,state start"
    )
    with pytest.raises(DataError, match=r"'dig' starts at 1\.000 s and never stops\. Correct it in EthoVision"):
        form("ethovision").read(path, PLAIN)


def test_observer_text_may_have_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    lines = ["Time_Relative_sf;Observation;Behavior;Event_Type", "1,5;a;dig;State start", "2,25;a;dig;State stop"]
    assert only("observer", written(tmp_path / "a.csv", *lines)).bouts == (Bout(1.5, 2.25, "dig"),)


def test_ethovision_text_may_have_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    lines = [
        '"Number of header lines:";"4"',
        '"Video file";"C:\\films\\a.mp4"',
        '"Recording time";"Behavior";"Event"',
        '"(s)";"";""',
        '"1,5";"dig";"state start"',
        '"2,25";"dig";"state stop"',
        '"3";"call";"point event"',
    ]
    path = tmp_path / "a.txt"
    path.write_bytes("\r\n".join(lines).encode("utf-16"))
    film = only("ethovision", path)
    assert (film.name, film.bouts) == ("C:/films/a.mp4", (Bout(1.5, 2.25, "dig"), Bout(3.0, 3.0, "call")))


@pytest.mark.parametrize("name", ["observer", "ethovision"])
def test_a_workbook_that_is_none_is_a_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("xl/workbook.xml", "<workbook")
    with pytest.raises(DataError, match="is damaged as an Excel workbook"):
        form(name).read(path, PLAIN)
    with pytest.raises(DataError, match="columns"):
        form(name).read(workbook(tmp_path / "b.xlsx", [["a", "b"], [1, 2]]), PLAIN)


# The others


def test_activitynet_gives_parts_and_durations(tmp_path: Path) -> None:
    film = only("activitynet", EXAMPLES["activitynet"](tmp_path, TRUTH))
    assert (film.part, film.duration_seconds) == (Part.VAL, 4.0)


def test_activitynet_needs_no_database(tmp_path: Path) -> None:
    record: dict[str, Any] = {"duration_second": 2, "annotations": [{"segment": [1, 2.0], "label": "Drinking beer"}]}
    film = only("activitynet", written(tmp_path / "a.json", json.dumps({"v_test2": record})))
    assert (film.name, film.duration_seconds, film.part) == ("v_test2", 2, None)
    assert film.bouts == (Bout(1.0, 2.0, "Drinking beer"),)
    record["annotations"][0]["segment"] = [1]
    with pytest.raises(DataError, match=r"v_test2, annotation 1: wanted a segment of start and end, found \[1\]"):
        form("activitynet").read(written(tmp_path / "b.json", json.dumps({"v_test2": record})), PLAIN)


def test_audacity_has_decimal_commas_points_and_labels_without_a_name(tmp_path: Path) -> None:
    path = written(
        tmp_path / "film.avi.labels.txt", "0,5\t1,25\tdig a hole", "2,0\t2,0\tcall", "3,0\t4,0\t", "5,0\t6,0"
    )
    found = read("audacity", path)
    assert found.films == (NamedLabels("film.avi", (Bout(0.5, 1.25, "dig a hole"), Bout(2.0, 2.0, "call"))),)
    assert found.notes == ("film.avi.labels.txt: 2 labels without a name left out",)
    with pytest.raises(DataError, match="line 1: wanted start, end and label with tabs between"):
        form("audacity").read(written(tmp_path / "b.txt", "1.0 2.0 dig"), PLAIN)
    with pytest.raises(DataError, match="line 2: wanted a number, found 'x'"):
        form("audacity").read(written(tmp_path / "b.txt", "1.0\t2.0\tdig", "x\t2.0\tdig"), PLAIN)


def test_webvtt_has_voices_comments_and_tags(tmp_path: Path) -> None:
    film = only("captions", vtt(tmp_path, TRUTH))
    assert seconds(film.bouts) == expected(subjects=True)
    path = written(tmp_path / "b.vtt", "WEBVTT", "", "one", "00:01.000 --> 00:02.000", "a &lt;b&gt; &amp; c  1.00")
    assert only("captions", path).bouts == (Bout(1.0, 2.0, "a <b> & c"),)


def test_a_damaged_cue_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.srt", "1", "00:00:01,000 --> 00:00:02,000", "dig", "", "2", "00:00:03 -> 00:00:04", "dig"
    )
    with pytest.raises(DataError, match="line 5: wanted a number and times such as"):
        form("captions").read(path, PLAIN)
    path = written(tmp_path / "a.srt", "1", "00:00:01,000 --> then", "dig")
    with pytest.raises(DataError, match=r"line 2: wanted a time such as 0:01:02\.5, found 'then'"):
        form("captions").read(path, PLAIN)


def test_matlab_reads_the_truth_of_ucsd_and_runs_nothing(tmp_path: Path) -> None:
    path = written(
        tmp_path / "UCSDped2.m",
        "TestVideoFile = {};",
        "TestVideoFile{end+1}.gt_frame = [61:180];  % TestVideoFile{9}.gt_frame = [1:2];",
        "TestVideoFile{end+1}.gt_frame = [5:90, 140:200];",
        "TestVideoFile{end + 1}.gt_frame = [];",
        "system('touch ran');",
    )
    found = read("matlab", path)
    assert [(film.name, seconds(film.bouts)) for film in found.films] == [
        ("1", [(60.0, 180.0, "anomaly", "")]),
        ("2", [(4.0, 90.0, "anomaly", ""), (139.0, 200.0, "anomaly", "")]),
        ("3", []),
    ]
    assert found.behaviours == ("anomaly",)
    with pytest.raises(DataError, match=r"line 1: wanted ranges of frames from 1 such as \[61:180\], found '0:9'"):
        form("matlab").read(written(tmp_path / "a.m", "gt(1).frame = [0:9];"), PLAIN)
    with pytest.raises(DataError, match="takes only each 2th frame"):
        form("matlab").read(written(tmp_path / "a.m", "gt(1).frame = [1:2:9];"), PLAIN)


@pytest.mark.footage
def test_a_real_elan_file_with_unaligned_slots_is_read(footage: Path) -> None:
    film = only("elan", footage / "lab" / "elan" / "sample_2.8.eaf")
    tiers = {bout.subject for bout in film.bouts}
    assert {"text", "words-timesub", "gestures"} <= tiers
    assert all(bout.end >= bout.start >= 0 for bout in film.bouts)


@pytest.mark.footage
def test_real_files_of_mmaction2_are_read_and_its_predictions_are_not_recognised(footage: Path) -> None:
    folder = footage / "lab" / "mmaction2"
    found = read("activitynet", folder / "action_test_anno.json")
    assert [(film.name, seconds(film.bouts)) for film in found.films] == [
        ("v_test1", [(0.3, 0.6, "Rock climbing", "")]),
        ("v_test2", [(1.0, 2.0, "Drinking beer", "")]),
    ]
    assert {film.part for film in read("activitynet", folder / "gt.json").films} == {Part.VAL}
    guessed = folder / "result.json"
    assert not [name for name in EXAMPLES if form(name).recognises(guessed, beginning_of(guessed))]


# Films


@pytest.mark.parametrize(
    ("films", "found"),
    [
        (["Test001.avi", "Test002.avi", "Test010.avi"], ["Test001.avi", "Test010.avi"]),
        (["a.avi", "b.avi"], ["a.avi"]),
    ],
)
def test_labels_that_only_count_films_find_them_by_number_or_by_order(
    films: list[str], found: list[str], tmp_path: Path
) -> None:
    for film in films:
        (tmp_path / film).touch()
    path = written(tmp_path / "truth.m", "gt(1).frame = [1:5];", "gt(10).frame = [2:6];")
    labelled = read_frame_labelled(path, PLAIN)
    assert [film.path.name for film in labelled.films] == found
    assert len(labelled.failures) == 2 - len(found)


def test_two_films_of_one_number_are_refused(tmp_path: Path) -> None:
    for film in ("Test01.avi", "Other1.avi"):
        (tmp_path / film).touch()
    with pytest.raises(DataError, match=r"2 videos end in 1: .*\. Rename one of them"):
        read_frame_labelled(written(tmp_path / "truth.m", "gt(1).frame = [1:5];"), PLAIN)


def test_results_among_films_are_labels_only_where_there_are_no_others(tmp_path: Path) -> None:
    (tmp_path / "film.avi").touch()
    EXAMPLES["captions"](tmp_path, replace(TRUTH, bouts=TRUTH.bouts[:1]))
    assert len(found_bouts(tmp_path)) == 1
    EXAMPLES["elan"](tmp_path, TRUTH)
    assert len(found_bouts(tmp_path)) == 4


def found_bouts(folder: Path) -> tuple[Bout, ...]:
    (film,) = read_frame_labelled(folder, PLAIN).films
    assert film.annotation is not None
    return film.annotation.bouts
