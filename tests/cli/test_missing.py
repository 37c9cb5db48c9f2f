"""What is not there has a sentence: a package, a library of the system, the parts that the small install leaves out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cli.test_cli import Command, _desk, vidrnn  # noqa: F401 - fixtures
from test_packaging import ROOT

from vidrnn.cli import options
from vidrnn.cli.missing import NOT_SMALL, missing_library, missing_module

_MODULE_OF = {"scikit-learn": "sklearn", "opencv-python": "cv2", "tomli-w": "tomli_w", "opencv-python-headless": "cv2"}
LOADERS = {
    "linux": "libGL.so.1: cannot open shared object file: No such file or directory",
    "darwin": "dlopen(cv2.abi3.so, 2): Library not loaded: @rpath/libavif.16.dylib\n  Referenced from: cv2.abi3.so",
    "win32": "DLL load failed while importing cv2: Das angegebene Modul wurde nicht gefunden.",
}
REMEDIES = {"linux": "apt-get install libgl1", "darwin": "update macOS", "win32": "Visual C++ Redistributable"}


@pytest.mark.parametrize("system", LOADERS)
def test_a_library_that_is_missing_has_a_remedy_for_its_system(system: str) -> None:
    sentence = missing_library(ImportError(LOADERS[system], name="cv2"), system)
    assert sentence.startswith("A library of cv2 cannot be loaded on this system (") and "\n" not in sentence
    assert [one for one, words in REMEDIES.items() if words in sentence] == [system]


def test_another_error_of_an_import_is_a_fault() -> None:
    for system in LOADERS:
        assert not missing_library(ImportError("cannot import name 'x' from 'y'", name="y"), system)


def test_the_small_install_leaves_out_what_the_sentence_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def modules(lines: list[str]) -> set[str]:
        names = {line.split(">")[0].split("<")[0].strip() for line in lines if line and not line.startswith("#")}
        return {_MODULE_OF.get(name, name) for name in names}

    small = modules((ROOT / "requirements-predict.txt").read_text(encoding="utf-8").splitlines())
    assert modules(project["dependencies"]) - small == set(NOT_SMALL)
    assert small <= modules(project["dependencies"])


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("torch.nn", "all of vidrnn: pip install vidrnn"),
        ("sklearn", "all of vidrnn: pip install vidrnn"),
        ("av", "it: pip install av"),
    ],
)
def test_a_part_that_the_small_install_leaves_out_has_a_remedy(module: str, remedy: str) -> None:
    sentence = missing_module(module, "train")
    assert sentence.startswith("vidrnn train: this needs ") and sentence.endswith(f"Install {remedy}")


_SMALL = """
import sys
from vidrnn.cli import run
from vidrnn.cli.missing import NOT_SMALL
for name in NOT_SMALL:
    sys.modules[name] = None
run()
"""


@pytest.mark.parametrize(
    "typed",
    [
        ("train", "sample_videos"),
        ("train", "sample_videos", "--task", "next-frame"),
        ("evaluate", "models/moves", "sample_videos"),
        ("compare", "sample_videos", "--head", "gru", "--head", "lstm"),
        ("export", "models/moves"),
        ("predict", "sample_videos/a_day.webm", "--model", "models/moves", "--runtime", "torch"),
    ],
    ids=" ".join,
)
def test_a_command_that_needs_torch_says_so_without_it(typed: tuple[str, ...], tmp_path: Path) -> None:
    typed = tuple(str(ROOT / word) if "/" in word or word == "sample_videos" else word for word in typed)
    desk = tmp_path / "desk"
    desk.mkdir()
    done = subprocess.run([sys.executable, "-c", _SMALL, *typed], capture_output=True, text=True, check=False, cwd=desk)
    said = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == 1 and "Traceback" not in said, said
    assert f"vidrnn {typed[0]}: this needs " in said and "Install all of vidrnn: pip install vidrnn" in said
    assert not list(desk.iterdir()), "nothing was begun"


def test_without_torch_videos_are_read_and_facts_shown(tmp_path: Path) -> None:
    film, model = str(ROOT / "sample_videos/a_day.webm"), str(ROOT / "models/moves")
    for typed in (
        ("predict", film, "--model", model, "--json"),
        ("info", model, "--json"),
        ("info", "--system", "--json"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", _SMALL, *typed], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)


def test_a_model_that_only_torch_reads_is_refused_at_once_without_torch(
    vidrnn: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes((ROOT / "models/moves/model.safetensors").read_bytes())
    monkeypatch.setattr("vidrnn.predict.predictor.find_spec", lambda name: None)
    film = ROOT / "sample_videos/a_day.webm"
    for more in ([], ["--out", tmp_path / "out"]):
        message = vidrnn("predict", film, "--model", model, *more).refused(1)
        assert "only PyTorch reads its weights" in message and "vidrnn export" in message


def test_the_driver_of_a_gpu_is_looked_for_by_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda name: "nvcuda.dll" if name == "nvcuda" else None)
    assert options._may_have_gpu("win32") and options._may_have_gpu("darwin")
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    assert not options._may_have_gpu("win32")


def test_ctrl_break_stops_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    monkeypatch.setattr(options, "STOPS", (signal.SIGINT, signal.SIGUSR1))  # in place of SIGBREAK, which Linux lacks
    stop = Event()
    with options.ending(stop) as caught:
        signal.raise_signal(signal.SIGUSR1)
    assert stop.is_set() and caught == [signal.SIGINT]
    stop.clear()
    with options.stopping(stop):
        signal.raise_signal(signal.SIGUSR1)
    assert stop.is_set()
