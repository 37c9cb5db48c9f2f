"""A model is scored on films that it has not seen, and on others only if they are named."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import TinyRun, followed, make_film, paint_number, tens_model

from vidrnn.data.films import content_hash
from vidrnn.errors import DataError, FilmError
from vidrnn.evaluate.evaluator import Evaluation, SplitName, evaluate
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.predict.predictor import Predictor
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.values import Part, Size


def scored(predictor: Predictor, data: Path, split: SplitName | None = None) -> tuple[Evaluation, list[RunEvent]]:
    return followed(evaluate(predictor, data, split))


def film_from(path: Path, number: int, frames: int = 8) -> Path:
    """A film whose frames all show `number`."""
    return make_film(path, frames=frames, fps=10.0, paint=lambda _, size: paint_number(number, size))


@pytest.fixture(scope="module")
def tiny(tiny_run: TinyRun) -> Predictor:
    return Predictor(TorchRuntime.open(tiny_run.folder), threads=2)


@pytest.fixture
def tens(tmp_path: Path) -> tuple[Predictor, Path]:
    """The model of tens, and films of three classes of which it gets some wrong."""
    data = tmp_path / "data"
    for label, numbers in (("0", (1, 2, 3)), ("10", (11, 12, 4)), ("20", (21,))):
        for number in numbers:
            film_from(data / label / f"film{number}.mkv", number)
    return Predictor(tens_model()), data


def parts_of(predictor: Predictor) -> Counter[Part]:
    return Counter(predictor.model.header.seen.values())


def test_on_its_own_data_a_model_is_scored_on_its_test_part(tiny_run: TinyRun, tiny: Predictor) -> None:
    found, _ = scored(tiny, tiny_run.data)
    parts = parts_of(tiny)
    assert found.scores.clips == parts[Part.TEST] > 0
    assert found.seen == parts[Part.TRAIN] + parts[Part.VAL]


def test_the_test_score_of_the_training_comes_out_again(tiny_run: TinyRun, tiny: Predictor) -> None:
    found, _ = scored(tiny, tiny_run.data)
    stored = tiny.model.header.scores
    assert stored["part"] == "test"
    assert found.scores.accuracy == stored["accuracy"]
    assert found.scores.macro_f1 == stored["macro_f1"]
    assert found.scores.ece == pytest.approx(stored["ece"], abs=1e-5)
    assert [list(row) for row in found.scores.confusion] == [list(row) for row in stored["confusion"]]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_part_that_is_named_is_scored(tiny_run: TinyRun, tiny: Predictor, split: SplitName) -> None:
    found, _ = scored(tiny, tiny_run.data, split)
    assert found.scores.clips == parts_of(tiny)[Part(split)]
    assert found.seen == 0


def test_all_films_are_scored_where_all_are_named(tiny_run: TinyRun, tiny: Predictor) -> None:
    found, _ = scored(tiny, tiny_run.data, "all")
    assert found.scores.clips == len(list(tiny_run.data.rglob("*.avi")))


def test_films_are_recognised_where_they_were_moved_and_renamed(
    tiny_run: TinyRun, tiny: Predictor, tmp_path: Path
) -> None:
    for number, film in enumerate(sorted(tiny_run.data.rglob("*.avi"))):
        place = tmp_path / "elsewhere" / film.parent.name / f"{number}.avi"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, place)
    found, _ = scored(tiny, tmp_path / "elsewhere")
    assert found.scores.clips == parts_of(tiny)[Part.TEST]
    assert found.seen == len(tiny.model.header.seen) - found.scores.clips


def test_other_films_are_scored_whole(tiny: Predictor, tmp_path: Path) -> None:
    for label, number in (("rise", 5), ("rise", 6), ("fall", 7)):
        film_from(tmp_path / label / f"{number}.avi", number)
    found, _ = scored(tiny, tmp_path)
    assert (found.scores.clips, found.seen) == (3, 0)


def test_films_of_one_class_only_can_be_scored(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    shutil.rmtree(data / "10")
    shutil.rmtree(data / "20")
    found, _ = scored(predictor, data)
    assert found.scores.accuracy == 1.0


def test_data_that_the_model_learnt_whole_is_refused_unless_named(tens: tuple[Predictor, Path]) -> None:
    _, data = tens
    seen = {content_hash(film): Part.TRAIN for film in data.rglob("*.mkv")}
    predictor = Predictor(tens_model(seen=seen))
    with pytest.raises(DataError, match=r"learnt from all of its 7 films. Say --split"):
        scored(predictor, data)
    assert scored(predictor, data, "train")[0].scores.clips == 7
    with pytest.raises(DataError, match=r"none of its 7 films is in the model's val part"):
        scored(predictor, data, "val")


def test_the_split_of_films_that_the_model_never_saw_is_the_manifests(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    manifest = data / "films.csv"
    rows = [(film.relative_to(data), film.parent.name) for film in sorted(data.rglob("*.mkv"))]
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "split"), *((*row, "test") for row in rows[:2])])
        csv.writer(file).writerows((*row, "train") for row in rows[2:])
    assert scored(predictor, manifest, "test")[0].scores.clips == 2
    assert scored(predictor, manifest, "train")[0].scores.clips == 5


def test_rows_of_the_confusion_are_the_truth(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    found, _ = scored(predictor, data)
    confusion = [list(row) for row in found.scores.confusion]
    assert confusion[0] == [3, 0, 0, 0, 0, 0]
    assert confusion[1] == [1, 2, 0, 0, 0, 0], "one film of class 10 was taken for a 0"
    assert confusion[2] == [0, 0, 1, 0, 0, 0]
    assert found.scores.accuracy == pytest.approx(6 / 7)
    assert found.majority == pytest.approx(3 / 7)
    by_label = {row.label: row for row in found.scores.per_class}
    assert (by_label["10"].recall, by_label["0"].precision) == (pytest.approx(2 / 3), pytest.approx(3 / 4))


def test_the_worst_clips_are_those_answered_wrongly(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    (worst,) = scored(predictor, data)[0].worst
    assert (worst.path.name, worst.truth, worst.answer) == ("film4.mkv", "10", "0")
    assert worst.answer_probability > 0.9
    assert worst.truth_probability < 0.1


def test_films_of_classes_that_the_model_does_not_know_are_left_out_and_told(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    film_from(data / "thousand" / "film.mkv", 1000)
    found, events = scored(predictor, data)
    assert found.scores.clips == 7
    warnings = [event.text for event in events if isinstance(event, Note) and event.warning]
    assert [text for text in warnings if text.startswith("1 film")]


def test_data_of_other_classes_is_refused_with_both_sides_named(tens: tuple[Predictor, Path], tmp_path: Path) -> None:
    predictor, _ = tens
    film_from(tmp_path / "other" / "walk" / "film.mkv", 1)
    with pytest.raises(DataError, match=r"its classes \(walk\) are none of the model's \(0, 10"):
        scored(predictor, tmp_path / "other")


def test_a_bad_film_costs_a_row(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    (data / "0" / "bad.mp4").write_bytes(b"\0" * 300)
    found, events = scored(predictor, data)
    assert found.scores.clips == 7
    assert [one.path.name for one in found.failures] == ["bad.mp4"]
    assert [event for event in events if isinstance(event, LeftOut)]
    done = [event for event in events if isinstance(event, Progress)][-1]
    assert (done.done, done.total) == (8, 8)


def test_a_film_whose_bytes_cannot_be_read_costs_a_row(
    tens: tuple[Predictor, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, data = tens

    def failing(path: Path) -> str:
        if path.name == "film1.mkv":
            raise FilmError(f"{path}: cannot be read: Permission denied.")
        return content_hash(path)

    monkeypatch.setattr("vidrnn.evaluate.evaluator.content_hash", failing)
    found, _ = scored(predictor, data)
    assert found.scores.clips == 7, "its part is not known, and reading it went well this time"


def test_nothing_readable_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    bad = tmp_path / "data" / "0" / "bad.mp4"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of its 1 films can be read; the first: .*bad.mp4: is empty"):
        scored(Predictor(tens_model()), tmp_path / "data")


def test_the_json_has_what_the_design_promises(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    (data / "0" / "bad.mp4").write_bytes(b"")
    given: dict[str, Any] = scored(predictor, data)[0].as_json()
    assert {"task", "clips", "skipped", "seconds", "accuracy", "macro_f1", "ece"} <= given.keys()
    assert (given["task"], given["clips"], given["skipped"], given["seen"]) == ("classify", 7, 1, 0)
    assert given["classes"] == ["0", "10", "20", "30", "40", "50"]
    assert given["confusion"][1] == [1, 2, 0, 0, 0, 0]
    assert given["per_class"]["10"].keys() == {"clips", "precision", "recall", "f1"}
    assert given["failures"][0]["error"] == "is empty (0 bytes)."
    assert 0 <= given["accuracy_interval"][0] <= given["accuracy"] <= given["accuracy_interval"][1] <= 1


def test_the_size_of_the_films_does_not_matter(tens: tuple[Predictor, Path], tmp_path: Path) -> None:
    predictor, _ = tens
    make_film(
        tmp_path / "big" / "20" / "film.mkv", frames=8, size=Size(120, 160), paint=lambda _, s: paint_number(25, s)
    )
    assert scored(predictor, tmp_path / "big")[0].scores.accuracy == 1.0
