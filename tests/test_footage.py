"""The main job on real film: a handful of clips, and files as odd as people have them."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from conftest import train_tiny

from vidrnn.evaluate import evaluate
from vidrnn.predict import Predictor
from vidrnn.records import Done
from vidrnn.runtimes.torch import TorchRuntime

pytestmark = pytest.mark.footage
CLASSES = ("Basketball", "YoYo")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def few_clips(footage: Path, tmp_path: Path) -> Path:
    """A manifest of two classes of ucf9, one clip of each of the first six groups, where the films are."""
    with (footage / "ucf9" / "clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in CLASSES if any(row["label"] == name for row in rows)]
    names += [name for name in dict.fromkeys(row["label"] for row in rows) if name not in names]
    manifest = tmp_path / "few.csv"
    with manifest.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "group"])
        for name in names[:2]:
            groups: dict[str, str] = {}
            for row in rows:
                if row["label"] == name and len(groups) < 6:
                    groups.setdefault(row["group"], row["path"])
            table.writerows([str(footage / "ucf9" / path), name, group] for group, path in groups.items())
    return manifest


def test_a_handful_of_real_clips_becomes_a_model_that_reads_and_scores_them(few_clips: Path, tmp_path: Path) -> None:
    run = train_tiny(few_clips, tmp_path / "run", frames=6)
    done = run.records[-1]
    assert isinstance(done, Done)
    predictor = Predictor(TorchRuntime.open(run.folder), threads=2)
    with few_clips.open(newline="") as file:
        film = Path(next(csv.DictReader(file))["path"])
    found = predictor.predict(film)
    assert found.label in predictor.model.spec.classes
    assert found.frames > 25
    assert found.segments[0].start_seconds == pytest.approx(0.0, abs=0.1)
    assert found.segments[-1].end_seconds == pytest.approx(found.duration_seconds, abs=0.1)
    journey = evaluate(predictor, few_clips)
    with pytest.raises(StopIteration) as ended:
        while True:
            next(journey)
    assert ended.value.value.scores.accuracy == done.accuracy


def test_odd_films_are_told_or_refused_in_a_sentence(
    footage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vidrnn.cli import run

    monkeypatch.setenv("COLUMNS", "500")
    films = sorted(film for film in (footage / "odd").iterdir() if film.suffix not in {".csv", ".md"})
    small = [film for film in films if film.stat().st_size < 200_000]
    assert len(small) >= 10
    read = 0
    for film in small:
        monkeypatch.setattr(sys, "argv", ["vidrnn", "info", str(film), "--json"])
        try:
            run()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert code in {0, 1}, film.name
        assert "Traceback" not in err
        if code:
            assert film.name in err, "a refusal names the film"
            continue
        read += 1
        given = json.loads(out)
        assert given["frames"] >= 1
        assert given["last_seconds"] >= given["first_seconds"] >= 0
        assert given["duration_seconds"] > 0
    assert read >= 8
