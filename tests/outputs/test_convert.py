"""Labels that are written in the format of another tool are the same labels when they are read back."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import followed, make_film

from vidrnn.config import LabelsConfig
from vidrnn.data.annotations import in_frames
from vidrnn.data.films import LabelledData
from vidrnn.data.label_text import beginning_of
from vidrnn.data.labels import LABEL_FORMATS
from vidrnn.data.labels.base import LabelFile, LabelFormat
from vidrnn.data.scan import scan_film
from vidrnn.errors import DataError, OutputError, UsageError
from vidrnn.events import LeftOut, RunEvent
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import EventOutput
from vidrnn.outputs.convert import Conversion, Converted, film_events, output_named, write_labels
from vidrnn.registry import load_attribute
from vidrnn.values import Annotation, Bout, FilmFailure, LabelledFilm

BOUTS = (
    Bout(0.4, 1.2, "dig"),
    Bout(1.2, 1.4, "rear up"),
    Bout(2.0, 3.0, "rear up"),
    Bout(2.6, 3.6, "dig"),
)
WITH_SUBJECTS = (Bout(0.4, 1.2, "dig", "A"), Bout(0.6, 1.0, "dig", "B"))
READABLE = {
    "csv": "csv",
    "boris": "boris",
    "elan": "elan",
    "labelstudio": "labelstudio",
    "audacity": "audacity",
    "srt": "captions",
    "vtt": "captions",
}
"""Formats that are written, and the readers of them."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "films"
    return [make_film(folder / "a.avi", frames=100), make_film(folder / "day 1" / "b.avi", frames=100)]


def labelled(films: list[Path], bouts: tuple[Bout, ...] = BOUTS, **fields: Any) -> LabelledData:
    return LabelledData(tuple(LabelledFilm(film, annotation=Annotation(bouts), **fields) for film in films))


def run(data: LabelledData, wanted: Conversion) -> tuple[Converted, list[RunEvent]]:
    return followed(write_labels(data, output_named(wanted.to), wanted))


def wanted_in(folder: Path, to: str, **fields: Any) -> Conversion:
    return Conversion(folder / "labels.orig", to, films=folder / "films", **fields)


def reader(name: str) -> LabelFormat:
    made: LabelFormat = load_attribute(LABEL_FORMATS[name])()
    return made


def read_back(name: str, path: Path) -> LabelFile:
    form = reader(READABLE[name])
    assert form.recognises(path, beginning_of(path))
    return form.read(path, LabelsConfig())


def in_milliseconds(bouts: tuple[Bout, ...]) -> list[tuple[int, int, str, str]]:
    return sorted((round(one.start * 1000), round(one.end * 1000), one.label, one.subject) for one in bouts)


@pytest.mark.parametrize("name", ["elan", "audacity", "srt", "vtt"])
def test_what_is_written_for_each_film_is_read_back_to_a_millisecond(
    name: str, films: list[Path], tmp_path: Path
) -> None:
    converted, _ = run(labelled(films), wanted_in(tmp_path, name))
    assert (converted.films, converted.bouts, converted.behaviours) == (2, 8, ("dig", "rear up"))
    suffix = output_named(name).suffix
    folder = tmp_path / f"labels-{name}"
    assert converted.files == (folder / f"a.avi{suffix}", folder / "day 1" / f"b.avi{suffix}")
    for file, film in zip(converted.files, ["a.avi", "day 1/b.avi" if name == "elan" else "b.avi"], strict=True):
        (found,) = read_back(name, file).films
        assert (found.name, found.unit) == (film, "seconds")
        assert in_milliseconds(found.bouts) == in_milliseconds(BOUTS)


def test_label_studio_is_read_back_to_a_frame(films: list[Path], tmp_path: Path) -> None:
    converted, _ = run(labelled(films), wanted_in(tmp_path, "labelstudio"))
    assert converted.files == (tmp_path / "labels.labelstudio.json",)
    found = read_back("labelstudio", converted.files[0])
    assert [(film.name, film.rate) for film in found.films] == [("films/a.avi", 25.0), ("films/day 1/b.avi", 25.0)]
    scan = scan_film(films[0])
    truth = in_frames(Annotation(BOUTS), scan.frame_seconds, 4.0)
    for film in found.films:
        assert (film.unit, film.bouts) == ("frames", truth.bouts)


def test_csv_has_a_row_for_each_bout_and_no_probability(films: list[Path], tmp_path: Path) -> None:
    converted, _ = run(labelled(films), wanted_in(tmp_path, "csv"))
    assert converted.files == (tmp_path / "labels.segments.csv",)
    with converted.files[0].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"path": "films/a.avi", "start_seconds": "0.4", "end_seconds": "1.2", "label": "dig"}
    assert [(float(row["start_seconds"]), float(row["end_seconds"]), row["label"]) for row in rows] == [
        (one.start, one.end, one.label) for one in BOUTS * 2
    ]
    assert {row["path"] for row in rows} == {"films/a.avi", "films/day 1/b.avi"}


