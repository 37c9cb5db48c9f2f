"""What a bug report needs of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

import vidrnn
from vidrnn.system import describe_folder, describe_machine


def test_the_machine_has_versions_and_cores() -> None:
    machine = describe_machine()
    assert machine.vidrnn == vidrnn.__version__ and machine.cores >= 1
    assert machine.packages["numpy"] and "pytest" not in machine.packages


def test_another_opencv_counts_as_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def version(name: str) -> str:
        if name == "opencv-python":
            raise metadata.PackageNotFoundError
        return "5.0"

    monkeypatch.setattr(metadata, "requires", lambda name: ["opencv-python>=5.0", 'mypy>=1; extra == "test"'])
    monkeypatch.setattr(metadata, "version", version)
    assert describe_machine().packages == {"opencv-python": "5.0 (opencv-python-headless)"}


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    facts = describe_folder(tmp_path)
    assert facts.writable and facts.free_bytes and facts.locks
    assert facts.tells_case_apart == (not (tmp_path.parent / tmp_path.name.swapcase()).exists())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert not describe_folder(tmp_path / "none").writable
    assert not (tmp_path / "none").exists()


def test_a_report_does_not_name_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / "cache").mkdir()
    assert Path(describe_folder(tmp_path / "cache").folder) == Path("~/cache")
