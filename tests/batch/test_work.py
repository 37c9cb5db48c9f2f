"""What decides about an answer: where it differs, a film is read again, and where it does not, it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vidrnn.batch.work import Asked, model_hash
from vidrnn.errors import ModelError

FILES = ("model.onnx", "model.safetensors", "model.xml", "model.bin")


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    for name in FILES:
        (tmp_path / name).write_text(name)
    return Asked(tmp_path, ("jsonl",))


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_a_model_may_be_read_from_decides(asked: Asked, name: str) -> None:
    before = asked.work().identity
    (asked.model / name).write_text("trained on")
    assert asked.work().identity != before


@pytest.mark.parametrize(
    "setting",
    [
        {"runtime": "torch"},
        {"device": "cuda"},
        {"threshold": 0.5},
        {"rate": 12.5},
        {"reset": "never"},
        {"hysteresis": 0.2},
        {"shortest_seconds": 2.0},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_that_changes_answers_decides(asked: Asked, setting: dict[str, Any]) -> None:
    assert replace(asked, **setting).work().identity != asked.work().identity


def test_forms_and_threads_do_not_decide(asked: Asked) -> None:
    assert replace(asked, threads=4, formats=("csv", "srt")).work().identity == asked.work().identity


def test_one_file_is_a_model_and_none_is_told(tmp_path: Path) -> None:
    for name in FILES[:2]:
        (tmp_path / name).write_text(name)
        assert model_hash(tmp_path / name)
        (tmp_path / name).unlink()
    with pytest.raises(ModelError):
        model_hash(tmp_path)
