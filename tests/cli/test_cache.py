"""vidrnn cache: what is shown, and what is removed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli.test_cli import Command, vidrnn

__all__ = ["vidrnn"]  # the fixture

KEY = "ab" * 16


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one entry and a file of the user's."""
    folder = tmp_path / "cache"
    (folder / "ab").mkdir(parents=True)
    np.save(folder / "ab" / f"{KEY}.npy", np.zeros(1000, np.uint8))
    (folder / "mine.txt").write_text("mine")
    monkeypatch.setenv("VIDRNN_CACHE", str(folder))
    return folder


def test_the_cache_is_shown_in_words_and_as_json(vidrnn: Command, folder: Path) -> None:
    shown = vidrnn("cache")
    assert shown.code == 0 and str(folder) in shown.out.replace("\n", "") and "1 set of frames or features" in shown.out
    told = json.loads(vidrnn("cache", "--cache-size", "2GB", "--json").out)
    assert told == {
        "folder": str(folder),
        "films": 0,
        "entries": 1,
        "size_bytes": 1128,
        "limit_bytes": 2 * 10**9,
        "removed_bytes": None,
    }


def test_the_cache_is_pruned_to_a_size_and_cleared(vidrnn: Command, folder: Path) -> None:
    assert json.loads(vidrnn("cache", "--prune", "--json").out)["removed_bytes"] == 0
    assert json.loads(vidrnn("cache", "--prune", "--cache-size", "1KB", "--json").out)["removed_bytes"] == 1128
    np.save(folder / "ab" / f"{KEY}.npy", np.zeros(9))
    assert json.loads(vidrnn("cache", "--clear", "--json").out)["size_bytes"] == 0
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]


def test_a_wrong_use_is_a_sentence(vidrnn: Command, folder: Path) -> None:
    assert vidrnn("cache", "--cache-size", "much").code == 2
    both = vidrnn("cache", "--clear", "--prune")
    assert both.code == 2 and "say only one" in both.err
    assert (folder / "ab" / f"{KEY}.npy").exists()
