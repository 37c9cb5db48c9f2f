"""A model is scored on films that it has not seen, and on others only if they are named."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Paint, TinyRun, followed, make_film, paint_number, tens_model, train_tiny

from vidrnn.data.films import content_hash
from vidrnn.errors import DataError, FilmError
from vidrnn.evaluate.evaluator import Evaluation, SplitName, evaluate
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.predict.predictor import Predictor
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.values import Part, Pixels, Size


def scored(
    predictor: Predictor, data: Path, split: SplitName | None = None
) -> tuple[Evaluation, dict[str, Any], list[RunEvent]]:
    """The evaluation, its JSON as a reader gets it, and the events before it."""
    evaluation, events = followed(evaluate(predictor, Path("no-model"), data, split))
    return evaluation, json.loads(json.dumps(evaluation.numbers, allow_nan=False)), events


def film_from(path: Path, number: int, frames: int = 8) -> Path:
    """A film whose frames all show `number`."""
    return make_film(path, frames=frames, fps=10.0, paint=lambda _, size: paint_number(number, size))


@pytest.fixture(scope="module")
def tiny(tiny_run: TinyRun) -> Predictor:
    return Predictor(TorchRuntime.open(tiny_run.folder), threads=2)


@pytest.fixture
def tens(tmp_path: Path) -> tuple[Predictor, Path]:
    """The model of tens, and films of three classes, one of which it classifies wrongly."""
    data = tmp_path / "data"
    for label, numbers in (("0", (1, 2, 3)), ("10", (11, 12, 4)), ("20", (21,))):
        for number in numbers:
            film_from(data / label / f"film{number}.mkv", number)
    return Predictor(tens_model()), data


def parts_of(predictor: Predictor) -> Counter[Part]:
    return Counter(predictor.model.header.seen.values())


def test_on_its_own_data_a_model_is_scored_on_its_test_part(tiny_run: TinyRun, tiny: Predictor) -> None:
    evaluation, given, _ = scored(tiny, tiny_run.data)
    parts = parts_of(tiny)
    assert evaluation.films == given["clips"] == parts[Part.TEST] > 0
    assert evaluation.seen == given["seen"] == parts[Part.TRAIN] + parts[Part.VAL]
    assert f"{evaluation.seen} videos of its training and validation were left out" in evaluation.counts


def test_the_scores_of_the_test_part_are_those_of_the_training(tiny_run: TinyRun, tiny: Predictor) -> None:
    _, given, _ = scored(tiny, tiny_run.data)
    stored = tiny.model.header.scores
    assert stored["part"] == "test"
    for name in ("accuracy", "macro_f1", "confusion", "classes"):
        assert given[name] == stored[name]
    assert given["ece"] == pytest.approx(stored["ece"], abs=1e-5)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_part_that_is_named_is_scored(tiny_run: TinyRun, tiny: Predictor, split: SplitName) -> None:
    evaluation, _, _ = scored(tiny, tiny_run.data, split)
    assert evaluation.films == parts_of(tiny)[Part(split)]
    assert evaluation.seen == 0


def test_all_films_are_scored_where_all_are_named(tiny_run: TinyRun, tiny: Predictor) -> None:
    evaluation, _, _ = scored(tiny, tiny_run.data, "all")
    assert evaluation.films == len(list(tiny_run.data.rglob("*.avi")))


def test_films_are_recognised_after_they_were_moved_and_renamed(
    tiny_run: TinyRun, tiny: Predictor, tmp_path: Path
) -> None:
    for number, film in enumerate(sorted(tiny_run.data.rglob("*.avi"))):
        place = tmp_path / "elsewhere" / film.parent.name / f"{number}.avi"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, place)
    evaluation, _, _ = scored(tiny, tmp_path / "elsewhere")
    assert evaluation.films == parts_of(tiny)[Part.TEST]
    assert evaluation.seen == len(tiny.model.header.seen) - evaluation.films


def test_films_of_one_class_only_can_be_scored(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    shutil.rmtree(data / "10")
    shutil.rmtree(data / "20")
    evaluation, given, _ = scored(predictor, data)
    assert given["accuracy"] == 1.0
    assert (evaluation.films, evaluation.seen) == (3, 0)


def test_data_that_the_model_learnt_from_as_a_whole_are_refused_unless_a_split_is_named(
    tens: tuple[Predictor, Path],
) -> None:
    _, data = tens
    seen = {content_hash(film): Part.TRAIN for film in data.rglob("*.mkv")}
    predictor = Predictor(tens_model(seen=seen))
    with pytest.raises(DataError, match=r"learnt from all of its 7 videos\. .*use --split"):
        scored(predictor, data)
    assert scored(predictor, data, "train")[0].films == 7
    with pytest.raises(DataError, match=r"none of its 7 videos is in the model's val part"):
        scored(predictor, data, "val")


def test_the_split_of_films_that_the_model_never_saw_is_that_of_the_manifest(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    manifest = data / "films.csv"
    rows = [(film.relative_to(data), film.parent.name) for film in sorted(data.rglob("*.mkv"))]
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "split"), *((*row, "test") for row in rows[:2])])
        csv.writer(file).writerows((*row, "train") for row in rows[2:])
    assert scored(predictor, manifest, "test")[0].films == 2
    assert scored(predictor, manifest, "train")[0].films == 5


def test_rows_of_the_confusion_are_the_truth(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    evaluation, given, _ = scored(predictor, data)
    assert given["confusion"][:3] == [[3, 0, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]]
    assert given["accuracy"] == pytest.approx(6 / 7)
    assert given["majority"] == pytest.approx(3 / 7)
    assert given["per_class"]["10"]["recall"] == pytest.approx(2 / 3)
    assert given["per_class"]["0"]["precision"] == pytest.approx(3 / 4)
    [confusion] = [table for table in evaluation.report.tables if table.title.startswith("confusion")]
    assert confusion.rows[1] == ("2 10", "1", "2", ".", ".", ".", ".")
    assert (confusion.styles[1, 1], confusion.styles[1, 2]) == ("bad", "good")


def test_the_worst_clips_are_those_answered_wrongly(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    evaluation, given, _ = scored(predictor, data)
    [worst] = given["worst"]
    assert (Path(worst["path"]).name, worst["truth"], worst["answer"]) == ("film4.mkv", "10", "0")
    assert worst["answer_probability"] > 0.9 and worst["truth_probability"] < 0.1
    [table] = [table for table in evaluation.report.tables if table.title == "worst clips"]
    assert [row[:3] for row in table.rows] == [("film4.mkv", "10", "0")]


def test_films_of_classes_that_the_model_does_not_know_are_left_out_with_a_note(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    film_from(data / "thousand" / "film.mkv", 1000)
    evaluation, _, events = scored(predictor, data)
    assert evaluation.films == 7
    warnings = [event.text for event in events if isinstance(event, Note) and event.warning]
    assert [text for text in warnings if text.startswith("1 video of classes that the model does not know")]


def test_data_of_other_classes_are_refused_and_the_error_names_both(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    film_from(data.parent / "other" / "walk" / "film.mkv", 1)
    with pytest.raises(DataError, match=r"its classes \(walk\) are none of the model's \(0, 10"):
        scored(predictor, data.parent / "other")


def test_a_bad_film_costs_a_row(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    (data / "0" / "bad.mp4").write_bytes(b"\0" * 300)
    evaluation, _, events = scored(predictor, data)
    assert evaluation.films == 7
    assert [one.path.name for one in evaluation.failures] == ["bad.mp4"]
    assert [event for event in events if isinstance(event, LeftOut)]
    done = [event for event in events if isinstance(event, Progress)][-1]
    assert (done.done, done.total) == (8, 8)


def test_a_film_whose_part_cannot_be_looked_up_is_scored(
    tens: tuple[Predictor, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, data = tens

    def failing(path: Path) -> str:
        if path.name == "film1.mkv":
            raise FilmError(f"{path}: cannot be read: Permission denied.")
        return content_hash(path)

    monkeypatch.setattr("vidrnn.evaluate.evaluator.content_hash", failing)
    assert scored(predictor, data)[0].films == 7


def test_data_without_a_readable_film_are_refused_with_the_first_reason(tmp_path: Path) -> None:
    bad = tmp_path / "data" / "0" / "bad.mp4"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of its 1 videos can be used; the first: .*bad.mp4: is empty"):
        scored(Predictor(tens_model()), tmp_path / "data")


def test_the_json_has_the_keys_of_the_design(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    (data / "0" / "bad.mp4").write_bytes(b"")
    given = scored(predictor, data)[1]
    assert given.keys() == {
        *("task", "clips", "seen", "skipped", "seconds", "failures"),
        *("accuracy", "accuracy_interval", "majority", "macro_f1", "ece"),
        *("classes", "confusion", "per_class", "worst"),
    }
    assert (given["task"], given["clips"], given["skipped"], given["seen"]) == ("classify", 7, 1, 0)
    assert given["classes"] == ["0", "10", "20", "30", "40", "50"]
    assert given["per_class"]["10"].keys() == {"clips", "precision", "recall", "f1"}
    assert given["failures"][0]["error"] == "is empty (0 bytes)."
    assert 0 <= given["accuracy_interval"][0] <= given["accuracy"] <= given["accuracy_interval"][1] <= 1


def test_the_size_of_the_films_does_not_matter(tens: tuple[Predictor, Path]) -> None:
    predictor, data = tens
    make_film(
        data.parent / "big" / "20" / "film.mkv", frames=8, size=Size(120, 160), paint=lambda _, s: paint_number(25, s)
    )
    assert scored(predictor, data.parent / "big")[1]["accuracy"] == 1.0


class TestExcerpts:
    ROWS = ("film.mkv,0,0,1", "film.mkv,10,1,2", "film.mkv,20,2.0,2.55", "film.mkv,30,35,45", "other.mkv,0,0,1")

    def manifest(self, folder: Path) -> Path:
        """Parts of two films that count their frames from 0 on, 10 frames a second."""
        make_film(folder / "film.mkv", frames=60, fps=10.0)
        make_film(folder / "other.mkv", frames=50, fps=10.0)
        path = folder / "clips.csv"
        path.write_text("path,label,start,end\n" + "\n".join(self.ROWS))
        return path

    def test_a_model_is_scored_on_the_parts_that_rows_name(self, tmp_path: Path) -> None:
        evaluation, given, _ = scored(Predictor(tens_model()), self.manifest(tmp_path))
        assert evaluation.films == 4 and given["accuracy"] == 1.0
        assert "ends after 6.000 seconds, before its part from 35 to 45 seconds begins" in evaluation.failures[0].reason

    def test_a_film_that_the_model_learnt_from_is_left_out_with_all_its_parts(self, tmp_path: Path) -> None:
        data = self.manifest(tmp_path)
        model = tens_model(seen={content_hash(tmp_path / "film.mkv"): Part.TRAIN})
        evaluation, _, _ = scored(Predictor(model), data)
        assert evaluation.films == 1 and evaluation.seen == 4


def test_training_and_evaluation_read_the_same_part_of_a_video(tmp_path: Path) -> None:
    def paint(number: int) -> Paint:
        ground = np.random.default_rng(number).integers(0, 90, 3, dtype=np.uint8)

        def picture(index: int, size: Size) -> Pixels:
            pixels = np.broadcast_to(ground, (size.height, size.width, 3)).copy()
            row = index % 12 if index < 12 else 11 - index % 12
            pixels[row * size.height // 12 :][: size.height // 6] = 255
            return pixels

        return picture

    rows = []
    for number in range(6):
        make_film(tmp_path / f"{number}.mkv", frames=24, fps=10.0, paint=paint(number))
        rows += [f"{number}.mkv,fall,0,1.2", f"{number}.mkv,rise,1.2,2.4"]
    data = tmp_path / "clips.csv"
    data.write_text("path,label,start,end\n" + "\n".join(rows))
    run = train_tiny(data, tmp_path / "run")
    predictor = Predictor(TorchRuntime.open(run.folder))
    assert len(predictor.model.header.seen) == 6, "the whole film was seen, whichever part was learnt"
    evaluation, given, _ = scored(predictor, data)
    assert evaluation.films == sum(map(sum, predictor.model.header.scores["confusion"])) > 0
    for name in ("accuracy", "macro_f1", "confusion", "classes"):
        assert given[name] == predictor.model.header.scores[name]
