"""The contract of a runtime, which computes a model. Frames and state go in, outputs and state come out; numpy only."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.errors import FilmError, ModelError
from vidrnn.model.header import HEADER_KEY
from vidrnn.model.portable import HEAD_KEY, Contract, Ports, next_of
from vidrnn.values import Handling, Pixels
from vidrnn.video.motion import motion_inputs

if TYPE_CHECKING:
    from vidrnn.model.metadata import ModelHeader

Array = NDArray[Any]
State = dict[str, Array]
"""The memory of a model between two frames, by name; the minibatch is the first axis of each tensor."""
Features = NDArray[np.float32]
Outputs = dict[str, Array]
"""The outputs of a model by name: `clip` (batch, classes), `steps` (batch, time, classes), both before softmax, `next`
(batch, time, height, width, channels) in [0, 1]."""

_PICTURES_AT_ONCE = 8
"""Few enough to stay in a processor's caches."""


class Runtime(ABC):
    """A model that reads frames, on any engine. Several threads may call it at once."""

    name: str
    """As `--runtime` takes it."""
    frames_at_once: int = 32
    """How many frames to hand to `encode` while a film is read: enough to keep the processor busy."""
    handling: Handling
    """How the model is fed, and how its outputs are read."""

    @property
    @abstractmethod
    def header(self) -> ModelHeader:
        """The header of the model."""

    @property
    @abstractmethod
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""

    @property
    @abstractmethod
    def splits(self) -> bool:
        """Whether the model has `encode` and `follow`, so that a frame is encoded once for all windows that hold it."""

    @abstractmethod
    def read(self, frames: Pixels, state: State | None = None, before: Pixels | None = None) -> tuple[Outputs, State]:
        """Read on from `state`, None for a fresh start.

        Args:
            frames: (batch, time, height, width, 3) uint8 RGB at the model's size, or (batch, time, width) float32 for
                a model that reads features.
            state: the state that this method returned for the frames before.
            before: the frame before each frame, shaped as `frames`. A model with `handling.inputs` needs it, and
                computes the flow from it; others do not look at it.

        Returns:
            the outputs by name, and the state.

        Raises:
            FilmError: the model answers with numbers that are not finite.
        """

    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        """Features (count, width) of pictures (count, height, width, 3); `before` as in `read`, shaped as `pixels`."""
        raise TypeError(f"{type(self).__name__} does not split: ask `splits` before `encode`")

    def follow(self, features: Features, state: State | None = None) -> tuple[Outputs, State]:
        """As `read`, of frames that are encoded already: features (batch, time, width)."""
        raise TypeError(f"{type(self).__name__} does not split: ask `splits` before `follow`")


