"""The front matter of a card is YAML as the Hugging Face Hub takes it, whatever the names in it are."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from model.test_card import CLASSES, NEXT, SCORES, header

from vidrnn.config import HeadConfig
from vidrnn.model.card import model_card
from vidrnn.model.front_matter import front_matter, without_front_matter
from vidrnn.model.header import shipped_models
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.spec import ForecastConfig
from vidrnn.values import AnswerSpec

FOLDS = {"part": "folds", "folds": 5, "accuracy": 0.91848, "macro_f1": None}
TEST = {"part": "test", "folds": None, "accuracy": 0.8125, "macro_f1": 0.79, "ece": 0.1}


def scored(scores: dict[str, Any], answer: AnswerSpec = CLASSES, **spec: Any) -> ModelHeader:
    return header(answer, **spec).model_copy(update={"scores": scores})


def test_it_is_yaml_as_people_write_it() -> None:
    assert front_matter(scored(TEST), "no", "apache-2.0").splitlines() == [
        "---",
        "library_name: vidrnn",
        "pipeline_tag: video-classification",
        "license: apache-2.0",
        "tags:",
        "  - video",
        "  - recurrent-neural-network",
        "  - lstm",
        "  - classify",
        "model-index:",
        '  - name: "no"',
        "    results:",
        "      - task:",
        "          type: video-classification",
        "        dataset:",
        "          type: videos",
        "          name: videos",
        "          split: test",
        "        metrics:",
        "          - type: accuracy",
        "            value: 0.8125",
        '            name: "Accuracy"',
        "          - type: f1",
        "            value: 0.79",
        '            name: "Macro-F1"',
        "---",
    ]


def test_scores_of_folds_say_so() -> None:
    text = front_matter(scored(FOLDS), "sits")
    assert 'split: "5-folds"' in text and "value: 0.9185" in text and text.count("value:") == 1


def test_what_is_not_known_is_left_out() -> None:
    text = front_matter(header(), "sits")
    assert "license" not in text and "model-index" not in text and "pipeline_tag" in text


def test_a_model_of_next_frames_has_no_pipeline() -> None:
    forecast = ForecastConfig(context=4, horizon=3, decoder="flow")
    parts = {"network": "frames", "forecast": forecast, "head": HeadConfig(name="convgru")}
    text = front_matter(scored({"part": "test", "mse": 0.007, "ssim": float("nan")}, NEXT, **parts), "next")
    assert "pipeline_tag" not in text and "type: video-prediction" in text and text.count("value:") == 1


def test_a_card_begins_with_it_and_can_do_without() -> None:
    card = model_card(header(), "sits", [SCORES], license_name="mit")
    assert card.startswith("---\nlibrary_name: vidrnn\n") and "\nlicense: " in card
    assert without_front_matter(card).startswith("# sits\n")
    assert without_front_matter("# sits\n---\n") == "# sits\n---\n"


ODD = ["a: b", "- 1", "*x", "'", '"', "#", "{a}", "ü 日本 😀", "a\nb", "\x07\x7f", "null", "---", "\u2028"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed")
@pytest.mark.parametrize("name", ODD)
def test_the_hub_reads_the_card_of_any_name(name: str) -> None:
    from huggingface_hub import ModelCard

    told = scored(TEST)
    told = told.model_copy(update={"facts": {**told.facts, "command": f"vidrnn train {json.dumps(name)}"}})
    data = ModelCard(model_card(told, name, [SCORES], license_name="mit")).data
    assert data.library_name == "vidrnn" and data.license == "mit"
    assert [one.metric_value for one in data.eval_results] == [0.8125, 0.79]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed")
@pytest.mark.parametrize("folder", sorted(shipped_models().glob("*/")), ids=lambda folder: folder.name)
def test_the_hub_reads_the_cards_of_shipped_models(folder: Path) -> None:
    from huggingface_hub import ModelCard

    data = ModelCard((folder / "README.md").read_text(encoding="utf-8"), ignore_metadata_errors=False).data
    assert data.library_name == "vidrnn" and data.eval_results[0].dataset_name


@pytest.mark.parametrize("folder", sorted(shipped_models().glob("*/")), ids=lambda folder: folder.name)
def test_shipped_models_have_it(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: vidrnn\n") and without_front_matter(card).startswith(
        f"# {folder.name}\n"
    )
