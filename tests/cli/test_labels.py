"""vidrnn labels: the labels of one tool in the format of another one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
from conftest import make_film

from vidrnn.cli import run
from vidrnn.cli.labels import labels
from vidrnn.config import LabelsConfig
from vidrnn.data.films import LabelledData
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import EventOutput
from vidrnn.registry import load_attribute
from vidrnn.values import Annotation, Bout, FilmFailure, LabelledFilm

Command = Callable[..., tuple[int, str, str]]
UNDERSTOOD = "times were read as seconds, the end not included"


@pytest.fixture
def vidrnn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, as its entry point would: its exit code, its output and its errors."""

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vidrnn", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        return int(ended.value.code or 0), *capsys.readouterr()

    return command


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Path, LabelsConfig]]:
    """What the reader of labels was asked for; it finds one film and one failure."""
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))
    film = make_film(tmp_path / "a.avi", frames=25)
    annotation = Annotation((Bout(0.2, 0.6, "dig"),))
    failures = (FilmFailure(tmp_path / "b.avi", "there is no such file"),)
    asked: list[tuple[Path, LabelsConfig]] = []

    def read_frame_labelled(data: Path, options: LabelsConfig) -> LabelledData:
        asked.append((data, options))
        missing = failures if data.name == "some.eaf" else ()
        return LabelledData((LabelledFilm(film, annotation=annotation),), missing, (UNDERSTOOD,))

    module = ModuleType("vidrnn.data.labelled_frames")
    module.read_frame_labelled = read_frame_labelled  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return asked


def test_labels_are_written_and_what_was_understood_is_said(
    vidrnn: Command, given: list[tuple[Path, LabelsConfig]], tmp_path: Path
) -> None:
    code, shown, _ = vidrnn("labels", tmp_path / "all.eaf", "--to", "boris", "--films", tmp_path, "--subject", "A")
    assert code == 0
    assert shown.splitlines() == [UNDERSTOOD, str(tmp_path / "all.boris"), "1 video, 1 bout of dig"]
    assert given == [(tmp_path / "all.eaf", LabelsConfig(films=str(tmp_path), subject="A"))]
    assert json.loads((tmp_path / "all.boris").read_text())["observations"].keys() == {"a.avi"}


def test_a_film_that_cannot_be_used_ends_with_1_and_json_names_it(
    vidrnn: Command, given: list[tuple[Path, LabelsConfig]], tmp_path: Path
) -> None:
    out = tmp_path / "new"
    code, shown, _ = vidrnn("labels", tmp_path / "some.eaf", "--to", "srt", "--out", out, "--json")
    assert code == 1
    assert json.loads(shown) == {
        "files": [str(out / "a.avi.srt")],
        "films": 1,
        "bouts": 1,
        "behaviours": ["dig"],
        "failures": [{"path": str(tmp_path / "b.avi"), "error": "there is no such file"}],
        "notes": [UNDERSTOOD],
    }
    code, _, said = vidrnn("labels", tmp_path / "some.eaf", "--to", "srt", "--out", out)
    assert code == 1 and "exists already" in said
    assert vidrnn("labels", tmp_path / "all.eaf", "--to", "srt", "--out", out, "--overwrite")[0] == 0
    assert vidrnn("labels", tmp_path / "all.eaf", "--to", "word")[0] == 2


def test_the_command_offers_every_format_that_holds_labels() -> None:
    offered = get_args(get_args(labels.__signature__.parameters["to"].annotation)[0])  # type: ignore[attr-defined]
    assert set(offered) == {name for name in OUTPUTS if issubclass(load_attribute(OUTPUTS[name]), EventOutput)}