def test_boris_pairs_the_states_of_each_subject(films: list[Path], tmp_path: Path) -> None:
    points = (Bout(3.0, 3.0, "call", "A"),)
    converted, _ = run(labelled(films[:1], WITH_SUBJECTS + points), wanted_in(tmp_path, "boris"))
    project = json.loads(converted.files[0].read_text())
    assert [one["name"] for one in project["subjects_conf"].values()] == ["A", "B"]
    types = {one["code"]: one["type"] for one in project["behaviors_conf"].values()}
    assert types == {"dig": "State event", "call": "Point event"}
    (observation,) = project["observations"].values()
    assert observation["events"] == [
        [0.4, "A", "dig", "", "", 10],
        [0.6, "B", "dig", "", "", 15],
        [1.0, "B", "dig", "", "", 25],
        [1.2, "A", "dig", "", "", 30],
        [3.0, "A", "call", "", "", 75],
    ]


@pytest.mark.parametrize("name", ["csv", "boris"])
def test_csv_and_boris_are_read_back_to_a_millisecond(name: str, films: list[Path], tmp_path: Path) -> None:
    (file,) = run(labelled(films, WITH_SUBJECTS), wanted_in(tmp_path, name))[0].files
    found = read_back(name, file)
    assert len(found.films) == 2
    for film in found.films:
        assert in_milliseconds(film.bouts) == in_milliseconds(WITH_SUBJECTS)


@pytest.mark.parametrize("name", READABLE)
def test_moments_without_a_label_mean_the_same_to_writer_and_reader(name: str) -> None:
    assert output_named(name).silence == reader(READABLE[name]).silence


def test_a_table_says_how_it_is_to_be_read(films: list[Path], tmp_path: Path) -> None:
    converted, _ = run(labelled(films), wanted_in(tmp_path, "csv"))
    assert converted.notes == (
        "in the file, moments without a label count as not known; read it with --unlabelled none",
    )
    parts = Annotation(BOUTS, known=tuple((bout.start, bout.end) for bout in BOUTS))
    data = LabelledData((LabelledFilm(films[0], annotation=parts),))
    assert run(data, wanted_in(tmp_path, "csv", overwrite=True))[0].notes == ()


@pytest.mark.parametrize("name", ["elan", "vtt"])
def test_subjects_are_read_back_where_the_format_has_them(name: str, films: list[Path], tmp_path: Path) -> None:
    converted, _ = run(labelled(films[:1], WITH_SUBJECTS), wanted_in(tmp_path, name))
    assert converted.notes == ()
    (found,) = read_back(name, converted.files[0]).films
    assert in_milliseconds(found.bouts) == in_milliseconds(WITH_SUBJECTS)


def test_what_the_format_cannot_say_is_said_in_notes(films: list[Path], tmp_path: Path) -> None:
    annotation = Annotation(WITH_SUBJECTS, known=((0.0, 2.0),))
    film = LabelledFilm(films[0], annotation=annotation, others=(Annotation(BOUTS),))
    converted, _ = run(LabelledData((film,), notes=("seconds were read",)), wanted_in(tmp_path, "audacity"))
    assert converted.notes == (
        "seconds were read",
        "1 set of labels of other annotators left out: the file holds one of each video",
        "the file cannot say which moments nobody labelled, as there may be in 1 video",
        "the format holds no subjects: those of A, B are left out",
    )


def test_films_that_are_read_tell_how_well_the_labels_fit(films: list[Path], tmp_path: Path) -> None:
    whole = Annotation((Bout(3.0, 5.0, "dig"),), known=((0.0, 4.0),))
    data = LabelledData((LabelledFilm(films[0], annotation=whole),))
    converted, _ = run(data, wanted_in(tmp_path, "boris"))
    assert converted.notes == (
        "100 % of 4 s of video are annotated",
        "1 label of 1 video ends after the video does, by 1.00 s at most (a.avi); they are cut there",
    )
    (observation,) = json.loads(converted.files[0].read_text())["observations"].values()
    assert [row[0] for row in observation["events"]] == [3.0, 4.0]


def test_labels_in_frames_become_seconds_of_the_film(films: list[Path]) -> None:
    annotation = Annotation(
        (Bout(10.0, 30.0, "dig"), Bout(90.0, 120.0, "dig"), Bout(200.0, 210.0, "dig")), unit="frames"
    )
    film = film_events("a", annotation, scan_film(films[0]))
    assert [(round(one.start_seconds, 6), round(one.end_seconds, 6)) for one in film.events] == [(0.4, 1.2), (3.6, 4.0)]
    assert (film.frames, film.fps) == (100, 25.0)


def test_bouts_of_one_behaviour_that_overlap_become_one(films: list[Path]) -> None:
    film = film_events("a", Annotation((Bout(0.0, 2.0, "dig"), Bout(1.0, 3.0, "dig"))), None)
    assert [(one.start_seconds, one.end_seconds) for one in film.events] == [(0.0, 3.0)]


