"""The contract of a portable file: the metadata beside its graph, and the inputs and outputs that the graph must have.

A portable file may come from anybody. It is checked once, when it is opened, so that nothing is computed by a graph
that its metadata does not describe. This module knows no engine: an engine gives the ports of the graph that it read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.errors import ModelError
from vidrnn.model.header import HEADER_KEY, read_handling
from vidrnn.text import visible
from vidrnn.values import Handling

STATE_KEY, OUTPUTS_KEY, STREAMS_KEY, HEAD_KEY = "vidrnn.state", "vidrnn.outputs", "vidrnn.streams", "vidrnn.head"
"""Of the metadata: the state's tensors, the names of the outputs, whether the model streams (yes or no), and the
network from the features on as base64, if the model can be split there."""
LARGEST_STATE = 2**26
"""The most numbers that one tensor of a state may hold: 256 MiB of float32. The state of one 4K picture is smaller."""
_STATE_TYPES = ("float32", "float64", "float16", "int64", "int32", "uint8", "bool")
_SCORES = "float32"


@dataclass(frozen=True)
class StateTensor:
    """One tensor of a state: its shape without the minibatch, its type by numpy's name, and its first value."""

    shape: tuple[int, ...]
    type: str
    fresh: float

    def fresh_batch(self, batch: int) -> NDArray[Any]:
        """The tensor of a fresh state, (batch, ...)."""
        return np.full((batch, *self.shape), self.fresh, dtype=self.type)


@dataclass(frozen=True)
class Port:
    """An input or an output of a graph."""

    name: str
    type: str
    """By numpy's name, or as the engine says it where numpy has none."""
    shape: tuple[int | None, ...]
    """None: any length."""

    def __str__(self) -> str:
        sides = ", ".join("any" if side is None else str(side) for side in self.shape)
        return f"{visible(self.name)} {self.type} ({sides})"


@dataclass(frozen=True)
class Ports:
    """The inputs and outputs of a graph."""

    inputs: Sequence[Port]
    outputs: Sequence[Port]


