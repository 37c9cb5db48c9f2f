"""vidrnn check: what is wrong first, what was understood, one JSON object, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Command, make_acts, make_film


@pytest.fixture
def vidrnn(vidrnn: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """As everywhere, with a cache of its own and a narrow terminal."""
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    return vidrnn


@pytest.fixture
def data(class_folders: Path, tmp_path: Path) -> Path:
    """Class folders with one file that is no video, and one class that is spelt in two ways."""
    data = tmp_path / "data"
    for film in class_folders.rglob("*.avi"):
        (data / film.parent.name).mkdir(parents=True, exist_ok=True)
        (data / film.parent.name / film.name).write_bytes(film.read_bytes())
    (data / "rise" / "rise_g01_c03.avi").write_bytes(b"no video at all")
    return data


def test_warnings_come_first_with_videos_and_advice_and_do_not_change_the_exit_code(
    vidrnn: Command, data: Path
) -> None:
    code, shown, _ = vidrnn("check", data)
    assert code == 0
    lines = shown.splitlines()
    assert lines[0] == "1 video cannot be read or used, and a training leaves it out (rise 1 of 7)."
    assert lines[1].startswith("  rise/rise_g01_c03.avi: ")
    assert shown.index("Repair or replace them") < shown.index("What was understood") < shown.index("class")
    assert lines[-1].startswith("vidrnn train takes this DATA, after ")


def test_no_line_is_wider_than_the_screen(vidrnn: Command, data: Path) -> None:
    for command in (["check", data], ["check", make_acts(data / "acts", 4), "--task", "label"]):
        _, shown, _ = vidrnn(*command)
        assert max(map(len, shown.splitlines())) <= 80


def test_the_exit_code_is_1_where_train_refuses_and_the_sentence_is_its_own(vidrnn: Command, data: Path) -> None:
    for film in (data / "fall").glob("*_g0[23]_*"):
        film.unlink()
    code, shown, _ = vidrnn("check", data)
    assert code == 1
    flat = " ".join(shown.split())
    assert flat.startswith("vidrnn train would refuse this DATA: Class 'fall' has 1 group")
    assert vidrnn("check", data / "nowhere")[0] == 1


def test_json_is_one_object_with_every_video_of_a_finding(vidrnn: Command, data: Path) -> None:
    for number in range(7):
        (data / "rise" / f"rise_g01_c1{number}.avi").write_bytes(b"no video at all")
    code, shown, _ = vidrnn("check", data, "--json")
    found = json.loads(shown)
    assert code == 0
    (unreadable,) = [each for each in found["findings"] if each["kind"] == "unreadable"]
    assert len(unreadable["videos"]) == 8
    assert found["classes"]["fall"]["count"] == 6 and found["refusal"] is None


def test_fix_writes_a_manifest_that_checks_clean_and_never_replaces_one(
    vidrnn: Command, data: Path, tmp_path: Path
) -> None:
    code, shown, _ = vidrnn("check", data, "--fix", tmp_path / "clean")
    assert code == 0 and "1 video that cannot be used left out" in " ".join(shown.split())
    code, again, _ = vidrnn("check", tmp_path / "clean" / "manifest.csv")
    assert code == 0 and "cannot be read" not in again
    code, _, errors = vidrnn("check", data, "--fix", tmp_path / "clean")
    assert code == 1 and "exists already" in errors


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--several"], "has no meaning for --task classify"),
        (["--task", "nonsense"], "there is none of that name"),
        (["--rate", "-3"], "--rate"),
        (["--task", "label", "--labels-as", "nonsense"], "nonsense"),
    ],
)
def test_wrong_use_ends_with_2(vidrnn: Command, data: Path, flags: list[str], words: str) -> None:
    code, _, errors = vidrnn("check", data, *flags)
    assert code == 2 and words in " ".join(errors.split())


def test_a_check_loads_no_torch(tmp_path: Path) -> None:
    for label in ("walk", "run"):
        for number in range(2):
            make_film(tmp_path / label / f"{number}.mkv", frames=5 + number)
    program = (
        "import sys; sys.argv[1:] = ['check', sys.argv[1], '--no-test']\n"
        "from vidrnn.cli import run\n"
        "try: run()\n"
        "except SystemExit: print(*{'torch', 'torchvision'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
