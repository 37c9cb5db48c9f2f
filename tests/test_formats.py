"""Files from which work goes on carry a number, and one of another number is refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import followed

from vidrnn.compare.comparison import CompareRequest, compare
from vidrnn.config import RunConfig
from vidrnn.errors import RunError
from vidrnn.model import checkpoint
from vidrnn.model.checkpoint import CHECKPOINT_FORMAT, TrainingState, load_training, save_training
from vidrnn.sums import read_summed

NEWER, OLDER = CHECKPOINT_FORMAT + 1, CHECKPOINT_FORMAT - 1


@pytest.mark.parametrize(("number", "advice"), [(NEWER, "Update vidrnn"), (OLDER, "Start anew")])
def test_a_checkpoint_of_another_format_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    with monkeypatch.context() as other:
        other.setattr(checkpoint, "CHECKPOINT_FORMAT", number)
        save_training(tmp_path, TrainingState({"weights": torch.zeros(3)}, {"epoch": 1}))
    with pytest.raises(
        RunError, match=rf"training\.safetensors: has format {number}, .* format {CHECKPOINT_FORMAT}\. {advice}"
    ):
        load_training(tmp_path)


def test_a_comparison_of_another_format_is_refused(class_folders: Path, tmp_path: Path) -> None:
    config = RunConfig.of({"encoder": "small", "height": 24, "width": 32, "frames": 4, "epochs": 1}, source="test")
    request = CompareRequest(class_folders, config, ("none",), 1, tmp_path / "out", tmp_path / "cache", 1)
    followed(compare(request))
    file = request.out / "facts.json"
    content = read_summed(file.read_text())
    file.write_text(json.dumps({**content, "format": content["format"] + 1}))
    resumed = CompareRequest(class_folders, config, ("none",), 1, request.out, request.cache, 1, resume=True)
    with pytest.raises(RunError, match=r"facts\.json: has format 3, and this vidrnn continues format 2\. Update"):
        followed(compare(resumed))
