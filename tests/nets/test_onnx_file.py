"""A graph of another program as an encoder: the pixels that it gets, and what copies and portions change."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import DEVIATION, MEAN, vectors_of, write_graph
from numpy.typing import NDArray

from vidrnn.model.picture_graph import read_picture_graph
from vidrnn.model.weights import give_weights
from vidrnn.nets.classifier import build_encoder, encoding_of, fingerprint
from vidrnn.nets.encoders.onnx_file import OnnxEncoder
from vidrnn.values import PictureMotion, Size
from vidrnn.video.motion import flow_pictures

SIZE = Size(20, 30)


def encoder_of(file: Path, motion: tuple[PictureMotion, ...] = ()) -> OnnxEncoder:
    encoder = build_encoder(read_picture_graph(file).config(SIZE).model_copy(update={"motion": motion}), SIZE)
    give_weights(encoder, "onnx", str(file))
    assert isinstance(encoder, OnnxEncoder)
    return encoder


def pictures(count: int = 4) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE.height, SIZE.width, 3), dtype=np.uint8)


def stated(channels: str, mean: Sequence[float], deviation: Sequence[float], more: str = "") -> str:
    return f'channels = "{channels}"\nmean = {list(mean)}\ndeviation = {list(deviation)}\n{more}\n'


RGB = stated("rgb", MEAN, DEVIATION)


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({}, RGB),
        ({"batch": 1}, RGB),
        ({"size": (20, 30)}, RGB),
        ({"channels_last": True}, RGB),
        ({"channels_last": True, "batch": 1, "flat": True}, RGB),
        ({"opset": 13}, RGB),
        ({}, stated("rgb", [255 * one for one in MEAN], [255 * one for one in DEVIATION], "scale = 1")),
        ({}, stated("rgb", MEAN, DEVIATION, 'scale = "1/255"')),
        ({}, RGB + 'output = "pooled"'),
    ],
)
def test_the_features_are_those_of_the_graph_for_normalised_pixels(
    tmp_path: Path, how: dict[str, object], text: str
) -> None:
    encoder = encoder_of(write_graph(tmp_path / "mine.onnx", text, **how))
    assert np.allclose(encoding_of(encoder)(pictures()), vectors_of(pictures()), atol=1e-5)


def test_channels_come_in_the_order_that_is_stated(tmp_path: Path) -> None:
    encoder = encoder_of(write_graph(tmp_path / "mine.onnx", stated("bgr", MEAN, DEVIATION)))
    assert np.allclose(encoding_of(encoder)(pictures()), vectors_of(pictures()[..., ::-1]), atol=1e-5)


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_graph_of_whole_numbers_gets_the_pixels_themselves(tmp_path: Path, channels_last: bool) -> None:
    file = write_graph(tmp_path / "mine.onnx", 'channels = "rgb"', whole_numbers=True, channels_last=channels_last)
    unscaled = pictures() * np.array(DEVIATION) + np.array(MEAN) * 255  # undoes what `vectors_of` normalises
    assert np.allclose(encoding_of(encoder_of(file))(pictures()), vectors_of(unscaled), atol=1e-5)


def test_a_grey_graph_sees_brightness(tmp_path: Path) -> None:
    encoder = encoder_of(write_graph(tmp_path / "mine.onnx", "mean = [0.5]\ndeviation = [0.25]", channels=1))
    luma = (pictures() @ np.array([0.299, 0.587, 0.114]))[..., None].repeat(3, 3).round().astype(np.uint8)
    encode = encoding_of(encoder)
    assert np.allclose(encode(pictures()), encode(luma), atol=0.05)
    assert encoder.network_input(torch.from_numpy(pictures())[None]).shape[3] == 1


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({}, RGB),
        ({"whole_numbers": True}, 'channels = "bgr"'),
        ({"channels": 1, "batch": 1}, "mean = [0.5]\ndeviation = [0.25]"),
    ],
)
def test_motion_is_seen_by_further_passes(tmp_path: Path, how: dict[str, object], text: str) -> None:
    file = write_graph(tmp_path / "mine.onnx", text, **how)
    encoder, appearance = encoder_of(file, ("difference", "flow")), encoding_of(encoder_of(file))
    now, before = pictures(11), pictures(11)[::-1].copy()
    difference = (128 + now.astype(int) - before).clip(0, 255).astype(np.uint8)
    views = [appearance(one) for one in (now, difference, flow_pictures(now, before))]
    assert (encoder.width, encoder.inputs) == (15, ("before", "flow"))
    assert np.allclose(encoding_of(encoder)(now, before), np.concatenate(views, 1), atol=1e-4)
    for view, features in zip(encoder.views, views, strict=True):
        assert np.allclose(encoding_of(encoder.of_view(view))(now, before), features, atol=1e-4)


def test_copies_portions_and_threads_change_nothing(tmp_path: Path) -> None:
    encoder, pixels = encoder_of(write_graph(tmp_path / "mine.onnx")), pictures(21)
    whole = encoding_of(copy.deepcopy(encoder))(pixels)
    with ThreadPoolExecutor(3) as pool:
        encode = encoding_of(encoder.folded())
        parts = list(pool.map(encode, np.split(pixels, 7)))
    assert np.allclose(np.concatenate(parts), whole, atol=1e-6)


def test_fingerprints_tell_graphs_and_pixels_apart(tmp_path: Path) -> None:
    first = fingerprint(encoder_of(write_graph(tmp_path / "one.onnx")))
    assert fingerprint(encoder_of(write_graph(tmp_path / "two.onnx"))) == first
    assert fingerprint(encoder_of(write_graph(tmp_path / "two.onnx", opset=21))) != first
    assert fingerprint(encoder_of(write_graph(tmp_path / "two.onnx", stated("bgr", MEAN, DEVIATION)))) != first
