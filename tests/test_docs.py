"""The pages in docs/ hold what they show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_packaging import ROOT

import vidrnn

DEPLOY = ROOT / "docs" / "deploy.md"
MOVES = ROOT / "models" / "moves"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that the page shows, as a file outside of the repository."""
    (text,) = re.findall(r"```python\n(.*?)```", DEPLOY.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in text.splitlines() if line.strip()]) <= 30
    assert set(re.findall(r"^import (\w+)", text, re.MULTILINE)) == {"json", "sys", "cv2", "numpy", "onnxruntime"}
    file = tmp_path_factory.mktemp("deploy") / "deploy.py"
    file.write_text(text, encoding="utf-8")
    return file


def said_of(program: Path, film: Path) -> list[tuple[str, float]]:
    """What the program prints: names and probabilities."""
    command = [sys.executable, program, MOVES / "model.onnx", film]
    done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, timeout=60, check=True)
    return [(label, float(share)) for *_, label, share in map(str.split, done.stdout.splitlines())]


@pytest.mark.parametrize("name", ["walk-left/figure01_01", "sit-down/figure08_02"])
def test_the_program_of_the_page_answers_as_vidrnn_does(program: Path, name: str) -> None:
    film = ROOT / "sample_videos" / f"{name}.webm"
    found, expected = said_of(program, film), vidrnn.load(MOVES).predict(film)
    if len(found) == 1:
        assert found == [(expected.label, pytest.approx(expected.probability, abs=1e-3))]
    assert found[0][0] == expected.label


def test_the_program_of_the_page_reads_a_long_film_to_its_end(program: Path) -> None:
    found = said_of(program, ROOT / "sample_videos" / "a_day.webm")
    assert len(found) > 10
    assert {label for label, _ in found} >= {"walk-left", "walk-right"}


def test_the_page_names_what_every_file_holds() -> None:
    from vidrnn.runtimes.base import CARRIES_KEY, HEAD_KEY, STATE_KEY, STREAMS_KEY
    from vidrnn.runtimes.onnx import OnnxRuntime

    page = DEPLOY.read_text(encoding="utf-8")
    metadata = OnnxRuntime.open(MOVES / "model.onnx").metadata
    assert set(metadata) == {"vidrnn", STATE_KEY, STREAMS_KEY, HEAD_KEY, CARRIES_KEY}
    assert all(f"`{key}`" in page for key in metadata)
