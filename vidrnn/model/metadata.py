"""The header of a model as a validated record: the JSON that travels inside its files. Reads no weights."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError, model_validator

from vidrnn.config import in_words
from vidrnn.errors import ModelError
from vidrnn.nets.spec import ModelSpec, Record
from vidrnn.values import FORMAT_VERSION, AnswerSpec, DecisionRule, Handling, Part, PerClass


class ModelHeader(Record):
    """Names, numbers and hashes. It holds no paths of the machine that trained the model."""

    format_version: int = FORMAT_VERSION
    vidrnn_version: str
    answer: AnswerSpec
    decision: DecisionRule = DecisionRule()
    spec: ModelSpec
    seed: int
    seen: dict[str, Part]
    """Content hash of every film of the training data, with its part."""
    scores: dict[str, Any]
    """The numbers of evaluation at the end of training, as `vidrnn evaluate --json` names them."""
    summary: tuple[str, ...] = ()
    """The scores in sentences."""
    facts: dict[str, Any]
    """How the model was trained: command, groups, the reason for the choice, epochs, seconds."""

    @property
    def handling(self) -> Handling:
        """How the model is fed, and how its outputs are read."""
        spec = self.spec
        return Handling(
            self.answer,
            self.decision,
            spec.size,
            spec.sampling,
            spec.shape,
            spec.inputs,
            spec.motion_seconds,
            spec.encoder.features,
        )

    def to_json(self) -> str:
        """One line of JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str, source: str) -> ModelHeader:
        """Read a header; `source` names the model in errors.

        Raises:
            ModelError: the text is damaged, or has another format.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            version = _version(text)
            if version is not None and version > FORMAT_VERSION:
                raise ModelError(
                    f"{source}: made with model format {version}, and this vidrnn reads up to {FORMAT_VERSION}. "
                    "Update vidrnn: pip install --upgrade vidrnn."
                ) from None
            if version is not None and version < FORMAT_VERSION:
                raise ModelError(
                    f"{source}: made with model format {version}, and this vidrnn reads format {FORMAT_VERSION}. "
                    "Train it again, or use the vidrnn that made it."
                ) from None
            if _sees_step_before(text):
                raise ModelError(
                    f"{source}: its encoder compares each frame with the step before, and this vidrnn compares it with "
                    "the frame a fixed time before. Train it again: --motion difference."
                ) from None
            raise ModelError(
                f"{source}: its header is damaged ({in_words(error, {})}). Copy the model again."
            ) from None

    @model_validator(mode="after")
    def _checked(self) -> ModelHeader:
        if self.format_version != FORMAT_VERSION:
            raise ValueError("another format")
        if not all(number > 0 for number in _numbers(self.decision.temperature)):
            raise ValueError("temperature: is not above 0")
        if self.answer.kind == "one" and len(self.answer.classes) < 2:
            raise ValueError("classes: fewer than two")
        return self


def _numbers(setting: PerClass) -> tuple[float, ...]:
    return tuple(setting.values()) if isinstance(setting, dict) else (setting,)


def _sees_step_before(text: str) -> bool:
    """Whether a header is of an earlier vidrnn, and its encoder saw differences from the step before."""
    try:
        return bool(json.loads(text)["spec"]["encoder"]["differences"])
    except (ValueError, KeyError, TypeError):
        return False


def _version(text: str) -> int | None:
    """The format version of a header; None where there is none."""
    try:
        version = json.loads(text)["format_version"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) else None
