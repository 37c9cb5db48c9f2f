"""What `pip install` brings: the wheel and the sdist with the models, and the small install without PyTorch.

The tests build and install in fresh environments, and download packages. They need the network and take a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from test_packaging import MODELS, ROOT, SAMPLE

pytestmark = pytest.mark.slow
LARGEST_SMALL_INSTALL_BYTES = 300_000_000
"""Of the packages of the small install, without bytecode, pip and vidrnn itself with its models."""
_OF_PIP = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
_BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def run(*command: str | Path, where: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command that must end with a code."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)], cwd=where, env=env, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that is made from the sdist alone."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "runs", "results", "build", "dist", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=left_out)
    run(sys.executable, "-c", _BUILD, "build_sdist", folder, where=source)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as sdist:
        sdist.extractall(folder / "unpacked", filter="data")
    run(sys.executable, "-c", _BUILD, "build_wheel", folder, where=next((folder / "unpacked").iterdir()))
    return folder


class Environment:
    """A fresh environment with the wheel of vidrnn in it."""

    def __init__(self, folder: Path, built: Path, extra: str = "") -> None:
        venv.create(folder, with_pip=True)
        self.folder, self.desk = folder, folder / "desk"
        self.desk.mkdir()
        self.scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
        self.pip("install", "--no-deps", f"{next(built.glob('*.whl'))}{extra}")

    def pip(self, *arguments: str | Path) -> str:
        return run(self.scripts / "python", "-m", "pip", *arguments, where=self.desk).stdout

    def vidrnn(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        return run(self.scripts / "vidrnn", *arguments, where=self.desk, code=code)

    @property
    def packages(self) -> Path:
        return next(self.folder.rglob("site-packages"))


def test_the_sdist_and_the_wheel_hold_the_models_and_no_tests(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        wheel = archive.namelist()
    with tarfile.open(next(built.glob("*.tar.gz"))) as packed:
        sdist = packed.getnames()
    for model in MODELS:
        for name in ("model.onnx", "model.safetensors", "README.md"):
            assert f"vidrnn/shipped/{model.name}/{name}" in wheel
            assert any(each.endswith(f"/models/{model.name}/{name}") for each in sdist)
    assert not [name for name in wheel if not name.startswith(("vidrnn/", "vidrnn-"))]
    assert any(name.endswith("/requirements-predict.txt") for name in sdist)


@pytest.mark.parametrize("extra", ["", "[parquet]"])
def test_an_installed_vidrnn_works_outside_of_its_repository(built: Path, tmp_path: Path, extra: str) -> None:
    """The other packages are those of this environment: to download torch again would take minutes."""
    fresh = Environment(tmp_path / "fresh", built, extra)
    (fresh.packages / "others.pth").write_text(f"{next(p for p in sys.path if p.endswith('site-packages'))}\n")
    assert "0.1.0" in fresh.vidrnn("--version").stdout
    film = json.loads(fresh.vidrnn("predict", SAMPLE, "--model", "moves", "--json").stdout)["films"][0]
    assert film["label"] == "walk-left"
    where = json.loads(fresh.vidrnn("predict", SAMPLE, "--model", "moves", "--json").stdout)["model"]
    assert Path(where).is_relative_to(fresh.packages), "the models are those of the wheel"
    wanted = ["parquet"] if extra else ["csv"]
    fresh.vidrnn("predict", SAMPLE, "--model", "moves", "--out", "out", "--format", *wanted)
    if not extra:
        clips = sorted(SAMPLE.parents[1].glob("walk-*/figure0[1-6]_01.webm"))
        rows = "".join(f"{clip},{clip.parent.name}\n" for clip in clips)
        (fresh.desk / "clips.csv").write_text(f"path,label\n{rows}")
        quick = ("--encoder", "tiny", "--epochs", "1", "--frames", "4", "--units", "8")
        fresh.vidrnn("train", "clips.csv", "--out", "run", *quick)
        assert (fresh.desk / "run" / "model" / "model.onnx").is_file()


def test_the_small_install_predicts_is_small_and_says_what_it_leaves_out(built: Path, tmp_path: Path) -> None:
    small = Environment(tmp_path / "small", built)
    small.pip("install", "--no-compile", "-r", ROOT / "requirements-predict.txt")
    assert not (small.packages / "torch").exists()
    size = sum(
        file.stat().st_size
        for place in small.packages.iterdir()
        if not place.name.startswith((*_OF_PIP, "vidrnn"))
        for file in ([place] if place.is_file() else place.rglob("*"))
        if file.is_file() and file.suffix != ".pyc"
    )
    assert size < LARGEST_SMALL_INSTALL_BYTES, f"{size / 1e6:.0f} MB"
    for model in ("moves", "next"):
        assert json.loads(small.vidrnn("predict", SAMPLE, "--model", model, "--json").stdout)["films"][0]["frames"] > 10
    small.vidrnn("predict", SAMPLE.parent, "--model", "moves", "--out", "out", "--format", "jsonl,csv,srt,boris,elan")
    small.vidrnn("info", SAMPLE)
    small.vidrnn("info", "moves")
    assert "opencv-python-headless" in small.vidrnn("info", "--system").stdout.replace("\n", " ")
    for command in (
        ("train", SAMPLE.parents[1]),
        ("evaluate", "moves", SAMPLE.parents[1]),
        ("export", "moves", "--out", "a"),
    ):
        said = " ".join(small.vidrnn(*command, code=1).stderr.replace("│", " ").split())
        assert f"vidrnn {command[0]}: this needs PyTorch" in said, said
    refused = small.vidrnn("predict", SAMPLE, "--model", "moves", "--out", "films", "--format", "video", code=2)
    assert "pip install av" in " ".join(refused.stderr.replace("│", " ").split())
