"""Tiny runs with a page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import TinyRun, make_acts, make_squares, train_acts, train_frames, train_tiny

SCRIPT = "rise <script>alert(1)<_script>"
"""A class that would run if its name were not escaped; a folder cannot hold a slash."""


@pytest.fixture(scope="session")
def reported(class_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A run of clips with its page; one of its classes is called like a script."""
    root = tmp_path_factory.mktemp("reported")
    shutil.copytree(class_folders / "rise", root / "films" / SCRIPT)
    shutil.copytree(class_folders / "fall", root / "films" / "fall")
    return train_tiny(root / "films", root / "run", report=True)


@pytest.fixture(scope="session")
def reported_acts(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A run of labels at each frame with its page, whose encoder has learnt nothing of the labels."""
    root = tmp_path_factory.mktemp("acts")
    return train_acts(make_acts(root / "films", 8), root / "run", labels={"unlabelled": "none"}, report=True)


@pytest.fixture(scope="session")
def reported_frames(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A run of next frames with its page."""
    root = tmp_path_factory.mktemp("frames")
    return train_frames(make_squares(root / "films"), root / "run", report=True)
