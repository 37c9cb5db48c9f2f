"""Label files and the films that they name become labelled films; notes say what was understood."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from examples import Truth, bento, deepethogram, intervals, written
from vidrnn.config import LabelsConfig
from vidrnn.data.films import LabelledData
from vidrnn.data.labelled_frames import check_against_films, read_frame_labelled
from vidrnn.data.listing.own_results import MARK
from vidrnn.errors import DataError, UsageError
from vidrnn.values import Annotation, Bout, FilmFacts, FilmScan, LabelledFilm, Part, Size

HEADER = "path,start,end,label,subject"


def films(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    return written(folder / "labels.csv", header, *rows)


def bouts(labelled: LabelledData) -> list[tuple[float, float, str]]:
    annotation = labelled.films[0].annotation
    assert annotation is not None
    return [(one.start, one.end, one.label) for one in annotation.bouts]


def annotation_of(film: LabelledFilm) -> Annotation:
    assert film.annotation is not None
    return film.annotation


def read(path: Path, **options: object) -> LabelledData:
    return read_frame_labelled(path, LabelsConfig.model_validate(options))


# --- what is read ----------------------------------------------------------------------------------------------------


def test_the_first_note_says_what_was_understood(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4", "c.mp4")
    labelled = read(table(tmp_path, "a.mp4,1,2,dig,", "a.mp4,3,4,rear,", "b.mp4,1,2,dig,"))
    assert labelled.notes[0] == (
        "labels.csv: read as path,start,end,label: seconds; 1 of 2 videos found; 2 behaviours: dig, rear; moments "
        "without a label count as not known (--unlabelled none to change it)"
    )
    assert labelled.notes[1:] == ("1 video without labels is left out: c.mp4",)
    assert [(failure.path.name, failure.reason[:23]) for failure in labelled.failures] == [
        ("b.mp4", "there is no such video ")
    ]


def test_a_folder_may_hold_the_label_files_of_its_films(tmp_path: Path) -> None:
    films(tmp_path, "day 1/a.mp4", "day 2/b.avi")
    for place, name in (("day 1", "a.mp4"), ("day 2", "b.avi")):
        deepethogram(tmp_path / place, Truth(film=name))
    written(tmp_path / "README.txt", "Films of mice.")
    labelled = read(tmp_path)
    assert [film.path.name for film in labelled.films] == ["a.mp4", "b.avi"]
    assert labelled.notes[0].startswith(
        f"{tmp_path.name} (2 files): read as DeepEthogram labels: frames from 0; 2 of 2"
    )


def test_files_of_two_formats_in_a_folder_ask_for_a_name(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    deepethogram(tmp_path, Truth())
    intervals(tmp_path, Truth())
    with pytest.raises(DataError, match=r"2 formats: .*--labels-as"):
        read(tmp_path)
    assert "read as path,start,end,label" in read(tmp_path, labels_as="csv").notes[0]


def test_results_of_vidrnn_are_labels_only_where_nothing_else_is(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    header = "path,start_seconds,end_seconds,label,probability"
    written(tmp_path / "a.segments.csv", header, "a.mp4,0,4,guess,0.5")
    (tmp_path / "b.mp4").write_bytes(b"x" * 20_000 + MARK.encode())
    labelled = read(tmp_path)
    assert bouts(labelled) == [(0, 4, "guess")]
    assert "these files have the names that vidrnn gives to its own answers" in labelled.warnings[0]
    assert not any("b.mp4" in note for note in labelled.notes), "a video with answers lacks no labels"
    intervals(tmp_path, Truth())
    labelled = read(tmp_path)
    assert {label for _, _, label in bouts(labelled)} == {"dig", "rear"}
    assert "passed over, since their names are those of answers of vidrnn: a.segments.csv" in labelled.notes
    assert not labelled.warnings


def test_one_damaged_file_of_several_is_a_failure(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4", "b.mp4")
    good, bad = deepethogram(tmp_path, Truth()), deepethogram(tmp_path, Truth(film="b.mp4"))
    bad.write_text(bad.read_text(encoding="utf-8")[:-3], encoding="utf-8")
    labelled = read(tmp_path)
    assert [film.path.name for film in labelled.films] == ["a.mp4"]
    assert [failure.path for failure in labelled.failures] == [bad]
    good.unlink()
    with pytest.raises(DataError, match="cells"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("make", "options", "reason"),
    [
        (lambda folder: folder / "gone", {}, "no such label file"),
        (lambda folder: folder, {}, "holds no label file of a known format"),
        (lambda folder: folder / "a.mp4", {}, "is a video"),
        (lambda folder: written(folder / "x.txt", "hello"), {}, "is no label file of a known format"),
        (lambda folder: folder, {"labels_as": "bento"}, "no file in it is a BENTO annotation"),
        (lambda folder: written(folder / "x.txt", "hello"), {"labels_as": "bento"}, "does not begin with"),
        (lambda folder: table(folder, "a.mp4,1,2,dig,"), {"labels_as": "boris"}, "It looks like csv: --labels-as csv"),
        (lambda folder: table(folder, "b.mp4,1,2,dig,"), {}, "none of its videos can be used"),
        (lambda folder: table(folder, "a.mp4,1,2,dig,"), {"subject": "two"}, "names no subjects"),
        (lambda folder: table(folder, "a.mp4,1,2,dig,one"), {"subject": "two"}, "no subject 'two'. It has one"),
    ],
)
def test_what_cannot_be_used_is_an_error_in_words(make, options, reason, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    films(tmp_path, "a.mp4")
    with pytest.raises(DataError, match=reason):
        read(make(tmp_path), **options)


def test_a_flag_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    path = table(tmp_path, "a.mp4,1,2,dig,")
    with pytest.raises(UsageError, match="There are: frames, csv, boris"):
        read(path, labels_as="word")
    with pytest.raises(UsageError, match="no such folder"):
        read(path, films=str(tmp_path / "gone"))


# --- names of films --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "film"),
    [
        ("a.mp4", "a.mp4"),
        ("day 1\\a.mp4", "day 1/a.mp4"),
        ("C:\\Users\\me\\day 1\\a.mp4", "day 1/a.mp4"),
        ("/home/me/a.mp4", "deep/below/a.mp4"),
        ("a", "a.mp4"),
        ("mouse.1", "mouse.1.avi"),
        ("a.mp4", "a.avi"),
        ("A.MP4", "a.mp4"),
        (unicodedata.normalize("NFD", "café.mp4"), unicodedata.normalize("NFC", "café.mp4")),
    ],
)
def test_a_film_is_found_by_its_path_its_name_or_its_stem(name: str, film: str, tmp_path: Path) -> None:
    films(tmp_path / "films", film, "other/b.mp4")
    path = table(tmp_path, f"{name},1,2,dig,")
    labelled = read(path, films=str(tmp_path / "films"))
    assert [one.path for one in labelled.films] == [tmp_path / "films" / film]


def test_folders_in_a_name_choose_between_films_of_one_name(tmp_path: Path) -> None:
    films(tmp_path / "films", "x/1/a.mp4", "x/2/a.mp4", "y/1/a.mp4")
    labelled = read(table(tmp_path, "/data/x/2/a.mp4,1,2,dig,", "1/a.mp4,1,2,dig,"), films=str(tmp_path / "films"))
    assert [film.path.parent.name for film in labelled.films] == ["2"]
    assert [failure.path.name for failure in labelled.failures] == ["a.mp4"]
    assert labelled.failures[0].reason.startswith("2 videos may be it")


def test_two_names_that_may_be_one_film_are_refused(tmp_path: Path) -> None:
    films(tmp_path / "films", "a.mp4", "b.mp4")
    rows = ("cage 1/a.mp4,1,2,dig,", "cage 2/a.mp4,1,2,rear,", "b.mp4,1,2,dig,")
    labelled = read(table(tmp_path, *rows), films=str(tmp_path / "films"))
    assert [film.path.name for film in labelled.films] == ["b.mp4"]
    assert all("both may be this video" in failure.reason for failure in labelled.failures)


def test_a_label_file_without_a_name_belongs_to_the_film_beside_it(tmp_path: Path) -> None:
    for folder in ("day 1", "day 2"):
        films(tmp_path, f"{folder}/a.mp4")
        deepethogram(tmp_path / folder, Truth())
    labelled = read(tmp_path)
    assert [film.path.parent.name for film in labelled.films] == ["day 1", "day 2"]
    assert not labelled.failures and not any(film.others for film in labelled.films)


def test_two_files_that_cover_one_film_are_two_annotators(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    for person in ("ann", "bob"):
        (tmp_path / person).mkdir()
        deepethogram(tmp_path / person, Truth())
    labelled = read(tmp_path)
    assert len(labelled.films[0].others) == 1
    assert any("2 annotators: ann/a_labels.csv, bob/a_labels.csv" in note for note in labelled.notes)


def test_files_that_list_bouts_complete_each_other(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    written(tmp_path / "dig.csv", HEADER, "a.mp4,1,2,dig,")
    written(tmp_path / "rear.csv", HEADER, "a.mp4,3,4,rear,")
    assert bouts(read(tmp_path)) == [(1, 2, "dig"), (3, 4, "rear")]


def test_films_beside_a_label_file_are_not_searched_for_below(tmp_path: Path) -> None:
    films(tmp_path, "below/a.mp4")
    path = table(tmp_path, "a.mp4,1,2,dig,")
    with pytest.raises(DataError, match=r"beside the labels .*--films DIR"):
        read(path)
    assert read(tmp_path).films


def test_two_spellings_of_one_path_are_one_film(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    labelled = read(table(tmp_path, "a.mp4,1,2,dig,", f".{os.sep}a.mp4,3,4,rear,"))
    assert bouts(labelled) == [(1, 2, "dig"), (3, 4, "rear")]


# --- options ---------------------------------------------------------------------------------------------------------


def test_subjects_count_together_alone_or_apart(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    path = table(tmp_path, "a.mp4,1,2,dig,one", "a.mp4,1.5,3,dig,two", "a.mp4,4,5,rear,")
    together = read(path)
    assert bouts(together) == [(1, 2, "dig"), (1.5, 3, "dig"), (4, 5, "rear")]
    assert any(note.startswith("labels of 2 subjects count together: one, two") for note in together.notes)
    assert bouts(read(path, subject="two")) == [(1.5, 3, "dig")]
    assert bouts(read(path, subject="each")) == [(1, 2, "one: dig"), (1.5, 3, "two: dig"), (4, 5, "rear")]


@pytest.mark.parametrize(
    ("unlabelled", "known"), [(None, ((1, 3), (5, 6))), ("ignore", ((1, 3), (5, 6))), ("none", None)]
)
def test_silence_is_that_of_the_format_or_of_the_user(
    unlabelled: str | None, known: tuple[tuple[float, float], ...] | None, tmp_path: Path
) -> None:
    films(tmp_path, "a.mp4")
    path = table(tmp_path, "a.mp4,1,2,dig,", "a.mp4,1.5,3,rear,", "a.mp4,5,6,dig,")
    labelled = read(path, unlabelled=unlabelled)
    assert annotation_of(labelled.films[0]).known == known
    assert f"count as {'no behaviour' if unlabelled == 'none' else 'not known'}" in labelled.notes[0]


def test_the_parts_that_a_file_says_were_annotated_stay(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    path = bento(tmp_path, Truth())
    for unlabelled in (None, "ignore", "none"):
        labelled = read(path, unlabelled=unlabelled)
        assert annotation_of(labelled.films[0]).known == ((0.0, 4.0),)
        assert "the file says which moments were annotated" in labelled.notes[0]


def test_points_last_as_long_as_the_user_says(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    path = table(tmp_path, "a.mp4,1,,dig,", "a.mp4,3,4,dig,")
    assert bouts(read(path)) == [(1, 1, "dig"), (3, 4, "dig")]
    assert bouts(read(path, point_seconds=0.5)) == [(1, 1.5, "dig"), (3, 4, "dig")]


def test_a_rate_makes_seconds_of_frames(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    path = written(tmp_path / "frames.csv", "path,frame,label", "a.mp4,0,", *(f"a.mp4,{n},dig" for n in range(10, 20)))
    by_frames = annotation_of(read(path).films[0])
    assert (by_frames.unit, by_frames.bouts) == ("frames", (Bout(10, 20, "dig"),))
    film = read(path, label_rate=10).films[0]
    assert (annotation_of(film).unit, annotation_of(film).bouts) == ("seconds", (Bout(1.0, 2.0, "dig"),))
    assert annotation_of(film).known == ((1.0, 2.0),)
    assert film.label_rate == 10
    notes = read(table(tmp_path, "a.mp4,1,2,dig,"), label_rate=10).notes
    assert notes[-1].startswith("--label-rate has no effect")


def test_names_of_behaviours_lose_their_spaces_and_keep_their_case(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    labelled = read(table(tmp_path, "a.mp4,1,2,walk  on ,", "a.mp4,3,4,walk on,", "a.mp4,5,6,Walk on,"))
    assert {label for _, _, label in bouts(labelled)} == {"walk on", "Walk on"}
    assert any("differ in case, spaces or dashes only" in note for note in labelled.notes)


def test_overlaps_of_one_behaviour_are_joined_and_counted(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    labelled = read(table(tmp_path, "a.mp4,1,3,dig,", "a.mp4,2,4,dig,", "a.mp4,4,5,dig,"))
    assert bouts(labelled) == [(1, 5, "dig")]
    assert any(note.startswith("1 label overlaps") for note in labelled.notes)


def test_further_annotators_are_kept_beside_the_first(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4")
    header = "path,start,end,label,annotator,group,split"
    rows = ("a.mp4,1,2,dig,zoe,cage,val", "a.mp4,1.5,2,dig,ann,cage,val")
    labelled = read(table(tmp_path, *rows, header=header))
    film = labelled.films[0]
    assert bouts(labelled) == [(1.5, 2, "dig")]
    assert [one.bouts for one in film.others] == [(Bout(1, 2, "dig"),)]
    assert (film.group, film.part, film.label) == ("cage", Part.VAL, "")
    assert any("2 annotators: ann, zoe" in note for note in labelled.notes)


def test_a_film_without_a_known_moment_is_a_failure(tmp_path: Path) -> None:
    films(tmp_path, "a.mp4", "b.mp4")
    path = written(tmp_path / "frames.csv", "path,frame,label", "a.mp4,0,", "b.mp4,0,dig")
    labelled = read(path)
    assert [failure.reason for failure in labelled.failures] == ["no moment of it has a label"]
    with pytest.raises(DataError, match="no moment of its videos has a label"):
        read(written(tmp_path / "frames.csv", "path,frame,label", "a.mp4,0,"))


# --- against the films -----------------------------------------------------------------------------------------------


def labelled_film(*ends: float, unit: str = "seconds", **more: object) -> LabelledFilm:
    annotation = Annotation(tuple(Bout(0, end, "dig") for end in ends), None, unit)  # type: ignore[arg-type]
    return replace(LabelledFilm(Path("a.mp4"), annotation=annotation), **more)  # type: ignore[arg-type]


def scan(frames: int = 100, fps: float = 25.0) -> FilmScan:
    seconds = np.arange(frames) / fps
    facts = FilmFacts(Path("a.mp4"), Size(4, 4), "x", frames, 0.0, float(seconds[-1]), frames / fps, 0, frames, fps)
    return FilmScan(facts, "0" * 32, np.zeros((2, 12, 16), dtype=np.uint8), seconds)


def test_labels_within_the_film_give_their_share_only() -> None:
    assert check_against_films([labelled_film(4.0)], [scan()]) == ("100 % of 4 s of video are annotated",)
    known = replace(labelled_film(1.0), annotation=Annotation((Bout(0, 1, "dig"),), ((0.0, 1.0),)))
    assert check_against_films([known], [scan()]) == ("25 % of 4 s of video are annotated",)
    assert check_against_films([], []) == ()


@pytest.mark.parametrize(("unit", "end"), [("seconds", 5.5), ("frames", 137.5)])
def test_labels_beyond_the_end_are_counted(unit: str, end: float) -> None:
    sentence = check_against_films([labelled_film(1.0, end, unit=unit)], [scan()])[1]
    assert sentence.startswith("1 label of 1 video ends after the video does, by 1.50 s at most (a.mp4)")


def test_a_rate_that_does_not_fit_is_told_with_its_error() -> None:
    film = labelled_film(4.0, label_rate=30.0)
    (sentence,) = check_against_films([film], [scan()])[1:]
    assert "a.mp4 has 25 frames per second, the labels assume 30" in sentence and "0.80 s off" in sentence
    assert len(check_against_films([replace(film, label_rate=25.01)], [scan()])) == 1


def test_a_film_of_another_length_may_be_another_film() -> None:
    (sentence,) = check_against_films([labelled_film(4.0, label_seconds=9.0)], [scan()])[1:]
    assert "a.mp4 lasts 4.00 s, and the labels were made on a video of 9.00 s" in sentence
    assert len(check_against_films([labelled_film(4.0, label_seconds=4.3)], [scan()])) == 1
