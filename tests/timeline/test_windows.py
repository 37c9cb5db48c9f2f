"""Windows of features: the scores of a moment do not depend on how features are cut, and memory does not grow."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from nets.test_heads import BIDIRECTIONAL, CHUNKS, STREAMING, label

from vidrnn.config import HeadConfig
from vidrnn.model.checkpoint import LoadedModel
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.network import build_network
from vidrnn.nets.spec import EncoderConfig, ModelSpec
from vidrnn.runtimes.base import Features, Outputs, Runtime, State
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.timeline.windows import CarryingReader, FeatureReader, ShotReader, WindowReader
from vidrnn.values import AnswerSpec, DecisionRule, Floats, Handling, Pixels, Sampling, Size
from vidrnn.video.sampling import default_hop, window_starts

FRAMES, HOP, SIDE = 8, 2, 12
TIMES = (1, 5, 8, 9, 10, 23, 41)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
every_head = pytest.mark.parametrize("head", [*STREAMING, *BIDIRECTIONAL], ids=label)
every_streaming_head = pytest.mark.parametrize("head", STREAMING, ids=label)


def runtime(head: HeadConfig, readout: Literal["mean", "attention"] = "attention") -> TorchRuntime:
    """A model of three classes with fresh weights and windows of 8 frames."""
    torch.manual_seed(0)
    spec = ModelSpec(
        network="scores",
        encoder=EncoderConfig(name="small", frozen=False, origin="none"),
        head=head,
        readout=readout,
        height=SIDE,
        width=SIDE,
        frames=FRAMES,
        spacing_seconds=0.1,
    )
    answer = AnswerSpec("classify", "one", "clip", ("a", "b", "c"))
    network = build_network(spec, answer).eval().requires_grad_(False)
    header = ModelHeader(vidrnn_version="0", answer=answer, spec=spec, seed=0, seen={}, scores={}, facts={})
    return TorchRuntime(LoadedModel(network, header, Path("fresh")))


def clip_scores(model: Runtime, features: Features) -> Floats:
    """The scores (classes,) of features (steps, width) as one window."""
    clip: Floats = model.follow(features[None])[0]["clip"][0]
    return clip


def features_for(model: TorchRuntime, steps: int) -> Features:
    assert model.network.split is not None
    width = model.network.split[0].width
    return np.random.default_rng(steps).normal(size=(steps, width)).astype(np.float32)


def pieces(features: Features, length: int) -> Iterator[Features]:
    yield from (features[start : start + length] for start in range(0, len(features), length))


def read(reader: FeatureReader, features: Features, chunk: int) -> tuple[Floats, Floats, list[Floats]]:
    """The scores of each step, of the whole film, and of the newest step after each piece."""
    steps, now = [], []
    for piece in pieces(features, chunk):
        steps.append(reader.read(piece))
        now.append(reader.now())
    ending = reader.finish()
    return np.concatenate([*steps, ending.steps]), ending.clip, now


@pytest.mark.parametrize("chunk", CHUNKS)
@every_head
def test_cutting_the_time_axis_changes_nothing(head: HeadConfig, chunk: int) -> None:
    model = runtime(head)
    for time in TIMES:
        features = features_for(model, time)
        whole, parts = read(WindowReader(model), features, time), read(WindowReader(model), features, chunk)
        np.testing.assert_allclose(parts[0], whole[0], **CLOSE)
        np.testing.assert_allclose(parts[1], whole[1], **CLOSE)
        assert len(whole[0]) == time


@pytest.mark.parametrize("chunk", CHUNKS)
@every_head
def test_within_a_window_the_newest_scores_are_those_of_the_whole_clip(head: HeadConfig, chunk: int) -> None:
    model = runtime(head)
    features = features_for(model, FRAMES)
    _, overall, now = read(WindowReader(model), features, chunk)
    for number, answer in enumerate(now, 1):
        clip = clip_scores(model, features[: number * chunk])
        np.testing.assert_allclose(answer, clip, **CLOSE)
    np.testing.assert_allclose(overall, clip_scores(model, features), **CLOSE)


@every_head
def test_the_film_is_the_mean_of_its_windows(head: HeadConfig) -> None:
    model = runtime(head)
    for time in TIMES:
        features = features_for(model, time)
        starts = window_starts(time, FRAMES, default_hop(FRAMES))
        clips = [clip_scores(model, features[start : start + FRAMES]) for start in starts]
        np.testing.assert_allclose(read(WindowReader(model), features, 4)[1], np.mean(clips, 0), **CLOSE)


@pytest.mark.parametrize("chunk", CHUNKS)
@every_head
def test_the_newest_scores_are_those_of_the_window_that_has_seen_most(head: HeadConfig, chunk: int) -> None:
    model = runtime(head)
    features = features_for(model, 30)
    for number, answer in enumerate(read(WindowReader(model), features, chunk)[2], 1):
        end = min(30, number * chunk)
        start = max(0, -(-(end - FRAMES) // HOP) * HOP)
        np.testing.assert_allclose(answer, clip_scores(model, features[start:end]), **CLOSE)


@pytest.mark.parametrize("chunk", CHUNKS)
@every_streaming_head
def test_one_state_for_ever_gives_the_scores_of_the_whole_network(head: HeadConfig, chunk: int) -> None:
    model = runtime(head)
    features = features_for(model, 41)
    steps, overall, _ = read(CarryingReader(model), features, chunk)
    outputs, _ = model.follow(features[None])
    np.testing.assert_allclose(steps, outputs["steps"][0], **CLOSE)
    np.testing.assert_allclose(overall, outputs["clip"][0], **CLOSE)


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("cuts", [(9,), (3, 4, 20), (8, 16, 24)])
@pytest.mark.parametrize("head", [STREAMING[0], STREAMING[-1], BIDIRECTIONAL[0]], ids=label)
def test_each_shot_is_read_as_a_film_of_its_own(head: HeadConfig, cuts: tuple[int, ...], chunk: int) -> None:
    model = runtime(head)
    features = features_for(model, 30)
    reader, steps = ShotReader(model), []
    for start in range(0, 30, chunk):
        here = [cut - start for cut in cuts if start <= cut < start + chunk]
        steps.append(reader.read(features[start : start + chunk], here))
        shot = max((cut for cut in (0, *cuts) if cut < start + chunk), default=0)
        alone = WindowReader(model)
        alone.read(features[shot : start + chunk])
        np.testing.assert_allclose(reader.now(), alone.now(), **CLOSE)
    by_shot = np.concatenate([*steps, reader.finish().steps])
    shots = [features[start:end] for start, end in pairwise([0, *cuts, 30])]
    np.testing.assert_allclose(
        by_shot, np.concatenate([read(WindowReader(model), shot, 7)[0] for shot in shots]), **CLOSE
    )
    as_one = read(WindowReader(model), features, 7)[1]
    np.testing.assert_allclose(reader.finish().clip, as_one, **CLOSE, err_msg="a video as a whole knows no cuts")


class FramesOnly(Runtime):
    """Another runtime without its output `clip`."""

    header = None  # type: ignore[assignment]

    def __init__(self, inner: Runtime) -> None:
        self.inner, self.handling = inner, inner.handling

    @property
    def streams(self) -> bool:
        return self.inner.streams

    splits = True  # type: ignore[assignment]

    def read(self, frames: Pixels, state: State | None = None) -> tuple[Outputs, State]:
        raise AssertionError("frames are encoded already")

    def follow(self, features: Features, state: State | None = None) -> tuple[Outputs, State]:
        outputs, state = self.inner.follow(features, state)
        return {"steps": outputs["steps"]}, state


@pytest.mark.parametrize("chunk", CHUNKS)
@every_head
def test_of_a_model_without_scores_of_clips_the_newest_scores_are_those_of_the_newest_step(
    head: HeadConfig, chunk: int
) -> None:
    whole = runtime(head)
    model, features = FramesOnly(whole), features_for(whole, 23)
    readers: list[FeatureReader] = [WindowReader(model, 0.0), *([CarryingReader(model)] if model.streams else [])]
    for reader in readers:
        steps, _, now = read(reader, features, chunk)
        at_once = WindowReader(model, 0.0) if isinstance(reader, WindowReader) else CarryingReader(model)
        expected, _, (last,) = read(at_once, features, len(features))
        np.testing.assert_allclose(steps, expected, **CLOSE)
        np.testing.assert_allclose(now[-1], last, **CLOSE)
        first = whole.follow(features[None, :FRAMES])[0]["steps"][0]
        if chunk <= FRAMES and model.streams:
            np.testing.assert_allclose(now[0], first[chunk - 1], **CLOSE)


def test_asking_for_the_ending_changes_nothing() -> None:
    model = runtime(STREAMING[0])
    features = features_for(model, 23)
    asked, unasked = WindowReader(model), WindowReader(model)
    for step in range(23):
        np.testing.assert_array_equal(asked.read(features[step : step + 1]), unasked.read(features[step : step + 1]))
        asked.finish()
    np.testing.assert_array_equal(asked.finish().steps, unasked.finish().steps)
    np.testing.assert_array_equal(asked.finish().clip, unasked.finish().clip)


@pytest.mark.parametrize("head", [STREAMING[0], BIDIRECTIONAL[0]], ids=label)
@pytest.mark.parametrize("chunk", [1, 20])
def test_memory_does_not_grow(head: HeadConfig, chunk: int) -> None:
    reader = WindowReader(runtime(head))
    features = features_for(runtime(head), 20)
    sizes = []
    for _ in range(12):
        for piece in pieces(features, chunk):
            reader.read(piece)
        sizes.append(held(reader))
    assert sizes[2:] == [sizes[2]] * 10


def held(thing: object) -> int:
    """Bytes held by a reader and by what it holds; its model left out."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, dict):
        return sum(map(held, thing.values()))
    if isinstance(thing, Runtime):
        return 0
    if hasattr(thing, "__dict__"):
        return held(vars(thing))
    return sum(map(held, thing)) if hasattr(thing, "__iter__") else sys.getsizeof(thing)