@dataclass(frozen=True)
class Contract:
    """The metadata of a portable file, read and checked."""

    handling: Handling
    state: dict[str, StateTensor]
    outputs: tuple[str, ...]
    """The outputs that answer."""
    streams: bool
    source: str
    """The file, for errors."""

    @classmethod
    def read(cls, metadata: Mapping[str, str], source: str) -> Contract:
        """Read the metadata of a file.

        Raises:
            ModelError: a part is missing, damaged or of another version of vidrnn.
        """
        handling = read_handling(metadata[HEADER_KEY], source)
        try:
            state, outputs, streams = _state(metadata), _outputs(metadata), metadata[STREAMS_KEY]
            if streams not in ("yes", "no"):
                raise ValueError(f"{STREAMS_KEY}: is neither yes nor no")
            if missing := [name for name in answering_outputs(handling) if name not in outputs]:
                raise ValueError(f"{OUTPUTS_KEY}: has no {missing[0]}")
        except KeyError as error:
            raise ModelError(f"{source}: its metadata has no {error.args[0]}. Export the model again.") from None
        except (ValueError, TypeError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else visible(str(error))
            raise ModelError(f"{source}: its metadata is damaged ({reason}). Export the model again.") from None
        return cls(handling, state, outputs, streams == "yes", source)

    @property
    def input_name(self) -> str:
        """The input that holds the film: `frames`, or `features`."""
        return "frames" if self.handling.features is None else "features"

    def check_whole(self, graph: Ports) -> None:
        """Check the ports of the whole network.

        Raises:
            ModelError: the graph has other ports than the metadata says.
        """
        handling = self.handling
        size = handling.size
        pictures = (None, None, size.height, size.width, 3)
        films = {"frames": Port("frames", "uint8", pictures)}
        if handling.features is not None:
            films = {"features": Port("features", "float32", (None, None, handling.features.width))}
        films |= {name: Port(name, "uint8", pictures) for name in handling.inputs}
        self._check(graph, films)

    def check_head(self, graph: Ports) -> None:
        """Check the ports of the network from the features on.

        Raises:
            ModelError: the graph has other ports than the metadata says.
        """
        self._check(graph, {"features": Port("features", "float32", (None, None, None))})

    def _check(self, graph: Ports, films: dict[str, Port]) -> None:
        state = {name: Port(name, one.type, (None, *one.shape)) for name, one in self.state.items()}
        after = {next_of(name): port for name, port in state.items()}
        wanted = {name: self._output(name) for name in self.outputs}
        self._compare("input", graph.inputs, films | state, others=False)
        self._compare("output", graph.outputs, wanted | after, others=True)

    def _output(self, name: str) -> Port:
        """An output that answers, as it must be."""
        handling = self.handling
        if name == "next" and handling.forecast is not None:
            sides = (None, None, handling.size.height, handling.size.width, handling.forecast.channels)
            return Port(name, _SCORES, sides)
        classes = len(handling.answer.classes)
        return Port(name, _SCORES, (None, classes) if name == "clip" else (None, None, classes))

    def _compare(self, kind: str, found: Sequence[Port], wanted: Mapping[str, Port], *, others: bool) -> None:
        """Compare ports with those that must be there; `others`: further ones may be there, too."""
        by_name = {port.name: port for port in found}
        for name, port in wanted.items():
            if name not in by_name:
                self._refuse(f"the graph has no {kind} {visible(name)}")
            if not _fits(by_name[name], port):
                self._refuse(f"its {kind} is {by_name[name]}, and {port} is described")
        if not others and (further := [name for name in by_name if name not in wanted]):
            self._refuse(f"the graph has the {kind} {visible(further[0])}, which is not described")

    def _refuse(self, reason: str) -> None:
        raise ModelError(f"{self.source}: its header does not describe its graph: {reason}. Export the model again.")


def next_of(name: str) -> str:
    """The output that a state tensor's new value comes out of."""
    return f"{name}.next"


def answering_outputs(handling: Handling) -> tuple[str, ...]:
    """The outputs that an answer of this kind is made of; none for a kind that no task of this vidrnn gives."""
    if handling.answer.kind == "picture":
        return ("next",)
    if handling.answer.kind not in ("one", "several"):
        return ()
    return ("clip", "steps") if handling.answer.resolution == "clip" else ("steps",)


def _fits(found: Port, wanted: Port) -> bool:
    """Whether a port is as it must be. A side that may have any length on either end fits."""
    if found.type != wanted.type or len(found.shape) != len(wanted.shape):
        return False
    sides = zip(found.shape, wanted.shape, strict=True)
    return all(one is None or other is None or one == other for one, other in sides)


def _state(metadata: Mapping[str, str]) -> dict[str, StateTensor]:
    """The tensors of the state.

    Raises:
        ValueError: they are not as an export writes them.
        KeyError: there are none.
    """
    stored = json.loads(metadata[STATE_KEY])
    if not isinstance(stored, dict):
        raise ValueError(f"{STATE_KEY}: is no table of tensors")
    return {name: _tensor(f"{STATE_KEY}: {name}", known) for name, known in stored.items()}


def _tensor(place: str, known: object) -> StateTensor:
    if not isinstance(known, dict) or {*known} != {"shape", "type", "fresh"}:
        raise ValueError(f"{place}: wanted shape, type and fresh")
    shape, kind, fresh = known["shape"], known["type"], known["fresh"]
    if not isinstance(shape, list) or not all(type(side) is int and side > 0 for side in shape):
        raise ValueError(f"{place}: its shape is no list of whole numbers above 0")
    if math.prod(shape) > LARGEST_STATE:
        raise ValueError(f"{place}: has {math.prod(shape):.1e} numbers, and {LARGEST_STATE:.1e} are the most")
    if kind not in _STATE_TYPES:
        raise ValueError(f"{place}: its type is none of {', '.join(_STATE_TYPES)}")
    if type(fresh) not in (int, float) or not abs(fresh) < math.inf:
        raise ValueError(f"{place}: its fresh value is no number")
    with np.errstate(over="ignore"):
        fits = np.isfinite(np.full((), fresh).astype(kind))
    if not fits:
        raise ValueError(f"{place}: its fresh value does not fit its type")
    return StateTensor(tuple(shape), kind, fresh)


def _outputs(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the outputs that answer.

    Raises:
        ValueError: they are no names.
        KeyError: there are none.
    """
    names = json.loads(metadata[OUTPUTS_KEY])
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{OUTPUTS_KEY}: is no list of names")
    return tuple(_known(names))


def _known(names: Iterable[str]) -> list[str]:
    known = ("clip", "steps", "next")
    if foreign := [name for name in names if name not in known]:
        raise ValueError(f"{OUTPUTS_KEY}: {foreign[0]} is none of {', '.join(known)}")
    return list(dict.fromkeys(names))