def test_films_are_read_only_where_frames_are_needed(tmp_path: Path) -> None:
    absent = labelled([tmp_path / "films" / "gone.mp4"])
    converted, _ = run(absent, wanted_in(tmp_path, "csv"))
    assert converted.films == 1
    with pytest.raises(DataError, match=r"no video of these labels can be used\. First problem: gone\.mp4: "):
        run(absent, wanted_in(tmp_path, "boris"))
    assert not (tmp_path / "labels.boris").exists()


def test_a_film_that_cannot_be_read_costs_its_own_row(films: list[Path], tmp_path: Path) -> None:
    data = labelled([*films, tmp_path / "films" / "gone.mp4"])
    failure = FilmFailure(tmp_path / "films" / "lost.mp4", "is not there")
    converted, events = run(replace(data, failures=(failure,)), wanted_in(tmp_path, "boris"))
    assert [one.path.name for one in converted.failures] == ["lost.mp4", "gone.mp4"]
    assert [event.failures for event in events if isinstance(event, LeftOut)] == [converted.failures]
    assert converted.films == 2


def test_a_file_that_exists_is_kept_unless_it_may_be_replaced(films: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    wanted = wanted_in(tmp_path, "csv", out=out)
    with pytest.raises(OutputError, match=r"out\.csv: exists already\. Choose another place with --out, or say --over"):
        run(labelled(films), wanted)
    assert out.read_text() == "mine"
    run(labelled(films), replace(wanted, overwrite=True))
    assert out.read_text().startswith("path,")
    with pytest.raises(UsageError, match="are the labels that are read"):
        run(labelled(films), replace(wanted, data=out, overwrite=True))
    with pytest.raises(OutputError, match="is a folder, where a file is to be"):
        run(labelled(films), replace(wanted, out=tmp_path, overwrite=True))


def test_two_films_of_one_name_are_refused(tmp_path: Path) -> None:
    data = labelled([tmp_path / "one" / "a.mp4", tmp_path / "two" / "a.mp4"])
    with pytest.raises(DataError, match=r"two of its videos would be called a\.mp4\. Give --films"):
        run(data, Conversion(tmp_path / "labels" / "x.boris", "csv"))


def test_formats_of_predictions_only_are_refused() -> None:
    names = [name for name in OUTPUTS if issubclass(load_attribute(OUTPUTS[name]), EventOutput)]
    assert sorted(names) == sorted(READABLE)
    with pytest.raises(UsageError, match="--to video: is a format of predictions"):
        output_named("video")
    with pytest.raises(UsageError, match="--to word: there is none of that name"):
        output_named("word")


# BORIS itself

BORIS_CHECK = """
import importlib.util, json, sys, types
package, player = types.ModuleType("boris"), types.ModuleType("boris.mpv2")  # its own start needs sound and a player
package.__path__ = importlib.util.find_spec("boris").submodule_search_locations
package.mpv2, player.sofile = player, "libmpv.so.2"
sys.modules |= {"boris": package, "boris.mpv2": player}
from boris import config, project_functions
_, _, project, message = project_functions.open_project_json(sys.argv[1])
observations = project[config.OBSERVATIONS]
states = {name: project_functions.check_state_events_obs(name, project[config.ETHOGRAM], one, config.HHMMSS)
          for name, one in observations.items()}
print(json.dumps({"error": project.get("error"), "states": states, "count": len(observations)}))
"""


@pytest.mark.slow
def test_boris_opens_a_project_and_finds_its_states_paired(films: list[Path], tmp_path: Path) -> None:
    if importlib.util.find_spec("boris") is None:
        pytest.skip("BORIS is not installed here: pip install boris-behav-obs")
    (file,) = run(labelled(films, BOUTS + WITH_SUBJECTS), wanted_in(tmp_path, "boris"))[0].files
    line = [sys.executable, "-c", BORIS_CHECK, str(file)]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["error"], found["count"]) == (None, 2)
    assert all(paired for paired, _ in found["states"].values()), found


@pytest.mark.parametrize("name", ["csv", "srt", "vtt"])
def test_labels_that_others_would_take_for_formulas_or_markup_are_read_back(
    name: str, films: list[Path], tmp_path: Path
) -> None:
    labels = ("=1+1", "-rest", "'+x", "<b>dig</b>", "a --> b", "A & B &amp;", "{\\an8}up")
    bouts = tuple(Bout(float(place), place + 0.5, label) for place, label in enumerate(labels[:4]))
    more = tuple(Bout(float(place), place + 0.5, label) for place, label in enumerate(labels[4:]))
    for some in (bouts, more):
        converted, _ = run(labelled(films[:1], some), wanted_in(tmp_path, name, overwrite=True))
        (found,) = read_back(name, converted.files[0]).films
        assert in_milliseconds(found.bouts) == in_milliseconds(some)
