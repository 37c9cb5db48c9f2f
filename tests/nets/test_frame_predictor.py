"""The laws of a model of the next frames, over every decoder and heads of every kind; weights are such as no training
would leave at nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidrnn.config import HeadConfig
from vidrnn.errors import UsageError
from vidrnn.model.checkpoint import load_model, save_model
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.decoders import DECODERS
from vidrnn.nets.frame_predictor import FramePredictor, padded_size
from vidrnn.nets.heads import HEADS, PICTURE_HEADS
from vidrnn.nets.network import build_network
from vidrnn.nets.spec import EncoderConfig, ForecastConfig, ModelSpec
from vidrnn.nets.state import State
from vidrnn.values import AnswerSpec, DecisionRule, Size

TIME, BATCH = 9, 2
ANSWER = AnswerSpec("next-frame", "picture", "frame", ("normal", "anomaly"), "normal")
CHUNKS = (1, 3, 4, 7, 20)
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
SIZE = Size(16, 16)
PAIRS = [(decoder, head) for decoder in DECODERS for head in (*PICTURE_HEADS, "gru")]
PAIRS += [("kernel", head) for head in HEADS if head != "gru"]


def spec_of(decoder: str, head: str, *, size: Size = SIZE, grey: bool = True, **how: object) -> ModelSpec:
    return ModelSpec(
        network="frames",
        forecast=ForecastConfig(context=4, horizon=3, decoder=decoder, grey=grey),  # type: ignore[arg-type]
        encoder=EncoderConfig(name="small", frozen=False, origin="none", grey=grey, motion=("difference",)),
        head=HeadConfig(name=head, size=6, dropout=0.0, **how),  # type: ignore[arg-type]
        readout="last",
        height=size.height,
        width=size.width,
        frames=7,
        spacing_seconds=0.1,
    )


def model_of(spec: ModelSpec) -> FramePredictor:
    """A network that has moved away from where it begins: decoders begin with nothing."""
    torch.manual_seed(0)
    network = build_network(spec, ANSWER).eval().requires_grad_(False)
    assert isinstance(network, FramePredictor)
    random = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        weight.add_(0.05 * torch.randn(weight.shape, generator=random))
    return network


def film(time: int = TIME, batch: int = BATCH, size: Size = SIZE, seed: int = 0) -> Tensor:
    """Noise that is smooth, and moves differently in each: (batch, time, height, width, 3) uint8."""
    random = torch.Generator().manual_seed(seed)
    ground = torch.rand(batch, 3, size.height // 4 + 1, size.width // 4 + 1, generator=random)
    smooth = torch.nn.functional.interpolate(ground, (size.height, size.width), mode="bilinear")
    moved = [torch.roll(smooth, (step // 2, step), (2, 3)) for step in range(time)]
    return (255 * torch.stack(moved, 1)).permute(0, 1, 3, 4, 2).to(torch.uint8).contiguous()


def header_of(spec: ModelSpec) -> ModelHeader:
    rule = DecisionRule(threshold=0.5, hysteresis=0.1, shortest_seconds=0.2, reset="never")
    return ModelHeader(
        vidrnn_version="0", answer=ANSWER, decision=rule, spec=spec, seed=0, seen={}, scores={}, facts={}
    )


def predicted(network: FramePredictor, frames: Tensor) -> Tensor:
    """The frame after each frame, from a fresh start."""
    picture: Tensor = network(frames)[0]["next"]
    return picture


def in_chunks(network: FramePredictor, frames: Tensor, chunk: int) -> tuple[Tensor, State]:
    state: State | None = None
    parts = []
    for piece in frames.split(chunk, dim=1):
        outputs, state = network(piece, state)
        parts.append(outputs["next"])
    assert state is not None
    return torch.cat(parts, 1), state


@pytest.mark.parametrize(("decoder", "head"), PAIRS)
def test_cutting_the_time_axis_changes_nothing(decoder: str, head: str) -> None:
    network, frames = model_of(spec_of(decoder, head)), film(21 if head == "convgru" else TIME)
    outputs, end = network(frames)
    whole = outputs["next"]
    assert whole[0, 5:].std() > 0.003, "a law that holds of nothing tells nothing"
    for chunk in CHUNKS:
        parts, state = in_chunks(network, frames, chunk)
        torch.testing.assert_close(parts, whole, **CLOSE)
        assert state.keys() == end.keys()
        for name, tensor in end.items():
            torch.testing.assert_close(state[name], tensor, **CLOSE)


@pytest.mark.parametrize(("decoder", "head"), PAIRS)
def test_neighbours_and_what_comes_later_change_nothing_and_what_came_before_does(decoder: str, head: str) -> None:
    network, frames = model_of(spec_of(decoder, head)), film(8)
    whole = predicted(network, frames)
    torch.testing.assert_close(predicted(network, frames[1:]), whole[1:], **CLOSE)
    later = frames.clone()
    later[:, 5:] = 255 - later[:, 5:]
    changed = predicted(network, later)
    torch.testing.assert_close(changed[:, :5], whole[:, :5], **CLOSE)
    assert (changed[:, 5:] - whole[:, 5:]).abs().max() > 1e-3
    before = frames.clone()
    before[:, 4] = 255 - before[:, 4]
    assert (predicted(network, before)[:, 5] - whole[:, 5]).abs().max() > 1e-4 or head == "none"


@pytest.mark.parametrize(("decoder", "head"), PAIRS)
def test_saving_and_loading_changes_nothing(tmp_path: Path, decoder: str, head: str) -> None:
    spec = spec_of(decoder, head, grey=False)
    network, frames = model_of(spec), film(4)
    network.mean_image += 0.25
    save_model(tmp_path / "model", network, header_of(spec), "card")
    loaded = load_model(tmp_path / "model").network
    assert isinstance(loaded, FramePredictor)
    assert torch.equal(predicted(loaded, frames), predicted(network, frames))
    assert torch.equal(loaded.mean_image, network.mean_image)


@pytest.mark.parametrize("head", ["convgru", "gru"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_rollout_reads_its_own_predictions_and_never_the_truth(decoder: str, head: str) -> None:
    network = model_of(spec_of(decoder, head))
    pictures = network.pictures_of(film(8))
    near, ahead = network.rollout(pictures[:, :4], 4)
    whole, _ = network.read(pictures[:, :4])
    torch.testing.assert_close(near, whole, **CLOSE)
    fed, state = pictures[:, :4], None
    for step in range(4):
        following, state = network.read(fed, state)
        torch.testing.assert_close(ahead[:, step], following[:, -1], **CLOSE)
        fed = following[:, -1:].clamp(0, 1)


def test_scheduled_sampling_feeds_back_the_truth_where_it_is_asked() -> None:
    network = model_of(spec_of("kernel", "convgru"))
    pictures = network.pictures_of(film(8))
    truth = pictures[:, 4:]
    alone = network.rollout(pictures[:, :4], 4)[1]
    none = network.rollout(pictures[:, :4], 4, truth, torch.zeros(len(truth), 4, dtype=torch.bool))[1]
    every = network.rollout(pictures[:, :4], 4, truth, torch.ones(len(truth), 4, dtype=torch.bool))[1]
    torch.testing.assert_close(none, alone)
    torch.testing.assert_close(every, network.read(pictures[:, :7])[0][:, 3:], **CLOSE)
    assert (every - alone)[:, 1:].abs().max() > 1e-3


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize(("decoder", "head"), [("flow", "convgru"), ("kernel", "convlstm"), ("direct", "mingru")])
def test_sizes_that_are_no_multiples_of_eight_are_predicted_whole(decoder: str, head: str, grey: bool) -> None:
    size = Size(19, 30)
    network, frames = model_of(spec_of(decoder, head, size=size, grey=grey)), film(6, size=size)
    pictures = predicted(network, frames)
    assert pictures.shape == (BATCH, 6, 19, 30, 1 if grey else 3)
    assert pictures.min() >= 0 and pictures.max() <= 1 and pictures.isfinite().all()
    torch.testing.assert_close(in_chunks(network, frames, 4)[0], pictures, **CLOSE)


def test_a_model_that_keeps_the_picture_reads_parts_of_pictures_and_others_do_not() -> None:
    keeps, other = model_of(spec_of("kernel", "convgru")), model_of(spec_of("kernel", "gru"))
    assert keeps.any_size and not other.any_size
    assert predicted(keeps, film(3, size=Size(24, 40))).shape == (BATCH, 3, 24, 40, 1)


def test_grey_is_what_an_eye_calls_bright_and_colours_stay() -> None:
    red = torch.zeros(1, 1, 16, 16, 3, dtype=torch.uint8)
    red[..., 0] = 255
    assert model_of(spec_of("flow", "convgru")).pictures_of(red)[0, 0, 0, 0, 0].item() == pytest.approx(0.299)
    coloured = model_of(spec_of("flow", "convgru", grey=False)).pictures_of(red)
    assert coloured.shape == (1, 1, 3, 16, 16) and coloured[0, 0, :, 0, 0].tolist() == [1, 0, 0]


def test_black_frames_give_numbers() -> None:
    for decoder, head in PAIRS[:9]:
        network = build_network(spec_of(decoder, head), ANSWER).eval()
        with torch.inference_mode():
            outputs, state = network(torch.zeros(1, 3, 16, 16, 3, dtype=torch.uint8))
        assert outputs["next"].isfinite().all() and all(tensor.isfinite().all() for tensor in state.values())


def test_a_head_that_reads_both_ways_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--bidirectional.*predict"):
        build_network(spec_of("flow", "gru", bidirectional=True), ANSWER)


def test_a_size_is_padded_up_to_the_next_multiple_of_eight() -> None:
    assert padded_size(Size(16, 24)) == Size(16, 24)
    assert padded_size(Size(17, 31)) == Size(24, 32)
