"""A network of encoder, head and class scores. Opens no files and no films."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.errors import UsageError
from vidrnn.nets.class_scores import ClassOutput, LinearSolution
from vidrnn.nets.encoders import ENCODERS, FOREIGN_ENCODERS, TRAINED_FROM_SCRATCH, foreign_kind
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.heads import HEADS
from vidrnn.nets.heads.base import Head
from vidrnn.nets.network import Network, Outputs
from vidrnn.nets.readouts import READOUTS
from vidrnn.nets.spec import EncoderConfig, ModelSpec
from vidrnn.nets.state import State, changes, join, last_of, part_of
from vidrnn.registry import load_member
from vidrnn.settings import settings_of
from vidrnn.values import WHOLE, AnswerSpec, InputName, Kind, Size
from vidrnn.video.motion import motion_inputs

_PICTURES_AT_ONCE, _GPU_PICTURES_AT_ONCE = 8, 256
"""Pictures in one call. On a processor 8 stay in the caches; with 32 a picture takes a third longer."""


NO_GRID = "tells where things are by itself. Leave --grid out, or name a network of torchvision."
NO_FLOW = "sees no flow. Say --motion difference, or name a pretrained encoder: --encoder mobilenet_v2."
"""The end of a sentence on an encoder without pretrained weights."""


class Encode(Protocol):
    """Pictures (count, height, width, 3) RGB -> features (count, width)."""

    def __call__(self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """`before`: the frame before each picture, shaped as `pixels`; only encoders that see motion look at it."""


class SequenceModel(nn.Module, ABC):
    """Features -> scores. Training changes only this part if the encoder is frozen."""

    @property
    @abstractmethod
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""

    @property
    @abstractmethod
    def members(self) -> tuple[Member, ...]:
        """The heads with their class scores, which learn side by side; one or more."""

    @abstractmethod
    def forward(
        self, features: Tensor, state: State | None = None, mask: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """Features (batch, time, width) -> scores, and the state to read on from, if the model streams."""


class Member(SequenceModel):
    """A head and class scores.

    With `motion` the head sees each step's features and, after them, how they changed since the step before.
    """

    def __init__(
        self, head: Head, task: ClassOutput, motion: bool = False, projection: nn.Module | None = None
    ) -> None:
        """Join the parts. `projection`: from features (batch, time, width) to the input of the head; None: none."""
        super().__init__()
        self.head = head
        self.task = task
        self.motion = motion
        self.projection = projection

    @property
    @override
    def streams(self) -> bool:
        return self.head.streams

    @property
    @override
    def members(self) -> tuple[Member, ...]:
        return (self,)

    @override
    def forward(
        self, features: Tensor, state: State | None = None, mask: Tensor | None = None
    ) -> tuple[Outputs, State]:
        if state and not self.streams:
            raise ValueError("a head that sees whole clips only takes no state")
        before, motion_state = part_of(state, "motion"), State()
        if self.motion:
            motion_state = last_of(features, before, mask) if self.streams else {}
            features = torch.cat([features, changes(features, before)], -1)
        if self.projection is not None:
            features = self.projection(features)
        sequence, head_state = self.head(features, part_of(state, "head"), mask)
        scores, task_state = self.task(sequence, part_of(state, "task"), mask)
        return scores, join(motion=motion_state, head=head_state, task=task_state)

    def pooled(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """The readout's vector (batch, readout.width) of whole clips of features (batch, time, width).

        The member has a readout.

        A `LinearSolution` for `set_linear` is one for these vectors.
        """
        if self.motion:
            features = torch.cat([features, changes(features, None)], -1)
        if self.projection is not None:
            features = self.projection(features)
        assert self.task.readout is not None
        pooled: Tensor = self.task.readout(self.head(features, None, mask)[0], None, mask)[0]
        return pooled

    def set_linear(self, clip: LinearSolution, steps: LinearSolution | None = None) -> None:
        """Set the class layer from solutions for `pooled`; see `ClassOutput.set_linear`."""
        self.task.set_linear(clip, steps)


class Members(SequenceModel):
    """Several heads with their class scores, which answer together.

    The scores are the mean of the members' log-probabilities; where several classes may hold at once, the mean of their
    scores.
    """

    def __init__(self, members: Sequence[Member], kind: Kind = "one") -> None:
        super().__init__()
        for number, member in enumerate(members):
            self.add_module(f"member{number}", member)
        self.count = len(members)
        self.kind = kind

    @property
    @override
    def streams(self) -> bool:
        return all(member.streams for member in self.members)

    @property
    @override
    def members(self) -> tuple[Member, ...]:
        return tuple(getattr(self, f"member{number}") for number in range(self.count))

    @override
    def forward(
        self, features: Tensor, state: State | None = None, mask: Tensor | None = None
    ) -> tuple[Outputs, State]:
        outputs, states = [], {}
        for number, member in enumerate(self.members):
            scores, states[f"member{number}"] = member(features, part_of(state, f"member{number}"), mask)
            outputs.append(scores)
        return {name: self._mean([scores[name] for scores in outputs]) for name in outputs[0]}, join(**states)

    def _mean(self, scores: Sequence[Tensor]) -> Tensor:
        stacked = torch.stack(tuple(scores))
        return (stacked.log_softmax(-1) if self.kind == "one" else stacked).mean(0)


class Model(Network):
    """Frames -> scores of classes at each step and, with a readout, for the clip."""

    @classmethod
    @override
    def build(cls, spec: ModelSpec, answer: AnswerSpec) -> Model:
        encoder = build_encoder(spec.encoder, spec.size)
        classes, members = len(answer.classes), spec.members
        sequence = build_sequence(encoder.width, spec.head, spec.readout, classes, members=members, kind=answer.kind)
        return cls(encoder, sequence)

    def __init__(self, encoder: Encoder, sequence: SequenceModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.sequence = sequence

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        return self.sequence.members[0].task.outputs

    @property
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""
        return self.sequence.streams

    @property
    @override
    def split(self) -> tuple[Encoder, SequenceModel]:
        return self.encoder, self.sequence

    @property
    @override
    def inputs(self) -> tuple[InputName, ...]:
        return self.encoder.inputs

    @override
    def fresh_state(self, spec: ModelSpec) -> State:
        if not self.streams:
            return {}
        nothing, mask = torch.zeros(1, 2, self.encoder.width), torch.zeros(1, 2, dtype=torch.bool)
        state: State = self.sequence(nothing, None, mask)[1]
        return state

    @override
    def forward(
        self,
        frames: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        *,
        before: Tensor | None = None,
        flow: Tensor | None = None,
    ) -> tuple[Outputs, State]:
        read: tuple[Outputs, State] = self.sequence(self.encoder(frames, before, flow), state, mask)
        return read


def build_encoder(config: EncoderConfig, size: Size) -> Encoder:
    """An encoder with fresh weights.

    Raises:
        UsageError: there is none of that name, it cannot see that motion, or the package that it comes from is not
            installed.
    """
    if kind := foreign_kind(config.name):
        foreign: Encoder = load_member(FOREIGN_ENCODERS, "--encoder", kind)(config, size)
        return foreign
    encoder = load_member(ENCODERS, "--encoder", config.name)
    if config.name not in TRAINED_FROM_SCRATCH:
        known: Encoder = encoder(config.name, config.motion, config.grid)
        return known
    if "flow" in config.motion:
        raise UsageError(f"--motion flow: the encoder {config.name} {NO_FLOW}")
    if config.grid != WHOLE:
        raise UsageError(f"--grid: the encoder {config.name} {NO_GRID}")
    learnt: Encoder = encoder(size, grey=config.grey, differences="difference" in config.motion)
    return learnt


def build_sequence(
    width: int, head: HeadConfig, readout: str | None, classes: int, *, members: int = 1, kind: Kind = "one"
) -> SequenceModel:
    """Heads on features of `width` numbers, each with a readout for `classes`, with fresh weights.

    Args:
        width: of the features.
        head: the settings of each head.
        readout: the name of each readout; None for scores of the steps only.
        classes: how many there are.
        members: how many heads answer together.
        kind: of the answer, which decides how their scores are joined.

    Raises:
        UsageError: there is no head or readout of that name.
    """
    built = [_build_member(width, head, readout, classes) for _ in range(members)]
    return built[0] if members == 1 else Members(built, kind)


def _build_member(width: int, head: HeadConfig, readout: str | None, classes: int) -> Member:
    seen = 2 * width if head.motion else width
    built: Head = load_member(HEADS, "--head", head.name)(head.projection or seen, head)
    projection = None if head.projection is None else _projection(seen, head.projection)
    pooling = None if readout is None else load_member(READOUTS, "--readout", readout)(built.size)
    return Member(built, ClassOutput(pooling, built.size, classes), head.motion, projection)


def _projection(width: int, size: int) -> nn.Module:
    """Wide features become fewer numbers before the head, as in MiniROAD (An et al., ICCV 2023)."""
    return nn.Sequential(nn.Linear(width, size), nn.LayerNorm(size), nn.ReLU())


def count_parameters(module: nn.Module) -> int:
    """How many numbers training could change."""
    return sum(parameter.numel() for parameter in module.parameters())


def seed_everything(*parts: int) -> None:
    """Seed torch from `parts` alone, so that a resumed run draws the numbers of an unbroken one."""
    torch.manual_seed(mixed_seed(*parts))


def mixed_seed(*parts: int) -> int:
    """A seed from numbers: other numbers, or another order, give another one."""
    mixed = 0
    for part in parts:
        mixed = (mixed * 1_000_003 + part + 1) % (2**63)
    return mixed


def refuse_unknown(config: RunConfig) -> None:
    """Refuse a run early if a part that it asks for does not exist, or cannot see the motion that it asks for.

    Raises:
        UsageError: there is no encoder, head or readout of that name, the encoder sees no flow, or a setting means
            nothing to the head.
    """
    if config.encoder != "auto" and foreign_kind(config.encoder) is None:
        load_member(ENCODERS, "--encoder", config.encoder)
    if "flow" in config.motion and config.encoder in ("auto", *TRAINED_FROM_SCRATCH):
        which = "small, which --encoder auto tries," if config.encoder == "auto" else config.encoder
        raise UsageError(f"--motion {','.join(config.motion)}: the encoder {which} {NO_FLOW}")
    load_member(HEADS, "--head", config.head.name)
    refuse_unused(config.head)


def refuse_unused(head: HeadConfig) -> None:
    """Refuse settings that mean nothing to the head.

    The file of a run holds all settings, so those with their default value pass.

    Raises:
        UsageError: some are given.
    """
    default = HeadConfig()
    given = [name for name in head.unused if getattr(head, name) != getattr(default, name)]
    if given:
        flags = [one.flag_name for one in settings_of(HeadConfig) if one.path[-1] in given]
        does, them = ("does", "it") if len(flags) == 1 else ("do", "them")
        raise UsageError(
            f"{', '.join(flags)}: {does} not act on --head {head.name}, which has no units. Leave {them} out."
        )


def encoding_of(encoder: Encoder) -> Encode:
    """A function from pictures (count, height, width, 3) uint8 to features (count, width), without gradients.

    It holds a copy of the encoder's weights. Several threads may call it.
    """
    reader = encoder.folded()
    device, at_once = reader.mean.device, pictures_at_once(encoder)

    def encode(pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        if threading.current_thread() is not threading.main_thread():
            torch.set_num_threads(1)  # of this thread: those beside it use the other cores
        pieces = [slice(start, start + at_once) for start in range(0, len(pixels), at_once)]
        return np.concatenate([some(pixels[each], None if before is None else before[each]) for each in pieces])

    def some(pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        further = motion_inputs(reader.inputs, pixels, before)
        with torch.inference_mode():
            features = reader(tensor_of(pixels), **{name: tensor_of(each) for name, each in further.items()})
        return np.asarray(features[0].float().cpu())

    def tensor_of(pixels: NDArray[np.uint8]) -> Tensor:
        owned = np.require(pixels, requirements=["C", "W"])  # a read-only map of a file cannot become a tensor
        return torch.from_numpy(owned).to(device).unsqueeze(0)

    return encode


def pictures_at_once(encoder: Encoder) -> int:
    """The number of pictures that the encoder's device turns into features at once."""
    most = _PICTURES_AT_ONCE if encoder.mean.device.type == "cpu" else _GPU_PICTURES_AT_ONCE
    return max(1, most // len(encoder.views))


def fingerprint(encoder: Encoder) -> str:
    """A name for the encoder's weights. Equal weights have equal names."""
    digest = hashlib.blake2b(encoder.identity.encode(), digest_size=16)
    for name, tensor in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return f"{type(encoder).__name__}-{digest.hexdigest()}"
