"""The commands as people type them: what they print, the code they end with, and a sentence for each mistake."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import TinyRun, make_film, paint_number

from vidrnn import __version__
from vidrnn.cli import run
from vidrnn.errors import ExportError

TINY = ["--encoder", "small", "--size", "32x24", "--frames", "4", "--epochs", "1", "--units", "8"]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """What stands on standard error, on one line and without frames."""
        return re.sub(r"[\s│╭╮╰╯─]+", " ", self.err)

    def refused(self, code: int) -> str:
        """The message of a command that was refused."""
        assert self.code == code, self.err
        assert "Traceback" not in self.err + self.out
        assert self.message.strip(), "a refusal says why"
        return self.message


Command = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, a cache of its own, and a terminal wide enough for any sentence."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def vidrnn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, as its entry point would."""

    def command(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["vidrnn", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    return command


@pytest.fixture
def no_portable_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings end without model.onnx, which takes seconds to write and to check."""
    monkeypatch.setattr("vidrnn.train.trainer.write_checked", lambda *_, **__: 1e-6)


def in_a_process(*arguments: str | Path, **how: Any) -> subprocess.Popen[str]:
    """The command in a process that hears Ctrl-C, also where the tests run in the background, which do not."""
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heard}; from vidrnn.cli import run; run()", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


# --- help ------------------------------------------------------------------------------------------------------------


def test_help_names_the_commands_without_loading_networks_or_films() -> None:
    watched = (
        "import sys\nfrom vidrnn.cli import run\n"
        "try: run()\nfinally: print([name for name in ('torch', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", watched, "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    for command in ("train", "predict", "evaluate", "compare", "export", "info", "labels"):
        assert re.search(rf"^\W*{command}\b", done.stdout, re.MULTILINE), command
    assert done.stdout.strip().endswith("[]")


def test_the_package_is_the_command_too() -> None:
    command = [sys.executable, "-m", "vidrnn", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"vidrnn {__version__}\n")


def test_the_version_is_printed(vidrnn: Command) -> None:
    ended = vidrnn("--version")
    assert (ended.code, ended.out) == (0, f"vidrnn {__version__}\n")


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "compare", "export", "info", "labels"])
def test_each_command_explains_itself(vidrnn: Command, command: str) -> None:
    ended = vidrnn(command, "--help")
    assert ended.code == 0
    assert "Usage: vidrnn" in ended.out


def test_the_help_of_a_flag_has_the_default(vidrnn: Command) -> None:
    shown = " ".join(vidrnn("predict", "--help").out.replace("│", " ").split())
    for words in ("beside the one that decodes it. [1]", "[as the model stores it]", "[by RANK, WORLD_SIZE]"):
        assert words in shown


def test_a_command_that_does_not_exist_is_wrong_use(vidrnn: Command) -> None:
    assert "dance" in vidrnn("dance").refused(2)


# --- train -----------------------------------------------------------------------------------------------------------


def test_training_shows_its_way_and_ends_with_a_model(vidrnn: Command, class_folders: Path) -> None:
    ended = vidrnn("train", class_folders, "--out", "run", *TINY)
    assert ended.code == 0, ended.err
    for line in (
        "12 clips, 2 classes",
        "no group on two sides",
        "epoch  1/1",
        "this model",
        "next: vidrnn predict VIDEO",
    ):
        assert line in ended.out
    assert Path("run/model/model.safetensors").exists()
    assert list((Path.cwd().parent / "cache").rglob("*.npy")), "the cache is where VIDRNN_CACHE says"


def test_a_training_whose_portable_file_is_refused_keeps_its_model_and_fails(
    vidrnn: Command, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> float:
        raise ExportError("model.onnx: not written, since it does not answer as the model does.")

    monkeypatch.setattr("vidrnn.train.trainer.write_checked", refuse)
    ended = vidrnn("train", class_folders, "--out", "run", *TINY)
    assert "does not answer as the model does" in ended.refused(1)
    assert "model: run/model" in ended.out
    assert {file.name for file in Path("run/model").iterdir()} == {"model.safetensors", "README.md"}


@pytest.mark.usefixtures("no_portable_file")
def test_a_run_is_named_after_its_data_and_head_and_the_next_one_gets_a_number(
    vidrnn: Command, class_folders: Path
) -> None:
    for _ in range(2):
        assert vidrnn("train", class_folders, "--head", "lstm", *TINY).code == 0
    name = f"{class_folders.name}-lstm"
    assert sorted(run.name for run in Path("runs").iterdir()) == [name, f"{name}-2"]


@pytest.mark.usefixtures("no_portable_file")
def test_the_settings_of_a_run_can_be_used_again_and_flags_go_before_them(
    vidrnn: Command, class_folders: Path, tiny_run: TinyRun
) -> None:
    ended = vidrnn(
        "train", class_folders, "--config", tiny_run.folder / "config.toml", "--epochs", "1", "--out", "again"
    )
    assert ended.code == 0, ended.err
    text = Path("again/config.toml").read_text()
    assert "epochs = 1" in text
    assert "frames = 4" in text


@pytest.mark.usefixtures("no_portable_file")
def test_the_models_card_names_no_place_on_this_machine(vidrnn: Command, class_folders: Path) -> None:
    assert vidrnn("train", class_folders, "--out", Path.cwd() / "run", *TINY).code == 0
    for file in Path("run/model").iterdir():
        assert str(class_folders.parent).encode() not in file.read_bytes(), file.name
        assert str(Path.cwd()).encode() not in file.read_bytes(), file.name


BAD_FLAGS = {
    "--head foo": "lstm, gru",
    "--encoder foo": "small, ",
    "--size abc": "WIDTHxHEIGHT",
    "--size 4x4": "--size",
    "--weights nofile": "no such file",
    "--readout foo": "attention",
    "--frames 0": "frames",
    "--frames many": "--frames",
    "--epochs 0": "epochs",
    "--folds 1": "folds",
    "--minutes -1": "minutes",
    "--spacing 0": "spacing",
    "--seed -1": "seed",
    "--units 0": "--units",
    "--label-holds never": "--label-holds",
    "--minibatch 1": "minibatch",
    "--learning-rate 0": "--learning-rate",
    "--jobs 0": "--jobs",
    "--device abacus": "--device abacus: is no device. Say auto, cpu, cuda, cuda:1 or mps.",
    "--device cuda:99": "--device cuda:99: torch finds no such device here. There ",
    "--config nofile.toml": "no such configuration file",
    "--nonsense": "--nonsense",
}


@pytest.mark.parametrize("flags", BAD_FLAGS)
def test_a_wrong_flag_is_wrong_use_with_a_message(vidrnn: Command, class_folders: Path, flags: str) -> None:
    tiny = [] if flags.split(maxsplit=1)[0] in TINY else TINY
    expected = 1 if flags == "--weights nofile" else 2
    message = vidrnn("train", class_folders, "--out", "run", *tiny, *flags.split()).refused(expected)
    assert BAD_FLAGS[flags] in message


def test_training_on_nothing_asks_for_films(vidrnn: Command) -> None:
    assert "vidrnn train DATA" in vidrnn("train").refused(2)


def test_data_that_does_not_exist_is_an_error(vidrnn: Command) -> None:
    assert "no such folder or CSV file" in vidrnn("train", "nowhere", *TINY).refused(1)


def test_an_empty_folder_is_an_error(vidrnn: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "found no video in it" in vidrnn("train", tmp_path / "empty", *TINY).refused(1)


def test_a_single_class_is_an_error(vidrnn: Command, tmp_path: Path) -> None:
    make_film(tmp_path / "data" / "only" / "film.avi", frames=4)
    assert "one class, 'only'" in vidrnn("train", tmp_path / "data", *TINY).refused(1)


def test_a_class_with_too_few_groups_is_an_error_with_advice(
    vidrnn: Command, class_folders: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(class_folders, tmp_path / "data")
    for film in (data / "rise").glob("rise_g0[23]*"):
        film.unlink()
    message = vidrnn("train", data, *TINY).refused(1)
    assert "'rise'" in message
    assert "leave the class out" in message


def test_one_film_under_two_labels_is_an_error(vidrnn: Command, class_folders: Path, tmp_path: Path) -> None:
    data = shutil.copytree(class_folders, tmp_path / "data")
    shutil.copy(data / "rise" / "rise_g01_c01.avi", data / "fall" / "fall_g01_c09.avi")
    message = vidrnn("train", data, *TINY).refused(1)
    assert "fall_g01_c09.avi" in message
    assert "rise_g01_c01.avi" in message


@pytest.mark.usefixtures("no_portable_file")
def test_a_manifest_row_with_a_file_that_is_not_there_is_left_out(vidrnn: Command, class_folders: Path) -> None:
    rows = [f"{film},{film.parent.name}" for film in sorted(class_folders.rglob("*.avi"))]
    Path("films.csv").write_text("\n".join(["path,label", *rows, "gone.mp4,rise"]))
    ended = vidrnn("train", "films.csv", "--out", "run", *TINY)
    assert ended.code == 0, ended.err
    assert "1 video left out" in ended.out
    assert "gone.mp4" in Path("run/left_out.csv").read_text()


def test_a_run_that_is_there_is_refused_with_the_ways_out(
    vidrnn: Command, class_folders: Path, tiny_run: TinyRun
) -> None:
    message = vidrnn("train", class_folders, "--out", tiny_run.folder, *TINY).refused(1)
    for way in ("--out", "--resume", "--overwrite"):
        assert way in message


def test_resuming_with_other_settings_is_wrong_use(vidrnn: Command, tiny_run: TinyRun) -> None:
    for more in (["--epochs", "9"], ["--head", "lstm"], ["--out", "other"], ["--no-test"]):
        assert "--resume" in vidrnn("train", "--resume", tiny_run.folder, *more).refused(2)


def test_a_run_whose_videos_were_moved_goes_on_where_they_are_named(
    vidrnn: Command, class_folders: Path, tiny_run: TinyRun, tmp_path: Path
) -> None:
    run, films = shutil.copytree(tiny_run.folder, tmp_path / "run"), tmp_path / "b"
    shutil.copytree(class_folders, films)
    settings = (run / "config.toml").read_text().replace(str(class_folders), str(tmp_path / "gone"))
    (run / "config.toml").write_text(settings)
    (run / "run.json").write_text('{"vidrnn_run": 1}')
    assert "Say where DATA is now" in vidrnn("train", "--resume", run).refused(2)
    weights = (run / "model" / "model.safetensors").read_bytes()
    (run / "model" / "model.safetensors").unlink()
    assert vidrnn("train", films, "--resume", run).code == 0
    assert len((run / "model" / "model.safetensors").read_bytes()) > len(weights) // 2
    next(films.rglob("*.avi")).unlink()
    ended = vidrnn("train", films, "--resume", run)
    assert "are not as they were when this run began" in ended.refused(1)
    assert "Go on with it" not in ended.out, "to resume once more would end in the same way"


def test_resuming_what_is_not_a_run_is_an_error(vidrnn: Command, class_folders: Path) -> None:
    message = vidrnn("train", "--resume", class_folders).refused(2)
    assert str(class_folders) in message
    assert not (class_folders / "metrics.jsonl").exists()


def test_a_damaged_checkpoint_is_an_error(vidrnn: Command, tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    (folder / "checkpoint" / "training.safetensors").write_bytes(b"spoilt")
    assert "damaged" in vidrnn("train", "--resume", folder).refused(1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_an_answer_that_cannot_be_written_is_an_error(tmp_path: Path, tiny_run: TinyRun, json: list[str]) -> None:
    film = make_film(tmp_path / "film.mkv")
    command = [sys.executable, "-c", "from vidrnn.cli import run; run()", "predict", film, "--model", tiny_run.model]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*command, *json], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "The output could not be written: No space left" in done.stderr.replace("\n│", "")
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_ctrl_c_ends_the_step_and_keeps_the_model(class_folders: Path) -> None:
    arguments = ["train", class_folders, "--out", "run", *TINY[:-4], "--epochs", "100000", "--units", "8"]
    process = in_a_process(*arguments)
    metrics = Path("run/metrics.jsonl")
    waited = time.monotonic()
    while not (metrics.exists() and "EpochDone" in metrics.read_text()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - waited < 60
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping after this step" in err
    assert "Traceback" not in err
    assert "The best model so far is saved" in out and "Go on with it: vidrnn train --resume run" in out
    assert Path("run/model/model.safetensors").exists()


# --- predict ---------------------------------------------------------------------------------------------------------


def test_a_film_is_answered_with_the_model_that_is_named(vidrnn: Command, tiny_run: TinyRun) -> None:
    film = make_film(Path("film.mkv"), frames=30, fps=10.0)
    ended = vidrnn("predict", film, "--model", tiny_run.folder)
    assert ended.code == 0, ended.err
    assert str(tiny_run.folder) in ended.err, "the model that was used is always shown"
    assert re.search(r"film.mkv +0:03\.0 +30 frames, 10 fps +(rise|fall) +[01]\.\d\d", ended.out)


def test_the_newest_run_is_used_where_no_model_is_named(vidrnn: Command, tiny_run: TinyRun) -> None:
    import os

    film = make_film(Path("film.mkv"), frames=12)
    for age, name in enumerate(("newest", "older")):
        weights = shutil.copytree(tiny_run.folder, Path("runs") / name) / "model" / "model.safetensors"
        os.utime(weights, (1e9 - age, 1e9 - age))
    ended = vidrnn("predict", film)
    assert ended.code == 0
    assert "runs/newest" in ended.err


def test_json_is_one_object_with_what_the_design_promises(vidrnn: Command, tiny_run: TinyRun) -> None:
    make_film(Path("good.mkv"), frames=30, fps=10.0)
    Path("bad.mp4").write_bytes(b"\0" * 300)
    ended = vidrnn("predict", "good.mkv", "bad.mp4", "--model", tiny_run.model, "--json")
    assert ended.code == 1
    given = json.loads(ended.out)
    assert ended.out.count("\n") == 1
    assert given.keys() == {"model", "films"}
    assert given["model"] == str(tiny_run.model)
    good, bad = given["films"]
    assert {"path", "label", "probability", "top", "segments", "duration_seconds", "frames"} <= good.keys()
    assert (good["path"], good["frames"], good["duration_seconds"]) == ("good.mkv", 30, pytest.approx(3.0))
    assert [set(one) for one in good["top"]] == [{"label", "probability"}] * 2
    assert set(good["segments"][0]) == {"start_seconds", "end_seconds", "label", "probability"}
    assert good["segments"][-1]["end_seconds"] == pytest.approx(3.0)
    assert bad.keys() == {"path", "error"}
    assert bad["path"] == "bad.mp4"


def test_a_bad_film_among_good_ones_costs_a_row_and_the_exit_code(vidrnn: Command, tiny_run: TinyRun) -> None:
    make_film(Path("films/1.mkv"), frames=12)
    Path("films/2.mp4").write_bytes(b"")
    make_film(Path("films/3.mkv"), frames=12)
    ended = vidrnn("predict", "films", "--model", tiny_run.folder)
    assert ended.code == 1
    shown = [line.split()[0] for line in ended.out.splitlines() if line.startswith("films/")]
    assert shown == ["films/1.mkv", "films/2.mp4", "films/3.mkv"]
    assert "is empty" in ended.out
    assert ended.out.count("films/2.mp4") == 1


def test_films_less_probable_than_the_threshold_are_unknown(vidrnn: Command, tiny_run: TinyRun) -> None:
    make_film(Path("film.mkv"), frames=12)
    ended = vidrnn("predict", "film.mkv", "--model", tiny_run.folder, "--threshold", "1", "--json")
    (film,) = json.loads(ended.out)["films"]
    assert film["label"] == "unknown"
    assert film["top"][0]["label"] in {"rise", "fall"}
    assert vidrnn("predict", "film.mkv", "--threshold", "2").code == 2


def test_names_with_brackets_and_accents_are_shown_as_they_are(vidrnn: Command, tiny_run: TinyRun) -> None:
    film = make_film(Path("[red]é 日本.mkv"), frames=12)
    ended = vidrnn("predict", film, "--model", tiny_run.folder)
    assert ended.code == 0
    assert "[red]é 日本.mkv" in ended.out
    ended = vidrnn("predict", film, "--model", tiny_run.folder, "--json")
    assert json.loads(ended.out)["films"][0]["path"] == "[red]é 日本.mkv"


def test_a_film_that_is_not_there_is_wrong_use(vidrnn: Command, tiny_run: TinyRun) -> None:
    assert "none.mp4" in vidrnn("predict", "none.mp4", "--model", tiny_run.folder).refused(2)


def test_a_pattern_without_a_film_is_wrong_use(vidrnn: Command) -> None:
    assert "*.mp4" in vidrnn("predict", "*.mp4").refused(2)


@pytest.mark.parametrize("command", ["predict", "evaluate", "info"])
def test_a_damaged_model_is_an_error(
    vidrnn: Command, tiny_run: TinyRun, class_folders: Path, tmp_path: Path, command: str
) -> None:
    folder = shutil.copytree(tiny_run.model, tmp_path / "model")
    weights = folder / "model.safetensors"
    film = make_film(Path("film.mkv"), frames=12)
    arguments = {
        "predict": ["predict", film, "--model", folder],
        "evaluate": ["evaluate", folder, class_folders],
        "info": ["info", folder],
    }[command]
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "Copy the model again" in vidrnn(*arguments).refused(1)
    weights.write_bytes(b"")
    assert "Copy the model again" in vidrnn(*arguments).refused(1)


def test_a_model_that_does_not_exist_is_an_error(vidrnn: Command, class_folders: Path) -> None:
    film = make_film(Path("film.mkv"), frames=12)
    assert "no such model" in vidrnn("predict", film, "--model", "none").refused(1)
    assert "no such model" in vidrnn("evaluate", "none", class_folders).refused(1)
    assert "not a model" in vidrnn("evaluate", class_folders, class_folders).refused(1)


# --- evaluate --------------------------------------------------------------------------------------------------------


def test_evaluation_prints_tables_for_people(vidrnn: Command, tiny_run: TinyRun) -> None:
    ended = vidrnn("evaluate", tiny_run.folder, tiny_run.data)
    assert ended.code == 0, ended.err
    for piece in (
        "precision",
        "recall",
        "worst clips",
        "macro-F1",
        "8 videos of its training and validation were left out",
    ):
        assert piece in ended.out


def test_the_title_of_a_narrow_table_is_not_folded(vidrnn: Command, tiny_run: TinyRun) -> None:
    assert "confusion: rows are the truth" in vidrnn("evaluate", tiny_run.folder, tiny_run.data).out


def test_evaluation_as_json_is_one_object(vidrnn: Command, tiny_run: TinyRun) -> None:
    ended = vidrnn("evaluate", tiny_run.folder, tiny_run.data, "--split", "all", "--json")
    assert ended.code == 0, ended.err
    given = json.loads(ended.out)
    promised = {
        "task",
        "clips",
        "skipped",
        "seconds",
        "accuracy",
        "macro_f1",
        "ece",
        "classes",
        "confusion",
        "per_class",
    }
    assert promised <= given.keys()
    assert given["clips"] == sum(map(sum, given["confusion"])) == 12


def test_films_that_could_not_be_scored_make_the_exit_code_one(
    vidrnn: Command, tiny_run: TinyRun, tmp_path: Path
) -> None:
    data = shutil.copytree(tiny_run.data, tmp_path / "data")
    (data / "rise" / "bad.mp4").write_bytes(b"")
    ended = vidrnn("evaluate", tiny_run.folder, data, "--json")
    assert json.loads(ended.out)["skipped"] == 1
    assert ended.code == 1


def test_other_classes_are_an_error(vidrnn: Command, tiny_run: TinyRun, tmp_path: Path) -> None:
    make_film(tmp_path / "data" / "jump" / "film.avi", frames=4)
    assert "none of the model's (fall, rise)" in vidrnn("evaluate", tiny_run.folder, tmp_path / "data").refused(1)


def test_a_split_that_there_is_not_is_wrong_use(vidrnn: Command, tiny_run: TinyRun) -> None:
    assert "--split" in vidrnn("evaluate", tiny_run.folder, tiny_run.data, "--split", "dev").refused(2)


# --- info ------------------------------------------------------------------------------------------------------------


def test_info_of_a_film_has_what_was_measured(vidrnn: Command) -> None:
    film = make_film(Path("film.avi"), frames=25, fps=25.0)
    ended = vidrnn("info", film)
    assert ended.code == 0
    for piece in ("64x48", "mjpg", "25 (measured", "0:01.0", "25.000 (measured", "none"):
        assert piece in ended.out
    given = json.loads(vidrnn("info", film, "--json").out)
    assert (given["frames"], given["first_seconds"], given["rotation_degrees"]) == (25, 0.0, 0)
    assert given["duration_seconds"] == pytest.approx(1.0)


def test_info_of_pictures_needs_their_rate(vidrnn: Command) -> None:
    from conftest import make_pictures

    folder = make_pictures(Path("pictures"), frames=12, paint=paint_number)
    assert "--rate" in vidrnn("info", folder).refused(1)
    given = json.loads(vidrnn("info", folder, "--rate", "6", "--json").out)
    assert given["duration_seconds"] == pytest.approx(2.0)


@pytest.mark.parametrize("what", ["run", "model", "weights"])
def test_info_of_a_model_has_its_parts(vidrnn: Command, tiny_run: TinyRun, what: str) -> None:
    path = {"run": tiny_run.folder, "model": tiny_run.model, "weights": tiny_run.model / "model.safetensors"}[what]
    ended = vidrnn("info", path)
    assert ended.code == 0, ended.err
    for piece in ("fall, rise", "small (trained) > gru 8 > attention", "windows of 4 frames", "4 videos, chosen on 4"):
        assert piece in ended.out
    assert json.loads(vidrnn("info", path, "--json").out)["answer"]["classes"] == ["fall", "rise"]


def test_info_of_what_is_no_film_is_an_error(vidrnn: Command) -> None:
    Path("notes.txt").write_text("dear diary")
    assert "not a video" in vidrnn("info", "notes.txt").refused(1)
    assert "no such file" in vidrnn("info", "none.mp4").refused(1)


# --- compare ---------------------------------------------------------------------------------------------------------

COMPARED = ["--head", "none", "--head", "gru-both", "--seeds", "1", *TINY]


def test_a_comparison_fits_a_terminal_and_names_its_folder(
    vidrnn: Command, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = vidrnn("compare", class_folders, *COMPARED, "--gradients")
    assert ended.code == 0, ended.err
    for line in ("head", "none", "gru-both", "sees back", "factor before", "Best on validation", "comparison.png"):
        assert line in ended.out
    assert "…" not in ended.out, "nothing is cut off"
    assert (Path("runs") / f"{class_folders.name}-compare" / "comparison.png").is_file()


def test_a_comparison_as_json_is_one_object_and_continues_where_it_stopped(
    vidrnn: Command, class_folders: Path
) -> None:
    first = vidrnn("compare", class_folders, *COMPARED, "--out", "compared", "--json")
    assert first.code == 0, first.err
    shown = json.loads(first.out)
    assert [row["head"] for row in shown["rows"]] == ["none", "gru-both"]
    assert {"best", "simplest", "p", "sentence", "clips", "part", "seeds", "epochs"} <= shown.keys()
    again = json.loads(vidrnn("compare", "--resume", "compared", "--head", "gru-both", "--seeds", "1", "--json").out)
    assert again["rows"][0]["accuracy"] == shown["rows"][1]["accuracy"]


def test_a_comparison_that_goes_on_takes_no_other_settings(vidrnn: Command, class_folders: Path) -> None:
    assert "Only --head and --seeds" in vidrnn("compare", "--resume", "compared", "--epochs", "3").refused(2)
    assert "Only --head and --seeds" in vidrnn("compare", class_folders, "--resume", "compared").refused(2)


@pytest.mark.parametrize(
    ("flags", "message"),
    [("--head qrnn", "--head qrnn"), ("--seeds 0", "--seeds"), ("--head gru --grey --encoder resnet18", "--grey")],
)
def test_what_cannot_be_compared_is_an_error(vidrnn: Command, class_folders: Path, flags: str, message: str) -> None:
    assert message in vidrnn("compare", class_folders, *flags.split()).refused(2)


# --- export ----------------------------------------------------------------------------------------------------------


def test_a_model_is_written_as_onnx_and_read_so_from_then_on(
    vidrnn: Command, tiny_run: TinyRun, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_run.model, tmp_path / "model")
    film = next(tiny_run.data.rglob("*.avi"))
    before = vidrnn("predict", film, "--model", folder)
    assert "no model.onnx in it" in before.message and before.code == 0
    ended = vidrnn("export", folder)
    assert ended.code == 0 and "model.onnx" in ended.out and "fp32, its numbers at most" in ended.out
    after = vidrnn("predict", film, "--model", folder)
    assert (after.code, after.out) == (0, before.out)
    assert "onnx" not in after.message
    shown = [json.loads(vidrnn("info", place, "--json").out) for place in (folder, folder / "model.onnx")]
    assert shown[0] == shown[1]
    scores = [
        json.loads(vidrnn("evaluate", folder, tiny_run.data, "--json", "--runtime", name).out)
        for name in ("onnx", "torch")
    ]
    for one in scores:
        del one["seconds"]
    assert scores[0]["confusion"] == scores[1]["confusion"] and scores[0]["accuracy"] == scores[1]["accuracy"]


@pytest.mark.parametrize(
    ("flags", "words", "code"),
    [
        ("--precision int8", "--calibrate DATA", 2),
        ("--to torch --precision fp16", "as fp32", 2),
        ("--to tflite", "tflite", 2),
        ("--calibrate nowhere", "nowhere", 2),
        ("--to torch --out portable", "portable.pt2", 2),
        ("--out portable", "portable.onnx", 2),
    ],
)
def test_an_export_that_cannot_be_made_is_an_error(
    vidrnn: Command, tiny_run: TinyRun, flags: str, words: str, code: int
) -> None:
    assert words in vidrnn("export", tiny_run.model, *flags.split()).refused(code)


def test_a_runtime_that_finds_no_file_of_its_own_says_how_to_make_one(vidrnn: Command, tiny_run: TinyRun) -> None:
    message = vidrnn("predict", next(tiny_run.data.rglob("*.avi")), "--model", tiny_run.model, "--runtime", "onnx")
    assert "no model.onnx in it" in message.refused(1)


@pytest.mark.parametrize("command", ["info", "evaluate", "labels", "train", "predict"])
def test_a_path_that_the_system_refuses_is_a_sentence(vidrnn: Command, command: str) -> None:
    long = "x" * 5000
    more = {"labels": ["--to", "csv"], "evaluate": ["clips"], "predict": ["--model", long]}.get(command, [])
    ended = vidrnn(command, long, *more)
    assert ended.code in (1, 2)
    assert "too long" in ended.refused(ended.code) or "there is no such" in ended.message


@pytest.mark.parametrize(
    "error", [MemoryError("no room"), RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried")]
)
def test_a_lack_of_memory_is_a_sentence(vidrnn: Command, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("vidrnn.video.reader.open_film", fail)
    assert "Memory ran out (" in vidrnn("info", "film.mp4").refused(1)


def test_a_fault_keeps_its_traceback(vidrnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("vidrnn.video.reader.open_film", fail)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        vidrnn("info", "film.mp4")
