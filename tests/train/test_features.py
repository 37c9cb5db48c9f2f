"""`--features DIR`: features from elsewhere take the place of films and encoder, from training to the answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import TinyRun, followed, make_film, tens_model, train_tiny
from model.test_checkpoint import rewrite
from numpy.typing import NDArray

from vidrnn.cli import run as run_command
from vidrnn.errors import DataError, FilmError, ModelError, UsageError
from vidrnn.evaluate.evaluator import evaluate
from vidrnn.events import LeftOut, Note
from vidrnn.model.checkpoint import load_model
from vidrnn.predict.predictor import Predictor, handling_of, open_model
from vidrnn.video.reader import open_film

WIDTH, RATE = 6, 4.0


def features(label: str, seed: int, rows: int = 14) -> NDArray[np.float32]:
    """(rows, WIDTH): a number that rises or falls in time, and noise."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(rows, WIDTH)) / 5
    values[:, 0] += np.linspace(-1, 1, rows) * (1 if label == "rise" else -1)
    return values.astype(np.float32)


def write(file: Path, array: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, array)
    return file


def make_folders(root: Path) -> Path:
    for label in ("rise", "fall"):
        for number in range(6):
            name = f"{label}_g{number // 2 + 1:02d}_c{number % 2 + 1:02d}.npy"
            write(root / label / name, features(label, seed=number + 10 * (label == "fall")))
    return root


SETTINGS: dict[str, Any] = {"encoder": "auto", "height": None, "width": None, "rate": RATE}


