"""What the repository promises to whoever clones or installs it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import vidrnn
from vidrnn.model.header import find_weights, located_model, read_header, shipped_models

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "vidrnn"
LARGEST_MODEL_BYTES, LARGEST_README_BYTES, LARGEST_PICTURE_BYTES = 30_000_000, 9_000, 150_000
SAMPLE = ROOT / "sample_videos" / "walk-left" / "figure01_01.webm"
MODELS = sorted(folder for folder in (ROOT / "models").iterdir() if folder.is_dir())


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


# The commands


@pytest.mark.parametrize("target", ["demo", "check", "test", "test-all", "clean"])
def test_make_has_the_target(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_ci_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("make test")


# What is installed


def test_no_dependency_has_an_upper_cap(pyproject: dict[str, Any]) -> None:
    extras = pyproject["project"]["optional-dependencies"].values()
    needed = [*pyproject["project"]["dependencies"], *(need for extra in extras for need in extra)]
    needed += pyproject["build-system"]["requires"]
    assert not [need for need in needed if re.search(r"<|==|~=|@", need)]
    assert not re.search(r"<|==|~=", pyproject["project"]["requires-python"])


def test_every_package_is_installed(pyproject: dict[str, Any]) -> None:
    here = {".".join(file.parent.relative_to(ROOT).parts) for file in PACKAGE.rglob("__init__.py")}
    assert set(pyproject["tool"]["setuptools"]["packages"]) == here | {"vidrnn.shipped"}


def test_the_models_and_the_types_are_installed(pyproject: dict[str, Any]) -> None:
    setuptools = pyproject["tool"]["setuptools"]
    assert setuptools["package-dir"] == {"vidrnn.shipped": "models"}
    assert setuptools["package-data"] == {
        "vidrnn": ["py.typed"],
        "vidrnn.report": ["templates/*"],
        "vidrnn.shipped": ["*/*"],
    }
    assert (PACKAGE / "py.typed").is_file()


def test_the_models_are_found() -> None:
    shipped = shipped_models()
    assert shipped.is_dir()
    assert {folder.name for folder in MODELS} <= {path.name for path in shipped.iterdir()}


@pytest.mark.parametrize("name", ["moves", "models/moves"])
def test_a_shipped_model_is_known_by_its_name_in_any_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert located_model(Path(name)) == shipped_models() / "moves"
    assert vidrnn.load(name).predict(SAMPLE).label == "walk-left"
    for other in ("none", "other/moves", str(tmp_path / "moves"), ".", ".."):
        assert located_model(Path(other)) == Path(other)
    (tmp_path / name).mkdir(parents=True)
    assert located_model(Path(name)) == Path(name), "what stands there is what was meant"


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_can_be_read_is_small_and_has_a_card(folder: Path) -> None:
    assert read_header(find_weights(folder)).answer.classes
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) <= LARGEST_MODEL_BYTES
    assert (folder / "README.md").read_text(encoding="utf-8").strip()


def test_the_licence_is_mit(pyproject: dict[str, Any]) -> None:
    assert pyproject["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


# The README


@pytest.mark.parametrize("command", ["make demo", "make test", "vidrnn train", "vidrnn predict"])
def test_the_readme_shows_the_command(readme: str, command: str) -> None:
    assert command in readme


def test_the_readme_fits_on_a_page_and_says_video_first(readme: str) -> None:
    assert len(readme.encode()) <= LARGEST_README_BYTES
    title, first, *_ = readme.split("\n\n")
    assert title == "# vidrnn" and "video" in first


def test_the_readme_shows_one_small_picture(readme: str) -> None:
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", readme)
    assert (ROOT / picture).stat().st_size <= LARGEST_PICTURE_BYTES


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_the_readme_says_how_large_each_model_is(readme: str, folder: Path) -> None:
    (stated,) = re.findall(rf"^\| `models/{folder.name}` \|.*\| (\d+) MB \|$", readme, re.MULTILINE)
    megabytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    assert abs(megabytes - int(stated)) < 1.5


def test_the_architecture_page_draws_the_folders_that_there_are() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = re.search(r"^vidrnn/.*\n((?: .*\n)+)", page, re.MULTILINE)
    assert tree, "there is no tree that begins with a line vidrnn/"
    drawn = set(re.findall(r"^  ([\w-]+(?:\.py|/))\s", tree[1], re.MULTILINE))
    folders = {f"{file.parent.name}/" for file in PACKAGE.glob("*/__init__.py")}
    assert drawn == folders | {file.name for file in PACKAGE.glob("*.py")}
