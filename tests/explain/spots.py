"""A model whose reasons are known: it measures how much red and how much green each frame holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from conftest import Paint, make_film

from vidrnn.config import HeadConfig
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.spec import EncoderConfig, ModelSpec
from vidrnn.runtimes.base import Features, Outputs, Runtime, State
from vidrnn.values import AnswerSpec, DecisionRule, Pixels, Size

SIZE = Size(40, 60)
SPOT = (24, 42)
"""The row and the column where the spot of the films begins."""
SIDE = 8
LABEL_RULE = DecisionRule(reset="never", threshold=0.5)


def spot_film(path: Path, frames: int = 24, when: range = range(10, 14), colour: int = 0) -> Path:
    """A dark film with a spot of a colour, 0 for red and 1 for green, in some of its frames."""
    return make_film(path, frames=frames, fps=10.0, size=SIZE, paint=paint_spot(when, colour))


def paint_spot(when: range, colour: int) -> Paint:
    def paint(index: int, size: Size) -> Pixels:
        pixels = np.full((size.height, size.width, 3), 20, dtype=np.uint8)
        if index in when:
            pixels[SPOT[0] : SPOT[0] + SIDE, SPOT[1] : SPOT[1] + SIDE, colour] = 250
        return pixels

    return paint


class Spots(Runtime):
    """The scores of a step grow with what is red and with what is green; those of a clip are their sum."""

    name, streams, splits = "spots", True, True

    def __init__(self, *, task: str = "classify", several: bool = False, deaf: bool = False) -> None:
        """`deaf`: the scores do not depend on what is seen."""
        spec = ModelSpec(
            network="scores",
            encoder=EncoderConfig(name="small", frozen=True, origin="none"),
            head=HeadConfig(),
            readout="mean",
            height=SIZE.height,
            width=SIZE.width,
            frames=8,
            spacing_seconds=0.1,
        )
        kind, clip = ("several" if several else "one"), task == "classify"
        answer = AnswerSpec(task, kind, "clip" if clip else "frame", ("red", "green"))  # type: ignore[arg-type]
        rule = DecisionRule(reset="window") if clip else LABEL_RULE
        self._header = ModelHeader(
            vidrnn_version="0", answer=answer, decision=rule, spec=spec, seed=0, seen={}, scores={}, facts={}
        )
        self.handling = self._header.handling
        self._deaf = deaf

    @property
    def header(self) -> ModelHeader:
        return self._header

    def read(self, frames: Pixels, state: State | None = None, before: Pixels | None = None) -> tuple[Outputs, State]:
        return self.follow(np.stack([self.encode(each) for each in frames]), state)

    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        apart = pixels[..., :2].astype(np.float32) - pixels[..., 1::-1]
        return np.asarray(apart.clip(0).sum((1, 2)) / 3000, dtype=np.float32)

    def follow(self, features: Features, state: State | None = None) -> tuple[Outputs, State]:
        steps = features - 1.5
        if self._deaf:
            steps = np.zeros_like(steps)
        held: Any = state["sum"] if state else np.zeros((len(features), 2), np.float32)
        held = held + steps.sum(1)
        return {"steps": steps, "clip": held}, {"sum": held}
