"""The card describes a model: its purpose, its network, its training, its scores and its terms."""

from __future__ import annotations

from typing import Any

import pytest

from vidrnn.config import HeadConfig
from vidrnn.model.card import model_card, with_portable
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.spec import EncoderConfig, ForecastConfig, ModelSpec
from vidrnn.tables import Report, Table
from vidrnn.values import AnswerSpec, DecisionRule, Part

SCORES = Report(
    "Scores on its test part",
    (Table(("class", "clips"), (("sit", "9"), ("stand", "7"))), Table(("a", "b"), (("hidden", "1"),), in_card=False)),
    ("Accuracy 0.812, 16 clips.",),
    ("The controls are trained on the features of the trained encoder.",),
)
CLASSES = AnswerSpec("classify", "one", "clip", ("sit", "stand"))
NEXT = AnswerSpec("next-frame", "picture", "frame", ("normal", "anomaly"), "normal")


def header(answer: AnswerSpec = CLASSES, **spec: Any) -> ModelHeader:
    parts = {
        "network": "scores",
        "encoder": EncoderConfig(name="small", frozen=False, origin="none"),
        "head": HeadConfig(name="lstm", size=64, layers=2, bidirectional=True),
        "readout": "attention",
        "height": 84,
        "width": 112,
        "frames": 16,
        "spacing_seconds": 0.125,
    }
    return ModelHeader(
        vidrnn_version="0.1.0",
        answer=answer,
        decision=DecisionRule(temperature=1.25),
        spec=ModelSpec(**parts | spec),
        seed=7,
        seen={"a": Part.TRAIN, "b": Part.TRAIN, "c": Part.VAL, "d": Part.TEST},
        scores={},
        facts={
            "command": "vidrnn train videos --seed 7",
            "grouping": "from names: _gNN_",
            "parameters": 1_234_567,
            "epochs": 30,
            "best_epoch": 12,
            "seconds": 61.4,
            "choice": "small: it was better by 3 points.",
        },
    )


@pytest.mark.parametrize(
    "fact",
    [
        "# sits",
        "Says which of 2 classes a video shows",
        "Made by vidrnn 0.1.0",
        "vidrnn predict VIDEO --model sits",
        "| classes | sit, stand |",
        "small (trained) > lstm 64, 2 layers, both directions > attention, 112x84 pixels, windows of 16 frames",
        "1,234,567",
        "2 videos, chosen on 1, tested on 1; groups from names: _gNN_",
        "30 epochs, the best was 12; 61 s in all, seed 7",
        "    vidrnn train videos --seed 7",
        "## Scores on its test part",
        "| class | clips |\n|---|---|\n| sit | 9 |\n| stand | 7 |",
        "Accuracy 0.812, 16 clips.",
        "The controls are trained on the features of the trained encoder.",
        "small: it was better by 3 points.",
        "--threshold",
        "not for others",
    ],
)
def test_the_card_states(fact: str) -> None:
    assert fact in model_card(header(), "sits", [SCORES])


def test_a_frozen_encoder_stands_with_the_origin_of_its_weights() -> None:
    encoder = EncoderConfig(name="mobilenet_v2", frozen=True, origin="imagenet")
    assert "mobilenet_v2 (imagenet, frozen) > " in model_card(header(encoder=encoder), "sits", [])


def test_the_card_of_a_model_of_next_frames_speaks_of_frames_and_anomalies() -> None:
    forecast = ForecastConfig(context=4, horizon=3, decoder="flow")
    card = model_card(header(NEXT, network="frames", forecast=forecast, head=HeadConfig(name="convgru")), "next", [])
    assert "Predicts the next frames" in card and "anomalies" in card
    assert "> convgru 128 > flow" in card and "4 frames seen and 3 predicted" in card
    assert "what is normal from its own validation videos" in card and "--threshold" not in card


def test_a_report_without_a_title_and_tables_for_the_screen_leave_nothing_in_the_card() -> None:
    card = model_card(header(), "sits", [Report(), SCORES])
    assert "hidden" not in card
    assert card.count("##") == 1


def test_terms_stand_last_where_there_are_any() -> None:
    card = model_card(header(), "sits", [SCORES], terms="Research use only.")
    assert card.rstrip().endswith("## Terms\n\nResearch use only.")
    assert "Terms" not in model_card(header(), "sits", [SCORES])


def test_a_portable_file_has_one_sentence_of_its_own() -> None:
    card = model_card(header(), "sits", [SCORES])
    first = with_portable(with_portable(card, "model.onnx", "older."), "model-fp16.onnx", "half.")
    second = with_portable(first, "model.onnx", "newer.")
    assert second.startswith(card.rstrip()) and second.count("## Portable files") == 1
    assert second.endswith("- `model-fp16.onnx`: half.\n- `model.onnx`: newer.\n") and "older" not in second


def test_tables_are_whole_rows_of_as_many_cells_as_their_heads() -> None:
    odd = Report("", (Table(("class|es", "n"), (("sit|down", "1"),)),))
    block: list[str] = []
    for line in [*model_card(header(), "sits", [SCORES, odd]).splitlines(), ""]:
        if line.startswith("|"):
            block.append(line)
        elif block:
            assert len({row.count("|") for row in block}) == 1, block
            block = []
