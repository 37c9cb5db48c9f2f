"""`hf:USER/NAME@REVISION`: what is fetched, and a sentence for each way in which that fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from test_packaging import ROOT

from vidrnn.errors import ModelError, UsageError
from vidrnn.model.hub import local_model

MOVES = ROOT / "models" / "moves"
FILM = ROOT / "sample_videos" / "walk-left" / "figure02_01.webm"


class Hub:
    """A library of the Hub that remembers what it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._error = error
        module: Any = ModuleType("huggingface_hub")
        module.snapshot_download = self.download
        module.utils = SimpleNamespace(disable_progress_bars=lambda: None)
        monkeypatch.setitem(sys.modules, "huggingface_hub", module)
        monkeypatch.setitem(sys.modules, "huggingface_hub.utils", module.utils)

    def download(self, name: str, **how: Any) -> str:
        self.asked.append((name, how))
        if self._error is not None:
            raise self._error
        return str(MOVES)


@pytest.mark.parametrize(
    ("address", "revision"),
    [("hf:ann/moves", None), ("hf:ann/moves@v1.0", "v1.0"), ("hf:a.b/c-d@refs/pr/1", "refs/pr/1")],
)
def test_only_data_is_fetched_of_the_revision(
    monkeypatch: pytest.MonkeyPatch, address: str, revision: str | None
) -> None:
    hub = Hub(monkeypatch)
    assert local_model(Path(address)) == MOVES
    ((name, how),) = hub.asked
    assert name == address.removeprefix("hf:").partition("@")[0] and how["revision"] == revision
    assert {*how["allow_patterns"]} == {"*.safetensors", "*.onnx", "*.json", "README.md"}


def test_a_path_is_no_address() -> None:
    assert local_model(MOVES) == MOVES and local_model(Path("hf.onnx")) == Path("hf.onnx")


@pytest.mark.parametrize("address", ["hf:moves", "hf:a/b/c", "hf:a/b@", "hf:a/../b", "hf:", "hf:a/b c"])
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    hub = Hub(monkeypatch)
    with pytest.raises(UsageError, match="is no address of a model"):
        local_model(Path(address))
    assert not hub.asked


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r'Install it: pip install "vidrnn\[hub\]"\.'):
        local_model(Path("hf:ann/moves"))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("RepositoryNotFoundError", "the Hub has no such model"),
        ("RevisionNotFoundError", "no such revision"),
        ("GatedRepoError", "Ask on its page"),
        ("LocalEntryNotFoundError", "cannot be reached from here"),
        ("OfflineModeIsEnabled", "cannot be reached from here"),
        ("HfHubHTTPError", r"cannot be fetched \(503\)"),
    ],
)
def test_each_failure_is_one_sentence(monkeypatch: pytest.MonkeyPatch, kind: str, said: str) -> None:
    Hub(monkeypatch, type(kind, (OSError,), {})("503\nand more"))
    with pytest.raises(ModelError, match=said) as raised:
        local_model(Path("hf:ann/moves"))
    assert str(raised.value).startswith("hf:ann/moves: ") and "\n" not in str(raised.value)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed")
def test_a_model_in_the_cache_is_read_without_a_network(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "hub" / "models--ann--moves"
    shutil.copytree(MOVES, home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    program = f"import sys; sys.path[:] = {sys.path}; from vidrnn.cli import run; run()"
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "COLUMNS": "1000"}

    def predict(model: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", program, "predict", str(FILM), "--model", model]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, env=environment, check=False)

    assert "walk-left" in predict("hf:ann/moves").stdout
    assert "walk-left" in predict(f"hf:ann/moves@{commit}").stdout
    lost = predict("hf:ann/others")
    assert lost.returncode == 1 and "is not in the cache" in lost.stderr and "Traceback" not in lost.stderr
