"""Training scores the steps of films as prediction does: with the same windows, and with the same carried state."""

from __future__ import annotations

import numpy as np
import pytest
from nets.test_heads import BIDIRECTIONAL, STREAMING, label
from timeline.test_windows import FRAMES, features_for, read, runtime

from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import SequenceModel
from vidrnn.nets.scoring import score_steps
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.timeline.windows import CarryingReader, WindowReader

LENGTHS = (1, 5, FRAMES, FRAMES + 1, 10, 23, 41)
"""Of films shorter and longer than a window, some of which end where a window ends."""


def sequence_of(model: TorchRuntime) -> SequenceModel:
    assert model.network.split is not None
    sequence = model.network.split[1]
    assert isinstance(sequence, SequenceModel)
    return sequence.eval()


@pytest.mark.parametrize("head", [*STREAMING, *BIDIRECTIONAL], ids=label)
def test_windows_are_those_of_prediction(head: HeadConfig) -> None:
    model = runtime(head)
    films = [features_for(model, length) for length in LENGTHS]
    scores = list(score_steps(sequence_of(model), films, FRAMES, carry=False))
    for length, film, given in zip(LENGTHS, films, scores, strict=True):
        expected, _, _ = read(WindowReader(model, clip_share=0.0, centred=True), film, 7)
        assert given.shape == (length, 3)
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("head", STREAMING, ids=label)
def test_a_carried_state_is_that_of_prediction(head: HeadConfig) -> None:
    model = runtime(head)
    films = [features_for(model, length) for length in LENGTHS]
    scores = list(score_steps(sequence_of(model), films, FRAMES, carry=True))
    for film, given in zip(films, scores, strict=True):
        expected, _, _ = read(CarryingReader(model), film, 7)
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 5, 64])
def test_windows_of_any_length_cover_a_film_of_many_windows(frames: int) -> None:
    model = runtime(HeadConfig(name="none"))
    film = features_for(model, 300)
    [given] = score_steps(sequence_of(model), [film], frames, carry=False)
    [whole] = score_steps(sequence_of(model), [film], frames, carry=True)
    np.testing.assert_allclose(
        given, whole, rtol=1e-5, atol=1e-5, err_msg="a step alone has one score, whatever its windows"
    )


@pytest.mark.parametrize("head", [STREAMING[0], BIDIRECTIONAL[0]], ids=label)
def test_other_films_change_nothing(head: HeadConfig) -> None:
    model = runtime(head)
    films = [features_for(model, length) for length in LENGTHS]
    together = list(score_steps(sequence_of(model), films, FRAMES, carry=False))
    for film, given in zip(films, together, strict=True):
        [alone] = score_steps(sequence_of(model), [film], FRAMES, carry=False)
        np.testing.assert_allclose(given, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("carry", [False, True])
def test_shuffled_steps_keep_their_places(carry: bool) -> None:
    """A head that knows no order gives each step the score that it gives in order; a recurrent one does not."""
    none, memory = runtime(HeadConfig(name="none")), runtime(HeadConfig(name="gru", size=8))
    film = features_for(none, 41)
    for model, same in ((none, True), (memory, False)):
        sequence, rng = sequence_of(model), np.random.default_rng(0)
        [ordered] = score_steps(sequence, [film], FRAMES, carry=False)
        [shuffled] = score_steps(sequence, [film], FRAMES, carry=carry, shuffle=rng)
        assert np.allclose(ordered, shuffled, atol=1e-5) is same
