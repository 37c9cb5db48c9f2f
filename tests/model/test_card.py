"""The card tells a stranger what a model is, and tells it right."""

from __future__ import annotations

from typing import Any

import pytest

from vidrnn.config import EncoderConfig, HeadConfig, ModelHeader, ModelSpec
from vidrnn.model.card import model_card
from vidrnn.values import Part

ROW = {"name": "this model", "val_accuracy": 0.75, "test_accuracy": 0.8125, "interval": (0.7, 0.9)}


def header(*, scores: dict[str, Any] | None = None, **spec: Any) -> ModelHeader:
    told: dict[str, Any] = {
        "part": "test",
        "accuracy": 0.8125,
        "macro_f1": 0.801,
        "ece": 0.05,
        "clips": 16,
        "per_class": [
            {"label": "sit", "clips": 9, "precision": 0.9, "recall": 0.889, "f1": 0.89},
            {"label": "stand", "clips": 7, "precision": 0.7, "recall": 0.714, "f1": 0.71},
        ],
        "controls": {"rows": [ROW], "sentence": "Time helps: order adds 9.0 points here.", "remark": ""},
    }
    return ModelHeader(
        vidrnn_version="0.1.0",
        spec=ModelSpec(
            **{
                "task": "classify",
                "classes": ("sit", "stand"),
                "encoder": EncoderConfig(name="small", frozen=False, origin="none"),
                "head": HeadConfig(name="lstm", size=64, layers=2, bidirectional=True),
                "readout": "attention",
                "height": 84,
                "width": 112,
                "frames": 16,
                "spacing_seconds": 0.125,
            }
            | spec
        ),
        temperature=1.25,
        seed=7,
        seen={"a": Part.TRAIN, "b": Part.TRAIN, "c": Part.VAL, "d": Part.TEST},
        scores=told | (scores or {}),
        facts={
            "command": "vidrnn train films --seed 7",
            "grouping": "from names: _gNN_",
            "parameters": 1_234_567,
            "epochs": 30,
            "best_epoch": 12,
            "seconds": 61.4,
            "trial": "",
        },
    )


@pytest.mark.parametrize(
    "fact",
    [
        "# sits",
        "vidrnn predict FILM --model sits",
        "| classes | sit, stand |",
        "small, trained on these clips",
        "lstm, 64 units, 2 layer(s), both directions; readout attention",
        "1,234,567",
        "112x84 pixels, windows of 16 frames, 0.125 s apart",
        "2 clips, chosen on 1, tested on 1; groups from names: _gNN_",
        "30 epochs, the best was 12; 61 s in all, seed 7",
        "1.250",
        "vidrnn train films --seed 7",
        "## Scores on its test part",
        "accuracy 0.812, macro-F1 0.801, expected calibration error 0.050 (16 clips)",
        "| this model | 0.750 | 0.812 | 0.70 to 0.90 |",
        "Time helps: order adds 9.0 points here.",
        "| sit | 9 | 0.900 | 0.889 |",
        "| stand | 7 | 0.700 | 0.714 |",
        "--threshold",
    ],
)
def test_the_card_tells(fact: str) -> None:
    assert fact in model_card(header(), "sits")


def test_a_frozen_encoder_is_told_with_its_weights() -> None:
    card = model_card(header(encoder=EncoderConfig(name="mobilenet_v2", frozen=True, origin="imagenet")), "sits")
    assert "mobilenet_v2, frozen, first weights: imagenet" in card


def test_without_a_test_part_the_table_has_no_column_for_it() -> None:
    controls = {"rows": [ROW | {"test_accuracy": None}], "sentence": "So.", "remark": ""}
    card = model_card(header(scores={"part": "val", "controls": controls}), "sits")
    assert "## Scores on its val part" in card
    assert "| | validation | 95 % interval |" in card
    assert "| this model | 0.750 | 0.70 to 0.90 |" in card


def test_a_training_that_was_stopped_before_its_controls_has_a_card_without_them() -> None:
    card = model_card(header(scores={"controls": None}), "sits")
    assert "interval" not in card
    assert "| sit | 9 | 0.900 | 0.889 |" in card


def test_terms_and_the_remark_on_the_controls_are_told_where_there_are_any() -> None:
    controls = {"rows": [ROW], "sentence": "So.", "remark": "On the features of the trained encoder."}
    card = model_card(header(scores={"controls": controls}), "sits", terms="Research use only.")
    assert "On the features of the trained encoder." in card
    assert card.rstrip().endswith("## Terms\n\nResearch use only.")
    assert "Terms" not in model_card(header(), "sits")


def test_tables_are_whole_rows_of_as_many_cells_as_their_heads() -> None:
    block: list[str] = []
    for line in [*model_card(header(), "sits").splitlines(), ""]:
        if line.startswith("|"):
            block.append(line)
        elif block:
            assert len({row.count("|") for row in block}) == 1, block
            block = []
