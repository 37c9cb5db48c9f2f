"""The front matter of a model card, by which the Hugging Face Hub finds a model and shows its scores.

It is YAML in its plainest form: names, lists, and values in JSON, which is YAML as well.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from vidrnn.model.metadata import ModelHeader
from vidrnn.plain_json import json_text
from vidrnn.text import one_line
from vidrnn.values import Kind

LIBRARY = "vidrnn"
_FENCE = "---\n"
_PIPELINES: Mapping[Kind, str] = {"one": "video-classification", "several": "video-classification"}
"""The Hub's word for what a model does, by the kind of its answer; it has none for the other kinds."""
_OTHER_WORK: Mapping[Kind, str] = {"number": "video-regression", "picture": "video-prediction"}
"""Words for the table of scores, which must have one."""
_METRICS = {
    "accuracy": ("accuracy", "Accuracy"),
    "frame_accuracy": ("accuracy", "Frame accuracy"),
    "macro_f1": ("f1", "Macro-F1"),
    "edit": ("edit", "Edit score"),
    "f1_50": ("f1", "F1@50"),
    "mse": ("mse", "MSE of a pixel"),
    "psnr": ("psnr", "PSNR"),
    "ssim": ("ssim", "SSIM"),
}
"""The Hub's type and the name for people of each score of a header."""
_DIGITS = 4
_WORD = re.compile(r"[a-z][a-z0-9_]*(?:[.-][a-z0-9_]+)*")
_RESERVED = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
"""Words that YAML takes for other values."""


def front_matter(header: ModelHeader, name: str, license_name: str | None = None, dataset: str | None = None) -> str:
    """The front matter of a card, with its fences.

    Args:
        header: of the model.
        name: the model's name.
        license_name: as the Hub names it, such as `mit`; None leaves it out.
        dataset: the name of the training data; None for what the command of the training says.
    """
    answer = header.answer
    tags = ["video", "recurrent-neural-network", header.spec.head.name, answer.task]
    record: dict[str, Any] = {"library_name": LIBRARY}
    if answer.kind in _PIPELINES:
        record["pipeline_tag"] = _PIPELINES[answer.kind]
    if license_name:
        record["license"] = license_name
    record["tags"] = list(dict.fromkeys(tags))
    results = _results(header, dataset or _dataset_of(header))
    if results:
        record["model-index"] = [{"name": one_line(name), "results": results}]
    return _FENCE + "".join(f"{line}\n" for line in _lines(record)) + _FENCE


def without_front_matter(card: str) -> str:
    """A card without its front matter, if it has one."""
    if not card.startswith(_FENCE):
        return card
    _, fence, body = card.removeprefix(_FENCE).partition(f"\n{_FENCE}")
    return body.lstrip("\n") if fence else card


def _lines(value: Mapping[str, Any] | list[Any]) -> Iterator[str]:
    """A mapping or a list as lines of YAML."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, Mapping | list):
                yield f"{name}:"
                yield from (f"  {line}" for line in _lines(inner))
            else:
                yield f"{name}: {_plain(inner)}"
        return
    for each in value:
        first, *others = _lines(each) if isinstance(each, Mapping | list) else (_plain(each),)
        yield f"- {first}"
        yield from (f"  {line}" for line in others)


def _plain(value: Any) -> str:
    """A text or a number. A text that YAML could take for something else stands in quotation marks."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) and value not in _RESERVED else json_text(value)


def _results(header: ModelHeader, dataset: str) -> list[dict[str, Any]]:
    """The scores of one dataset; none where there are no scores."""
    scores, kind = header.scores, header.answer.kind
    metrics = [
        {"type": hub, "value": round(float(scores[ours]), _DIGITS), "name": shown}
        for ours, (hub, shown) in _METRICS.items()
        if isinstance(scores.get(ours), int | float) and math.isfinite(scores[ours])
    ]
    if not metrics:
        return []
    work = _PIPELINES.get(kind) or _OTHER_WORK.get(kind, "other")
    split = f"{scores['folds']}-folds" if scores.get("part") == "folds" else str(scores.get("part") or "test")
    return [
        {
            "task": {"type": work},
            "dataset": {"type": _identifier(dataset), "name": dataset, "split": split},
            "metrics": metrics,
        }
    ]


def _dataset_of(header: ModelHeader) -> str:
    """The name of DATA in the command of the training."""
    try:
        words = shlex.split(str(header.facts.get("command", "")))
    except ValueError:
        words = []
    data = words[2] if len(words) > 2 and not words[2].startswith("-") else ""
    return one_line(PurePath(data).stem) or "videos"


def _identifier(name: str) -> str:
    """A name with the letters only that an identifier of the Hub has."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.").lower() or "videos"
