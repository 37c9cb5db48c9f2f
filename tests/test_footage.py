"""Training, prediction and evaluation on real films, and odd files as people have them."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from conftest import followed, train_tiny

from vidrnn.evaluate.evaluator import evaluate
from vidrnn.predict.predictor import Predictor
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
    predictor = Predictor(TorchRuntime.open(run.folder), threads=2)
    with few_clips.open(newline="") as file:
        film = Path(next(csv.DictReader(file))["path"])
    prediction = predictor.predict(film)
    assert prediction.label in predictor.model.handling.answer.classes
    assert prediction.frames > 25
    assert prediction.segments[0].start_seconds == pytest.approx(0.0, abs=0.1)
    assert prediction.segments[-1].end_seconds == pytest.approx(prediction.duration_seconds, abs=0.1)
    evaluation, _ = followed(evaluate(predictor, run.folder, few_clips))
    assert evaluation.films == 2
    assert evaluation.numbers["accuracy"] == predictor.model.header.scores["accuracy"]


def test_odd_films_are_described_or_refused_in_a_sentence(
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
            assert film.name in err, "a refusal names the video"
            continue
        read += 1
        given = json.loads(out)
        assert given["frames"] >= 1
        assert given["last_seconds"] >= given["first_seconds"] >= 0
        assert given["duration_seconds"] > 0
    assert read >= 8


UNREADABLE = {
    "exoplayer__invalid-bitstream.webm": "none of its 50 claimed frames (vp9) could be decoded: it is damaged.",
    "exoplayer__sample_ac3.ts": "holds only sound, no pictures.",
    "exoplayer__sample_ac3_fragmented.mp4": "holds only sound, no pictures.",
    "exoplayer__sample_ac4.ts": "holds only sound, no pictures.",
    "exoplayer__sample_ac4_fragmented.mp4": "holds only sound, no pictures.",
    "exoplayer__sample_ac4_protected.mp4": "holds only sound, no pictures.",
    "exoplayer__sample_ait.ts": "holds no video: its streams are of type audio, data, unknown.",
    "exoplayer__sample_eac3_fragmented.mp4": "holds only sound, no pictures.",
    "exoplayer__sample_mpegh_mha1.mp4": "holds only sound, no pictures.",
    "exoplayer__sample_mpegh_mhm1.mp4": "holds only sound, no pictures.",
    "exoplayer__sample_opus_fragmented.mp4": "holds only sound, no pictures.",
    "exoplayer__sample_with_colr_mdcv_and_clli.mp4": "holds AV1, which this OpenCV cannot decode.",
    "exoplayer__sample_with_sdt.ts": "claims to hold video (mpeg2), but no frame could be decoded",
    "exoplayer__subsample_encrypted_noaltref.webm": "is encrypted; only a copy without encryption can be read.",
    "small__AudioVideoInterleave.avi": "holds no frames.",
    "small__FlashVideo.flv": "is cut short: it ends before its first frame. Copy or record it again.",
    "small__Mpeg4.mp4": "lists no streams, so there is no video in it.",
    "small__mp4-with-audio.mp4": "holds only sound, no pictures.",
    "small__typescript.ts": "is empty (0 bytes).",
    "torchcodec__av1_video.mkv": "holds AV1, which this OpenCV cannot decode.",
}
NOTED = {
    "decord__corrupted.mp4": "Damaged after 28 frames: this place was skipped, and the rest read, 49 frames in all.",
    "opencv-doc__box.mp4": "The time stamps go back 231 times: the times there are estimated.",
    "small__webm.webm": "Only one frame could be read of 1.0 claimed seconds: it is a still picture, or cut short.",
}
"""The odd files by their error or their notes. All others are read whole, without notes."""


@pytest.mark.slow
def test_a_folder_of_odd_films_costs_a_row_each_and_every_row_is_right(footage: Path, tmp_path: Path) -> None:
    from vidrnn.batch.batch import Batch
    from vidrnn.batch.engines.local import Local
    from vidrnn.batch.work import PredictionRequest
    from vidrnn.data.films import find_films
    from vidrnn.model.header import shipped_models
    from vidrnn.predict.predictor import handling_of

    odd = footage / "odd"
    with (odd / "index.csv").open(newline="") as file:
        index = {row["path"]: row for row in csv.DictReader(file)}
    model = shipped_models() / "moves"
    work = PredictionRequest(model, ("jsonl",), handling_of(model).decision).work()
    batch = Batch(work, find_films([str(odd)]), (odd,), tmp_path, timeout_seconds=120)
    rows = {done.row["path"]: done.row for done in batch.run(Local(2))}
    assert set(index) - set(rows) == {"small__webp.webp"}, "a still picture is no video"
    errors = {name: row["error"] for name, row in rows.items() if "error" in row}
    assert set(errors) == set(UNREADABLE)
    assert all(error.startswith(UNREADABLE[name]) for name, error in errors.items())
    assert {name: " ".join(row["notes"]) for name, row in rows.items() if row.get("notes")} == NOTED
    for name in set(rows) - set(errors):
        assert 0 <= int(index[name]["packets"]) - rows[name]["frames"] <= 1, name
        assert rows[name]["segments"][-1]["end_seconds"] == pytest.approx(rows[name]["duration_seconds"], abs=0.2)
