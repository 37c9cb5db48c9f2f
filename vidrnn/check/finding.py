"""What a check found: one thing that is wrong, odd or good to know, the videos that it concerns, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Level = Literal["refusal", "warning", "note"]
"""A training refuses DATA; it trains and may be misled; or it is good to know."""
LEVELS: tuple[Level, ...] = ("refusal", "warning", "note")


@dataclass(frozen=True, slots=True)
class Concern:
    """A video that a finding concerns."""

    path: Path
    detail: str = ""
    """What is true of this one; empty where the sentence of the finding says it all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    kind: str
    """A word for programs, such as `unreadable`."""
    level: Level
    text: str
    """A sentence, with or without its full stop."""
    advice: str = ""
    """What to do, in one or two sentences."""
    concerns: tuple[Concern, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The finding as plain values, with every video that it concerns."""
        return {
            "kind": self.kind,
            "level": self.level,
            "text": self.text,
            "advice": self.advice,
            "videos": [
                {"path": str(each.path), **({"detail": each.detail} if each.detail else {})} for each in self.concerns
            ],
        }


def concerning(paths: Iterable[Path]) -> tuple[Concern, ...]:
    """A concern without a detail for each path, each once."""
    return tuple(Concern(path) for path in dict.fromkeys(paths))


def sentence(text: str) -> str:
    """A note of a training as a sentence: it begins with a capital letter unless it begins with a name."""
    first = text.split(" ", 1)[0].rstrip(":,")
    plain = first.isalpha() and first.islower()
    return f"{text[:1].upper() if plain else text[:1]}{text[1:].rstrip('.')}."
