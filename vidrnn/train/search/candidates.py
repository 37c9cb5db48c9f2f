"""The candidates of `--encoder auto`, made from the films' own sizes, rates and lengths. Trains nothing.

A candidate is a full set of settings. Settings that the user gave stay as they are in every candidate.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.data.dataset import Dataset
from vidrnn.values import Sampling, Size

KNOWN = "mobilenet_v2"
"""The pretrained encoder that is tried; its weights come with vidrnn."""
_MOST_STEPS = 40
"""The longest window of an encoder that learns from the films."""
_LONG_SHARE = 0.9
"""So many of the clips are not longer than a window."""
_SMALL_AREA = 64 * 48
"""In pixels: the pictures of an encoder that learns from few films. Larger ones cost more and learn no better."""

LITTLE_CHANGE: dict[str, Any] = {
    "head.name": "mingru",
    "head.bidirectional": True,
    "head.dropout": 0.0,
    "augment": 0.2,
    "label_smoothing": 0.0,
    "weight_decay": 0.01,
}
"""The training of an encoder with little augmentation and little regularisation."""

_HEAD: dict[str, Any] = {"head.name": "gru", "readout": "statistics", "members": 3}
"""The recurrent head behind a frozen encoder. How strongly it is held back, the recipe of the training decides."""

LINEAR, FROZEN, TINY, SMALL = range(4)
"""The kinds of candidates, the simplest first."""


@dataclass(frozen=True)
class Candidate:
    """Settings that are tried."""

    name: str
    kind: int
    """How simple it is: `LINEAR` is the simplest."""
    config: RunConfig

    @property
    def key(self) -> str:
        """Its name with digits of its settings, which no other candidate has. Paths are left out, for moved runs."""
        settings = self.config.model_dump_json(exclude={"data", "labels", "features"})
        return f"{self.name} {hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()}"


@dataclass(frozen=True)
class Clips:
    """What candidates need to know of the clips."""

    size: Size
    """The median size of the pictures."""
    interval_seconds: float
    """The median time between two frames."""
    long_seconds: float
    """Nine clips in ten are not longer."""

    @classmethod
    def of(cls, dataset: Dataset, places: Sequence[int]) -> Clips:
        """Those at `places`."""
        facts = [dataset.scans[place].facts for place in places]
        durations = [one.duration_seconds for one in facts]
        return cls(
            size=dataset.median_size,
            interval_seconds=float(np.median([one.duration_seconds / one.frames for one in facts])),
            long_seconds=float(np.quantile(durations, _LONG_SHARE)),
        )

    def whole_windows(self, most: int = _MOST_STEPS) -> Sampling:
        """Windows that hold whole clips, with every frame, or every second, or third: at most `most` steps."""
        every = max(1, math.ceil(self.long_seconds / self.interval_seconds / most - 0.05))
        spacing = max(0.002, round(every * self.interval_seconds, 5))
        return Sampling(max(2, math.ceil(self.long_seconds / spacing - 0.05)), spacing)


def given_settings(config: RunConfig) -> frozenset[str]:
    """The names of the settings that the user gave, those of the head as `head.size`. `--encoder auto` gives none."""
    return config.given - ({"encoder"} if config.encoder == "auto" else set())


def with_settings(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """The settings of a candidate in place of those that the user did not give; `head.size` is a field of the head."""
    given = given_settings(config)
    open_ones = {name: value for name, value in settings.items() if name not in given}
    head = {name.removeprefix("head."): value for name, value in open_ones.items() if name.startswith("head.")}
    plain = {name: value for name, value in open_ones.items() if not name.startswith("head.")}
    return config.model_copy(update={**plain, "head": config.head.model_copy(update=head)})


def known_candidate(config: RunConfig, clips: Clips, motion: Sequence[str], *, linear: bool) -> Candidate:
    """A known encoder, `KNOWN` if none is named, frozen, with a linear classifier of statistics or a recurrent head."""
    settings: dict[str, Any] = {"encoder": KNOWN, "motion": tuple(motion)}
    if linear:
        settings |= {"head.name": "linear", "readout": "statistics"}
    else:
        settings |= _HEAD
    chosen = with_settings(config, settings)
    return Candidate(named(chosen), LINEAR if linear else FROZEN, chosen)


def learnt_candidates(config: RunConfig, clips: Clips, *, grey: bool, shared: Mapping[str, Any]) -> list[Candidate]:
    """Encoders that learn from the films: they see the change of pixels, and windows of whole clips.

    Two ways to train the tiny one are tried, since no single one is right for all films. Where all clips look alike and
    a moment decides, as with words of one mouth, a GRU with strong augmentation does not begin to learn, and a minGRU
    with little augmentation does.
    """
    sampling, size = clips.whole_windows(), small_size(clips.size)
    settings: dict[str, Any] = {
        **shared,
        "frames": sampling.frames,
        "spacing_seconds": sampling.spacing_seconds,
        "grey": grey,
        "motion": ("difference",),
    }
    tiny = {**settings, "encoder": "tiny", "height": size.height, "width": size.width}
    ways = (
        (TINY, tiny | {"head.dropout": 0.1}),
        (TINY, tiny | LITTLE_CHANGE),
        (SMALL, settings | {"encoder": "small", "head.dropout": 0.1}),
    )
    chosen = [(kind, with_settings(config, way)) for kind, way in ways]
    return [Candidate(named(one), kind, one) for kind, one in chosen]


def small_size(films: Size, area: int = _SMALL_AREA) -> Size:
    """The shape of the films at a small area; smaller films keep their size."""
    scale = min(1.0, (area / (films.height * films.width)) ** 0.5)
    return Size(max(8, round(films.height * scale)), max(8, round(films.width * scale)))


def named(config: RunConfig) -> str:
    """A candidate in a few words: `mobilenet_v2 +difference > gru x3`."""
    seen = "".join(f" +{name}" for name in config.motion)
    members = f" x{config.members}" if config.members > 1 else ""
    grey = " grey" if config.grey else ""
    encoder = config.encoder_file.name if config.encoder_file else config.encoder  # a path is of one machine only
    loss = f", {config.loss}" if config.loss != "cross-entropy" else ""
    return f"{encoder}{grey}{seen} > {_head(config.head)}{members}{loss}"


def _head(head: HeadConfig) -> str:
    """As `vidrnn compare` names it."""
    return f"{head.name}{'-both' * head.bidirectional}"
