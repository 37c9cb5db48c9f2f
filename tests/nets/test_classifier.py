"""Encoder, head and task joined: the laws hold for the whole, for every pair of head and readout."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from nets.test_heads import BIDIRECTIONAL, CHUNKS, CLOSE, STREAMING, clip_of, label, mask_of, padded, pieces
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.errors import UsageError
from vidrnn.nets.class_scores import LinearSolution
from vidrnn.nets.classifier import (
    Member,
    Model,
    SequenceModel,
    build_sequence,
    count_parameters,
    refuse_unknown,
    seed_everything,
)
from vidrnn.nets.network import Outputs, build_network
from vidrnn.nets.readouts import READOUTS
from vidrnn.nets.spec import EncoderConfig, ModelSpec
from vidrnn.nets.state import State, join, part_of
from vidrnn.values import AnswerSpec, Kind, PictureMotion

TIME, WIDTH, CLASSES, SIDE = 41, 6, 3, 12
LENGTHS = [9, TIME, 1]

THREE = [(HeadConfig(name=name, size=5), 3) for name in ("gru", "lstm", "linear")]
THREE_BOTH = (HeadConfig(name="gru", size=5, bidirectional=True), 3)
ALONE, ALONE_BOTH = ([(config, 1) for config in configs] for configs in (STREAMING, BIDIRECTIONAL))


def name_of(value: object) -> str | None:
    """A head, or the number of heads, in the name of a test."""
    return f"x{value}" if isinstance(value, int) else label(value)


every_head = pytest.mark.parametrize(("head", "members"), [*ALONE, *THREE], ids=name_of)
every_head_both_ways = pytest.mark.parametrize(
    ("head", "members"), [*ALONE, *THREE, *ALONE_BOTH, THREE_BOTH], ids=name_of
)
every_readout = pytest.mark.parametrize("readout", READOUTS)
every_sight = pytest.mark.parametrize(
    ("change", "motion"), [(False, ()), (True, ()), (False, ("difference",))], ids=["still", "features", "frames"]
)


def make_sequence_model(head: HeadConfig, readout: str, members: int = 1) -> SequenceModel:
    torch.manual_seed(0)
    return build_sequence(WIDTH, head, readout, CLASSES, members=members).eval()


def make_model(
    head: HeadConfig,
    readout: str = "attention",
    members: int = 1,
    *,
    encoder: str = "small",
    motion: tuple[PictureMotion, ...] = (),
) -> Model:
    torch.manual_seed(0)
    spec = ModelSpec(
        network="scores",
        encoder=EncoderConfig(name=encoder, frozen=False, origin="none", motion=motion),
        head=head,
        readout=readout,
        members=members,
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
def test_cutting_the_time_axis_changes_nothing(head: HeadConfig, members: int, readout: str, chunk: int) -> None:
    network = make_sequence_model(head, readout, members)
    assert_same(read_in_pieces(network, features(), chunk), network(features()))


@every_readout
@every_head_both_ways
def test_padding_and_neighbours_change_nothing(head: HeadConfig, members: int, readout: str) -> None:
    network, inputs = make_sequence_model(head, readout, members), features()
    together = network(padded(inputs, LENGTHS, 1e6), None, mask_of(LENGTHS, TIME))
    for i, length in enumerate(LENGTHS):
        assert_same(of_clip(together, i, length), network(inputs[i : i + 1, :length]))


@every_readout
@every_head
def test_clips_of_different_lengths_can_be_cut_together(head: HeadConfig, members: int, readout: str) -> None:
    network, inputs = make_sequence_model(head, readout, members), features()
    together = read_in_pieces(network, padded(inputs, LENGTHS, 1e6), 4, mask_of(LENGTHS, TIME))
    for i, length in enumerate(LENGTHS):
        assert_same(of_clip(together, i, length), network(inputs[i : i + 1, :length]))


@pytest.mark.parametrize("chunk", CHUNKS)
@every_sight
@every_head
def test_a_whole_model_may_be_fed_frames_in_any_pieces(
    head: HeadConfig, members: int, change: bool, motion: tuple[PictureMotion, ...], chunk: int
) -> None:
    model = make_model(head.model_copy(update={"motion": change}), members=members, motion=motion)
    further = frames_before() if motion else {}
    assert_same(read_in_pieces(model, films(), chunk, **further), model(films(), **further))


@every_sight
@every_head_both_ways
def test_padding_frames_change_nothing_for_a_whole_model(
    head: HeadConfig, members: int, change: bool, motion: tuple[PictureMotion, ...]
) -> None:
    model = make_model(head.model_copy(update={"motion": change}), members=members, motion=motion)
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
def test_a_model_forgets_nothing_of_its_state_between_calls_and_keeps_nothing_itself(
    head: HeadConfig, members: int
) -> None:
    model = make_model(head, members=members)
    before = model(films())
    model(films().flip(1))
    assert_same(model(films()), before)


@pytest.mark.parametrize(("head", "members"), [*ALONE_BOTH, THREE_BOTH], ids=name_of)
def test_a_model_that_must_see_whole_clips_says_so_and_takes_no_state(head: HeadConfig, members: int) -> None:
    model = make_model(head, members=members)
    _, state = model(films())
    assert not model.streams and not model.sequence.streams
    with pytest.raises(ValueError, match="whole clips"):
        model(films(), state)


@pytest.mark.parametrize("readout", sorted(set(READOUTS) - {"statistics"}))
@pytest.mark.parametrize("head", STREAMING, ids=label)
def test_a_clips_scores_are_within_those_of_its_steps(head: HeadConfig, readout: str) -> None:
    outputs, _ = make_sequence_model(head, readout)(features())
    clip, steps = outputs["clip"], outputs["steps"]
    assert (clip <= steps.amax(1) + 1e-5).all() and (clip >= steps.amin(1) - 1e-5).all()


@pytest.mark.parametrize(("flag", "head", "readout"), [("--head", "qrnn", "mean"), ("--readout", "gru", "max")])
def test_a_name_that_does_not_exist_is_a_sentence(flag: str, head: str, readout: str) -> None:
    with pytest.raises(UsageError, match=f"{flag} .*none of that name. There are: "):
        build_sequence(WIDTH, HeadConfig(name=head), readout, CLASSES)


@pytest.mark.parametrize("kind", ["one", "several"])
def test_several_heads_answer_with_the_mean_of_their_answers(kind: Kind) -> None:
    torch.manual_seed(0)
    together = build_sequence(WIDTH, HeadConfig(size=5), "attention", CLASSES, members=3, kind=kind).eval()
    answers = [member(features())[0] for member in together.members]
    assert len({float(answer["clip"].detach().sum()) for answer in answers}) == 3, "each begins with weights of its own"
    for name, found in together(features())[0].items():
        each = torch.stack([answer[name] for answer in answers])
        torch.testing.assert_close(found, (each.log_softmax(-1) if kind == "one" else each).mean(0), **CLOSE)


def test_several_heads_have_dropout_of_their_own() -> None:
    network = make_sequence_model(HeadConfig(name="none", size=5, dropout=0.5), "mean", 2)
    one, other = network.members
    other.load_state_dict(one.state_dict())
    network.train()
    assert not torch.equal(one(features())[0]["clip"], other(features())[0]["clip"])


def test_a_model_of_one_head_has_the_tensors_that_it_always_had() -> None:
    alone, together = (make_model(HeadConfig(size=5), members=members).state_dict() for members in (1, 2))
    heads = {name for name in alone if not name.startswith("encoder.")}
    assert "sequence.task.classifier.weight" in heads and "sequence.head.layer.weight_ih_l0" in heads
    assert {name for name in together if not name.startswith("encoder.")} == {
        name.replace("sequence.", f"sequence.member{number}.") for name in heads for number in range(2)
    }


def test_the_line_of_a_model_says_how_many_heads_it_has_and_no_size_where_there_is_none() -> None:
    spec = ModelSpec(
        network="scores",
        encoder=EncoderConfig(name="small", frozen=False, origin="none"),
        head=HeadConfig(layers=2),
        readout="attention",
        members=5,
        height=SIDE,
        width=SIDE,
        frames=8,
        spacing_seconds=0.1,
    )
    assert "> gru 128 x5, 2 layers > attention," in spec.describe()
    linear = spec.model_copy(update={"head": HeadConfig(name="linear"), "readout": "statistics", "members": 1})
    assert "> linear > statistics," in linear.describe()


# --- the linear classifier of statistics -----------------------------------------------------------------------------


def solution_of(vectors: NDArray[np.float32], classes: NDArray[np.int64]) -> tuple[Pipeline, LinearSolution]:
    """scikit-learn's classifier of vectors (clips, width), and its solution with a row for each class."""
    scaler, regression = StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)
    pipeline = make_pipeline(scaler, regression).fit(vectors.astype(np.float64), classes)
    weight, bias = regression.coef_, regression.intercept_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return pipeline, LinearSolution(weight, bias, scaler.mean_, scaler.scale_)