# --- the scores of a moment in overlapping windows --------------------------------------------------------------------


class Scripted(Runtime):
    """Its features (steps, 2) are the scores of the first of two classes: of each step, and of a window from there."""

    streams, splits = False, True  # type: ignore[assignment]
    header = None  # type: ignore[assignment]

    def __init__(self, frames: int) -> None:
        answer = AnswerSpec("classify", "one", "clip", ("a", "b"))
        self.handling = Handling(answer, DecisionRule(), Size(8, 8), Sampling(frames, 1.0))

    def read(self, frames: Pixels, state: State | None = None) -> tuple[Outputs, State]:
        raise AssertionError("frames are encoded already")

    def follow(self, features: Features, state: State | None = None) -> tuple[Outputs, State]:
        steps = np.pad(features[:, :, :1], ((0, 0), (0, 0), (0, 1)))
        return {"steps": steps, "clip": np.pad(features[:, 0, 1:], ((0, 0), (0, 1)))}, {}


def line(frames: int, steps: list[float], clips: list[float], **how: float) -> Floats:
    """The first class's scores at each step; `clips` are those of a window that begins there."""
    reader = WindowReader(Scripted(frames), **how)
    features = np.stack([steps, clips], -1).astype(np.float32)
    return np.concatenate([reader.read(features), reader.finish().steps])[:, 0]


def test_a_moments_score_is_half_its_own_and_half_that_of_its_window() -> None:
    assert line(3, [4.0, 0.0, -6.0], [2.0, 0, 0]) == pytest.approx([3.0, 1.0, -2.0])


def test_the_task_says_how_much_windows_count() -> None:
    assert line(3, [4.0, 0.0, -6.0], [2.0, 0, 0], clip_share=0.0) == pytest.approx([4.0, 0.0, -6.0])
    assert line(3, [4.0, 0.0, -6.0], [2.0, 0, 0], clip_share=1.0) == pytest.approx([2.0, 2.0, 2.0])


def test_of_several_windows_the_one_whose_middle_is_nearest_to_a_moment_counts_most() -> None:
    scores = line(3, [0.0] * 4, [3.0, -3.0, 0, 0])
    assert scores * 2 == pytest.approx([3.0, (2 * 3.0 + 1 * -3.0) / 3, (1 * 3.0 + 2 * -3.0) / 3, -3.0])
