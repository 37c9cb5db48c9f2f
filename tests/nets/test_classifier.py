"""Encoder, head and task joined: the laws hold for the whole, for every pair of head and readout."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from nets.test_heads import BIDIRECTIONAL, CHUNKS, CLOSE, STREAMING, clip_of, label, mask_of, padded, pieces
from torch import Tensor, nn

from vidrnn.config import HeadConfig
from vidrnn.errors import UsageError
from vidrnn.nets.classifier import Model, SequenceModel, build_sequence, count_parameters, seed_everything
from vidrnn.nets.network import Outputs, build_network
from vidrnn.nets.readouts import READOUTS
from vidrnn.nets.spec import EncoderConfig, ModelSpec
from vidrnn.nets.state import State, join, part_of
from vidrnn.values import AnswerSpec, PictureMotion

TIME, WIDTH, CLASSES, SIDE = 41, 6, 3, 12
LENGTHS = [9, TIME, 1]

every_head = pytest.mark.parametrize("head", STREAMING, ids=label)
every_head_both_ways = pytest.mark.parametrize("head", [*STREAMING, *BIDIRECTIONAL], ids=label)
every_readout = pytest.mark.parametrize("readout", READOUTS)
every_sight = pytest.mark.parametrize(
    ("change", "motion"), [(False, ()), (True, ()), (False, ("difference",))], ids=["still", "features", "frames"]
)


def make_sequence_model(head: HeadConfig, readout: str) -> SequenceModel:
    torch.manual_seed(0)
    return build_sequence(WIDTH, head, readout, CLASSES).eval()


def make_model(
    head: HeadConfig, readout: str = "attention", *, encoder: str = "small", motion: tuple[PictureMotion, ...] = ()
) -> Model:
    torch.manual_seed(0)
    spec = ModelSpec(
        network="scores",
        encoder=EncoderConfig(name=encoder, frozen=False, origin="none", motion=motion),
        head=head,
        readout=readout,
        height=SIDE,
        width=SIDE,
        frames=8,
        spacing_seconds=0.1,
    )
    network = build_network(spec, AnswerSpec("classify", "one", "clip", ("a", "b", "c")))
    assert isinstance(network, Model)
    return network.eval().requires_grad_(False)


def features() -> Tensor:
    return torch.randn(len(LENGTHS), TIME, WIDTH, generator=torch.Generator().manual_seed(2))


def films() -> Tensor:
    shape = (len(LENGTHS), TIME, SIDE, SIDE, 3)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def frames_before() -> dict[str, Tensor]:
    """The frames before `films()`, in which nothing of theirs is to be found."""
    return {"before": films().flip(0, 1)}


def read_in_pieces(
    network: nn.Module, inputs: Tensor, length: int, mask: Tensor | None = None, **further: Tensor
) -> tuple[Outputs, State]:
    state: State | None = None
    steps = []
    for start, piece in zip(range(0, inputs.shape[1], length), pieces(inputs, length), strict=True):
        now = slice(start, start + length)
        beside = {name: each[:, now] for name, each in further.items()}
        outputs, state = network(piece, state, None if mask is None else mask[:, now], **beside)
        steps.append(outputs["steps"])
    assert state is not None
    return {"clip": outputs["clip"], "steps": torch.cat(steps, 1)}, state


def assert_same(found: tuple[Outputs, State], expected: tuple[Outputs, State]) -> None:
    torch.testing.assert_close(found[0], expected[0], **CLOSE)
    torch.testing.assert_close(found[1], expected[1], **CLOSE)


def of_clip(read: tuple[Outputs, State], index: int, length: int) -> tuple[Outputs, State]:
    """The outputs and the state of one clip of a minibatch."""
    outputs, state = read
    one = slice(index, index + 1)
    return {"clip": outputs["clip"][one], "steps": outputs["steps"][one, :length]}, clip_of(state, index)


@pytest.mark.parametrize("chunk", CHUNKS)
@every_readout
@every_head
def test_cutting_the_time_axis_changes_nothing(head: HeadConfig, readout: str, chunk: int) -> None:
    network = make_sequence_model(head, readout)
    assert_same(read_in_pieces(network, features(), chunk), network(features()))


@every_readout
@every_head_both_ways
def test_padding_and_neighbours_change_nothing(head: HeadConfig, readout: str) -> None:
    network, inputs = make_sequence_model(head, readout), features()
    together = network(padded(inputs, LENGTHS, 1e6), None, mask_of(LENGTHS, TIME))
    for i, length in enumerate(LENGTHS):
        assert_same(of_clip(together, i, length), network(inputs[i : i + 1, :length]))


@every_readout
@every_head
def test_clips_of_different_lengths_can_be_cut_together(head: HeadConfig, readout: str) -> None:
    network, inputs = make_sequence_model(head, readout), features()
    together = read_in_pieces(network, padded(inputs, LENGTHS, 1e6), 4, mask_of(LENGTHS, TIME))
    for i, length in enumerate(LENGTHS):
        assert_same(of_clip(together, i, length), network(inputs[i : i + 1, :length]))


@pytest.mark.parametrize("chunk", CHUNKS)
@every_sight
@every_head
def test_a_whole_model_may_be_fed_frames_in_any_pieces(
    head: HeadConfig, change: bool, motion: tuple[PictureMotion, ...], chunk: int
) -> None:
    model = make_model(head.model_copy(update={"motion": change}), motion=motion)
    further = frames_before() if motion else {}
    assert_same(read_in_pieces(model, films(), chunk, **further), model(films(), **further))


@every_sight
@every_head_both_ways
def test_padding_frames_change_nothing_for_a_whole_model(
    head: HeadConfig, change: bool, motion: tuple[PictureMotion, ...]
) -> None:
    model = make_model(head.model_copy(update={"motion": change}), motion=motion)
    mask, further = mask_of(LENGTHS, TIME), frames_before() if motion else {}
    dirty = torch.where(mask[..., None, None, None], films(), torch.tensor(255, dtype=torch.uint8))
    together = model(dirty, None, mask, **further)
    for i, length in enumerate(LENGTHS):
        alone = {name: each[i : i + 1, :length] for name, each in further.items()}
        assert_same(of_clip(together, i, length), model(films()[i : i + 1, :length], **alone))


def test_an_encoder_has_no_state_whatever_it_sees() -> None:
    states = [make_model(HeadConfig(name="gru", size=5), motion=motion) for motion in ((), ("difference",))]
    plain, moving = (model.fresh_state(None) for model in states)  # type: ignore[arg-type]
    assert plain.keys() == moving.keys() and plain


def test_a_model_that_sees_motion_refuses_frames_alone() -> None:
    with pytest.raises(ValueError, match="`before`"):
        make_model(HeadConfig(name="gru", size=5), motion=("difference",))(films())


@pytest.mark.parametrize("name", ["none", "gru"])
def test_motion_in_features_is_what_changed_since_the_step_before(name: str) -> None:
    network = make_sequence_model(HeadConfig(name=name, size=5, motion=True), "mean")
    inputs, seen = features(), []
    network.head.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    _, state = network(inputs[:, :4])
    network(inputs[:, 4:], state)
    network(inputs[:, 4:])
    first, second, anew = seen
    assert torch.equal(torch.cat([first, second], 1)[..., :WIDTH], inputs)
    assert torch.equal(torch.cat([first, second], 1)[:, 1:, WIDTH:], inputs.diff(dim=1))
    assert not first[:, 0, WIDTH:].any() and not anew[:, 0, WIDTH:].any(), "a fresh start has nothing before it"


@every_head
def test_a_model_forgets_nothing_of_its_state_between_calls_and_keeps_nothing_itself(head: HeadConfig) -> None:
    model = make_model(head)
    before = model(films())
    model(films().flip(1))
    assert_same(model(films()), before)


@pytest.mark.parametrize("head", BIDIRECTIONAL, ids=label)
def test_a_model_that_must_see_whole_clips_says_so_and_takes_no_state(head: HeadConfig) -> None:
    model = make_model(head)
    _, state = model(films())
    assert not model.streams and not model.sequence.streams
    with pytest.raises(ValueError, match="whole clips"):
        model(films(), state)


@every_readout
@every_head
def test_a_clips_scores_are_within_those_of_its_steps(head: HeadConfig, readout: str) -> None:
    outputs, _ = make_sequence_model(head, readout)(features())
    clip, steps = outputs["clip"], outputs["steps"]
    assert (clip <= steps.amax(1) + 1e-5).all() and (clip >= steps.amin(1) - 1e-5).all()


@pytest.mark.parametrize(("flag", "head", "readout"), [("--head", "qrnn", "mean"), ("--readout", "gru", "max")])
def test_a_name_that_does_not_exist_is_a_sentence(flag: str, head: str, readout: str) -> None:
    with pytest.raises(UsageError, match=f"{flag} .*none of that name. There are: "):
        build_sequence(WIDTH, HeadConfig(name=head), readout, CLASSES)


def test_states_are_joined_and_parted_by_room() -> None:
    hidden, total = torch.ones(1), torch.zeros(1)
    joined = join(head={"hidden": hidden}, task={"total": total}, other={})
    assert joined == {"head.hidden": hidden, "task.total": total}
    assert part_of(joined, "head") == {"hidden": hidden}
    assert part_of(joined, "task") == {"total": total}
    assert part_of(None, "head") is None and part_of({}, "head") is None


def test_parameters_are_counted() -> None:
    assert count_parameters(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))) == 3 * 2 + 2 + 2 + 2


def test_the_same_seeds_draw_the_same_numbers_and_others_draw_others() -> None:
    def drawn(*seeds: int) -> list[float]:
        seed_everything(*seeds)
        return torch.rand(4).tolist()

    assert drawn(3, 1) == drawn(3, 1)
    draws = sorted(drawn(*seeds) for seeds in [(0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1), (2**40, 5)])
    assert all(one != other for one, other in pairwise(draws))
