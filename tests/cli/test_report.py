"""vidrnn report: the page of a run, and its suspect labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import Command, TinyRun

from vidrnn.model.header import shipped_models
from vidrnn.report.answers import Answers, FilmAnswers
from vidrnn.values import Part


@pytest.fixture
def answered(tiny_run: TinyRun, tmp_path: Path) -> Path:
    """A run whose answers hold ten clips, one of them with a wrong label."""
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    films = []
    for place in range(10):
        fits = tuple(0.9 if place % 2 == one else 0.1 for one in (0, 1))
        film = {"path": f"{place}.avi", "part": Part.TRAIN, "group": "g", "start_seconds": 0.0, "end_seconds": 1.0}
        films.append(FilmAnswers(**film, frames=10, truth=1 if place == 4 else place % 2, guess=fits, answer=fits))
    Answers(scored="val", classes=("fall", "rise"), films=tuple(films), guessed_by="A model.").write(
        folder / "answers.json"
    )
    return folder


def test_the_page_is_written_beside_the_run(vidrnn: Command, answered: Path) -> None:
    code, shown, _ = vidrnn("report", answered)
    assert (code, shown.splitlines()) == (0, [str(answered / "report.html")])
    assert "<h2" in (answered / "report.html").read_text(encoding="utf-8")


def test_suspects_are_shown_and_written(vidrnn: Command, answered: Path, tmp_path: Path) -> None:
    code, shown, _ = vidrnn("report", answered, "--suspects", "--out", tmp_path / "page.html")
    first, count, *files = shown.splitlines()
    assert code == 0
    assert first == "0.83  4.avi: is labelled rise, and looks like fall"
    assert count.startswith("1 label may be wrong.")
    assert [Path(file).name for file in files] == ["page.html", "suspects.csv", "suspects.labelstudio.json"]


def test_json_is_one_object(vidrnn: Command, answered: Path) -> None:
    code, shown, _ = vidrnn("report", answered, "--suspects", "--json")
    record = json.loads(shown)
    assert code == 0 and set(record) == {"files", "suspects"}
    assert [(one["path"], one["given"], one["proposed"]) for one in record["suspects"]] == [("4.avi", "rise", "fall")]


def test_damaged_answers_end_with_a_sentence(vidrnn: Command, answered: Path) -> None:
    (answered / "answers.json").write_text("{")
    code, _, errors = vidrnn("report", answered)
    assert code == 1 and "cannot be read as the answers of a run" in " ".join(errors.split())


def test_a_folder_is_no_page(vidrnn: Command, answered: Path, tmp_path: Path) -> None:
    code, _, errors = vidrnn("report", answered, "--out", tmp_path)
    assert code == 2 and "is a folder" in " ".join(errors.replace("│", " ").split())


def test_a_model_that_comes_with_vidrnn_is_known_by_its_name_and_its_folder_stays_as_it_is(
    vidrnn: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(shipped_models().rglob("*"))
    monkeypatch.chdir(tmp_path)
    code, out, _ = vidrnn("report", "moves")
    assert (code, out.splitlines()[-1]) == (0, "moves.html") and (tmp_path / "moves.html").is_file()
    assert sorted(shipped_models().rglob("*")) == before
