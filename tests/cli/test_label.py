"""A model of labels at each frame on the command line: predict, evaluate and train, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.test_cli import Command, vidrnn
from conftest import ACTS, TinyRun

from vidrnn.errors import UsageError
from vidrnn.settings import PredictConfig, settings_of

__all__ = ["vidrnn"]  # the fixture

MOMENTS = Path(__file__).parents[2] / "models" / "moments"


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, a cache of its own, and a terminal wide enough for any sentence."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def predicting(tiny_labeller: TinyRun) -> list[str | Path]:
    """The prediction of one film by the model of two behaviours."""
    film = tiny_labeller.data.parent / "film1.mkv"
    return ["predict", film, "--model", tiny_labeller.model, "--jobs", "1", "--device", "cpu"]


@pytest.fixture
def evaluating(tiny_labeller: TinyRun) -> list[str | Path]:
    """The evaluation of that model on its own films."""
    return ["evaluate", tiny_labeller.model, tiny_labeller.data, "--split", "all", "--jobs", "1", "--device", "cpu"]


def parsed(name: str, text: str) -> object:
    """What the text of a flag states."""
    [setting] = [one for one in settings_of(PredictConfig) if one.path == (name,)]
    assert setting.flag.parse is not None
    return setting.flag.parse(text)[name]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("threshold", "0.5", 0.5),
        ("threshold", "dig=0.3", {"dig": 0.3}),
        ("threshold", "dig=0.3, rear=1", {"dig": 0.3, "rear": 1.0}),
        ("hysteresis", "a=b=0.25", {"a=b": 0.25}),
        ("shortest", "dig=2.5,rear=0", {"dig": 2.5, "rear": 0.0}),
        ("shortest", "12", 12.0),
    ],
)
def test_a_number_is_of_all_classes_or_of_single_ones(name: str, text: str, value: object) -> None:
    assert parsed(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("threshold", "dig=1.5", "a number from 0 to 1"),
        ("threshold", "dig=", "a number from 0 to 1"),
        ("threshold", "dig=much", "a number from 0 to 1"),
        ("threshold", "dig=0.3,rear=nan", "a number from 0 to 1"),
        ("threshold", "dig=0.3,", "a number from 0 to 1"),
        ("hysteresis", "-0.1", "a number from 0 to 1"),
        ("shortest", "dig=-1", "a number from 0 to 1000000"),
        ("shortest", "inf", "a number from 0 to 1000000"),
        ("shortest", "dig=inf", "a number from 0 to 1000000"),
    ],
)
def test_what_is_no_number_is_refused_with_what_would_work(name: str, text: str, wanted: str) -> None:
    with pytest.raises(UsageError) as error:
        parsed(name, text)
    assert str(error.value) == f"--{name} {text}: wanted {wanted}, or such numbers of classes: dig=0.3,rear=0.5."


def test_a_film_has_segments_and_a_budget_and_no_label(vidrnn: Command, predicting: list[str | Path]) -> None:
    ended = vidrnn(*predicting, "--json")
    assert ended.code == 0, ended.err
    [film] = json.loads(ended.out)["films"]
    assert set(film) == {"path", "segments", "budget", "duration_seconds", "frames", "notes"}
    assert set(film["budget"]) == set(ACTS) and film["segments"]
    shown = vidrnn(*predicting)
    assert shown.code == 0 and any(act in shown.out for act in ACTS)


def test_a_threshold_of_one_class_leaves_the_others_as_they_are(vidrnn: Command, predicting: list[str | Path]) -> None:
    def labels(*flags: str) -> set[str]:
        ended = vidrnn(*predicting, "--json", *flags)
        assert ended.code == 0, ended.err
        [film] = json.loads(ended.out)["films"]
        return {segment["label"] for segment in film["segments"]}

    assert labels() == {*ACTS, "(unlabelled)"}
    assert labels("--threshold", "dig=1") == {"unknown", "rear", "(unlabelled)"}
    assert labels("--threshold", "dig=1,rear=1") == {"unknown", "(unlabelled)"}
    assert labels("--threshold", "1") == {"unknown"}
    assert labels("--shortest", "dig=5") & set(ACTS) == {"rear"}


def test_smoothing_is_of_models_that_read_both_ways(vidrnn: Command, predicting: list[str | Path]) -> None:
    def segments(*flags: str) -> int:
        ended = vidrnn(*predicting, "--json", "--shortest", "0", "--hysteresis", "0", *flags)
        assert ended.code == 0, ended.err
        return len(json.loads(ended.out)["films"][0]["segments"])

    assert segments("--smoothing", "3") < segments("--smoothing", "0")
    live = ["predict", predicting[1], "--model", MOMENTS, "--smoothing", "0.5"]
    ended = vidrnn(*live)
    assert ended.code == 2 and "--smoothing 0.5: this model answers at once" in ended.err


@pytest.mark.parametrize("out", [[], ["--out", "out"]], ids=["screen", "files"])
@pytest.mark.parametrize("flag", ["--threshold", "--hysteresis", "--shortest"])
def test_a_class_that_the_model_does_not_have_is_refused(
    vidrnn: Command, predicting: list[str | Path], flag: str, out: list[str]
) -> None:
    message = vidrnn(*predicting, *out, flag, "swim=0.3,dig=0.2").refused(2)
    assert f"{flag} swim=...: the model has no such class. It has: (unlabelled), dig, rear." in message
    assert f"{flag} dig=x: wanted" in vidrnn(*predicting, *out, flag, "dig=x").refused(2)


def test_thresholds_of_classes_reach_the_files_too(vidrnn: Command, predicting: list[str | Path]) -> None:
    ended = vidrnn(*predicting, "--out", "out", "--threshold", "dig=1,rear=1")
    assert ended.code == 0, ended.err
    [file] = Path("out").rglob("film1*.jsonl")
    labels = {segment["label"] for segment in json.loads(file.read_text())["segments"]}
    assert labels == {"unknown", "(unlabelled)"}


def test_an_evaluation_as_json_is_one_object(vidrnn: Command, evaluating: list[str | Path]) -> None:
    ended = vidrnn(*evaluating, "--unlabelled", "none", "--json")
    assert ended.code == 0, ended.err
    numbers = json.loads(ended.out)
    names = {"frame_accuracy", "macro_f1", "edit", "f1_10", "f1_25", "f1_50", "kappa", "per_class", "skipped"}
    assert (numbers["task"], numbers["films"]) == ("label", 6) and names <= set(numbers)
    labelled_only = json.loads(vidrnn(*evaluating, "--json").out)
    assert labelled_only["frames"] < numbers["frames"] == 360, "moments without a label are not known unless said so"


def test_an_evaluation_takes_the_format_and_the_folder_of_the_films(
    vidrnn: Command, tmp_path: Path, evaluating: list[str | Path], tiny_labeller: TinyRun
) -> None:
    away = tmp_path / "away" / "labels.csv"
    away.parent.mkdir()
    away.write_text(tiny_labeller.data.read_text())
    evaluating[2] = away
    assert "film0.mkv" in vidrnn(*evaluating).refused(1)
    found = vidrnn(*evaluating, "--films", tiny_labeller.data.parent, "--json")
    assert found.code == 0 and json.loads(found.out)["films"] == 6
    message = vidrnn(*evaluating, "--labels-as", "cassette").refused(2)
    assert "--labels-as cassette" in message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--films", "."], "--films: has no meaning for --task classify. Leave it out."),
        (["--labels-as", "csv"], "--labels-as: has no meaning for --task classify. Leave it out."),
        (["--films", ".", "--unlabelled", "none"], "--films, --unlabelled: have no meaning for --task classify"),
    ],
)
def test_an_evaluation_of_classes_knows_no_label_files(
    vidrnn: Command, tiny_run: TinyRun, flags: list[str], words: str
) -> None:
    assert words in vidrnn("evaluate", tiny_run.model, tiny_run.data, "--device", "cpu", *flags).refused(2)


def test_settings_of_other_tasks_are_refused(vidrnn: Command, tiny_labeller: TinyRun) -> None:
    train = ["train", tiny_labeller.data, "--task"]
    assert "--readout: has no meaning for --task label" in vidrnn(*train, "label", "--readout", "mean").refused(2)
    assert "--horizon: has no meaning for --task label" in vidrnn(*train, "label", "--horizon", "4").refused(2)
    message = vidrnn(*train, "classify", "--films", ".", "--several").refused(2)
    assert "--films" in message and "no meaning for --task classify" in message
    assert "--head linear: is a classifier" in vidrnn(*train, "label", "--head", "linear").refused(2)


def test_info_shows_the_model(vidrnn: Command, tiny_labeller: TinyRun) -> None:
    ended = vidrnn("info", tiny_labeller.model)
    assert ended.code == 0 and "label" in ended.out and "both directions" in ended.out
    header = json.loads(vidrnn("info", tiny_labeller.model, "--json").out)
    assert header["answer"]["task"] == "label" and header["decision"]["direction"] == "both"