class GraphRuntime(Runtime):
    """A model in a file that holds it as a graph. All runtimes that read such files share this class.

    The file holds the whole network: frames and state -> outputs and state. Windows overlap, and each frame should be
    encoded once. So the metadata of a model that splits also hold the network from the features on, as a graph.
    """

    frames_at_once = 16
    """Fewer than torch gets, so that little work is left when the film is decoded."""

    def __init__(self, metadata: Mapping[str, str], ports: Ports, source: str) -> None:
        """Check a graph against its metadata.

        Args:
            metadata: of the file.
            ports: the inputs and outputs of the graph.
            source: the file, for errors.

        Raises:
            ModelError: the metadata is damaged, of another version, or does not describe the graph.
        """
        self.metadata = metadata
        self._source = source
        self._contract = Contract.read(metadata, source)
        self._contract.check_whole(ports)
        film = next(port for port in ports.inputs if port.name == self._contract.input_name)
        self._step_by_step = film.shape[1] == 1
        self.handling = self._contract.handling
        self._tensors, self._outputs = self._contract.state, self._contract.outputs

    @abstractmethod
    def run_whole(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        """Outputs of the whole network for its inputs."""

    @abstractmethod
    def run_head(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        """Outputs of the network from the features on for its inputs."""

    @property
    @override
    def header(self) -> ModelHeader:
        from vidrnn.model.metadata import ModelHeader

        return ModelHeader.from_json(self.metadata[HEADER_KEY], self._source)

    @property
    @override
    def streams(self) -> bool:
        return self._contract.streams

    @property
    @override
    def splits(self) -> bool:
        return HEAD_KEY in self.metadata

    @property
    def head_content(self) -> bytes:
        """The network from the features on, as the bytes of an ONNX file.

        Raises:
            ModelError: it is damaged.
        """
        try:
            return base64.b64decode(self.metadata[HEAD_KEY], validate=True)
        except ValueError:
            raise ModelError(f"{self._source}: its {HEAD_KEY} is damaged. Export the model again.") from None

    @override
    def read(self, frames: Pixels, state: State | None = None, before: Pixels | None = None) -> tuple[Outputs, State]:
        if not self._step_by_step:
            return self._read(frames, state or {}, before)
        steps, state = [], state or {}
        for place in range(frames.shape[1]):
            now = slice(place, place + 1)
            step, state = self._read(frames[:, now], state, None if before is None else before[:, now])
            steps.append(step)
        return joined_steps(steps), state

    def _read(self, frames: Pixels, state: State, before: Pixels | None) -> tuple[Outputs, State]:
        after = self._run([*self._outputs, *map(next_of, self._tensors)], frames, state, before)
        outputs = checked_outputs({name: after[name] for name in self._outputs})
        return outputs, {name: after[next_of(name)] for name in self._tensors}

    @override
    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        if not self.splits:
            return super().encode(pixels, before)
        if self.handling.features is not None:
            return pixels.astype(np.float32)
        features = []
        at_once = max(1, _PICTURES_AT_ONCE // (1 + len(self.handling.inputs)))
        for start in range(0, len(pixels), at_once):
            some = slice(start, start + at_once)
            earlier = None if before is None else before[None, some]
            features.append(self._run(["features"], pixels[None, some], {}, earlier)["features"][0])
        return np.concatenate(features)

    def _run(self, wanted: Sequence[str], frames: Pixels, state: State, before: Pixels | None) -> State:
        """Outputs by name; tensors that `state` lacks have their first value."""
        given = {name: state.get(name, tensor.fresh_batch(len(frames))) for name, tensor in self._tensors.items()}
        seen = {self._contract.input_name: frames} | motion_inputs(self.handling.inputs, frames, before)
        given |= {name: np.ascontiguousarray(array) for name, array in seen.items()}
        return dict(zip(wanted, self.run_whole(wanted, given), strict=True))

    @override
    def follow(self, features: Features, state: State | None = None) -> tuple[Outputs, State]:
        if not self.splits:
            return super().follow(features, state)
        names, held = list(self._tensors), state or {}
        given = {name: held[name] if held else self._tensors[name].fresh_batch(len(features)) for name in names}
        wanted = [*self._outputs, *map(next_of, names)]
        after = dict(zip(wanted, self.run_head(wanted, {"features": features, **given}), strict=True))
        outputs = checked_outputs({name: after[name] for name in self._outputs})
        return outputs, {name: after[next_of(name)] for name in names}


def checked_outputs(outputs: Outputs) -> Outputs:
    """The same outputs, if all their numbers are finite.

    Raises:
        FilmError: some are not, so they are no answer.
    """
    for name, numbers in outputs.items():
        if not np.isfinite(numbers).all():
            raise FilmError(
                f"The model answered with numbers that are not finite (its output {name}), so there is no answer. "
                "Copy the model again, or train it anew."
            )
    return outputs


def joined_steps(steps: Sequence[Outputs]) -> Outputs:
    """The outputs of successive frames, read one at a time, as those of all of them; `clip` is the last one."""
    return {
        name: steps[-1][name] if name == "clip" else np.concatenate([step[name] for step in steps], 1)
        for name in steps[-1]
    }