def labelled_clips(classes: int) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
    """Clips (60, TIME, WIDTH) of features with a mask, and their classes, which their means and changes show."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.arange(60) % classes
    inputs = torch.randn(60, TIME, WIDTH, generator=generator).abs()
    inputs[..., 0] += 0.3 * labels[:, None]
    inputs[..., 1] *= 1 + labels[:, None]
    inputs[..., 2] = 0  # a feature that never shows
    lengths = torch.randint(2, TIME + 1, (60,), generator=generator).tolist()
    return padded(inputs, lengths, 1e3), mask_of(lengths, TIME), labels.numpy()


@pytest.mark.parametrize("motion", [False, True], ids=["still", "motion"])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_linear_head_with_statistics_is_a_regularised_linear_classifier(classes: int, motion: bool) -> None:
    inputs, mask, labels = labelled_clips(classes)
    network = build_sequence(WIDTH, HeadConfig(name="linear", motion=motion), "statistics", classes).eval()
    assert isinstance(network, Member)
    raw = []
    for clip, real in zip(inputs.numpy(), mask.numpy(), strict=True):
        steps = clip[real]
        if motion:
            steps = np.concatenate([steps, np.abs(np.diff(steps, axis=0, prepend=steps[:1]))], 1)
        raw.append(np.concatenate([steps.mean(0), steps.std(0), steps.max(0)]))
    np.testing.assert_allclose(network.pooled(inputs, mask).numpy(), np.stack(raw), atol=2e-4)
    vectors = network.pooled(inputs, mask).numpy()
    pipeline, solution = solution_of(vectors, labels)
    network.set_linear(solution)
    clip = network(inputs, None, mask)[0]["clip"].detach()
    np.testing.assert_allclose(clip.softmax(-1).numpy(), pipeline.predict_proba(vectors), atol=1e-5)
    if classes > 2:
        np.testing.assert_allclose(clip.numpy(), pipeline.decision_function(vectors), atol=1e-4)
    assert pipeline.score(vectors, labels) > 0.8


def test_steps_of_a_linear_classifier_are_scored_like_clips_around_the_mean_clip() -> None:
    inputs, mask, labels = labelled_clips(3)
    network = build_sequence(WIDTH, HeadConfig(name="linear"), "statistics", 3).eval()
    assert isinstance(network, Member)
    _, solution = solution_of(network.pooled(inputs, mask).numpy(), labels)
    network.set_linear(solution)
    mean = torch.from_numpy(solution.mean[:WIDTH]).float().view(1, 1, WIDTH)
    steps = network(torch.cat([mean, mean + torch.eye(WIDTH)[None]], 1))[0]["steps"][0].detach().numpy()
    np.testing.assert_allclose(steps[0], solution.bias, atol=1e-5)
    weight = solution.weight / solution.deviation
    np.testing.assert_allclose((steps[1:] - steps[0]).T, weight[:, :WIDTH] + weight[:, 2 * WIDTH :], atol=1e-4)


def test_steps_of_a_linear_classifier_may_have_a_solution_of_their_own() -> None:
    inputs, mask, labels = labelled_clips(3)
    network = build_sequence(WIDTH, HeadConfig(name="linear"), "statistics", 3).eval()
    assert isinstance(network, Member)
    real = inputs[mask].numpy()
    pipeline, of_steps = solution_of(real, np.repeat(labels, mask.sum(1).numpy()))
    _, of_clips = solution_of(network.pooled(inputs, mask).numpy(), labels)
    network.set_linear(of_clips, of_steps)
    steps = network(inputs, None, mask)[0]["steps"][mask].detach().numpy()
    np.testing.assert_allclose(steps, pipeline.decision_function(real), atol=1e-4)


def test_a_solution_that_does_not_fit_is_refused() -> None:
    network = build_sequence(WIDTH, HeadConfig(name="linear"), "mean", 2)
    assert isinstance(network, Member)
    right = LinearSolution(np.ones((2, WIDTH)), np.zeros(2), np.zeros(WIDTH), np.ones(WIDTH))
    network.set_linear(right)
    with pytest.raises(ValueError, match="one layer scores"):
        network.set_linear(right, right)
    with pytest.raises(ValueError, match=r"wanted weights \(2, 6\), found \(3, 6\)"):
        network.set_linear(LinearSolution(np.ones((3, WIDTH)), np.zeros(3), right.mean, right.deviation))


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({"size": 64}, "--units: does"),
        ({"layers": 2, "bidirectional": True}, "--layers, --bidirectional: do"),
        ({"memory_frames": 9}, "--memory: does"),
    ],
)
def test_settings_of_units_are_refused_for_the_linear_head(given: dict[str, Any], flags: str) -> None:
    with pytest.raises(UsageError, match=f"^{flags} not act on --head linear, which has no units. Leave"):
        refuse_unknown(RunConfig(head=HeadConfig(name="linear", **given)))
    refuse_unknown(RunConfig(head=HeadConfig(name="gru", **given)))
    refuse_unknown(RunConfig(head=HeadConfig(name="linear", dropout=0.1, motion=True)))


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