def train(data: Path, folder: Path, features: Path, **more: Any) -> TinyRun:
    return train_tiny(data, folder, **{**SETTINGS, "features": str(features), **more})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp("features") / "data")


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A run on class folders of features, with its portable file."""
    return train(data, tmp_path_factory.mktemp("run") / "run", data, request={"portable": True})


def file_of(run: TinyRun) -> Path:
    return sorted(run.data.rglob("*.npy"))[0]


@pytest.mark.parametrize("wrong", [{"width": 10**12}, {"rate": 0}, {"rate": "fast"}, {"rate": None}])
def test_a_header_that_states_impossible_features_is_damaged(
    run: TinyRun, tmp_path: Path, wrong: dict[str, object]
) -> None:
    shutil.copytree(run.model, tmp_path / "model")
    (tmp_path / "model" / "model.onnx").unlink()
    rewrite(tmp_path / "model", lambda header: header["spec"]["encoder"]["features"].update(wrong))  # type: ignore[index]
    for read in (handling_of, load_model):
        with pytest.raises(ModelError, match="its header is damaged"):
            read(tmp_path / "model")


def test_a_head_learns_features_on_their_own_clock(run: TinyRun) -> None:
    header = load_model(run.model).header
    assert "features (6 wide) > gru 8 > attention, 4 per second" in header.spec.describe()
    assert header.decision.reset == "window"
    answer = Predictor(open_model(run.model)[0]).predict(file_of(run))
    assert (answer.frames, answer.duration_seconds) == (14, pytest.approx(14 / RATE))
    again = Predictor(open_model(run.model)[0], rate=2 * RATE).predict(file_of(run))
    assert again.duration_seconds == pytest.approx(7 / RATE)


def test_nothing_that_needs_pictures_is_asked_of_features(run: TinyRun) -> None:
    header = load_model(run.model).header
    names = [control["name"] for control in header.scores["controls"]]
    assert "linear, features" in names and "linear, pictures" not in names
    said = "\n".join(event.text for event in run.events if isinstance(event, Note))
    assert "mirrored" not in said and "search" not in said and "search" not in str(header.facts["choice"])


def test_the_head_may_see_how_features_change(data: Path, tmp_path: Path) -> None:
    run = train(data, tmp_path / "run", data, motion="change", head={"name": "linear"}, members=2)
    assert "features (6 wide) > change of features > linear x2 > statistics" in load_model(run.model).spec.describe()
    assert Predictor(open_model(run.model)[0]).predict(file_of(run)).label in ("rise", "fall")


def test_the_command_for_an_encoder_of_features_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--encoder features: names no encoder\. Say --features DIR --rate R"):
        train_tiny(data, tmp_path / "run", **{**SETTINGS, "encoder": "features"})


def test_both_runtimes_and_the_stream_give_the_same_answer(run: TinyRun, tmp_path: Path) -> None:
    """For a file that is longer than all buffers of the reader together."""
    file = write(tmp_path / "long.npy", features("rise", seed=1, rows=400))
    rows, answers = np.load(file), []
    for name in ("torch", "onnx"):
        predictor = Predictor(open_model(run.model, name)[0])
        answers.append(predictor.predict(file).probability)
        stream = predictor.stream()
        for place, row in enumerate(rows):
            stream.push(row, place / RATE)
        answers.append(max(stream.finish(len(rows) / RATE).probabilities))
    assert answers == pytest.approx([answers[0]] * 4, abs=1e-4)


def test_the_portable_file_takes_features(run: TinyRun) -> None:
    assert onnx.load(run.model / "model.onnx").graph.input[0].name == "features"


def test_evaluate_reads_features_and_leaves_out_those_of_training(run: TinyRun) -> None:
    evaluation, _ = followed(evaluate(Predictor(open_model(run.model)[0]), run.model, run.data))
    assert evaluation.films + evaluation.seen == 12 and evaluation.seen > 0


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def vidrnn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs a command in this process; gives its exit code, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["vidrnn", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            run_command()
        printed = capsys.readouterr()
        return int(end.value.code or 0), " ".join((printed.out or printed.err).split())

    return command


def test_the_command_line_reads_files_folders_and_patterns_of_features(
    run: TinyRun, vidrnn: Command, tmp_path: Path
) -> None:
    for source, count in ((file_of(run), 1), (run.data / "rise", 6), (run.data / "*" / "*.npy", 12)):
        code, text = vidrnn("predict", source, "--model", run.model, "--json")
        films = json.loads(text)["films"]
        assert code == 0 and [film["label"] in ("rise", "fall") for film in films] == [True] * count
    code, _ = vidrnn("predict", run.data / "rise", "--model", run.model, "--out", tmp_path / "out", "--jobs", "1")
    assert code == 0


def test_a_manifest_of_films_that_are_not_there_is_trained_by_their_features(tmp_path: Path) -> None:
    rows = ["path,label,group"]
    for place, (label, number) in enumerate((label, number) for label in ("rise", "fall") for number in range(6)):
        name = (f"{label}/{number}.npy", f"{label}/{number}.mp4.npy", f"{label}{number}.npy")[number % 3]
        write(tmp_path / "features" / name, features(label, seed=place))
        film = f"{label}/{number}.mp4" if number % 3 < 2 else f"{label}/{label}{number}.mp4"
        rows.append(f"{film},{label},g{number}")
    rows.append("rise/lost.mp4,rise,g9")
    (tmp_path / "films.csv").write_text("\n".join(rows))
    run = train(tmp_path / "films.csv", tmp_path / "run", tmp_path / "features")
    (failure,) = (one for event in run.events if isinstance(event, LeftOut) for one in event.failures)
    assert "rise/lost.npy, rise/lost.mp4.npy, lost.npy" in failure.reason
    assert any("12 clips" in event.text for event in run.events if isinstance(event, Note))


def test_a_folder_of_films_is_trained_by_their_features_and_no_film_is_opened(tmp_path: Path) -> None:
    make_folders(tmp_path / "features")
    for file in sorted((tmp_path / "features").rglob("*.npy")):
        film = tmp_path / "films" / file.relative_to(tmp_path / "features").with_suffix(".mp4")
        film.parent.mkdir(parents=True, exist_ok=True)
        film.write_bytes(b"this is no film")
    run = train(tmp_path / "films", tmp_path / "run", tmp_path / "features")
    assert load_model(run.model).spec.encoder.name == "features"


def test_a_run_of_features_is_resumed_to_the_same_weights(data: Path, tmp_path: Path) -> None:
    whole = train(data, tmp_path / "whole", data)
    train(data, tmp_path / "stopped", data, stop_after=1)
    assert train(data, tmp_path / "stopped", data, request={"resume": True}).weights == whole.weights


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"rate": None}, "how many per second is not stated. Give it: --rate R"),
        ({"encoder": "small"}, "--encoder small: --features is read in place of pictures"),
        ({"fine_tune": True}, "--fine-tune"),
        ({"grey": True}, "--grey"),
        ({"flip": True}, "--flip"),
        ({"search": True}, "--search: --features is read in place of pictures"),
        ({"motion": "change,flow"}, "--motion flow: is seen in pictures, and --features is read in place of them"),
        ({"features": "nowhere"}, "--features nowhere: there is no such folder"),
    ],
)
def test_settings_that_do_not_fit_features_are_refused(
    data: Path, tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        train_tiny(data, tmp_path / "run", **{**SETTINGS, "features": str(data), **more})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 4, 5), np.float32), r"wanted features \(time, width\).*found \(3, 4, 5\) float32"),
        (np.zeros((3, 4), np.int64), "found .* int64"),
        (np.zeros((0, 4), np.float32), "is empty"),
        (np.array([[1.0, 2.0], [np.nan, 0.0]]), "row 1 holds numbers that are not finite"),
        (np.array([[1e300]]), "not finite in 32 bits"),
        (np.zeros((2, 70_000), np.float16), "has 70,000 numbers at each time; 65,536 are allowed"),
        (np.array([[{}]]), "not a whole .npy file"),
    ],
)
def test_a_file_that_holds_no_features_is_told(tmp_path: Path, array: Any, words: str) -> None:
    file = tmp_path / "some.npy"
    np.save(file, array, allow_pickle=True)
    with pytest.raises(FilmError, match=words):
        open_film(file, rate=1.0)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00\xff\xff{", b"PK\x03\x04 no archive"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some.npy").write_bytes(content)
    with pytest.raises(FilmError, match="not a whole"):
        open_film(tmp_path / "some.npy", rate=1.0)


def test_features_of_two_widths_are_refused(tmp_path: Path) -> None:
    data = make_folders(tmp_path / "data")
    write(data / "rise" / "odd_g07_c01.npy", np.ones((14, WIDTH + 1), np.float32))
    with pytest.raises(DataError, match=r"has 7 numbers at each time, and .* has 6|has 6 numbers .* has 7"):
        train(data, tmp_path / "run", data)


def test_films_and_features_do_not_take_each_others_place(run: TinyRun, tmp_path: Path) -> None:
    predictor = Predictor(open_model(run.model)[0])
    with pytest.raises(FilmError, match=r"is a video, and this model reads \.npy files of 6 numbers"):
        predictor.predict(make_film(tmp_path / "film.avi"))
    with pytest.raises(FilmError, match=r"has 3 numbers at each time, and this model reads .* of 6"):
        predictor.predict(write(tmp_path / "other.npy", np.zeros((9, 3), np.float32)))
    with pytest.raises(FilmError, match="has 6 numbers at each time, and this model reads videos"):
        Predictor(tens_model()).predict(file_of(run))
    with pytest.raises(UsageError, match=r"wanted features \(6,\)"):
        predictor.stream().push(np.zeros((4, 4, 3), np.uint8), 0.0)


def test_features_show_no_cuts_no_pictures_and_no_camera(run: TinyRun, vidrnn: Command, tmp_path: Path) -> None:
    predictor = Predictor(open_model(run.model)[0])
    rule = replace(predictor.options.rule, reset="cut")
    with pytest.raises(ModelError, match=r"show no cuts\. Say --reset window"):
        Predictor(predictor.model, rule).predict(file_of(run))
    code, text = vidrnn("predict", "0", "--model", run.model)
    assert code == 2 and "reads features" in text
    out = tmp_path / "out"
    code, _ = vidrnn("predict", file_of(run), "--model", run.model, "--out", out, "--format", "mp4", "--jobs", "1")
    assert code == 1
    assert any(
        "no pictures to show" in file.read_text() for file in out.rglob("*") if file.suffix in (".csv", ".jsonl")
    )
