"""Real label files of labelling tools, and real films with their labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vidrnn.config import LabelsConfig
from vidrnn.data.annotations import class_track, in_frames
from vidrnn.data.label_text import beginning_of
from vidrnn.data.labelled_frames import check_against_films, read_frame_labelled
from vidrnn.data.labels import LABEL_FORMATS
from vidrnn.data.labels.base import LabelFile
from vidrnn.data.scan import scan_film
from vidrnn.errors import DataError
from vidrnn.registry import load_attribute
from vidrnn.values import Bout, Part

pytestmark = pytest.mark.footage
OPTIONS = LabelsConfig()


@pytest.fixture
def boris(footage: Path) -> Path:
    return footage / "lab" / "boris"


def read(path: Path) -> LabelFile:
    """The file as the only format that recognises it."""
    beginning = beginning_of(path)
    formats = {name: load_attribute(place)() for name, place in LABEL_FORMATS.items()}
    names = [name for name, each in formats.items() if each.recognises(path, beginning)]
    assert names == ["boris"]
    labels: LabelFile = formats["boris"].read(path, OPTIONS)
    return labels


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx"])
def test_an_old_export_of_boris_says_what_its_project_says(suffix: str, boris: Path) -> None:
    (film,) = read(boris / f"test_export_events_tabular.{suffix}").films
    project = read(boris / "test.boris")
    (same,) = [one for one in project.films if one.annotator == "observation #1"]
    assert film == same
    assert film.bouts[0] == Bout(3.3, 7.75, "s", "subject1") and len(film.bouts) == 4


def test_a_real_project_has_offsets_rows_of_videos_and_live_observations(boris: Path) -> None:
    project = read(boris / "test.boris")
    by_observation = {(film.annotator, film.name): film for film in project.films}
    late = by_observation["offset positif", "video_test_25fps_180s.mp4"]
    assert [one.start for one in late.bouts] == [pytest.approx(2.425), pytest.approx(179.96)]
    early = by_observation["offset neg", "video_test_25fps_180s.mp4"]
    assert early.bouts[0].start == pytest.approx(20.01)
    first = by_observation["observation #2", "video_test_25fps_180s.mp4"]
    second = by_observation["observation #2", "video_test_25fps_360s.mp4"]
    assert first.bouts[0] == Bout(1.8, 8.125, "s")
    assert second.bouts[0].start == pytest.approx(227.765 - 179.96)
    assert len(first.bouts) + len(second.bouts) == 18
    assert any("observations without a video (live)" in note for note in project.notes)
    assert [name for name, _ in project.failures] == []


def test_a_real_aggregated_export_agrees_with_its_project(boris: Path) -> None:
    table = read(boris / "test_export_aggregated_events_test_full_1.tsv")
    project = read(boris / "test.boris")
    (film,) = table.films
    (same,) = [one for one in project.films if (one.annotator, one.name) == (film.annotator, film.name)]
    assert sorted(film.bouts, key=str) == sorted(same.bouts, key=str)
    ((name, reason),) = table.failures
    assert name == "video_test_25fps_360s.mp4" and "how long" in reason


@pytest.mark.parametrize("name", ["otx_import_test.boris", "test_with_leading_trailing_spaces_in_modifiers.boris"])
def test_a_project_without_videos_is_an_error_in_words(name: str, boris: Path) -> None:
    with pytest.raises(DataError, match="no observation of a video"):
        read(boris / name)


@pytest.mark.parametrize("name", ["test2.boris", "test_without_media_files_paths.boris"])
def test_further_projects_are_read(name: str, boris: Path) -> None:
    assert len(read(boris / name).films) >= 7


@pytest.mark.parametrize(("kind", "classes"), [("single", 5), ("multi", 6)])
def test_every_frame_of_real_films_has_its_label(kind: str, classes: int, footage: Path) -> None:
    path = footage / "synthetic_mice" / f"labels_{kind}label.json"
    labelled = read_frame_labelled(path, OPTIONS)
    assert len(labelled.films) == 15 and not labelled.failures
    assert sum(film.part is Part.VAL for film in labelled.films) == 3
    assert f"15 of 15 videos found; {classes} behaviours" in labelled.notes[0]
    film = labelled.films[0]
    scan = scan_film(film.path)
    assert film.annotation is not None
    annotation = in_frames(film.annotation, scan.frame_seconds, scan.facts.duration_seconds)
    truth = np.array(json.loads(path.read_text(encoding="utf-8"))["labels"][film.path.name])
    frames = np.arange(scan.facts.frames)
    assert len(truth) == scan.facts.frames
    names = list(json.loads(path.read_text(encoding="utf-8"))["class_names"].values())
    if kind == "single":
        assert np.array_equal(class_track(annotation, names, frames), truth)
    else:
        shown = np.zeros_like(truth)
        for bout in annotation.bouts:
            shown[int(bout.start) : int(bout.end), names.index(bout.label)] = 1
        assert np.array_equal(shown, truth)
    assert check_against_films([film], [scan])[0].startswith("100 % of 40 s")


def test_rows_beyond_the_end_of_real_films_are_told(footage: Path) -> None:
    labelled = read_frame_labelled(footage / "lips" / "frames.csv", OPTIONS)
    assert len(labelled.films) == 800
    (short,) = [film for film in labelled.films if film.path.name == "lrae3s.mp4"]
    sentence = check_against_films([short], [scan_film(short.path)])[1]
    assert sentence.startswith("1 label of 1 video ends after the video does, by 0.04 s")
