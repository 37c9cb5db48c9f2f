"""Heads as ONNX, with state in and out: equal to torch at lengths and batch sizes other than the traced ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim

from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import build_sequence
from vidrnn.nets.heads.base import Head

WIDTH, SIZE = 6, 8
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
Arrays = list[NDArray[np.float32]]


class Flat(nn.Module):
    """A head whose state goes in and comes out as tensors in a row, in the order of `names`."""

    def __init__(self, head: Head, names: tuple[str, ...], masked: bool) -> None:
        super().__init__()
        self.head, self.names, self.masked = head, names, masked

    def forward(self, features: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        mask, tensors = (rest[0], rest[1:]) if self.masked else (None, rest)
        sequence, state = self.head(features, dict(zip(self.names, tensors, strict=True)), mask)
        return (sequence, *(state[name] for name in self.names))


def inputs_for(head: Head, batch: int, time: int) -> tuple[Tensor, dict[str, Tensor]]:
    random = torch.Generator().manual_seed(100 * batch + time)
    features = torch.randn(batch, time, WIDTH, generator=random)
    _, state = head(torch.randn(batch, 5, WIDTH, generator=random))
    return features, state


def parse_head(name: str, layers: int | None = None) -> Head:
    torch.manual_seed(0)
    return (
        build_sequence(WIDTH, HeadConfig(name=name, size=SIZE, layers=layers), "mean", 2)
        .head.eval()
        .requires_grad_(False)
    )


def exported(head: Head, file: Path, masked: bool) -> onnxruntime.InferenceSession:
    features, state = inputs_for(head, 2, 3)
    mask = (torch.tensor([[True, True, True], [True, False, False]]),) if masked else ()
    batch, time = Dim("batch"), Dim("time")
    steps = {0: batch, 1: time}
    shapes = (steps, (*([steps] if masked else []), *({0: batch} for _ in state)))
    torch.onnx.export(
        Flat(head, tuple(state), masked).eval(),
        (features, *mask, *state.values()),
        file,
        dynamo=True,
        dynamic_shapes=shapes,
        verbose=False,
    )
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, *arrays: NDArray[np.generic]) -> Arrays:
    names = [one.name for one in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


@pytest.mark.parametrize("name", ["mingru", "rglru"])
def test_an_exported_head_is_the_head_at_any_length_and_in_chunks(tmp_path: Path, name: str) -> None:
    head = parse_head(name)
    session = exported(head, tmp_path / "head.onnx", masked=False)
    for batch, time, chunk in ((1, 1, 1), (1, 30, 30), (5, 41, 41), (3, 41, 7), (1, 9, 1), (2, 20, 4)):
        features, state = inputs_for(head, batch, time)
        expected, after = head(features, state)
        tensors: Arrays = [tensor.numpy() for tensor in state.values()]
        said = []
        for piece in features.split(chunk, dim=1):
            sequence, *tensors = run(session, piece.numpy(), *tensors)
            said.append(sequence)
        np.testing.assert_allclose(np.concatenate(said, 1), expected, **CLOSE)
        for found, wanted in zip(tensors, after.values(), strict=True):
            np.testing.assert_allclose(found, wanted, **CLOSE)


def test_an_exported_head_obeys_its_mask(tmp_path: Path) -> None:
    head = parse_head("mingru", layers=1)
    session = exported(head, tmp_path / "head.onnx", masked=True)
    features, state = inputs_for(head, 4, 11)
    mask = torch.arange(11) < torch.tensor([11, 0, 1, 6])[:, None]
    expected, after = head(features, state, mask)
    sequence, *tensors = run(session, features.numpy(), mask.numpy(), *(tensor.numpy() for tensor in state.values()))
    np.testing.assert_allclose(sequence[mask], expected[mask], **CLOSE)
    for found, wanted in zip(tensors, after.values(), strict=True):
        np.testing.assert_allclose(found, wanted, **CLOSE)
