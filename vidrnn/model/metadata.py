"""The header of a model as a validated record: the JSON that travels inside its files. Reads no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError, field_serializer, field_validator, model_validator

from vidrnn.config import in_words
from vidrnn.errors import ModelError
from vidrnn.model.seen import seen_as_json, seen_of
from vidrnn.nets.spec import ModelSpec, Record, StepBeforeError, current_spec
from vidrnn.plain_json import json_text
from vidrnn.values import FORMAT_VERSION, AnswerSpec, DecisionRule, Handling, Part


class ModelHeader(Record):
    """Names, numbers and hashes. It holds no paths of the machine that trained the model."""

    format_version: int = FORMAT_VERSION
    vidrnn_version: str
    answer: AnswerSpec
    decision: DecisionRule = DecisionRule()
    spec: ModelSpec
    seed: int
    seen: Mapping[str, Part]
    """Content hash of every film of the training data, with its part. Of very many films it holds 8 bytes each."""
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
            return cls.model_validate_json(_current(text), strict=True)
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
            raise ModelError(
                f"{source}: its header is damaged ({in_words(error, {})}). Copy the model again."
            ) from None
        except StepBeforeError:
            raise ModelError(
                f"{source}: its encoder compares each frame with the step before, and this vidrnn compares it with "
                "the frame a fixed time before. Train it again: --motion difference."
            ) from None

    @field_validator("seen", mode="plain")
    @classmethod
    def _seen(cls, stored: object) -> Mapping[str, Part]:
        return seen_of(stored)

    @field_serializer("seen")
    def _stored(self, seen: Mapping[str, Part]) -> dict[str, str]:
        return seen_as_json(seen)

    @model_validator(mode="after")
    def _checked(self) -> ModelHeader:
        if self.format_version != FORMAT_VERSION:
            raise ValueError("another format")
        _ = self.handling  # whose parts must fit each other
        return self


def _current(text: str) -> str:
    """The text of a header, with the spec of an earlier vidrnn in the form of this one; other text as it is.

    Raises:
        StepBeforeError: its encoder compares each frame with the step before.
    """
    try:
        header = json.loads(text)
        return json_text({**header, "spec": current_spec(header["spec"])})
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return text  # the validation says what is wrong


def _version(text: str) -> int | None:
    """The format version of a header; None where there is none."""
    try:
        version = json.loads(text)["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, int) else None
